"""Encoded stretches of a dub as products: what was encoded once is written again as it is."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avdub.media.captions import Caption
from avdub.media.probe import MediaInfo
from avdub.media.reencode import Made
from avdub.pipeline.animate import Animator
from avdub.pipeline.patches import Piece
from avdub.pipeline.store import Form, Memory, Product
from avdub.timeline import MS_PER_S, Span


def _packed(made: Sequence[Made]) -> Product:
    arrays: dict[str, NDArray[Any]] = {
        "data": np.frombuffer(b"".join(each.data for each in made), np.uint8),
        "ends": np.cumsum([len(each.data) for each in made], dtype=np.int64),
        "pts": np.array([each.pts for each in made], np.int64),
        "keys": np.array([each.is_keyframe for each in made], np.uint8),
    }
    return Product(arrays)


def _unpacked(product: Product) -> Sequence[Made]:
    arrays = product.arrays
    data, ends = arrays["data"].tobytes(), arrays["ends"].tolist()
    places = zip([0, *ends][:-1], ends, strict=True)
    rest = arrays["pts"].tolist(), arrays["keys"].tolist()
    return tuple(
        Made(data[start:end], pts, bool(is_key))
        for (start, end), pts, is_key in zip(places, *rest, strict=True)
    )


STRETCHES = Form("stretches", 1, _packed, _unpacked)


class StretchKeeper:
    """Keeps stretches of `info`'s video, painted by `animator`, if by any, with `captions` drawn
    into it."""

    def __init__(
        self,
        memory: Memory,
        info: MediaInfo,
        animator: Animator | None,
        captions: Sequence[Caption] = (),
    ) -> None:
        self.memory, self.info = memory, info
        self.animator, self.captions = animator, captions

    def whole(self, frames: Span) -> Span:
        """With all frames of pieces of which some are among them."""
        around = [each.frames for each in self._pieces(frames)]
        start = min([frames.start, *(each[0] for each in around)])
        return Span(start, max([frames.end, *(each[-1] + 1 for each in around)]))

    def find(self, frames: Span, how: Sequence[object]) -> Sequence[Made] | None:
        """What was kept; None where nothing was, or it is not known what the pictures are."""
        pieces = self._pieces(frames)
        parts = self._parts(frames, how, pieces)
        if parts is None:
            return None
        segments = {each.segment for each in pieces if each.segment is not None}
        return self.memory.find(STRETCHES, parts, sorted(segments))

    def keep(self, frames: Span, how: Sequence[object], made: Sequence[Made]) -> None:
        """Keep all packets of `frames`."""
        parts = self._parts(frames, how, self._pieces(frames))
        if parts is not None:
            self.memory.keep(STRETCHES, parts, made)

    def _pieces(self, frames: Span) -> list[Piece]:
        return self.animator.pieces(frames) if self.animator is not None else []

    def _parts(
        self, frames: Span, how: Sequence[object], pieces: Sequence[Piece]
    ) -> tuple[object, ...] | None:
        painted = [each.parts() for each in pieces]
        if None in painted:
            return None
        times = self.info.frame_times
        start, end = MS_PER_S * times[frames.start], MS_PER_S * times[frames.end - 1]
        shown = [each for each in self.captions if each.start_ms <= end and each.end_ms > start]
        drawn = (cv2.__version__, shown) if shown else ()
        return self.info.path, frames, tuple(how), painted, drawn
