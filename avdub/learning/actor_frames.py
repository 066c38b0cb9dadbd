"""An actor's own frames to learn from: which to learn, which to hold out, and batches of them.

Held out are whole blocks of time with a gap around them, since neighbouring frames look alike.
Augmentation is light: the painter shall learn this face in this light.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from avdub.faces.lips import Floats
from avdub.learning.face_batch import Augmentation, FaceBatch, Rows, as_batch, augmented

LEARN, CHOOSE, CHECK, UNUSED = range(4)  # roles of frames
BLOCK_S = 1.0
BLOCKS = 12  # a track is cut into about so many, where that does not make blocks longer
SHORTEST_BLOCK_S = 0.5
CYCLE = 3  # blocks, of which the last is held out
GAP_S = 0.12  # of frames beside a held-out block that are not learned from
APART_S = 0.12  # between a frame and its exemplars
OPENINGS = 5  # from closed to widest, in equal steps
AUGMENTATION = Augmentation(
    turn=0.06,
    scale=0.05,
    shear=0.03,
    shift=0.03,
    jitter=0.006,
    gamma=0.1,
    tint=0.05,
    own_light=0.03,
)

Roles = NDArray[np.int64]
Indexes = NDArray[np.intp]


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

    def batch(self, n: int, k: int, generator: torch.Generator) -> FaceBatch:
        """`n` frames to learn from with `k` exemplars each, augmented; open mouths, which are rare
        and hard, come more often than they are."""
        rng = np.random.default_rng(int(torch.randint(2**31, (), generator=generator)))
        learned = self.having(LEARN)
        picked = rng.choice(learned, n, p=evened(self.gaps[learned]))
        rows = np.stack([[i, *self._spread(i, k, rng)] for i in picked])
        size = self.images.shape[1]
        return augmented(self._rows(rows), AUGMENTATION, size, generator)

    def as_they_are(self, targets: Indexes, exemplars: Indexes) -> FaceBatch:
        """Frames `targets` (B,) with the exemplars (B, K), nothing changed."""
        rows = np.concatenate((targets[:, None], exemplars), 1)
        return as_batch(self._rows(rows))

    def _rows(self, rows: Indexes) -> Rows:
        """Frames (B, 1 + K) by number."""
        return Rows(
            torch.from_numpy(self.images[rows]).permute(0, 1, 4, 2, 3).float() / 255,
            torch.from_numpy(self.shapes[rows]),
            torch.from_numpy(self.still[rows]),
            torch.from_numpy(self.masks[rows[:, 0]])[:, None],
        )

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
