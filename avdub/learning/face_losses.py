"""Losses of LatentsToFace: how a painted mouth differs from the real one, and made lips from real.

The painter's are for frames painted anew from their own lip shapes, the lips' for whole clips.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.learning.face_batch import FaceBatch
from avdub.models.latents_to_face import LatentsToFace, at_times

Losses = dict[str, Tensor]


PAINT_WEIGHTS: tuple[tuple[str, float], ...] = (
    ("pixel", 1.0),
    ("mouth", 1.0),
    ("edges", 1.0),
    ("warp", 0.5),
    ("choice", 0.02),
    ("restraint", 0.2),
)


def paint_losses(model: LatentsToFace, batch: FaceBatch) -> Losses:
    """Pixels and edges in the mask, the mouth twice, the blend alone, sharp choices, restraint."""
    made = model(batch.target, batch.exemplars)
    mask = batch.target.mask
    error = (made.image - batch.real).abs()
    lips = batch.lips_mask * mask
    blend = made.image - mask * made.residual
    entropy = -(made.weights * (made.weights + 1e-6).log()).sum(1, keepdim=True)
    return {
        "pixel": _inside(error, mask),
        "mouth": _inside(error, lips),
        "edges": _inside(_edges(made.image, batch.real), mask),
        "warp": _inside((blend - batch.real).abs(), mask),
        "choice": _inside(entropy, mask),
        "restraint": made.residual.abs().mean(),  # or it paints blobs where nothing is asked
    }


def lip_losses(
    lips: nn.Module, sources: Sequence[tuple[Tensor, Tensor, Tensor]], generator: torch.Generator
) -> Losses:
    """Shape, speed and opening over whole clips: vec (T, D), times (N,), lips (N, L, 2) each."""
    longest = max(len(vec) for vec, _, _ in sources)
    vec = torch.stack([F.pad(v.T, (0, longest - len(v))) for v, _, _ in sources])
    vec = vec + 0.1 * torch.randn(vec.shape, generator=generator)
    shapes = lips(vec).flatten(2).float()  # (B, T, 2L)
    parts: dict[str, list[Tensor]] = {"shape": [], "speed": [], "opening": []}
    for rows, (_, times, real) in zip(shapes, sources, strict=True):
        made = torch.unflatten(at_times(rows, times), 1, (-1, 2))
        parts["shape"].append((made - real)[:, :40].abs().mean() + (made - real).abs().mean())
        parts["speed"].append((made.diff(dim=0) - real.diff(dim=0)).abs().mean() * 2)
        parts["opening"].append((_gap(made) - _gap(real)).abs().mean())
    return {k: 10 * torch.stack(v).mean() for k, v in parts.items()}


def _gap(shapes: Tensor) -> Tensor:
    """Inner-lip opening (N,) over three columns, as faces.lips.opening."""
    low, up = shapes[:, [24, 25, 26], 1], shapes[:, [36, 35, 34], 1]
    return (low - up).mean(1)


def _edges(made: Tensor, real: Tensor) -> Tensor:
    """|difference of gradients| summed over directions, padded back to the picture's size."""
    error = made - real
    across = F.pad(error.diff(dim=3).abs(), (0, 1))
    down = F.pad(error.diff(dim=2).abs(), (0, 0, 0, 1))
    return across + down


def _inside(error: Tensor, mask: Tensor) -> Tensor:
    return (error * mask).sum() / (mask.sum() * error.shape[1] + 1e-6)
