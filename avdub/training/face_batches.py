"""Batches of faces: a frame to paint, exemplars of the same clip, both disturbed alike.

Augmentation widens the one training face: photometric (gain, gamma, tint), geometric (affine,
flip), and masks drawn for another frame's jaw, so that a mask does not give the answer away.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avdub.faces.crop import ANCHOR_POINTS, Placement, mouth_mask
from avdub.faces.lips import SHAPE_POINTS, Floats, lip_shape, opening, to_frame
from avdub.learning.face_batch import Augmentation, FaceBatch, Rows, augmented
from avdub.models.latents_to_face import LatentsToFaceConfig
from avdub.training.face_data import Clip, FacePack

APART = 3  # frames between a target and its exemplars
WHOLE = Placement(np.array([[1.0, 0, 0], [0, 1, 0]]))  # meshes already lie in the unit square
REST_SHARE = 0.2
AUGMENTATION = Augmentation(
    turn=0.15,
    scale=0.15,
    shear=0.08,
    shift=0.06,
    jitter=0.01,
    gamma=0.5,
    tint=0.3,
    own_light=0.04,  # exemplars were lit a little differently
    contrast=0.3,
    brightness=0.1,
    flip=True,
)


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
        rows_of = Rows(
            torch.from_numpy(images).permute(0, 1, 4, 2, 3).float() / 255,
            torch.from_numpy(points),
            torch.from_numpy(still),
            torch.from_numpy(masks)[:, None],
        )
        return augmented(rows_of, AUGMENTATION, config.size, generator)

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
