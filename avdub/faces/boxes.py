"""Boxes around faces: where the box network looks, and which of what it found are the same face."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

MAX_OVERLAP = 0.3  # intersection over union above which two boxes are one face


class Scored(Protocol):
    """Anything with a box and a score."""

    @property
    def box(self) -> Floats: ...

    @property
    def score(self) -> float: ...


T = TypeVar("T", bound=Scored)


@dataclass(frozen=True)
class Candidate:
    """A box before its mesh: box (4,), score, and the two eyes (2, 2) left to right, in px."""

    box: Floats
    score: float
    eyes: Floats
    identity: Floats | None = None


def overlap(a: Floats, b: Floats) -> float:
    """Intersection over union of two boxes (4,)."""
    inner = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None).prod()
    union = (a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - inner
    return float(inner / max(union, 1e-9))


def anchors() -> Floats:
    """Centres (896, 2) in [0, 1]: 16 × 16 cells with 2 anchors, then 8 × 8 with 6."""
    grids = []
    for cells, repeat in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], -1).reshape(-1, 2) + 0.5) / cells
        grids.append(np.repeat(centres, repeat, axis=0))
    return np.concatenate(grids).astype(np.float32)


def tiles(width: int, height: int, deep: bool) -> list[tuple[int, int, int]]:
    """Overlapping squares (x, y, side) over the image: one row, and if `deep` smaller ones."""
    short = min(width, height)
    sides = [short] if max(width, height) >= 1.3 * short else []
    sides += [round(short * 0.55)] if deep else []
    return [
        (x, y, side) for side in sides for y in _starts(height, side) for x in _starts(width, side)
    ]


def _starts(length: int, side: int) -> list[int]:
    count = min(8, int(np.ceil((length - side) / (side * 0.65))) + 1)
    return [int(start) for start in np.linspace(0, length - side, count)]


def inside(found: Candidate, width: int, height: int) -> bool:
    """Whether the middle of the box lies in the image."""
    x, y = (found.box[:2] + found.box[2:]) / 2
    return bool(0 <= x < width and 0 <= y < height)


def distinct(found: list[T]) -> list[T]:
    """Best first, without those that overlap a better one."""
    kept: list[T] = []
    for each in sorted(found, key=lambda d: -d.score):
        if all(overlap(each.box, other.box) < MAX_OVERLAP for other in kept):
            kept.append(each)
    return kept
