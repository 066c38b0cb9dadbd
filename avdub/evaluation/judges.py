"""Independent judges of speech: a recogniser, a quality model, a pitch detector, a pair of ears.

faster-whisper, speechmos and swift-f0 are optional packages; none of them knows our models.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError, WeightsError
from avdub.evaluation.similarity import Ears
from avdub.media.waveform import Waveform, resample
from avdub.pitch import log_f0
from avdub.timeline import SAMPLE_RATE

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Judges:
    """Each is given 16 kHz sound (S,) in ±1.

    `hear` writes it down, `rate` gives its DNSMOS P.808 (1 to 5), `pitch` the Hz of its voiced
    5 ms cells (V,); `ears` compare voices and are None where no reference was given.
    """

    hear: Callable[[Samples], str]
    rate: Callable[[Samples], float]
    pitch: Callable[[Samples], Samples]
    ears: Ears | None = None


def make_judges(whisper: Path, language: str = "en", ears: Ears | None = None) -> Judges:
    """All judges; `whisper` is a faster-whisper model folder. Raises WeightsError, InputError."""
    return Judges(make_listener(whisper, language), make_rater(), voiced_hz, ears)


def judged_samples(sound: Waveform) -> Samples:
    """Sound as judges want it: mono, 16 kHz, within full scale."""
    return np.clip(resample(sound.mono(), SAMPLE_RATE).samples[:, 0], -1, 1)


def make_listener(folder: Path, language: str = "en") -> Callable[[Samples], str]:
    """16 kHz sound (S,) → what Whisper hears (beam 5) in `language`, of which "en-gb" is "en".

    Raises WeightsError without a usable model, InputError for a language Whisper does not know.
    """
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
    code = language.lower().split("-")[0]
    if code not in model.supported_languages:
        if not model.model.is_multilingual:
            raise WeightsError(
                f"the Whisper model in {folder} hears only English",
                "give one for many languages, such as base instead of base.en",
            )
        raise InputError(f"Whisper does not hear language {code!r}", "give a code such as en or es")

    def hear(wav: Samples) -> str:
        parts, _ = model.transcribe(
            wav, language=code, beam_size=5, condition_on_previous_text=False
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


def voiced_hz(wav: Samples) -> Samples:
    """16 kHz sound (S,) → the Hz of its voiced 5 ms cells (V,). Raises WeightsError."""
    found = log_f0(wav)
    return np.expm1(found[found > 0])


def _missing(package: str, error: ImportError) -> WeightsError:
    return WeightsError(
        f"the optional package {package} cannot be imported: {error}",
        "install it with pip install 'avdub[train]'",
    )
