"""What a video is: sizes, exact frame times, orientation, colour and sound, validated once.

Frame times come from the container without decoding where that is exact, else from decoding.
Everything later trusts `MediaInfo`; what avdub cannot dub is refused here, by name.
"""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from avdub.errors import MediaError
from avdub.media.colour import (
    FULL,
    HDR_TRANSFERS,
    RGB_MATRIX,
    Colour,
    Orientation,
    frame_orientation,
)
from avdub.media.container import (
    audio_stream,
    check_readable,
    decode_leniently,
    open_media,
    video_stream,
)
from avdub.media.frame_times import FrameTimes, Ints
from avdub.timeline import Timeline

# Their packets need not be whole frames, carry no PTS, or build on all frames before them.
DECODED_FORMATS = {"gif", "apng", "mpeg", "mpegts", "avi", "h264", "hevc", "m4v", "mpegvideo"}
DEFAULT_RATE = Fraction(25)
# Whose frames can be dubbed at more than 8 bits a colour, for they can be spliced.
DEEP_CODECS, DEEP_FILES = {"h264", "hevc"}, {"mov", "matroska"}


@dataclass(frozen=True)
class AudioInfo:
    """The first audio stream. `start` is its first sample's time relative to the first frame."""

    rate: int
    channels: int
    layout: str
    codec: str
    start: Fraction
    duration: Fraction


@dataclass(frozen=True)
class MediaInfo:
    """A video that can be dubbed.

    `width`, `height` are as displayed, after `rotation` (clockwise degrees to upright).
    `frame_times` are seconds with the first frame at 0, `start` is that frame's time in the
    container, `end` the relative end of the last frame. `by_order` says that frames carry no
    usable times of their own, `seekable` that decoding may start at a keyframe.
    """

    path: Path
    width: int
    height: int
    rotation: int
    mirrored: bool
    pixel_aspect: Fraction
    frame_times: Sequence[Fraction]
    start: Fraction
    end: Fraction
    rate: Fraction
    time_base: Fraction
    codec: str
    pixel_format: str
    colour: Colour
    bit_rate: int
    audio: AudioInfo | None
    seekable: bool = True
    by_order: bool = False

    @property
    def timeline(self) -> Timeline:
        return Timeline(self.frame_times, self.end)

    @property
    def pts(self) -> Ints:
        """(n,) times of all frames as the container counts them, in ticks of `time_base`."""
        first = round(self.start / self.time_base)
        return first + FrameTimes.of(self.frame_times).counted_in(self.time_base)

    @property
    def is_deep(self) -> bool:
        """Whether its colours have more than 8 bits."""
        return any(each.bits > 8 for each in av.VideoFormat(self.pixel_format).components)

    @property
    def orientation(self) -> Orientation:
        return Orientation(self.rotation, self.mirrored)

    @property
    def stored_size(self) -> tuple[int, int]:
        """Width and height before rotation."""
        size = self.width, self.height
        return size[::-1] if self.orientation.swaps_sides else size


def probe(path: Path) -> MediaInfo:
    """Read what the video is; raises InputError or MediaError saying what cannot be dubbed."""
    check_readable(path)
    with open_media(path) as container:
        stream = video_stream(container, path)
        kind = container.format.name
        decoded_only = kind in DECODED_FORMATS
        in_deep_file = not DEEP_FILES.isdisjoint(kind.split(","))
        most_bits = 10 if in_deep_file and stream.codec_context.name in DEEP_CODECS else 8
        times = None if decoded_only else _packet_times(container, stream)
    first = _first_frame(path)
    _check_supported(first, path, most_bits)
    if times is not None and first.pts is not None and (times.pts == first.pts).any():
        whole = times.pts[times.pts >= first.pts]  # before it: undecodable leaders
        return _media_info(path, first, _Times(whole, times.last_duration), seekable=True)
    return _media_info(path, first, _decoded_times(path), seekable=False)


@dataclass(frozen=True)
class _Times:
    """Presentation times in ticks, strictly rising, and the last frame's length (0: unknown)."""

    pts: Ints
    last_duration: int
    by_order: bool = False


def _packet_times(container: InputContainer, stream: av.VideoStream) -> _Times | None:
    """Frame times of all shown packets, or None where packets do not say."""
    pts = array("q")
    last, length, newest = -1, 0, None
    try:
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            newest = packet.pts
            if newest is None:
                return None
            if not pts or newest > last:
                last, length = newest, packet.duration or 0
            pts.append(newest)
    except FFmpegError:
        pass  # a cut file: the frames before the cut count
    rising = np.unique(np.frombuffer(pts, np.int64))
    if len(rising) != len(pts) or not len(pts):
        return None
    if newest != last:
        length = _left(container, stream, last, length)
    return _Times(rising, length)


def _left(container: InputContainer, stream: av.VideoStream, last: int, said: int) -> int:
    """Ticks of the frame shown last where others are decoded after it.

    MP4 stores distances in decoding order, so what it says of such a frame is another's length:
    what the whole file leaves after it is the most it can have.
    """
    if not container.duration or stream.time_base is None:
        return said
    end = Fraction((container.start_time or 0) + container.duration, av.time_base)
    left = round(end / stream.time_base) - last
    return left if 0 < left < 0.9 * said else said  # files round their own length to 1 ms


def _decoded_times(path: Path) -> _Times:
    """Frame times by decoding everything; frames without rising times count by order."""
    pts, duration, n_timeless = array("q"), 0, 0
    with open_media(path) as container:
        for frame in decode_leniently(container, video_stream(container, path)):
            n_timeless += frame.pts is None
            pts.append(frame.pts or 0)
            duration = frame.duration or 0
    known = np.array(pts, np.int64)
    if not n_timeless and (np.diff(known) > 0).all():
        return _Times(known, duration)
    return _Times(np.arange(len(pts)), 1, by_order=True)


def _first_frame(path: Path) -> av.VideoFrame:
    with open_media(path) as container:
        stream = video_stream(container, path)
        for frame in decode_leniently(container, stream):
            assert isinstance(frame, av.VideoFrame)
            return frame
    raise MediaError(f"{path} has no frame that can be decoded", "check that it plays")


def _check_supported(frame: av.VideoFrame, path: Path, most_bits: int) -> None:
    hint = "convert it to 8-bit standard range (for example H.264, yuv420p, BT.709) first"
    transfer = HDR_TRANSFERS.get(frame.color_trc)
    if transfer:
        raise MediaError(f"{path} is HDR video ({transfer}), which cannot be dubbed", hint)
    bits = max(component.bits for component in frame.format.components)
    if bits > most_bits:
        raise MediaError(f"{path} has {bits} bits a colour, more than {most_bits}", hint)


def _media_info(path: Path, first: av.VideoFrame, times: _Times, seekable: bool) -> MediaInfo:
    info = _picture_info(path, first, times, seekable)
    # afterwards, for each open file holds a table of all packets
    return replace(info, audio=_audio_info(path, info.start))


def _picture_info(path: Path, first: av.VideoFrame, times: _Times, seekable: bool) -> MediaInfo:
    with open_media(path) as container:
        stream = video_stream(container, path)
        guess = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        tick = 1 / guess if times.by_order else _known(stream.time_base)
        first_pts = 0 if times.by_order else int(times.pts[0])
        start = first_pts * tick
        frame_times = FrameTimes(times.pts - first_pts, tick)
        rate = _average_rate(frame_times, guess)
        turn = frame_orientation(first)
        aspect = stream.sample_aspect_ratio or Fraction(1)
        width, height = first.width, first.height
        if turn.swaps_sides:
            width, height, aspect = height, width, 1 / aspect
        return MediaInfo(
            path=path,
            width=width,
            height=height,
            rotation=turn.rotation,
            mirrored=turn.mirrored,
            pixel_aspect=aspect,
            frame_times=frame_times,
            start=start,
            end=frame_times[-1] + (times.last_duration * tick or 1 / rate),
            rate=rate,
            time_base=tick,
            codec=stream.codec_context.name,
            pixel_format=first.format.name,
            colour=_colour(first, stream),
            bit_rate=min(filter(None, (stream.bit_rate, container.bit_rate)), default=0),
            audio=None,
            seekable=seekable,
            by_order=times.by_order,
        )


def _known(time_base: Fraction | None) -> Fraction:
    assert time_base is not None, "a demuxed stream has a time base"
    return time_base


def _average_rate(times: FrameTimes, guess: Fraction) -> Fraction:
    """The container's rate where all frames agree with it to a tick, else what the times say."""
    frames = times.tick * guess  # in a tick
    most, unit = frames.numerator, frames.denominator
    ticks = times.counted_in(times.tick)
    if all(abs(int(t) * most - n * unit) <= most for n, t in enumerate(ticks)):
        return guess
    return (len(times) - 1) / times[-1]


def _colour(first: av.VideoFrame, stream: av.VideoStream) -> Colour:
    context = stream.codec_context
    if first.format.is_rgb or first.format.has_palette:
        return Colour(context.color_primaries, context.color_trc, RGB_MATRIX)
    full = first.format.name.startswith("yuvj") or first.color_range == FULL
    return Colour(
        primaries=context.color_primaries,
        transfer=context.color_trc,
        matrix=context.colorspace,
        range=FULL if full else first.color_range,
    )


def _audio_info(path: Path, video_start: Fraction) -> AudioInfo | None:
    with open_media(path) as container:
        stream = audio_stream(container)
        if stream is None:
            return None
        first = next(decode_leniently(container, stream), None)
        if first is None:
            return None
        start = (first.pts or 0) * _known(first.time_base) - video_start
        if stream.duration:
            duration = stream.duration * _known(stream.time_base)
        else:
            duration = max(Fraction(0), Fraction(container.duration or 0, av.time_base) - start)
        return AudioInfo(
            rate=first.sample_rate,
            channels=first.layout.nb_channels,
            layout=first.layout.name,
            codec=stream.codec_context.name,
            start=start,
            duration=duration,
        )
