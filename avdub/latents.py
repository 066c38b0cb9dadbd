"""Latents: the joint representation that both the speech and the mouth are made from.

`vec` lives in (a small) wav2vec 2.0 space at 50 steps/s, `f0` is log(Hz + 1) at 200/s, 0 where
unvoiced (HierSpeech++ section 3.1). Both parts always change together. This is the only leaf that
knows torch.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from avdub.timeline import F0_PER_STEP, STEP_RATE

F0_RANGE = 56.0, 600.0  # Hz; the models take what is lower for unvoiced
SEMITONE = math.log(2) / 12


@dataclass(frozen=True)
class Latents:
    """vec (T, D) float32 and f0 (4T,) float32 of one utterance."""

    vec: Tensor
    f0: Tensor

    def __post_init__(self) -> None:
        assert self.vec.ndim == 2, f"vec must be (T, D), got {tuple(self.vec.shape)}"
        assert self.f0.shape == (len(self.vec) * F0_PER_STEP,), "f0 must hold 4 values a step"

    def __len__(self) -> int:
        return int(self.vec.shape[0])

    @property
    def seconds(self) -> float:
        return len(self) / STEP_RATE

    def fit(self, steps: int) -> "Latents":
        """Resample in time to exactly `steps`, keeping both ends; voicing stays hard."""
        assert steps > 0, "cannot fit to nothing"
        if steps == len(self):
            return self
        where = torch.linspace(0, len(self) - 1, steps, dtype=torch.float64)
        f0_where = torch.linspace(0, len(self.f0) - 1, steps * F0_PER_STEP).round().long()
        return Latents(_interpolate(self.vec, where), self.f0[f0_where])

    def at(self, times: Tensor) -> Tensor:
        """vec at `times` (N,) seconds from the start, linear between step centres → (N, D)."""
        return _interpolate(self.vec, times.double() * STEP_RATE - 0.5)

    def pitched(self, scale: Tensor, semitones: Tensor) -> "Latents":
        """The same sounds at another pitch: F0 farther from its median by `scale`, then higher by
        `semitones`, (4T,) each. Voicing stays, within F0_RANGE."""
        is_voiced = self.f0 > 0
        if not is_voiced.any():
            return self
        log_hz = torch.expm1(self.f0[is_voiced].double()).log()
        middle = log_hz.median()
        scale, semitones = scale.to(log_hz)[is_voiced], semitones.to(log_hz)[is_voiced]
        log_hz = middle + (log_hz - middle) * scale + semitones * SEMITONE
        f0 = self.f0.clone()
        f0[is_voiced] = torch.log1p(log_hz.exp().clamp(*F0_RANGE)).to(f0.dtype)
        return Latents(self.vec, f0)

    def padded(self, before: int, after: int) -> "Latents":
        """Repeat the edge steps outwards, unvoiced."""
        vec = F.pad(self.vec.T[None], (before, after), mode="replicate")[0].T
        f0 = F.pad(self.f0, (before * F0_PER_STEP, after * F0_PER_STEP))
        return Latents(vec.contiguous(), f0)


def _interpolate(values: Tensor, where: Tensor) -> Tensor:
    where = where.clamp(0, len(values) - 1)
    low = where.floor().long()
    high = (low + 1).clamp(max=len(values) - 1)
    weight = (where - low).to(values.dtype)[:, None]
    return torch.lerp(values[low], values[high], weight)
