"""Pictures of a video, in and out, streamed: `FrameReader` and `FrameWriter`.

The reader yields exactly the frames `MediaInfo` promises, upright RGB, whatever the decoder makes
of a damaged file; the writer keeps their exact times and leaves either a whole file or none.
"""

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from avdub.errors import MediaError
from avdub.media.colour import to_rgb
from avdub.media.container import decode_leniently, open_media, video_stream
from avdub.media.probe import MediaInfo
from avdub.media.writer import FrameWriter, default_suffix
from avdub.timeline import Span

__all__ = [
    "Decoded",
    "Frame",
    "FrameReader",
    "FrameWriter",
    "Image",
    "default_suffix",
    "read_frames",
]

Image = NDArray[np.uint8]
SEEK_BACK_S = (0, 2, 10, 60)  # tried in turn where a keyframe turns out to lie after the wish
NEAR_FRAMES = 60  # decoding this many frames costs about as much as seeking


@dataclass(frozen=True)
class Frame:
    """One picture: its place in the video, its time and upright RGB uint8 (H, W, 3)."""

    index: int
    time: Fraction
    image: Image


@dataclass(frozen=True)
class Decoded:
    """A frame as it was decoded, with its picture (upright RGB) where that was asked for."""

    index: int
    time: Fraction
    frame: av.VideoFrame
    image: Image | None


class FrameReader:
    """Context manager and iterator of the frames of a video, one for each of `info.frame_times`.

    `span` limits it to a range of frames. Frames that cannot be decoded repeat the one before
    (the first one: the one after); `n_repeated` counts them. Raises MediaError where nothing
    decodes.
    """

    def __init__(self, info: MediaInfo, span: Span | None = None) -> None:
        n_frames = len(info.frame_times)
        self.info = info
        self.span = Span(0, n_frames) if span is None else span
        assert self.span.end <= n_frames, f"{self.span} ends after the {n_frames} frames"
        self.n_repeated = 0
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def __iter__(self) -> Iterator[Frame]:
        for index, frame in self._found(self.span.range()):
            yield Frame(index, self.info.frame_times[index], self._upright(frame))

    def images(self, wanted: Sequence[int]) -> dict[int, Image]:
        """Some frames of the span by index; the others are decoded but not converted."""
        return {n: self._upright(frame) for n, frame in self._found(sorted(set(wanted)))}

    def decoded(self, pictures: Container[int]) -> Iterator[Decoded]:
        """All frames as they were decoded, those that `pictures` contains with their picture."""
        for index, frame in self._found(self.span.range()):
            image = self._upright(frame) if index in pictures else None
            yield Decoded(index, self.info.frame_times[index], frame, image)

    def _found(self, wanted: Iterable[int]) -> Iterator[tuple[int, av.VideoFrame]]:
        """The wanted frames, which rise, with their index, each exactly once."""
        todo = iter(wanted)
        index = next(todo, None)
        if index is None:
            return
        last: av.VideoFrame | None = None
        for at, frame in self._decoded():
            while index is not None and index < at:
                yield index, last or frame
                self.n_repeated += 1
                index = next(todo, None)
            last = frame
            if index == at:
                yield index, frame
                index = next(todo, None)
            if index is None:
                return
        while index is not None:
            if last is None:
                raise MediaError(f"{self.info.path} has no frame that can be decoded here")
            yield index, last
            self.n_repeated += 1
            index = next(todo, None)

    def _upright(self, frame: av.VideoFrame) -> Image:
        image = to_rgb(frame, self.info.colour, self.info.stored_size)
        return self.info.orientation.apply(image)

    def _decoded(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Good decoded frames with their index, rising, from at or before the span's start."""
        if self.info.seekable and self.span.start > NEAR_FRAMES:
            for back_s in SEEK_BACK_S:
                frames = self._decode_from(self.info.frame_times[self.span.start] - back_s)
                first = next(frames, None)
                if first is not None and first[0] <= self.span.start:
                    yield first
                    yield from frames
                    return
        yield from self._decode_from(None)

    def _decode_from(self, time: Fraction | None) -> Iterator[tuple[int, av.VideoFrame]]:
        self._stack.close()
        container = self._stack.enter_context(open_media(self.info.path))
        stream = video_stream(container, self.info.path)
        if time is not None and not self._seek(container, stream, time):
            return
        following = -1
        for n, frame in enumerate(decode_leniently(container, stream)):
            index = self._index(frame, n)
            if index is not None and index > following and not frame.is_corrupt:
                following = index
                yield index, frame
            if index is not None and index >= self.span.end:
                return

    def _seek(self, container: InputContainer, stream: av.VideoStream, time: Fraction) -> bool:
        if time < 0:
            return False
        try:
            container.seek(round((time + self.info.start) / self.info.time_base), stream=stream)
        except FFmpegError:
            return False
        return True

    def _index(self, frame: av.VideoFrame, n: int) -> int | None:
        """Which of the promised frames this is."""
        times = self.info.frame_times
        if self.info.by_order:
            return n if n < len(times) else None
        if frame.pts is None:
            return None
        time = frame.pts * self.info.time_base - self.info.start
        index = bisect_left(times, time)
        return index if index < len(times) and times[index] == time else None


def read_frames(info: MediaInfo, indexes: Sequence[int]) -> dict[int, Image]:
    """Some frames anywhere in the video, upright RGB (H, W, 3) by index; seeks between them."""
    found: dict[int, Image] = {}
    for group in _near(sorted(set(indexes))):
        with FrameReader(info, Span(group[0], group[-1] + 1)) as reader:
            found |= reader.images(group)
    return found


def _near(indexes: list[int]) -> Iterator[list[int]]:
    """Indexes grouped so that within a group decoding on is cheaper than seeking."""
    group: list[int] = []
    for index in indexes:
        if group and index - group[-1] > NEAR_FRAMES:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
