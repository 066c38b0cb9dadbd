"""How our speech does with independent judges: a recogniser, a quality model, the clock.

Word error rate by faster-whisper, DNSMOS P.808 by speechmos; both are optional packages.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError, WeightsError
from avdub.evaluation.words import word_errors, words_of
from avdub.media.audio import read_sound
from avdub.media.waveform import Waveform, resample
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import speak_text
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.timeline import SAMPLE_RATE

Samples = NDArray[np.float32]
FIT_RATE = 1.1  # how much faster than naturally the lines are asked for to test the fit
SOUND_SUFFIXES = (".wav", ".flac", ".ogg", ".opus")


@dataclass(frozen=True)
class Spoken:
    """A line and its sound; `asked_s` and `made_s` are set where a length was asked for."""

    voice: str
    text: str
    sound: Waveform
    asked_s: float | None = None
    made_s: float | None = None


@dataclass(frozen=True)
class LineScore:
    """One line: errors of its `words`, what was heard, P.808, and by how much a length is missed.

    wer is errors over words; miss_ms is None where no length was asked for.
    """

    voice: str
    text: str
    heard: str
    words: int
    errors: int
    p808: float
    seconds: float
    miss_ms: float | None

    @property
    def wer(self) -> float:
        return self.errors / max(self.words, 1)


@dataclass(frozen=True)
class VoiceScore:
    """The lines of one voice. wer pools errors and words, p808 is the mean, miss_ms the largest."""

    voice: str
    lines: tuple[LineScore, ...]

    @property
    def wer(self) -> float:
        return sum(x.errors for x in self.lines) / max(1, sum(x.words for x in self.lines))

    @property
    def p808(self) -> float:
        return float(np.mean([x.p808 for x in self.lines]))

    @property
    def miss_ms(self) -> float | None:
        return max((x.miss_ms for x in self.lines if x.miss_ms is not None), default=None)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        lines = [{**asdict(x), "wer": x.wer} for x in self.lines]
        return {
            "voice": self.voice,
            "wer": self.wer,
            "p808": self.p808,
            "miss_ms": self.miss_ms,
            "lines": lines,
        }


@dataclass(frozen=True)
class Judges:
    """`hear` writes down 16 kHz sound (S,), `rate` gives its DNSMOS P.808 (1 to 5)."""

    hear: Callable[[Samples], str]
    rate: Callable[[Samples], float]


def read_lines(path: Path, limit: int | None = None) -> list[str]:
    """The lines of a text file that hold words. Raises InputError where there is none."""
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "give a UTF-8 text file") from error
    lines = [line for line in found if words_of(line)][:limit]
    if not lines:
        raise InputError(f"{path} has no line of words", "write one sentence a line")
    return lines


def spoken_lines(
    lines: Sequence[str], options: DubOptions, seconds: float | None = None
) -> Iterable[Spoken]:
    """Our voice saying each line, one at a time.

    With `seconds` every line is asked to take that long; without, it is judged at its natural
    length and said a second time, faster, to see whether an asked length is met.
    """
    weights = Weights(options.model)
    voice = options.voice or weights.default_voice
    for line in lines:
        sound = speak_text(line, options, seconds, weights)
        if seconds is not None:
            yield Spoken(voice, line, sound, seconds, sound.seconds)
            continue
        asked = round(sound.seconds / FIT_RATE, 3)
        again = speak_text(line, options, asked, weights)
        yield Spoken(voice, line, sound, asked, again.seconds)


def recorded_lines(lines: Sequence[str], folder: Path) -> Iterable[Spoken]:
    """Sound files of a folder, by name, as the lines in their order.

    Raises InputError where their numbers differ.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "give a folder with one sound file a line")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUND_SUFFIXES)
    if len(files) < len(lines):
        raise InputError(
            f"{folder} has {len(files)} sound files for {len(lines)} lines",
            "give one sound file a line, their names in the order of the lines",
        )
    for line, file in zip(lines, files, strict=False):
        yield Spoken(folder.name, line, read_sound(file))


def judge(
    spoken: Iterable[Spoken], judges: Judges, progress: Progress = silent, total: int | None = None
) -> list[VoiceScore]:
    """Score every line, grouped by voice in order of appearance."""
    scores: dict[str, VoiceScore] = {}
    for each in progress(spoken, "speech", total):
        known = scores.get(each.voice, VoiceScore(each.voice, ()))
        scores[each.voice] = replace(known, lines=(*known.lines, _score(each, judges)))
    return list(scores.values())


def _score(spoken: Spoken, judges: Judges) -> LineScore:
    wav = np.clip(resample(spoken.sound.mono(), SAMPLE_RATE).samples[:, 0], -1, 1)
    heard = judges.hear(wav)
    n_words, errors = word_errors(spoken.text, heard)
    miss = None
    if spoken.asked_s is not None and spoken.made_s is not None:
        miss = abs(spoken.made_s - spoken.asked_s) * 1000
    seconds = spoken.sound.seconds
    return LineScore(
        spoken.voice, spoken.text, heard, n_words, errors, judges.rate(wav), seconds, miss
    )


def make_judges(whisper: Path) -> Judges:
    """Both judges; `whisper` is a faster-whisper model folder. Raises WeightsError."""
    return Judges(make_listener(whisper), make_rater())


def make_listener(folder: Path) -> Callable[[Samples], str]:
    """16 kHz sound (S,) → what Whisper hears (beam 5, English). Raises WeightsError."""
    if not (folder / "model.bin").is_file():
        raise WeightsError(
            f"there is no Whisper model in {folder}",
            "give a folder with a CTranslate2 model.bin, config.json and tokenizer.json",
        )
    try:
        from faster_whisper import WhisperModel
    except ImportError as error:
        raise _missing("faster-whisper", error) from error
    try:
        model = WhisperModel(
            str(folder), device="cpu", compute_type="float32", local_files_only=True
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise WeightsError(
            f"the Whisper model in {folder} cannot be loaded: {error}", "copy it again, whole"
        ) from error

    def hear(wav: Samples) -> str:
        parts, _ = model.transcribe(
            wav, language="en", beam_size=5, condition_on_previous_text=False
        )
        return " ".join(part.text.strip() for part in parts)

    return hear


def make_rater() -> Callable[[Samples], float]:
    """16 kHz sound (S,) in ±1 → DNSMOS P.808. Raises WeightsError."""
    try:
        from speechmos import dnsmos
    except ImportError as error:
        raise _missing("speechmos", error) from error

    def rate(wav: Samples) -> float:
        return float(dnsmos.run(wav, SAMPLE_RATE)["p808_mos"])

    return rate


def _missing(package: str, error: ImportError) -> WeightsError:
    return WeightsError(
        f"the optional package {package} cannot be imported: {error}",
        "install it with pip install 'avdub[train]'",
    )
