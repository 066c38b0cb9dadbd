"""What painting changes in a picture, frame by frame, and pieces of it as products.

A patch is the change of a rectangle, exact to the last bit, so a frame looks the same whether its
mouth was painted just now or by an earlier run.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avdub.pipeline.store import Form, Memory, Product

Image = NDArray[np.uint8]
FAST = [cv2.IMWRITE_PNG_COMPRESSION, 1]


@dataclass(frozen=True)
class Patch:
    """New minus old modulo 256 (h, w, 3) of the rectangle at column x and row y; no pixel whose
    change is 0 belongs to it."""

    x: int
    y: int
    change: Image

    @classmethod
    def between(cls, old: Image, new: Image, box: tuple[int, int, int, int] | None) -> "Patch":
        """The change from `old` to `new` (H, W, 3), which differ inside x0, y0, x1, y1 alone."""
        x0, y0, x1, y1 = box or (0, 0, 0, 0)
        change: Image = new[y0:y1, x0:x1] - old[y0:y1, x0:x1]
        is_new = _any_colour(change)
        y, x = np.flatnonzero(is_new.any(1)), np.flatnonzero(is_new.any(0))
        if not len(x):
            return cls(x0, y0, np.zeros((0, 0, 3), np.uint8))
        whole = change[y[0] : y[-1] + 1, x[0] : x[-1] + 1]
        return cls(x0 + int(x[0]), y0 + int(y[0]), np.ascontiguousarray(whole))

    def laid(self, picture: Image, old: Image) -> Image:
        """A copy of `picture`, which others may have changed already, with this change of `old`."""
        height, width = self.change.shape[:2]
        here = np.s_[self.y : self.y + height, self.x : self.x + width]
        made = picture.copy()
        is_new = _any_colour(self.change)[..., None]
        made[here] = np.where(is_new, old[here] + self.change, picture[here])
        return made


def _any_colour(change: Image) -> NDArray[np.bool_]:
    """(h, w, 3) → (h, w): where it is not 0. Going along the last axis would take ten times as
    long."""
    return np.asarray((change[..., 0] | change[..., 1] | change[..., 2]) != 0)


@dataclass(frozen=True)
class Packed:
    """A patch as it is kept: `png` is empty where nothing changes."""

    x: int
    y: int
    png: bytes

    @classmethod
    def of(cls, patch: Patch) -> "Packed":
        png = cv2.imencode(".png", patch.change, FAST)[1].tobytes() if patch.change.size else b""
        return cls(patch.x, patch.y, png)

    def patch(self) -> Patch:
        change = np.zeros((0, 0, 3), np.uint8)
        if self.png:
            read = cv2.imdecode(np.frombuffer(self.png, np.uint8), cv2.IMREAD_COLOR)
            assert read is not None, "what is no picture was kept as one"
            change = np.asarray(read, np.uint8)
        return Patch(self.x, self.y, change)


Patches = dict[int, Packed]  # by frame


def _packed(patches: Patches) -> Product:
    blobs = [each.png for each in patches.values()]
    arrays: dict[str, NDArray[Any]] = {
        "frames": np.array(list(patches), np.int64),
        "at": np.array([(each.x, each.y) for each in patches.values()], np.int32).reshape(-1, 2),
        "ends": np.cumsum([len(blob) for blob in blobs], dtype=np.int64),
        "png": np.frombuffer(b"".join(blobs), np.uint8),
    }
    return Product(arrays)


def _unpacked(product: Product) -> Patches:
    arrays = product.arrays
    ends = arrays["ends"].tolist()
    data = arrays["png"].tobytes()
    starts = [0, *ends][:-1]
    frames, places = arrays["frames"].tolist(), arrays["at"].tolist()
    return {
        frame: Packed(x, y, data[start:end])
        for frame, (x, y), start, end in zip(frames, places, starts, ends, strict=True)
    }


MOUTHS = Form("mouths", 1, _packed, _unpacked)


@dataclass(frozen=True, eq=False)
class Piece:
    """Frames of one segment that are kept together. `parts` is all that their patches depend on,
    None where that is unknown and nothing is kept."""

    segment: int | None
    frames: tuple[int, ...]
    parts: Callable[[], tuple[object, ...] | None]


def is_kept(piece: Piece, memory: Memory) -> bool:
    """Whether all patches of a piece are remembered."""
    parts = piece.parts()
    return parts is not None and memory.find(MOUTHS, parts) is not None


@dataclass
class _Page:
    """An open piece: its key's parts, what was kept of it, and what was made by now."""

    parts: tuple[object, ...] | None
    kept: Patches | None
    made: Patches = field(default_factory=dict)


class Album:
    """Patches of pieces, remembered or made anew; a piece is kept when its last frame is painted.

    Holds only pieces that have begun and not ended.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._pages: dict[Piece, _Page] = {}

    def find(self, piece: Piece, frames: Sequence[int]) -> dict[int, Patch] | None:
        """Patches of some frames of a piece; None where they must be painted."""
        if piece not in self._pages:
            self._pages[piece] = self._opened(piece)
        kept = self._pages[piece].kept
        if kept is None or not all(frame in kept for frame in frames):
            return None
        return {frame: kept[frame].patch() for frame in frames}

    def add(self, piece: Piece, patches: Mapping[int, Patch]) -> None:
        """Patches that were painted; keeps the piece once it is whole."""
        page = self._pages[piece]
        if page.parts is None:
            return
        page.made |= {frame: Packed.of(patch) for frame, patch in patches.items()}
        if len(page.made) == len(piece.frames):
            self._memory.keep(MOUTHS, page.parts, page.made)

    def close(self, piece: Piece) -> None:
        """Forget a piece that has ended."""
        self._pages.pop(piece, None)

    def clear(self) -> None:
        """Forget all pieces, whether they have ended or not."""
        self._pages.clear()

    def _opened(self, piece: Piece) -> _Page:
        parts = piece.parts() if self._memory.keeps else None
        if parts is None:
            return _Page(None, None)
        segments = () if piece.segment is None else (piece.segment,)
        return _Page(parts, self._memory.find(MOUTHS, parts, segments))
