"""Sound as numbers: `Waveform`, the few things one does to it, and where in it somebody speaks.

Samples are float32 (S, C) around -1..1 at a rate they carry along; every join checks rates. Knows
nothing of files.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import soxr
from numpy.typing import NDArray

from avdub.timeline import round_half_up

Samples = NDArray[np.float32]
SILENCE_DB = -120.0
HOPS_PER_S = 50  # 20 ms
MIN_GAP_S = 0.3
MIN_SPEECH_S = 0.12
MARGIN_S = 0.06
FAINTEST_SPEECH_DB = -55.0
CLEAR_CONTRAST_DB = 9.0


@dataclass(frozen=True)
class Waveform:
    """samples (S, C) float32 at `rate` per second."""

    samples: Samples
    rate: int

    def __post_init__(self) -> None:
        assert self.samples.ndim == 2, f"samples must be (S, C), got {self.samples.shape}"
        assert self.samples.dtype == np.float32, f"samples are {self.samples.dtype}, not float32"
        assert self.rate > 0, f"bad rate {self.rate}"

    def __len__(self) -> int:
        return len(self.samples)

    @property
    def channels(self) -> int:
        return int(self.samples.shape[1])

    @property
    def seconds(self) -> float:
        return len(self) / self.rate

    def mono(self) -> "Waveform":
        """All channels averaged into one, (S, 1)."""
        return Waveform(self.samples.mean(axis=1, keepdims=True), self.rate)


def silence(n_samples: int, channels: int, rate: int) -> Waveform:
    """(n_samples, channels) of zeros."""
    return Waveform(np.zeros((n_samples, channels), np.float32), rate)


def join(parts: Sequence[Waveform]) -> Waveform:
    """Parts one after the other; they must agree in rate and channels."""
    assert parts, "nothing to join"
    assert len({(w.rate, w.channels) for w in parts}) == 1, "rates or channels differ"
    return Waveform(np.concatenate([w.samples for w in parts]), parts[0].rate)


def resample(w: Waveform, rate: int) -> Waveform:
    """The same sound at `rate`; its length is rounded to the nearest sample."""
    if rate == w.rate:
        return w
    n_samples = round_half_up(Fraction(len(w) * rate, w.rate))
    out = np.zeros((n_samples, w.channels), np.float32)
    if len(w):
        sound = soxr.resample(w.samples, w.rate, rate)[:n_samples]
        out[: len(sound)] = sound
    return Waveform(out, rate)


def gain(w: Waveform, db: float) -> Waveform:
    """Louder (or with a negative number softer) by `db`."""
    return Waveform(w.samples * np.float32(10 ** (db / 20)), w.rate)


def fade(w: Waveform, in_s: float = 0.0, out_s: float = 0.0) -> Waveform:
    """Raised-cosine fades at the start and the end, each at most the whole sound."""
    curve = np.ones(len(w), np.float32)
    n_in, n_out = (min(len(w), round(s * w.rate)) for s in (in_s, out_s))
    curve[:n_in] *= _rise(n_in)
    curve[len(w) - n_out :] *= _rise(n_out)[::-1]
    return Waveform(w.samples * curve[:, None], w.rate)


def _rise(n: int) -> Samples:
    return (0.5 - 0.5 * np.cos(np.pi * (np.arange(n) + 0.5) / max(n, 1))).astype(np.float32)


def loudness(w: Waveform) -> float:
    """RMS level over all channels in dB of full scale, -120 for silence."""
    power = float(np.mean(np.square(w.samples, dtype=np.float64))) if w.samples.size else 0.0
    return float(max(SILENCE_DB, 10 * np.log10(power + 1e-12)))


def detect_speech(blocks: Iterable[Waveform]) -> list[tuple[float, float]]:
    """Where sound stands out from the background: [(start_s, end_s)], sorted and disjoint.

    An energy detector with a threshold between the clip's own quiet and loud levels; it cannot
    tell speech from music. Keeps one number for each 20 ms.
    """
    levels = np.array(list(_levels(blocks)))
    if not len(levels):
        return []
    quiet, loud = np.percentile(levels, [10, 95])
    if loud < FAINTEST_SPEECH_DB:
        return []
    if loud - quiet < CLEAR_CONTRAST_DB:
        return [(0.0, len(levels) / HOPS_PER_S)]
    threshold = max(FAINTEST_SPEECH_DB, quiet + 0.4 * (loud - max(quiet, loud - 50)))
    return _regions(levels > threshold)


def _levels(blocks: Iterable[Waveform]) -> Iterator[float]:
    """dB of each 20 ms, across block borders."""
    rest: Samples = np.zeros(0, np.float32)
    for block in blocks:
        hop = block.rate // HOPS_PER_S
        sound = np.concatenate([rest, block.mono().samples[:, 0]])
        n_hops = len(sound) // hop
        power = np.mean(sound[: n_hops * hop].reshape(n_hops, hop) ** 2, axis=1)
        yield from np.maximum(SILENCE_DB, 10 * np.log10(power + 1e-12))
        rest = sound[n_hops * hop :]


def _regions(active: NDArray[np.bool_]) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    runs = (edges.reshape(-1, 2) / HOPS_PER_S).tolist()
    joined: list[list[float]] = []
    for start, end in runs:
        if joined and start - joined[-1][1] < MIN_GAP_S:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    last = len(active) / HOPS_PER_S
    return [
        (max(0.0, start - MARGIN_S), min(last, end + MARGIN_S))
        for start, end in joined
        if end - start >= MIN_SPEECH_S
    ]
