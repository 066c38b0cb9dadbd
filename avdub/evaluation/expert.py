"""Our own sync expert as a judge of lips: distance and confidence, as SyncNet's LSE-D and LSE-C are
reckoned.

It hears latents and sees lip shapes, where SyncNet hears sound and sees pixels, so the figures
compare lips with each other and not with published ones. Lips that were trained with its help are
no longer judged independently.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.models.sync import SyncExpert
from avdub.timeline import STEP_RATE

WINDOW_STEPS, HOP_STEPS = 2 * STEP_RATE, STEP_RATE // 4
LEAST_STEPS = STEP_RATE  # a shorter clip is not judged
MS_PER_STEP = 1000 / STEP_RATE


@dataclass(frozen=True)
class Agreement:
    """`distance` at the best shift, 1 - cosine (LSE-D's part); `confidence`, by how much that lies
    below the median over all shifts (LSE-C's part); the best shift in ms, positive: sound late."""

    distance: float
    confidence: float
    offset_ms: float


def agreement(
    expert: SyncExpert, vec: Tensor, lips: Tensor, known: NDArray[np.bool_] | None = None
) -> Agreement | None:
    """Lips (T, L, 2), one a step, with the latents (T, D) of the sound they are shown with.

    `known` (T,) names the steps at which the lips are seen. Mean over windows of 2 s; None where
    there is none.
    """
    n_steps = min(len(vec), len(lips))
    seen = np.ones(n_steps, bool) if known is None else known[:n_steps]
    starts = list(_windows(seen))
    size = min(WINDOW_STEPS, n_steps)
    if not starts:
        return None
    reach = expert.config.reach
    at = torch.tensor(starts)[:, None] + torch.arange(-reach, size + reach)
    sounds = vec[at.clamp(0, len(vec) - 1)].transpose(1, 2)  # (B, D, T + 2 reach)
    looks = torch.stack([lips[start : start + size] for start in starts])
    with torch.inference_mode():
        cosines = expert(sounds, looks) / expert.sharpness.exp()
    distances = 1 - cosines.mean(0).double().numpy()
    best = int(distances.argmin())
    margin = float(np.median(distances) - distances[best])
    return Agreement(float(distances[best]), margin, (best - reach) * MS_PER_STEP)


def mean_agreement(each: Sequence[Agreement]) -> Agreement | None:
    """Means of several clips; the offset is their median."""
    if not each:
        return None
    return Agreement(
        float(np.mean([a.distance for a in each])),
        float(np.mean([a.confidence for a in each])),
        float(np.median([a.offset_ms for a in each])),
    )


def _windows(seen: NDArray[np.bool_]) -> Iterator[int]:
    """Starts of the windows in which the lips are seen throughout; a short clip is one."""
    size = min(WINDOW_STEPS, len(seen))
    if size >= LEAST_STEPS:
        for start in range(0, len(seen) - size + 1, HOP_STEPS):
            if seen[start : start + size].all():
                yield start
