"""An actor's own frames to learn from: which to learn, which to hold out, and batches of them.

Held out are whole blocks of time with a gap around them, since neighbouring frames look alike.
Augmentation is light: the painter shall learn this face in this light.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from avdub.faces.lips import Floats
from avdub.models.face_fields import fills
from avdub.models.latents_to_face import Exemplars, Target

LEARN, CHOOSE, CHECK, UNUSED = range(4)  # roles of frames
BLOCK_S = 1.0
BLOCKS = 12  # a track is cut into about so many, where that does not make blocks longer
SHORTEST_BLOCK_S = 0.5
CYCLE = 3  # blocks, of which the last is held out
GAP_S = 0.12  # of frames beside a held-out block that are not learned from
APART_S = 0.12  # between a frame and its exemplars
DEEPEST_TURN, SCALING, SHEAR, SHIFT = 0.06, 0.05, 0.03, 0.03
OWN_JITTER = 0.006  # of each picture against the others of its row
OPENINGS = 5  # from closed to widest, in equal steps
GAMMA, TINT, OWN_LIGHT = 0.1, 0.05, 0.03

Roles = NDArray[np.int64]
Indexes = NDArray[np.intp]


class ActorBatch(NamedTuple):
    """target and exemplars for the model, the real picture (B, 3, S, S) and the lips' region."""

    target: Target
    exemplars: Exemplars
    real: Tensor
    lips_mask: Tensor


@dataclass(frozen=True)
class ActorFrames:
    """N crops of one or more tracks, in order of track and time.

    images (N, S, S, 3) uint8; shapes (N, L, 2) and still (N, A, 2) in the unit square; masks
    (N, S, S) drawn for another frame's jaw, so that a mask does not give the answer away; gaps (N,)
    inner-lip openings; tracks (N,) numbers; times (N,) s; roles (N,).
    """

    images: NDArray[np.uint8]
    shapes: Floats
    still: Floats
    masks: Floats
    gaps: Floats
    tracks: NDArray[np.int64]
    times: NDArray[np.float64]
    roles: Roles

    def __len__(self) -> int:
        return len(self.images)

    def having(self, role: int) -> Indexes:
        """Indexes of the frames of a role."""
        return np.flatnonzero(self.roles == role)

    def batch(self, n: int, k: int, generator: torch.Generator) -> ActorBatch:
        """`n` frames to learn from with `k` exemplars each, augmented; open mouths, which are rare
        and hard, come more often than they are."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        learned = self.having(LEARN)
        picked = rng.choice(learned, n, p=evened(self.gaps[learned]))
        rows = np.stack([[i, *self._spread(i, k, rng)] for i in picked])
        pictures = _recoloured(self._pictures(rows), generator)
        return _moved_about(
            pictures,
            torch.from_numpy(self.shapes[rows]),
            torch.from_numpy(self.still[rows]),
            torch.from_numpy(self.masks[picked])[:, None],
            generator,
        )

    def as_they_are(self, targets: Indexes, exemplars: Indexes) -> ActorBatch:
        """Frames `targets` (B,) with the exemplars (B, K), nothing changed."""
        rows = np.concatenate((targets[:, None], exemplars), 1)
        return _batch(
            self._pictures(rows),
            torch.from_numpy(self.shapes[rows]),
            torch.from_numpy(self.still[rows]),
            torch.from_numpy(self.masks[targets])[:, None],
        )

    def _pictures(self, rows: Indexes) -> Tensor:
        """(B, 1 + K, 3, S, S) in 0–1."""
        return torch.from_numpy(self.images[rows]).permute(0, 1, 4, 2, 3).float() / 255

    def _spread(self, i: int, k: int, rng: np.random.Generator) -> list[int]:
        """`k` learned frames of the same track, spread over the openings, not beside frame i."""
        others = self.having(LEARN)
        others = others[self.tracks[others] == self.tracks[i]]
        far = others[np.abs(self.times[others] - self.times[i]) >= APART_S]
        order = (far if len(far) else others)[np.argsort(self.gaps[far if len(far) else others])]
        if len(order) < k:
            return [int(j) for j in rng.choice(order, k)]
        return [int(rng.choice(group)) for group in np.array_split(order, k)]


def roles_of(tracks: NDArray[np.int64], times: NDArray[np.float64]) -> Roles:
    """A role for each frame, given its track and time in s (N,), ordered by track and time.

    Each track is cut into blocks; the last of every CYCLE is held out, in turn for choosing among
    weights and for checking the choice. Where only one block is held out it serves both.
    """
    roles = np.full(len(times), LEARN, np.int64)
    held: list[NDArray[np.bool_]] = []
    for track in np.unique(tracks):
        mine = tracks == track
        start, length = times[mine].min(), np.ptp(times[mine])
        block_s = float(np.clip(length / BLOCKS, SHORTEST_BLOCK_S, BLOCK_S))
        number = np.floor((times - start) / block_s).astype(np.int64)
        for last in range(CYCLE - 1, int(number[mine].max()) + 1, CYCLE):
            block = mine & (number == last)
            if block.any():
                held.append(block)
                low, high = times[block].min() - GAP_S, times[block].max() + GAP_S
                roles[mine & (roles == LEARN) & (times > low) & (times < high)] = UNUSED
    for n, block in enumerate(held):
        roles[block] = CHOOSE if n % 2 == 0 else CHECK
    return roles


def evened(gaps: Floats) -> NDArray[np.float64]:
    """How likely each frame is taken (N,): as often as any, and as any opening, in equal parts."""
    low, high = float(gaps.min()), float(gaps.max())
    where = ((gaps - low) / max(high - low, 1e-6) * OPENINGS).astype(int).clip(0, OPENINGS - 1)
    counts = np.bincount(where, minlength=OPENINGS)
    of_opening = 1 / (counts[where] * np.count_nonzero(counts))
    return np.asarray((1 / len(gaps) + of_opening) / 2, np.float64)


def _recoloured(pictures: Tensor, g: torch.Generator) -> Tensor:
    n, images = pictures.shape[:2]
    gamma = torch.exp(_draw(GAMMA, g, n, 1, 1, 1, 1))
    tint = torch.exp(_draw(TINT, g, n, 1, 3, 1, 1))
    own = 1 + _draw(OWN_LIGHT, g, n, images, 3, 1, 1)
    return (pictures.clamp(1e-4, 1) ** gamma * tint * own).clamp(0, 1)


def _moved_about(
    pictures: Tensor, shapes: Tensor, still: Tensor, masks: Tensor, g: torch.Generator
) -> ActorBatch:
    """The same small affine change for a target and its exemplars, but for a jitter."""
    n, images, _, size, _ = pictures.shape
    turn = _draw(DEEPEST_TURN, g, n, 1) + _draw(OWN_JITTER, g, n, images)
    x_scale, y_scale = (
        torch.exp(_draw(SCALING, g, n, 1) + _draw(OWN_JITTER, g, n, images)) for _ in range(2)
    )
    shear = _draw(SHEAR, g, n, 1)
    shift = _draw(SHIFT, g, n, 1, 2) + _draw(OWN_JITTER, g, n, images, 2)
    cos, sin = torch.cos(turn), torch.sin(turn)
    rows = (
        torch.stack((cos * x_scale, (shear - sin) * y_scale, shift[..., 0]), 2),
        torch.stack((sin * x_scale, cos * y_scale, shift[..., 1]), 2),
    )
    matrix = torch.stack(rows, 2)  # (B, 1 + K, 2, 3): where each output pixel comes from
    grid = F.affine_grid(matrix.flatten(0, 1), [n * images, 3, size, size], align_corners=False)
    moved = F.grid_sample(
        pictures.flatten(0, 1), grid, padding_mode="reflection", align_corners=False
    )
    first = F.affine_grid(matrix[:, 0], [n, 1, size, size], align_corners=False)
    return _batch(
        torch.unflatten(moved, 0, (n, images)),
        _points_moved(shapes, matrix),
        _points_moved(still, matrix),
        F.grid_sample(masks, first, align_corners=False),
    )


def _points_moved(points: Tensor, matrix: Tensor) -> Tensor:
    """Points (B, K, C, 2) of the unit square → where they lie after the pictures' affine change."""
    centred = 2 * points - 1 - matrix[..., None, :, 2]
    back: Tensor = torch.linalg.inv(matrix[..., :2]).transpose(2, 3)
    return torch.matmul(centred, back) / 2 + 0.5


def _batch(pictures: Tensor, shapes: Tensor, still: Tensor, masks: Tensor) -> ActorBatch:
    """The first picture of each row is the target, the others are its exemplars."""
    real = pictures[:, 0]
    lips = F.max_pool2d(fills(shapes[:, 0], real.shape[-1])[:, :1], 5, 1, 2)
    none = torch.zeros(len(real), pictures.shape[1] - 1, dtype=torch.bool)
    return ActorBatch(
        Target(real, masks, shapes[:, 0], still[:, 0]),
        Exemplars(pictures[:, 1:], shapes[:, 1:], still[:, 1:], none),
        real,
        lips,
    )


def _draw(spread: float, g: torch.Generator, *shape: int) -> Tensor:
    return (2 * torch.rand(*shape, generator=g) - 1) * spread
