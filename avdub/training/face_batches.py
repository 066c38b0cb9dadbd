"""Batches of faces: a frame to paint, exemplars of the same clip, both disturbed alike.

Augmentation widens the one training face: photometric (gain, gamma, tint), geometric (affine,
flip), and masks drawn for another frame's jaw, so that a mask does not give the answer away.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from avdub.faces.crop import ANCHOR_POINTS, Placement, mouth_mask
from avdub.faces.lips import SHAPE_POINTS, Floats, lip_shape, opening, to_frame
from avdub.models.face_fields import fills
from avdub.models.latents_to_face import Exemplars, LatentsToFaceConfig, Target
from avdub.training.face_data import Clip, FacePack

APART = 3  # frames between a target and its exemplars
WHOLE = Placement(np.array([[1.0, 0, 0], [0, 1, 0]]))  # meshes already lie in the unit square
REST_SHARE = 0.2


class FaceBatch(NamedTuple):
    """target and exemplars for the model, the real picture (B, 3, S, S) and the lips' region."""

    target: Target
    exemplars: Exemplars
    real: Tensor
    lips_mask: Tensor


class Clips:
    """All clips of some face packs, with their pose-free shapes computed once."""

    def __init__(self, packs: Sequence[Path], template: Floats) -> None:
        self.template = template
        self.items: list[tuple[FacePack, Clip]] = [
            (pack, clip) for pack in map(FacePack, packs) for clip in pack.clips
        ]
        self.shapes = [lip_shape(pack.mesh(clip), template) for pack, clip in self.items]
        self.gaps = [opening(shape) for shape in self.shapes]

    def __len__(self) -> int:
        return len(self.items)

    def vec(self, i: int, name: str, width: int) -> Tensor:
        """Latents of clip i (T, D)."""
        pack, clip = self.items[i]
        return pack.vec(clip, width, name)

    def times(self, i: int) -> Tensor:
        pack, clip = self.items[i]
        return pack.times(clip)

    def lips(self, i: int) -> Tensor:
        """Lip shapes of clip i relative to its rest shape (N, L, 2)."""
        return torch.from_numpy(self.shapes[i] - self.rest(i))

    def rest(self, i: int) -> Floats:
        """Mean shape of the clip's most closed frames (L, 2)."""
        quiet = self.gaps[i] <= np.quantile(self.gaps[i], REST_SHARE)
        return np.asarray(self.shapes[i][quiet].mean(0), np.float32)

    def batch(
        self, n: int, k: int, config: LatentsToFaceConfig, generator: torch.Generator
    ) -> FaceBatch:
        """`n` frames with `k` exemplars each, augmented."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        rows = [self._row(k, rng) for _ in range(n)]
        images, points, still, masks = (np.stack(part) for part in zip(*rows, strict=True))
        pictures = torch.from_numpy(images).permute(0, 1, 4, 2, 3).float() / 255
        return _augmented(
            pictures,
            torch.from_numpy(points),
            torch.from_numpy(still),
            torch.from_numpy(masks)[:, None],
            (config, generator),
        )

    def _row(self, k: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.generic], ...]:
        """images (1 + K, S, S, 3), lips (1 + K, L, 2), still (1 + K, A, 2), mask (S, S)."""
        i = int(rng.integers(len(self.items)))
        pack, clip = self.items[i]
        frame = int(rng.integers(clip.frames))
        chosen = [frame, *pick_exemplars(self.gaps[i], frame, k, rng)]
        meshes = pack.mesh(clip)[chosen]
        other = self.shapes[i][int(rng.integers(clip.frames))][None]
        decoy = meshes[0].copy()
        decoy[list(SHAPE_POINTS), :2] = to_frame(other, meshes[:1], self.template)[0]
        images = pack.images(clip, chosen)
        mask = mouth_mask(decoy, WHOLE, images.shape[1])
        return images, meshes[:, SHAPE_POINTS, :2], meshes[:, ANCHOR_POINTS, :2], mask


def pick_exemplars(gaps: Floats, frame: int, k: int, rng: np.random.Generator) -> list[int]:
    """`k` frames spread over the openings, none within APART of `frame`."""
    order = np.argsort(gaps, kind="stable")
    order = order[np.abs(order - frame) >= APART]
    return [int(rng.choice(group)) for group in np.array_split(order, k)]


def _augmented(
    pictures: Tensor,
    points: Tensor,
    still: Tensor,
    masks: Tensor,
    setting: tuple[LatentsToFaceConfig, torch.Generator],
) -> FaceBatch:
    """The same colour and shape change for a target and its exemplars."""
    config, g = setting
    n, images = pictures.shape[:2]
    pictures = _recoloured(pictures, g)
    matrix = _affine(n, images, g)  # output → input, about the centre
    size = config.size
    theta = matrix.flatten(0, 1)
    grid = F.affine_grid(theta, [n * images, 3, size, size], align_corners=False)
    moved = F.grid_sample(
        pictures.flatten(0, 1), grid, padding_mode="reflection", align_corners=False
    )
    pictures = torch.unflatten(moved, 0, (n, images))
    first = F.affine_grid(matrix[:, 0], [n, 1, size, size], align_corners=False)
    masks = F.grid_sample(masks, first, align_corners=False)
    points, still = _moved(points, matrix), _moved(still, matrix)
    real = pictures[:, 0]
    drawn = fills(points[:, 0], size)
    lips = F.max_pool2d(drawn[:, :1], 5, 1, 2)
    target = Target(real, masks, points[:, 0], still[:, 0])
    exemplars = Exemplars(
        pictures[:, 1:], points[:, 1:], still[:, 1:], torch.zeros(n, images - 1, dtype=torch.bool)
    )
    return FaceBatch(target, exemplars, real, lips)


def _recoloured(pictures: Tensor, g: torch.Generator) -> Tensor:
    n, images = pictures.shape[:2]

    def draw(spread: float, *shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=g) - 1) * spread

    gamma = torch.exp(draw(0.5, n, 1, 1, 1, 1))
    tint = torch.exp(draw(0.3, n, 1, 3, 1, 1))
    contrast = torch.exp(draw(0.3, n, 1, 1, 1, 1))
    own = 1 + draw(0.04, n, images, 3, 1, 1)  # exemplars were lit a little differently
    out = pictures.clamp(1e-4, 1) ** gamma * tint
    out = ((out - 0.5) * contrast + 0.5 + draw(0.1, n, 1, 1, 1, 1)) * own
    return out.clamp(0, 1)


def _affine(n: int, images: int, g: torch.Generator) -> Tensor:
    """(n, images, 2, 3): scale, stretch, turn, shear, shift and flip; each image jitters a bit."""

    def draw(spread: float, *shape: int) -> Tensor:
        return (2 * torch.rand(*shape, generator=g) - 1) * spread

    angle = draw(0.15, n, 1) + draw(0.01, n, images)
    x_scale = torch.exp(draw(0.15, n, 1) + draw(0.01, n, images))
    y_scale = torch.exp(draw(0.15, n, 1) + draw(0.01, n, images))
    flip = torch.where(torch.rand(n, 1, generator=g) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    shear = draw(0.08, n, 1)
    shift = draw(0.06, n, 1, 2) + draw(0.01, n, images, 2)
    rows = [
        torch.stack((cos * x_scale * flip, (shear - sin) * y_scale, shift[..., 0]), 2),
        torch.stack((sin * x_scale * flip, cos * y_scale, shift[..., 1]), 2),
    ]
    return torch.stack(rows, 2)


def _moved(points: Tensor, matrix: Tensor) -> Tensor:
    """Unit-square points of the input picture → where they lie in the output."""
    linear, shift = matrix[..., :2], matrix[..., 2]
    centred = 2 * points - 1 - shift[:, :, None]
    back = torch.linalg.inv(linear.float())
    return (torch.einsum("bkij,bkpj->bkpi", back, centred) + 1) / 2
