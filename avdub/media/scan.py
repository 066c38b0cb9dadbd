"""A video's packets looked at before any is written: can it be spliced, and where could it be cut?

One pass over the file that decodes nothing and keeps a few numbers a packet.
"""

from array import array
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from avdub.media import h264, hevc
from avdub.media.container import open_media, video_stream
from avdub.media.frame_times import Ints
from avdub.media.gops import PacketTable, decoding_times
from avdub.media.h264 import Avcc
from avdub.media.hevc import Hvcc
from avdub.media.nal import BrokenStream
from avdub.media.probe import MediaInfo
from avdub.media.writer import CODECS
from avdub.timeline import Span

Codec = Literal["h264", "hevc"]
MATROSKA_TICK = 1000  # what its writer counts in, a second
FAMILIES = {"mp4": "mov", "mov": "mov", "matroska": "matroska"}
PIXEL_FORMATS = {
    *("yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p"),
    *("yuv420p10le", "yuv422p10le", "yuv444p10le"),
}


class Unspliceable(Exception):
    """Why a video must be encoded as a whole; its text is for people."""


@dataclass(frozen=True)
class Scan:
    """What is known of a video that can be spliced.

    Of each packet in decoding order: `keys` tells keyframes, `durations` are its ticks, `sizes` its
    bytes. `end` are the ticks where the last picture ends, if the file says.
    """

    codec: Codec
    record: Avcc | Hvcc
    table: PacketTable
    keys: NDArray[np.bool_]
    durations: Ints
    sizes: Ints
    end: int | None
    durations_are_slots: bool  # each belongs to a place in decoding order, not to a picture

    def duration(self, place: int, pts: int) -> int:
        """What to write for the packet at a place in decoding order that shows the picture `pts`.

        MP4 derives lengths from DTS, and of durations written only where the last picture ends.
        """
        if not self.durations_are_slots:
            shown = int(np.searchsorted(self.table.pts, pts, sorter=self._order))
            return int(self.durations[self._order[shown]])
        length = int(self.durations[place])
        if self.end is None:
            return length
        return self.end - pts if pts == self._last else min(length, self.end - pts)

    def keyframes(self, packets: Span) -> frozenset[int]:
        """PTS of the keyframes among some packets."""
        inside = slice(packets.start, packets.end)
        return frozenset(self.table.pts[inside][self.keys[inside]].tolist())

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        return np.argsort(self.table.pts)

    @cached_property
    def _last(self) -> int:
        return int(self.table.pts.max())


def scan(info: MediaInfo, output: Path) -> Scan:
    """Look at every packet; raises Unspliceable where the file cannot be spliced into `output`."""
    if info.by_order:
        raise Unspliceable("its frames have no times of their own")
    try:
        with open_media(info.path) as container:
            stream = video_stream(container, info.path)
            codec = check_kind(container, stream, output)
            record = _record(codec, stream)
            found = _packets(container, stream, codec, record)
            end = (stream.start_time or 0) + (stream.duration or 0)
    except BrokenStream as error:
        raise Unspliceable(str(error)) from error
    _check_times(info, found.pts)
    is_mov = "mov" in container.format.name
    dts = found.dts
    if not is_mov or (np.diff(dts) <= 0).any() or (dts > found.pts).any():
        dts = decoding_times(found.pts)
    known_end = end if end > found.pts.max() else None
    table = PacketTable(found.pts, dts, found.entries)
    return Scan(codec, record, table, found.keys, found.durations, found.sizes, known_end, is_mov)


def check_kind(container: InputContainer, stream: av.VideoStream, output: Path) -> Codec:
    """The codec; raises Unspliceable for what the header alone shows to be unsuitable."""
    name = stream.codec_context.name
    if name not in ("h264", "hevc"):
        raise Unspliceable(f"its codec is {name}, neither H.264 nor HEVC")
    target = CODECS.get(output.suffix.lower())
    family = FAMILIES.get(target.container, "") if target else ""
    if family not in container.format.name.split(","):
        kind = container.format.name.split(",")[0]
        raise Unspliceable(f"it is a file of another kind ({kind}) than the output")
    pixels = stream.codec_context.pix_fmt
    if pixels not in PIXEL_FORMATS:
        raise Unspliceable(f"its pixels are {pixels}")
    tick = stream.time_base
    if family == "matroska" and (tick is None or MATROSKA_TICK % tick.denominator):
        raise Unspliceable("its times are finer than a millisecond")
    return "h264" if name == "h264" else "hevc"


def _record(codec: Codec, stream: av.VideoStream) -> Avcc | Hvcc:
    extradata = stream.codec_context.extradata or b""
    if codec == "hevc":
        return Hvcc.read(extradata)
    record = Avcc.read(extradata)
    if not record.is_progressive:
        raise Unspliceable("it is interlaced")
    return record


@dataclass(frozen=True)
class _Packets:
    pts: Ints
    dts: Ints
    durations: Ints
    sizes: Ints
    entries: NDArray[np.uint8]
    keys: NDArray[np.bool_]


def _packets(
    container: InputContainer, stream: av.VideoStream, codec: Codec, record: Avcc | Hvcc
) -> _Packets:
    syntax = h264 if codec == "h264" else hevc
    known = frozenset(record.units)
    pts, dts, durations, entries = array("q"), array("q"), array("q"), array("B")
    sizes, keys = array("q"), array("B")
    missing = -(1 << 62)
    try:
        for packet in container.demux(stream):
            if packet.size == 0:
                continue
            if packet.pts is None:
                raise Unspliceable("some of its packets have no time")
            if packet.is_discard or packet.is_corrupt:
                raise Unspliceable("some of its packets are hidden or damaged")
            data = memoryview(packet)
            if syntax.sets_in(data) - known:
                raise Unspliceable("it changes its parameter sets on the way")
            pts.append(packet.pts)
            dts.append(missing if packet.dts is None else packet.dts)
            durations.append(packet.duration or 0)
            sizes.append(packet.size)
            entries.append(syntax.entry_of(data, packet.is_keyframe))
            keys.append(packet.is_keyframe)
    except FFmpegError as error:
        raise Unspliceable("the file is damaged or cut") from error
    return _Packets(
        np.frombuffer(pts, np.int64),
        np.frombuffer(dts, np.int64),
        np.frombuffer(durations, np.int64),
        np.frombuffer(sizes, np.int64),
        np.frombuffer(entries, np.uint8),
        np.frombuffer(keys, np.bool_),
    )


def _check_times(info: MediaInfo, pts: Ints) -> None:
    """Every packet must be one of the promised frames."""
    if not np.array_equal(np.sort(pts), info.pts):
        raise Unspliceable("not every packet is a picture that is shown")
