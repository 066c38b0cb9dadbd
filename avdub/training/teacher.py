"""Teacher speech: Apache-2.0 voices read sentences; we keep the sound and each phoneme's duration.

Needs the `train` extra (hibari-tts) and, for the Kokoro voices, a folder with the joined int8 model
(`kokoro-v1.0.int8.onnx`) and the voice packs (`<voice>.bin`). Writes a corpus folder: FLAC files at
16 kHz and `metadata.jsonl`. Only `avdub train prepare` uses it.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
import soundfile
import soxr

from avdub.errors import InputError
from avdub.progress import Progress, silent
from avdub.text.base import phonemize

TEACHER_RATE = 24_000
CORPUS_RATE = 16_000
UNIT_S = 600 / TEACHER_RATE  # both teachers count durations in 25 ms units
LATE_UNITS = 2  # how much later than its sound both teachers put every label (measured)
HIBARI_DURATIONS = "/Clip_output_0"
KOKORO_DURATIONS = "/encoder/Round_output_0"

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Utterance:
    """One line of `metadata.jsonl`. `durations_s` has one entry a phoneme and one for each edge."""

    id: str
    speaker: str
    text: str
    phonemes: str = ""
    durations_s: tuple[float, ...] = ()


class Teacher(Protocol):
    """Phonemes to 24 kHz sound and durations in units."""

    voice: str
    language: str

    def say(self, phonemes: str, seed: int) -> tuple[Floats, npt.NDArray[np.float32]]: ...


class HibariTeacher:
    """The voice in the hibari-tts wheel (distilled from Kokoro's af_heart)."""

    voice, language = "heart", "en-us"

    def __init__(self) -> None:
        from hibari import Hibari

        self.tts = Hibari()
        self.session = _session_with(Path(self.tts.model_path), HIBARI_DURATIONS)

    def say(self, phonemes: str, seed: int) -> tuple[Floats, npt.NDArray[np.float32]]:
        from hibari import dsp

        ids = np.asarray([self.tts.ids(phonemes)], np.int64)
        *parts, durations = self.session.run(None, {"ids": ids, "speed": np.ones(1, np.float32)})
        sound = dsp.synth(*(part[0] for part in parts), np.random.default_rng(seed))
        return np.asarray(sound, np.float32), np.asarray(durations, np.float32).ravel()


class KokoroTeacher:
    """One voice of Kokoro-82M int8."""

    def __init__(self, folder: Path, voice: str, threads: int = 0) -> None:
        from hibari import Hibari

        pack, model = folder / f"{voice}.bin", folder / "kokoro-v1.0.int8.onnx"
        for file in (pack, model):
            if not file.is_file():
                hint = "join the model parts and copy the voice packs there"
                raise InputError(f"{file} is missing", hint)
        self.voice, self.language = voice.split("_")[1], language_of(voice)
        self.styles = np.fromfile(pack, np.float32).reshape(-1, 1, 256)
        self.ids = Hibari().ids
        self.session = _session_with(model, KOKORO_DURATIONS, threads)

    def say(self, phonemes: str, seed: int) -> tuple[Floats, npt.NDArray[np.float32]]:
        ids = self.ids(phonemes)
        feed = {
            "tokens": np.asarray([ids], np.int64),
            "style": self.styles[min(len(ids) - 2, len(self.styles)) - 1],
            "speed": np.ones(1, np.float32),
        }
        sound, durations = self.session.run(None, feed)
        return np.asarray(sound, np.float32).ravel(), np.asarray(durations, np.float32).ravel()


def make_corpus(
    teacher: Teacher, sentences: Iterable[str], folder: Path, progress: Progress = silent
) -> int:
    """Let `teacher` read `sentences` into `folder`; resumes; returns how many were written."""
    g2p = _reader(teacher.language)
    folder.mkdir(parents=True, exist_ok=True)
    done = {item.id for item in read_corpus(folder)}
    lines = list(sentences)
    n_written = 0
    with (folder / "metadata.jsonl").open("a", encoding="utf-8") as log:
        for i, text in enumerate(progress(lines, f"teacher {teacher.voice}", len(lines))):
            name = f"{teacher.voice}_{i:05d}"
            if name in done:
                continue
            item = _read_aloud(teacher, g2p(text), text, folder / f"{name}.flac", i)
            if item is not None:
                log.write(json.dumps(asdict(item), ensure_ascii=False) + "\n")
                log.flush()
                n_written += 1
    return n_written


def language_of(voice: str) -> str:
    """What a teacher voice speaks, by the first letter of a Kokoro voice's name."""
    return {"b": "en-gb", "e": "es"}.get(voice[0], "en-us") if "_" in voice else "en-us"


def _reader(language: str) -> Callable[[str], str]:
    from hibari.g2p import G2P

    if language == "es":
        return partial(phonemize, language=language)
    english: Callable[[str], str] = G2P(british=language == "en-gb")
    return english


def read_corpus(folder: Path) -> Iterator[Utterance]:
    """The utterances of a corpus folder, in file order."""
    listing = folder / "metadata.jsonl"
    if not listing.is_file():
        return
    with listing.open(encoding="utf-8") as lines:
        for line in lines:
            fields = json.loads(line)
            yield Utterance(**{**fields, "durations_s": tuple(fields.get("durations_s", ()))})


def _read_aloud(
    teacher: Teacher, phonemes: str, text: str, file: Path, seed: int
) -> Utterance | None:
    symbols = "".join(c for c in phonemes if c in _vocabulary())
    if not symbols or len(symbols) > 400:
        return None
    sound, units = teacher.say(symbols, seed)
    if len(units) != len(symbols) + 2:
        return None
    peak = float(np.abs(sound).max())
    if peak < 0.01:
        return None
    resampled = soxr.resample(sound, TEACHER_RATE, CORPUS_RATE)
    soundfile.write(file, np.clip(resampled, -1, 1), CORPUS_RATE)
    durations = tuple(round(float(u) * UNIT_S, 4) for u in on_time(units))
    return Utterance(file.stem, teacher.voice, text, symbols, durations)


def on_time(units: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Durations (P,) whose boundaries are where the sound has them: LATE_UNITS earlier, the first
    ones not below 0. Their sum stays."""
    edges = np.concatenate(([0], np.cumsum(units, dtype=np.float32)))
    edges[1:-1] = np.maximum(edges[1:-1] - LATE_UNITS, 0)
    return np.asarray(np.diff(edges), np.float32)


@cache
def _vocabulary() -> frozenset[str]:
    import hibari

    file = Path(hibari.__file__).parent / "assets" / "vocab.json"
    return frozenset(json.loads(file.read_text(encoding="utf-8")))


def _session_with(model: Path, node: str, threads: int = 0) -> onnxruntime.InferenceSession:
    """Open an ONNX model with one inner node as an extra, last output; 0 threads are one a core."""
    graph = onnx.load(str(model))
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(node))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
