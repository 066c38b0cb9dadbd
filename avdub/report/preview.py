"""One segment before and after, side by side, as a small captioned clip. The only door to MoviePy.

MoviePy rounds frame rates and leaves debris when interrupted, so it gets the exact rate as a filter
and works in a folder of its own beside the output; the file appears when it is whole.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from moviepy import VideoClip
from moviepy.audio.AudioClip import AudioArrayClip
from numpy.typing import NDArray

from avdub.errors import InputError, MediaError
from avdub.media.audio import read_audio
from avdub.media.caption_drawing import check_drawing, draw_band
from avdub.media.probe import MediaInfo, probe
from avdub.media.splice import check_output
from avdub.media.subtitles import find_subtitles, read_subtitles, read_transcript
from avdub.media.video import Frame, FrameReader
from avdub.media.writer import codecs_for
from avdub.pipeline.cut import dub_cut
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import DubReport
from avdub.progress import Progress, silent
from avdub.timeline import boundary

Picture = NDArray[np.uint8]

MAX_PANE = 1080  # pixels of a pane's wider side
MAX_RATE = Fraction(120)
MAX_CAPTION_LINES = 3
FONT_PER_HEIGHT = 22  # a caption line is this fraction of the pane's height
SMALLEST_FONT = 12


def preview(
    video: Path,
    subtitles: Path | None,
    output: Path | None,
    segment: int,
    options: DubOptions,
    progress: Progress = silent,
) -> tuple[Path, DubReport]:
    """Dub `segment` (1-based) with a second around it and compose the clip.

    Raises InputError, before any work, where the output cannot be written or there is no such
    segment.
    """
    if not video.is_file():
        raise InputError(f"{video} does not exist", "check the spelling and the folder")
    output = output or video.with_name(f"{video.stem}.preview-{segment}.mp4")
    check_output(output, video, options.overwrite)
    check_drawing()
    caption = segment_text(video, subtitles, segment, options.language)
    with tempfile.TemporaryDirectory(prefix="avdub-") as folder:
        before, after, report = dub_cut(video, subtitles, segment, Path(folder), options, progress)
        compose(before, after, caption, output, progress)
    return output, report


def segment_text(video: Path, subtitles: Path | None, segment: int, language: str) -> str:
    """What the segment says; raises InputError naming the range where there is no such segment."""
    path = subtitles or find_subtitles(video, language)
    if path.suffix.lower() == ".txt":
        texts = dict(enumerate(read_transcript(path), start=1))
    else:
        texts = {each.index: each.text for each in read_subtitles(path)[0]}
    if segment not in texts:
        raise InputError(
            f"{path} has no segment {segment}", f"its segments are {min(texts)} to {max(texts)}"
        )
    return texts[segment]


def compose(
    before: Path, after: Path, caption: str, output: Path, progress: Progress = silent
) -> None:
    """Write both clips side by side, labelled, with the caption below and the sound of `after`.

    Raises MediaError, leaving nothing, where writing fails.
    """
    info = probe(after)
    with (
        ExitStack() as stack,
        tempfile.TemporaryDirectory(prefix=".avdub-", dir=output.parent) as folder,
    ):
        old = stack.enter_context(FrameReader(probe(before)))
        new = stack.enter_context(FrameReader(info))
        watched = progress(new, "compose", len(info.frame_times))
        size = pane_size(info)
        layout = SideBySide(Shown(old, size), Shown(watched, size), caption)
        clip = VideoClip(layout, duration=float(info.end))
        sound = _sound(after, info)
        made = Path(folder) / f"preview{output.suffix}"
        try:
            _write(clip.with_audio(sound) if sound else clip, made, info)
            made.replace(output)
        except OSError as error:
            raise MediaError(
                f"{output} cannot be written", "check the folder and the free space", str(error)
            ) from error


class Shown:
    """Frames of a stream as a function of rising time: what a player would show then.

    Holds two pictures, (H, W, 3) scaled to `size` (width, height).
    """

    def __init__(self, frames: Iterable[Frame], size: tuple[int, int]) -> None:
        self._frames: Iterator[Frame] = iter(frames)
        self._size = size
        self._following = next(self._frames, None)
        assert self._following is not None, "a clip has a frame"
        self._image = self._scaled(self._following)

    def __call__(self, time_s: float) -> Picture:
        """The picture at `time_s`, which must not go back."""
        # Callers count in floats: a frame counts as reached a hair before its time.
        while self._following is not None and float(self._following.time) <= time_s + 1e-6:
            self._image = self._scaled(self._following)
            self._following = next(self._frames, None)
        return self._image

    def _scaled(self, frame: Frame) -> Picture:
        if frame.image.shape[1::-1] == self._size:
            return frame.image
        image: Picture = cv2.resize(frame.image, self._size, interpolation=cv2.INTER_AREA)
        return image


class SideBySide:
    """Both pictures of a moment, (H, W, 3), under their labels and above the caption."""

    def __init__(self, before: Shown, after: Shown, caption: str) -> None:
        self._before, self._after = before, after
        height, width = before(0.0).shape[:2]
        font_size = max(SMALLEST_FONT, height // FONT_PER_HEIGHT)
        labels = [draw_band(label, width, font_size, 1) for label in ("before", "after")]
        self._above = np.concatenate(labels, axis=1)
        self._below = draw_band(caption, 2 * width, font_size, MAX_CAPTION_LINES)

    def __call__(self, time_s: float) -> Picture:
        """The picture at `time_s`, which must not go back."""
        panes = np.concatenate([self._before(time_s), self._after(time_s)], axis=1)
        return np.concatenate([self._above, panes, self._below])


def pane_size(info: MediaInfo) -> tuple[int, int]:
    """Width and height of a pane: square pixels, even, at most MAX_PANE on the wider side."""
    width, height = info.width * float(info.pixel_aspect), float(info.height)
    scale = min(1.0, MAX_PANE / max(width, height))
    even = [max(16, 2 * round(side * scale / 2)) for side in (width, height)]
    return even[0], even[1]


def _sound(path: Path, info: MediaInfo) -> AudioArrayClip | None:
    """The clip's sound as stereo, or None where it has none."""
    sound = read_audio(path, info)
    if sound is None:
        return None
    stereo = sound.samples if sound.channels == 2 else np.repeat(sound.mono().samples, 2, axis=1)
    return AudioArrayClip(stereo, fps=sound.rate)


def exact_rate_options(rate: Fraction) -> list[str]:
    """ffmpeg output options that give every picture its exact time at `rate`."""
    text = f"{rate.numerator}/{rate.denominator}"
    return ["-vf", f"setpts=N/({text})/TB", "-r", text]


def _write(clip: VideoClip, path: Path, info: MediaInfo) -> None:
    codecs = codecs_for(path)
    rate = min(MAX_RATE, info.rate.limit_denominator(1001))
    # MoviePy floors duration × rate, so half a frame more gives exactly the frames there are.
    n_frames = max(1, boundary(info.end, rate))
    whole = clip.with_duration((n_frames + 0.5) / float(rate))
    whole.write_videofile(
        str(path),
        fps=float(rate),
        codec=codecs.video,
        audio_codec=codecs.audio,
        audio_fps=clip.audio.fps if clip.audio else 44_100,
        temp_audiofile_path=str(path.parent),
        preset="veryfast",
        ffmpeg_params=["-crf", "18", *exact_rate_options(rate)],
        logger=None,
    )
