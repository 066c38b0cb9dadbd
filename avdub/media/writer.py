"""Writing a video: pictures at their exact times, sound interleaved, a whole file or none.

Sound is pulled while pictures are written, so memory does not grow with length. Everything goes
to a hidden file beside the output, which takes its name only when it is whole.
"""

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.video.frame import PictureType
from numpy.typing import NDArray

from avdub.errors import InputError, MediaError
from avdub.media.beside import Beside
from avdub.media.carry import CONTAINER_TAGS
from avdub.media.colour import RGB_MATRIX, Colour, from_rgb
from avdub.media.container import open_media, video_stream, writing
from avdub.media.place import Part
from avdub.media.probe import MediaInfo
from avdub.media.sound_track import Sound, SoundCodec, SoundTrack
from avdub.media.waveform import Waveform
from avdub.timeline import round_half_up


@dataclass(frozen=True)
class Codecs:
    """What goes into a container."""

    container: str
    video: str
    audio: str


CODECS = {
    ".mp4": Codecs("mp4", "libx264", "aac"),
    ".m4v": Codecs("mp4", "libx264", "aac"),
    ".mov": Codecs("mov", "libx264", "aac"),
    ".mkv": Codecs("matroska", "libx264", "aac"),
    ".webm": Codecs("webm", "libvpx-vp9", "libopus"),
}
VIDEO_OPTIONS = {
    # mbtree saves bits where pictures change, which is where mouths are; the rest keeps noisy
    # pictures and the colour of skin above 42 dB at crf 16 for the same number of bytes.
    "libx264": {"x264-params": "mbtree=0:rc-lookahead=10:aq-strength=0.6:chroma-qp-offset=-2"},
    "libvpx-vp9": {"b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1"},
}
SOUND_AHEAD_S = 1
FINEST_TICK = 1_000_000
USUAL_CRF = 16
MOST_THREADS = 8  # of the encoder; each holds pictures


def default_suffix(info: MediaInfo) -> str:
    """The input's own suffix where it can be written, else .mp4."""
    suffix = info.path.suffix.lower()
    return suffix if suffix in CODECS else ".mp4"


def codecs_for(path: Path) -> Codecs:
    """What the suffix asks for; raises InputError that lists the known ones."""
    codecs = CODECS.get(path.suffix.lower())
    if codecs is None:
        what = f"{path.suffix} files" if path.suffix else "a file without a suffix"
        raise InputError(f"{path}: cannot write {what}", f"use one of {', '.join(CODECS)}")
    return codecs


class FrameWriter:
    """Context manager: `write` pictures (H, W, 3) in display order, each with its time.

    `sound` is consumed as pictures are written and cut or padded by nobody: it should be as long
    as the video. `beside` are streams that go into the file as they are. `check` may refuse the
    finished file by raising. Leaving the `with` normally completes the file; an exception leaves
    none. Raises InputError for a suffix that cannot be written and MediaError when writing fails.
    """

    def __init__(
        self,
        path: Path,
        info: MediaInfo,
        sound: Iterator[Waveform] | Sound | None = None,
        crf: int = USUAL_CRF,
        check: Callable[[Path], None] | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.path = path
        self.info = info
        self.crf = crf
        self.n_written = 0
        self._codecs = codecs_for(path)
        self._part: Part | None = None
        usual = SoundCodec(self._codecs.audio)
        self._sound = sound if isinstance(sound, Sound) else Sound(sound, usual)
        self._check, self._beside = check, beside
        self._last_pts = -1

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._discard()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is not None:
            self._discard()
            return
        try:
            self._finish()
        except BaseException:
            self._discard()
            raise

    def write(self, image: NDArray[np.uint8], time: Fraction) -> None:
        """The next picture, RGB uint8 (H, W, 3) of the video's own size, shown at `time`."""
        assert image.shape == (self.info.height, self.info.width, 3), f"bad shape {image.shape}"
        frame = from_rgb(image, self.info.colour, self._picture.codec_context.pix_fmt or "yuv420p")
        frame.pts = round_half_up(time / self._tick)
        frame.time_base = self._tick
        frame.duration = round_half_up(self._next_time(time) / self._tick) - frame.pts
        # MP4 can only tell the last frame's length where it is decoded last, too.
        if self.n_written and self.n_written >= len(self.info.frame_times) - 2:
            frame.pict_type = PictureType.P
        assert frame.pts > self._last_pts, f"frames must rise in time, {time} does not"
        self._last_pts = frame.pts
        with writing(self.path):
            self._container.mux(self._picture.encode(frame))
        self.n_written += 1
        self._track.write(time + SOUND_AHEAD_S)
        if self._beside is not None:
            self._beside.write(time + SOUND_AHEAD_S)

    def _next_time(self, time: Fraction) -> Fraction:
        times = self.info.frame_times
        following = bisect_right(times, time)
        end = times[following] if following < len(times) else self.info.end
        return end if end > time else time + 1 / self.info.rate

    def _open(self) -> None:
        with writing(self.path):
            self._part = Part(self.path)
            self._container: OutputContainer = av.open(
                str(self._part.path.absolute()),
                "w",
                format=self._codecs.container,
                container_options={"movflags": "+faststart"}
                if self._codecs.container in ("mp4", "mov")
                else {},
            )
            _copy_description(self.info, self._container)
            self._picture = self._add_picture()
        self._track = SoundTrack(self._container, self.path, self._sound, self.info)
        if self._beside is not None:
            self._beside.add_to(self._container)
        with writing(self.path):
            self._container.start_encoding()

    def _add_picture(self) -> av.VideoStream:
        info, colour = self.info, self.info.colour
        options = VIDEO_OPTIONS[self._codecs.video] | {"crf": str(self.crf)}
        hint = info.rate.limit_denominator(10_000)
        stream = self._container.add_stream(self._codecs.video, rate=hint, options=options)
        assert isinstance(stream, av.VideoStream)
        odd = info.width % 2 or info.height % 2
        stream.width, stream.height = info.width, info.height
        # x264 has no 4:2:0 for odd sizes, and the size must not change.
        stream.pix_fmt = "yuv444p" if odd and self._codecs.video == "libx264" else "yuv420p"
        self._tick = Fraction(1, min(info.time_base.denominator, FINEST_TICK))
        context = stream.codec_context
        stream.time_base = context.time_base = self._tick
        context.flags |= Flags.frame_duration  # or the last frame gets the average length
        context.sample_aspect_ratio = info.pixel_aspect
        context.color_primaries = colour.primaries
        context.color_trc = colour.transfer
        context.colorspace = _written_matrix(colour, info.height)
        context.color_range = colour.range
        # x264 then encodes while the next picture is made; with slices one waits for it
        context.thread_type = "FRAME"
        context.thread_count = min(MOST_THREADS, os.cpu_count() or 1)
        return stream

    def _finish(self) -> None:
        assert self._part is not None, "made by __enter__"
        self._track.write(None)
        if self._beside is not None:
            self._beside.write(None)
        with writing(self.path):
            self._container.mux(self._picture.encode(None))
            self._track.finish()
            self._container.close()
            n_packets = _count_frames(self._part.path)
            if n_packets != self.n_written:
                raise MediaError(
                    f"{self.path} came out with {n_packets} of {self.n_written} frames",
                    "check the free space on the disk and try again",
                )
            if self._check is not None:
                self._check(self._part.path)
            self._part.put()

    def _discard(self) -> None:
        with suppress(Exception):  # the error that brought us here is the one to show
            self._container.close()
        if self._part is not None:
            self._part.discard()


def _written_matrix(colour: Colour, height: int) -> int:
    """The matrix tag to write: the source's own, or ours where it was RGB."""
    return colour.swscale_matrix(height) if colour.matrix == RGB_MATRIX else colour.matrix


def _count_frames(path: Path) -> int:
    with open_media(path) as container:
        return sum(1 for packet in container.demux(video_stream(container, path)) if packet.size)


def _copy_description(info: MediaInfo, target: OutputContainer) -> None:
    """Carry over the file's tags and chapters, where there is a file."""
    if not info.path.is_file():
        return
    with open_media(info.path) as source:
        for key, value in source.metadata.items():
            if key not in CONTAINER_TAGS:
                target.metadata[key] = value
        chapters = source.chapters()
        for chapter in chapters:
            shift = round(info.start / (chapter["time_base"] or 1))
            chapter["start"] = max(0, chapter["start"] - shift)
            chapter["end"] = max(0, chapter["end"] - shift)
        if chapters:
            target.set_chapters(chapters)
