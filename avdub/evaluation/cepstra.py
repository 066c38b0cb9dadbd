"""Mel-frequency cepstra as SyncNet heard them when it was trained: 13 at 100/s from 16 kHz sound.

The defaults of HTK-like toolkits: pre-emphasis 0.97, rectangular windows of 25 ms, 26 triangles up
to 8 kHz, liftering 22, the log energy for the first.
"""

import numpy as np
from numpy.typing import NDArray

from avdub.media.waveform import Samples
from avdub.timeline import SAMPLE_RATE

Doubles = NDArray[np.float64]

WINDOW, HOP = SAMPLE_RATE // 40, SAMPLE_RATE // 100
FFT = 512
TRIANGLES, CEPSTRA, LIFTER = 26, 13, 22
EMPHASIS = 0.97
FULL_SCALE = 32_768  # the sound's size is part of the energy
TINY = float(np.finfo(np.float64).eps)


def cepstra(wav: Samples) -> Doubles:
    """16 kHz sound (S,) in ±1 → (13, T) at 100/s."""
    sound = np.round(wav.astype(np.float64) * FULL_SCALE)
    sound = np.append(sound[:1], sound[1:] - EMPHASIS * sound[:-1])
    n_windows = 1 + max(0, -(-(len(sound) - WINDOW) // HOP))
    sound = np.pad(sound, (0, max(0, (n_windows - 1) * HOP + WINDOW - len(sound))))
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP][:n_windows]
    power = np.abs(np.fft.rfft(windows, FFT)) ** 2 / FFT  # (T, 257)
    logs = np.log(np.maximum(power @ _triangles().T, TINY))  # (T, 26)
    order = np.arange(CEPSTRA)
    found = logs @ _cosines().T * (1 + LIFTER / 2 * np.sin(np.pi * order / LIFTER))  # (T, 13)
    found[:, 0] = np.log(np.maximum(power.sum(1), TINY))
    return np.asarray(found.T, np.float64)


def _triangles() -> Doubles:
    """Weights of the bins in each band (26, 257), evenly spaced in mels."""
    highest = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    corners_hz = 700 * (10 ** (np.linspace(0, highest, TRIANGLES + 2) / 2595) - 1)
    corners = np.floor((FFT + 1) * corners_hz / SAMPLE_RATE)
    bins = np.arange(FFT // 2 + 1)
    low, middle, high = (corners[n : n + TRIANGLES, None] for n in range(3))
    rising = (bins - low) / np.maximum(middle - low, 1)
    falling = (high - bins) / np.maximum(high - middle, 1)
    is_rising, is_falling = (bins >= low) & (bins < middle), (bins >= middle) & (bins < high)
    return np.where(is_rising, rising, np.where(is_falling, falling, 0.0))


def _cosines() -> Doubles:
    """The orthonormal DCT's first rows (13, 26)."""
    order, band = np.arange(CEPSTRA)[:, None], np.arange(TRIANGLES)
    rows = np.sqrt(2 / TRIANGLES) * np.cos(np.pi * order * (2 * band + 1) / (2 * TRIANGLES))
    rows[0] /= np.sqrt(2)
    return np.asarray(rows, np.float64)
