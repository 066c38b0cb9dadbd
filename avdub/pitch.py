"""F0 of speech by swift-f0 (MIT): the one place that knows how it is measured.

Log-F0 is log(Hz + 1) at 200 values/s and 0 where unvoiced, as in HierSpeech++.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from avdub.timeline import F0_PER_STEP, SAMPLE_RATE, SAMPLES_PER_STEP, STEP_RATE

F_MIN, F_MAX = 55.0, 600.0
VOICED = 0.5  # swift-f0's calibrated confidence


def log_f0(wav: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """16 kHz (S,) → (4 × (S // 320),). Values sit at the middles of 5 ms cells."""
    n_values = len(wav) // SAMPLES_PER_STEP * F0_PER_STEP
    if n_values == 0:
        return np.zeros(0, np.float32)
    found = _detector().detect(wav, SAMPLE_RATE, fmin=F_MIN, fmax=F_MAX)
    centres = (np.arange(n_values) + 0.5) / (STEP_RATE * F0_PER_STEP)
    is_voiced = found.confidence >= VOICED
    if not is_voiced.any():
        return np.zeros(n_values, np.float32)
    log_hz = np.log(found.pitch_hz[is_voiced] + 1)
    values = np.interp(centres, found.timestamps[is_voiced], log_hz)
    voicing = np.interp(centres, found.timestamps, is_voiced.astype(np.float64))
    return np.where(voicing >= 0.5, values, 0).astype(np.float32)


@cache
def _detector() -> Any:
    from swift_f0 import SwiftF0

    return SwiftF0(threads=1, spin=False)
