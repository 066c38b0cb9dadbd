"""Changed RGB pictures back into the frames they were decoded from.

Only the difference is carried over, so what did not change keeps its exact values, all its bits and
the decoder's own rounding.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from avdub.errors import MediaError
from avdub.media.colour import Colour, Orientation, from_rgb
from avdub.media.keeper import Keeper
from avdub.media.video import Decoded, Frame, Image
from avdub.timeline import Span

Paint = Callable[[Iterable[Frame]], Iterable[tuple[Fraction, Image]]]
EVEN = 2  # chroma is halved at most


@dataclass(frozen=True)
class Repaint:
    """What changes in a picture: `spans` of frames, and `paint`, which makes new pictures of them.

    `paint` gets the frames of a span in order, or of several that meet, and gives (time, picture)
    for each of them, in order. It may be called several times, for later and later frames. `keeper`
    may know packets of them from an earlier run.
    """

    spans: tuple[Span, ...]
    paint: Paint
    keeper: Keeper | None = None

    def __post_init__(self) -> None:
        """Sort the spans and join those that meet."""
        joined: list[Span] = []
        for span in sorted((s for s in self.spans if len(s)), key=lambda s: s.start):
            if joined and span.start <= joined[-1].end:
                joined[-1] = Span(joined[-1].start, max(span.end, joined[-1].end))
            else:
                joined.append(span)
        object.__setattr__(self, "spans", tuple(joined))

    def __contains__(self, frame: object) -> bool:
        assert isinstance(frame, int), "frames have numbers"
        n = bisect_right(self.spans, frame, key=lambda span: span.start) - 1
        return n >= 0 and frame in self.spans[n]


def repainted(
    frames: Iterable[Decoded], repaint: Repaint, colour: Colour, turn: Orientation
) -> Iterator[av.VideoFrame]:
    """Decoded frames in order, each with its changed picture where it has one.

    Those of the repaint's spans must come with their RGB pictures. Raises MediaError where `paint`
    gives too few or other pictures.
    """
    for is_touched, run in groupby(frames, key=lambda each: each.image is not None):
        if not is_touched:
            yield from (each.frame for each in run)
            continue
        waiting: deque[Decoded] = deque()
        for time, image in repaint.paint(_shown(run, waiting)):
            if not waiting or waiting[0].time != time:
                raise MediaError(f"a new picture for {float(time):.3f} s is out of order")
            each = waiting.popleft()
            assert each.image is not None, "only those with a picture are in this run"
            yield retouched(each.frame, each.image, image, colour, turn)
        if waiting or next(run, None) is not None:
            raise MediaError("new pictures are missing", "report this with the input video")


def _shown(run: Iterable[Decoded], waiting: deque[Decoded]) -> Iterator[Frame]:
    for each in run:
        assert each.image is not None, "only those with a picture are in this run"
        each.image.flags.writeable = False  # it is compared with what comes back
        waiting.append(each)
        yield Frame(each.index, each.time, each.image)


def retouched(
    frame: av.VideoFrame, before: Image, after: Image, colour: Colour, turn: Orientation
) -> av.VideoFrame:
    """`frame`, or a copy with the difference of two upright RGB (H, W, 3) pictures of it added."""
    before, after = turn.undo(before), turn.undo(after)
    assert before.shape == after.shape, f"a picture of {after.shape} for one of {before.shape}"
    box = _changed(before, after)
    if box is None:
        return frame
    rows, columns = box
    result = _copy(frame)
    kind, height = frame.format.name, before.shape[0]
    old, new = (
        from_rgb(each[rows, columns], colour, kind, height=height) for each in (before, after)
    )
    n_bits = frame.format.components[0].bits
    for n in range(len(result.planes)):
        plane = _values(result, n)
        part = plane[_halved(rows, plane.shape[0], frame.height)][
            :, _halved(columns, plane.shape[1], frame.width)
        ]
        change = _values(new, n).astype(np.int32) - _values(old, n)
        part[:] = np.clip(part + change, 0, (1 << n_bits) - 1)
    return result


def _changed(before: Image, after: Image) -> tuple[slice, slice] | None:
    """The smallest box of even borders around all changed pixels; None if there are none."""
    unlike = before != after
    different = unlike[..., 0] | unlike[..., 1] | unlike[..., 2]  # slower by any(axis=2)
    rows, columns = np.flatnonzero(different.any(1)), np.flatnonzero(different.any(0))
    if not len(rows):
        return None
    return _even(rows, before.shape[0]), _even(columns, before.shape[1])


def _even(places: NDArray[np.intp], size: int) -> slice:
    # a margin, for the converter spreads each colour over its neighbours
    start, end = int(places[0]) - 4, int(places[-1]) + 5
    return slice(max(0, start // EVEN * EVEN), min(size, -(-end // EVEN) * EVEN))


def _halved(part: slice, plane_size: int, frame_size: int) -> slice:
    """The same part of a plane that may have half as many rows or columns."""
    if plane_size == frame_size:
        return part
    return slice(part.start // 2, -(-part.stop // 2))


def _copy(frame: av.VideoFrame) -> av.VideoFrame:
    """The same picture in memory of its own: a decoder may still build on the frame's."""
    # only a conversion takes captions along, and asking a frame for them makes it outlive its use
    other = "yuv444p" if frame.format.name != "yuv444p" else "yuv422p"
    copy = frame.reformat(format=other).reformat(format=frame.format.name)
    for n in range(len(frame.planes)):
        _values(copy, n)[:] = _values(frame, n)
    copy.pts = frame.pts
    if frame.time_base is not None:
        copy.time_base = frame.time_base
    copy.colorspace, copy.color_range = frame.colorspace, frame.color_range
    copy.color_trc, copy.color_primaries = frame.color_trc, frame.color_primaries
    return copy


def _values(frame: av.VideoFrame, n: int) -> NDArray[Any]:
    """Plane `n` as (H, W) numbers that share the frame's memory."""
    plane = frame.planes[n]
    kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
    rows: NDArray[Any] = np.frombuffer(plane, kind).reshape(plane.height, -1)
    return rows[:, : plane.width]
