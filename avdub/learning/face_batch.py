"""Frames to paint anew: batches of target and exemplars, disturbed alike.

Every row of pictures begins with the target; the others are its exemplars, of the same person.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from avdub.models.face_fields import fills
from avdub.models.latents_to_face import Exemplars, Target

LIPS_MARGIN_PX = 2  # around the drawn lips, of what counts as theirs


class FaceBatch(NamedTuple):
    """target and exemplars for the model, the real picture (B, 3, S, S) and the lips' region
    (B, 1, S, S)."""

    target: Target
    exemplars: Exemplars
    real: Tensor
    lips_mask: Tensor


class Rows(NamedTuple):
    """pictures (B, 1 + K, 3, S, S) in 0–1, lips (B, 1 + K, L, 2) and still points (B, 1 + K, A, 2)
    in the unit square, the targets' masks (B, 1, S, S)."""

    pictures: Tensor
    shapes: Tensor
    still: Tensor
    masks: Tensor


@dataclass(frozen=True)
class Augmentation:
    """How far a row is changed at most, all its pictures alike; `jitter` and `own_light` are what
    each picture differs from the others by. Turns in radians, shifts in half squares, scales and
    colours as logarithms."""

    turn: float
    scale: float
    shear: float
    shift: float
    jitter: float
    gamma: float
    tint: float
    own_light: float
    contrast: float = 0.0
    brightness: float = 0.0
    flip: bool = False


def as_batch(rows: Rows) -> FaceBatch:
    """The rows as they are."""
    real = rows.pictures[:, 0]
    drawn = fills(rows.shapes[:, 0], real.shape[-1])[:, :1]
    lips = F.max_pool2d(drawn, 2 * LIPS_MARGIN_PX + 1, 1, LIPS_MARGIN_PX)
    none = torch.zeros(len(real), rows.pictures.shape[1] - 1, dtype=torch.bool)
    return FaceBatch(
        Target(real, rows.masks, rows.shapes[:, 0], rows.still[:, 0]),
        Exemplars(rows.pictures[:, 1:], rows.shapes[:, 1:], rows.still[:, 1:], none),
        real,
        lips,
    )


def augmented(rows: Rows, how: Augmentation, size: int, generator: torch.Generator) -> FaceBatch:
    """The rows recoloured and moved about, `size` pixels wide."""
    n, images = rows.pictures.shape[:2]
    pictures = _recoloured(rows.pictures, how, generator)
    matrix = affine(n, images, how, generator)
    grid = F.affine_grid(matrix.flatten(0, 1), [n * images, 3, size, size], align_corners=False)
    moved = F.grid_sample(
        pictures.flatten(0, 1), grid, padding_mode="reflection", align_corners=False
    )
    first = F.affine_grid(matrix[:, 0], [n, 1, size, size], align_corners=False)
    return as_batch(
        Rows(
            torch.unflatten(moved, 0, (n, images)),
            moved_points(rows.shapes, matrix),
            moved_points(rows.still, matrix),
            F.grid_sample(rows.masks, first, align_corners=False),
        )
    )


def affine(n: int, images: int, how: Augmentation, g: torch.Generator) -> Tensor:
    """(n, images, 2, 3), from output to input about the centre; each image jitters a bit."""

    def each(spread: float, *more: int) -> Tensor:
        return _draw(spread, g, n, 1, *more) + _draw(how.jitter, g, n, images, *more)

    angle = each(how.turn)
    x_scale, y_scale = torch.exp(each(how.scale)), torch.exp(each(how.scale))
    if how.flip:
        x_scale = x_scale * torch.where(torch.rand(n, 1, generator=g) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    shear = _draw(how.shear, g, n, 1)
    shift = each(how.shift, 2)
    rows = [
        torch.stack((cos * x_scale, (shear - sin) * y_scale, shift[..., 0]), 2),
        torch.stack((sin * x_scale, cos * y_scale, shift[..., 1]), 2),
    ]
    return torch.stack(rows, 2)


def moved_points(points: Tensor, matrix: Tensor) -> Tensor:
    """Points (B, K, C, 2) of the unit square → where they lie after the pictures' affine change."""
    centred = 2 * points - 1 - matrix[..., None, :, 2]
    back: Tensor = torch.linalg.inv(matrix[..., :2].float()).transpose(2, 3)
    return torch.matmul(centred, back) / 2 + 0.5


def _recoloured(pictures: Tensor, how: Augmentation, g: torch.Generator) -> Tensor:
    n, images = pictures.shape[:2]
    gamma = torch.exp(_draw(how.gamma, g, n, 1, 1, 1, 1))
    tint = torch.exp(_draw(how.tint, g, n, 1, 3, 1, 1))
    contrast = torch.exp(_draw(how.contrast, g, n, 1, 1, 1, 1))
    own = 1 + _draw(how.own_light, g, n, images, 3, 1, 1)
    brightness = _draw(how.brightness, g, n, 1, 1, 1, 1)
    out = pictures.clamp(1e-4, 1) ** gamma * tint
    return (((out - 0.5) * contrast + 0.5 + brightness) * own).clamp(0, 1)


def _draw(spread: float, g: torch.Generator, *shape: int) -> Tensor:
    return (2 * torch.rand(*shape, generator=g) - 1) * spread
