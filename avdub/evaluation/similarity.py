"""How much a voice sounds like the one it is meant to be: cosines of resemblyzer's embeddings.

Everything compared here is levelled and freed of silence first, so that neither counts. A cosine
alone says little: it comes with a ceiling (the reference's own recordings) and a floor (others').
"""

import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError, WeightsError
from avdub.media.audio import read_sound
from avdub.media.waveform import Waveform, resample
from avdub.progress import Progress, silent
from avdub.timeline import SAMPLE_RATE

Samples = NDArray[np.float32]
Embedding = NDArray[np.float32]  # (256,), of length 1
Embed = Callable[[Samples], Embedding]

SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")
MOST_FILES = 20  # of a voice
PIECE_S = 4.0  # recordings are cut into pieces of about a line's length
PIECE_SAMPLES = SAMPLE_RATE // 100  # 10 ms
QUIET_DB = 40.0  # below the loudest 10 ms: silence
PAUSE_PIECES = 18  # silence that stays around speech, as resemblyzer's own trimming leaves it
LEVEL_DB = -25.0  # RMS of what is embedded


@dataclass(frozen=True)
class Likeness:
    """Cosines of a voice's lines, each against the mean embedding of a reference.

    `mean` is that of the lines; `ceiling` of the reference's own recordings, each against the mean
    of the half without it; `floor` of the other references' recordings; `identified` the share of
    lines that are nearer to their own reference than to any other. None: nothing to tell from.
    """

    mean: float
    ceiling: float | None
    floor: float | None
    identified: float | None


class Ears:
    """Compares voices. `references` are embeddings (N, 256) of recordings by voice."""

    def __init__(self, embed: Embed, references: Mapping[str, NDArray[np.float32]]) -> None:
        self.embed = embed
        self.references = dict(references)
        self._means = {name: _mean(each) for name, each in references.items()}

    def knows(self, voice: str) -> bool:
        return voice in self.references

    def embed_line(self, wav: Samples) -> Embedding | None:
        """The voice of 16 kHz sound (S,); None where it is silent."""
        spoken = speech_only(wav)
        return self.embed(spoken) if len(spoken) else None

    def similarity(self, voice: str, line: Embedding) -> float:
        """The cosine of a line and the mean of the reference of `voice`."""
        return float(self._means[voice] @ line)

    def likeness(self, voice: str, lines: Sequence[Embedding]) -> Likeness | None:
        """None for a voice without reference or without lines."""
        if not lines or not self.knows(voice):
            return None
        own = float(np.mean([self.similarity(voice, line) for line in lines]))
        others = [name for name in self.references if name != voice]
        floor = identified = None
        if others:
            mean = self._means[voice]
            floor = float(np.mean([(self.references[name] @ mean).mean() for name in others]))
            means = np.stack([self._means[name] for name in (voice, *others)])
            nearest = (np.stack(lines) @ means.T).argmax(1)
            identified = float((nearest == 0).mean())
        return Likeness(own, self._ceiling(voice), floor, identified)

    def _ceiling(self, voice: str) -> float | None:
        own = self.references[voice]
        if len(own) < 2:
            return None
        first, second = own[: len(own) // 2], own[len(own) // 2 :]
        return float(np.concatenate([first @ _mean(second), second @ _mean(first)]).mean())


def find_references(words: Sequence[str]) -> dict[str, list[Path]]:
    """Sound files by voice: `NAME=FOLDER`, `NAME=FILE`, or a folder that names voices.

    A folder names them by its folders and by its files, whose numbers do not count: michael_01.flac
    is of michael. Raises InputError where there is no sound.
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        name, is_named, rest = word.partition("=")
        path = Path(rest if is_named else word).expanduser()
        files = _sounds(path) if path.is_dir() else [path]
        here = {name: files} if is_named else _by_voice(path)
        if not path.exists() or not any(here.values()):
            raise InputError(
                f"there is no reference recording in {path}",
                "give NAME=FOLDER with sound files, or a folder with a folder for each voice",
            )
        for voice, files in here.items():
            found[voice] = [*found.get(voice, []), *files]
    return {voice: files for voice, files in found.items() if files}


def make_ears(references: Mapping[str, Sequence[Path]], progress: Progress = silent) -> Ears:
    """Embed recordings of every voice, at most MOST_FILES of each, evenly chosen.

    Raises WeightsError without resemblyzer; InputError or MediaError for recordings.
    """
    embed = make_embedder()
    chosen = [(voice, file) for voice, files in references.items() for file in _spread(files)]
    heard: dict[str, list[Embedding]] = {voice: [] for voice in references}
    for voice, file in progress(chosen, "references", len(chosen)):
        heard[voice] += [embed(piece) for piece in _pieces(read_sound(file))]
    for voice, each in heard.items():
        if not each:
            raise InputError(f"the reference of {voice} is silent", "give recordings of speech")
    return Ears(embed, {voice: np.stack(each) for voice, each in heard.items()})


def make_embedder() -> Embed:
    """16 kHz speech (S,) → its embedding (256,) of length 1. Raises WeightsError."""
    try:
        with _without_vad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it imports from a place scipy has deprecated
            from resemblyzer import VoiceEncoder
    except ImportError as error:
        raise WeightsError(
            f"comparing voices needs resemblyzer, which cannot be imported: {error}",
            "install it with pip install --no-deps resemblyzer, and pip install librosa scipy",
        ) from error
    encoder = VoiceEncoder("cpu", verbose=False)

    def embed(wav: Samples) -> Embedding:
        return np.asarray(encoder.embed_utterance(wav), np.float32)

    return embed


def speech_only(wav: Samples) -> Samples:
    """16 kHz sound (S,) at LEVEL_DB without silence at its ends and without long pauses."""
    spoken = np.flatnonzero(active_pieces(wav))
    if not len(spoken):
        return wav[:0]
    keep = np.zeros(len(wav) // PIECE_SAMPLES, bool)
    for before, after in pairwise(spoken):
        keep[before : after if after - before <= PAUSE_PIECES else before + PAUSE_PIECES // 2] = 1
    keep[spoken[-1]] = True
    kept = wav[: len(keep) * PIECE_SAMPLES].reshape(-1, PIECE_SAMPLES)[keep].ravel()
    rms = np.sqrt(np.mean(np.square(kept, dtype=np.float64)))
    return np.asarray(kept * (10 ** (LEVEL_DB / 20) / rms), np.float32)


def active_pieces(wav: Samples) -> NDArray[np.bool_]:
    """Which 10 ms of 16 kHz sound (S,) are no silence, (S // 160,)."""
    pieces = wav[: len(wav) // PIECE_SAMPLES * PIECE_SAMPLES].reshape(-1, PIECE_SAMPLES)
    power = np.square(pieces, dtype=np.float64).mean(1)
    loudest = power.max(initial=0.0)
    if loudest <= 1e-10:
        return np.zeros(len(power), bool)
    return np.asarray(power > loudest * 10 ** (-QUIET_DB / 10))


def _pieces(sound: Waveform) -> list[Samples]:
    wav = speech_only(resample(sound.mono(), SAMPLE_RATE).samples[:, 0])
    n_pieces = max(1, round(len(wav) / SAMPLE_RATE / PIECE_S))
    return [piece for piece in np.array_split(wav, n_pieces) if len(piece)]


def _by_voice(folder: Path) -> dict[str, list[Path]]:
    if not folder.is_dir():
        return {}
    found = {p.name: _sounds(p) for p in sorted(folder.iterdir()) if p.is_dir()}
    for file in _sounds(folder):
        voice = re.sub(r"[\s_.-]*\d+$", "", file.stem) or file.stem
        found[voice] = [*found.get(voice, []), file]
    return found


def _sounds(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUND_SUFFIXES)


def _spread(files: Sequence[Path]) -> list[Path]:
    n = min(len(files), MOST_FILES)
    return [files[i * len(files) // n] for i in range(n)]


def _mean(embeddings: NDArray[np.float32]) -> Embedding:
    mean = embeddings.mean(0)
    return np.asarray(mean / np.linalg.norm(mean), np.float32)


@contextmanager
def _without_vad() -> Iterator[None]:
    """resemblyzer imports webrtcvad for a trimming of its own, which is not used here and which
    needs a compiler to install: an empty module does."""
    if "webrtcvad" in sys.modules or find_spec("webrtcvad"):
        yield
        return
    sys.modules["webrtcvad"] = ModuleType("webrtcvad")
    try:
        yield
    finally:
        del sys.modules["webrtcvad"]
