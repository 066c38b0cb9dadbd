"""Stretches of a video encoded anew so that they fit between its own packets.

The encoder is the source's codec with its profile, level, pixels and colour tags; its parameter
sets get numbers that the source does not use, so that one track can hold both.
"""

import os
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
from av.codec.context import Flags
from av.error import FFmpegError
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from avdub.errors import MediaError
from avdub.media.frame_times import Ints
from avdub.media.h264 import PPS, SPS, Avcc
from avdub.media.hevc import Hvcc, renumbered_sets, renumbered_slices, without_leaders
from avdub.media.nal import BrokenStream, annexb_units, joined, units
from avdub.media.rate import Cap
from avdub.media.writer import MOST_THREADS, VIDEO_OPTIONS

NO_LIMIT = 1 << 20  # frames to the next keyframe, where none is asked for
B_FRAMES = {0: 0, 1: 2, 2: 3}  # in a row, by the frames held back
ENCODE_HINT = "report this with the input video; nothing was written"
HEVC_LEVELS = {30: "1", 60: "2", 63: "2.1", 90: "3", 93: "3.1", 120: "4", 123: "4.1"} | {
    150: "5",
    153: "5.1",
    156: "5.2",
    180: "6",
    183: "6.1",
    186: "6.2",
}


@dataclass(frozen=True)
class Made:
    """A new packet: its units with lengths, and the PTS in ticks of the frame it shows."""

    data: bytes
    pts: int
    is_keyframe: bool


class Reencoder:
    """Encodes stretches like `source`, whose sets are `record`; `tick` is seconds a tick.

    `depth` is how many frames may be held back for B-frames. `merged` is the record of the track
    that holds the source's packets and the new ones.
    """

    def __init__(
        self,
        source: VideoCodecContext,
        record: Avcc | Hvcc,
        tick: Fraction,
        rate: Fraction,
        depth: int,
        crf: int,
    ) -> None:
        self.source, self.record = source, record
        self.tick, self.rate, self.depth, self.crf = tick, rate, depth, crf
        self._numbers = record.free_numbers() if isinstance(record, Hvcc) else None
        self._sets = tuple(self._sets_of(self._open()))
        self.merged = record.with_sets(self._sets)

    def facts(self, cap: Cap | None) -> tuple[object, ...]:
        """All that packets depend on beside their frames, their times and which are keyframes."""
        context = self._closed(cap)
        own = context.codec.name, context.thread_count, context.options
        return av.__version__, av.library_versions, *own, self._sets, self.depth, cap

    def encode(
        self,
        frames: Iterable[av.VideoFrame],
        times: Sequence[int] | Ints,
        keys: Container[int],
        cap: Cap | None = None,
    ) -> Iterator[list[Made]]:
        """New packets, after each frame those that are ready; the first frame begins a closed GOP.

        `times` are the PTS of the frames in ticks, `keys` those that must be keyframes, `cap` is
        what all may take.
        """
        context = self._open(cap)
        if tuple(self._sets_of(context)) != self._sets:  # a level that follows from the rate
            context = self._open()
        assert tuple(self._sets_of(context)) == self._sets, "the encoder is not the same"
        for frame, pts in zip(frames, times, strict=True):
            frame.pts, frame.time_base = int(pts), self.tick
            frame.duration = 0
            frame.pict_type = PictureType.I if frame.pts in keys else PictureType.NONE
            yield self._encoded(context, frame)
        yield self._encoded(context, None)

    def _encoded(self, context: VideoCodecContext, frame: av.VideoFrame | None) -> list[Made]:
        try:
            return [self._made(packet) for packet in context.encode(frame)]
        except (FFmpegError, BrokenStream) as error:
            raise MediaError("the picture cannot be encoded", ENCODE_HINT, str(error)) from error

    def _made(self, packet: "av.Packet[av.VideoStream]") -> Made:
        assert packet.pts is not None, "an encoder gives times"
        parts: Iterable[bytes] = annexb_units(bytes(packet))
        if self._numbers is not None:
            parts = renumbered_slices(parts, self._numbers)
        return Made(joined(parts), packet.pts, packet.is_keyframe)

    def _sets_of(self, context: VideoCodecContext) -> Iterator[bytes]:
        parts = annexb_units(context.extradata or b"")
        if self._numbers is not None:
            return renumbered_sets(parts, self._numbers)
        return (unit for unit in parts if unit[0] & 31 in (SPS, PPS))

    def _open(self, cap: Cap | None = None) -> VideoCodecContext:
        context = self._closed(cap)
        context.open()
        return context

    def _closed(self, cap: Cap | None) -> VideoCodecContext:
        """An encoder that is described but not begun."""
        is_hevc = isinstance(self.record, Hvcc)
        context = av.CodecContext.create("libx265" if is_hevc else "libx264", "w")
        assert isinstance(context, VideoCodecContext)
        source = self.source
        context.width, context.height = source.width, source.height
        context.pix_fmt = source.pix_fmt
        context.time_base, context.framerate = self.tick, self.rate.limit_denominator(10_000)
        if source.sample_aspect_ratio:
            context.sample_aspect_ratio = source.sample_aspect_ratio
        context.color_primaries, context.color_trc = source.color_primaries, source.color_trc
        context.colorspace, context.color_range = source.colorspace, source.color_range
        context.flags |= Flags.global_header | Flags.closed_gop
        context.thread_type = "FRAME"
        # libx264 keeps within a rate by what its threads have done so far: the same only with one
        n_threads = 1 if cap is not None and not is_hevc else os.cpu_count() or 1
        context.thread_count = min(MOST_THREADS, n_threads)
        context.options = self._hevc_options(cap) if is_hevc else self._h264_options(cap)
        return context

    def _h264_options(self, cap: Cap | None) -> dict[str, str]:
        assert isinstance(self.record, Avcc)
        pyramid = "normal" if self.depth > 1 else "none"
        own = f"sps-id={self.record.free_number()}:keyint={NO_LIMIT}:min-keyint=1:scenecut=0"
        usual = VIDEO_OPTIONS["libx264"]["x264-params"]
        options = {
            "crf": str(self.crf),
            "forced-idr": "1",
            "bf": str(B_FRAMES[self.depth]),
            "x264-params": f"{usual}:{own}:b-pyramid={pyramid}:open-gop=0{_limits(cap)}",
        }
        if self.record.profile:
            options["profile"] = self.record.profile
        if self.record.level >= 10:
            options["level"] = f"{self.record.level / 10:.1f}"
        return options

    def _hevc_options(self, cap: Cap | None) -> dict[str, str]:
        assert isinstance(self.record, Hvcc)
        params = [
            f"keyint={NO_LIMIT}:min-keyint=1:scenecut=0:open-gop=0:repeat-headers=0",
            f"bframes={B_FRAMES[self.depth]}:b-pyramid={int(self.depth > 1)}:b-adapt=1",
            f"log-level=none:info=0:rc-lookahead=10:aud=0:hrd=0:const-vbv=1{_limits(cap)}",
        ]
        level = HEVC_LEVELS.get(self.record.level)
        if level:
            params.append(f"level-idc={level}:high-tier={int(self.record.is_high_tier)}")
        return {
            "crf": str(self.crf),
            "preset": "fast",
            "a53cc": "1",  # captions, which libx264 writes unasked
            "forced-idr": "1",
            "x265-params": ":".join(params),
        }


def _limits(cap: Cap | None) -> str:
    """For either encoder; in whole kbit, as they count."""
    if cap is None:
        return ""
    return f":vbv-maxrate={max(1, cap.rate // 1000)}:vbv-bufsize={max(1, cap.buffer // 1000)}"


def after_stretch(data: bytes) -> bytes:
    """An open entry's packet as it must be where what came before it was made anew."""
    return joined(without_leaders(units(data)))
