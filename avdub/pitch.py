"""F0 of speech: the one place that knows how it is measured.

Log-F0 is log(Hz + 1) at 200 values/s and 0 where unvoiced, as in HierSpeech++. The base family has
it from swift-f0 (MIT); the hierspeechpp family was trained on YAAPT (AMFM_decompy, MIT), whose
voicing and octave errors its models expect.
"""

import warnings
from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from avdub.errors import WeightsError
from avdub.timeline import F0_PER_STEP, SAMPLE_RATE, SAMPLES_PER_STEP, STEP_RATE

F_MIN, F_MAX = 55.0, 600.0
VOICED = 0.5  # swift-f0's calibrated confidence
YAAPT = {
    "frame_length": 20.0,
    "frame_space": 5.0,
    "nccf_thresh1": 0.25,
    "tda_frame_length": 25.0,
}
YAAPT_EDGE = 160  # half a frame_length of silence at both ends puts frames at the cells' borders
YAAPT_BLOCK = 1280  # silence up to whole blocks before that, as for the recipe's latents
Floats = npt.NDArray[np.float32]


def log_f0(wav: Floats, method: Literal["swift", "yaapt"] = "swift") -> Floats:
    """16 kHz (S,) → (4 × (S // 320),). Values sit at the middles of 5 ms cells.

    Raises WeightsError where the package of `method` is missing.
    """
    n_values = len(wav) // SAMPLES_PER_STEP * F0_PER_STEP
    if n_values == 0:
        return np.zeros(0, np.float32)
    return _by_yaapt(wav, n_values) if method == "yaapt" else _by_swift(wav, n_values)


def _by_swift(wav: Floats, n_values: int) -> Floats:
    found = _detector().detect(wav, SAMPLE_RATE, fmin=F_MIN, fmax=F_MAX)
    centres = (np.arange(n_values) + 0.5) / (STEP_RATE * F0_PER_STEP)
    is_voiced = found.confidence >= VOICED
    if not is_voiced.any():
        return np.zeros(n_values, np.float32)
    log_hz = np.log(found.pitch_hz[is_voiced] + 1)
    values = np.interp(centres, found.timestamps[is_voiced], log_hz)
    voicing = np.interp(centres, found.timestamps, is_voiced.astype(np.float64))
    return np.where(voicing >= 0.5, values, 0).astype(np.float32)


def _by_yaapt(wav: Floats, n_values: int) -> Floats:
    """What HierSpeech++'s recipe stores; zeros where YAAPT gives up, as there."""
    try:
        from amfm_decompy import basic_tools, pYAAPT
    except ImportError as error:
        raise _missing("AMFM_decompy", "amfm-decompy") from error
    fill = YAAPT_BLOCK - len(wav) % YAAPT_BLOCK
    padded = np.pad(wav.astype(np.float64), (YAAPT_EDGE, fill + YAAPT_EDGE))
    sound = basic_tools.SignalObj(padded, SAMPLE_RATE)
    try:
        with warnings.catch_warnings():  # it divides by the energy of silent frames
            warnings.simplefilter("ignore")
            found = pYAAPT.yaapt(sound, **YAAPT)
        hz = np.asarray(found.samp_values[:n_values], np.float32)
    except (ArithmeticError, LookupError, ValueError):
        hz = np.zeros(0, np.float32)
    return np.log1p(np.pad(hz, (0, n_values - len(hz))))


@cache
def _detector() -> Any:
    try:
        from swift_f0 import SwiftF0
    except ImportError as error:
        raise _missing("swift-f0", "swift-f0") from error
    return SwiftF0(threads=1, spin=False)


def _missing(name: str, package: str) -> WeightsError:
    return WeightsError(
        f"measuring F0 needs {name}, which is not installed",
        f"install it with pip install {package}",
    )
