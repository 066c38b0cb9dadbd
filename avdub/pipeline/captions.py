"""The subtitles of a dub as its viewers see them: read, and drawn into the picture where wanted."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from avdub.media.caption_drawing import Overlay, check_drawing, draw_caption
from avdub.media.captions import (
    Captions,
    captions_of,
    frames_of,
    one_at_a_time,
    read_captions,
)
from avdub.media.probe import MediaInfo
from avdub.media.retouch import Repaint
from avdub.media.subtitles import find_subtitles
from avdub.media.video import Frame, Image
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import read_segments
from avdub.timeline import MS_PER_S

DRAWN = 4  # captions kept ready to be laid over pictures


def captions_for(info: MediaInfo, subtitles: Path | None, options: DubOptions) -> Captions | None:
    """All captions of the subtitles that stand in the video, whichever segments are dubbed.

    None where nobody is to see them. Raises InputError or SubtitleError, and WeightsError where
    they are to be drawn and cannot be.
    """
    if options.subs == "none":
        return None
    if options.subs == "burn":
        check_drawing()
    path = subtitles or find_subtitles(info.path, options.language)
    if path.suffix.lower() == ".txt":
        segments, _ = read_segments(info, path, replace(options, segments=None))
        return captions_of(segments)
    return read_captions(path).until(info.end)


def captioned(repaint: Repaint | None, captions: Captions, info: MediaInfo) -> Repaint:
    """`repaint` with captions drawn over its pictures and over all others that they stand in."""
    shown = one_at_a_time(captions.captions)
    starts = [Fraction(each.start_ms, MS_PER_S) for each in shown]

    @lru_cache(DRAWN)
    def drawn(text: str) -> Overlay:
        return draw_caption(text, info.width, info.height, info.pixel_aspect)

    def paint(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        for time, image in _painted(frames, repaint):
            n = bisect_right(starts, time) - 1
            is_shown = n >= 0 and time * MS_PER_S < shown[n].end_ms
            yield time, drawn(shown[n].plain).over(image) if is_shown else image

    below = repaint.spans if repaint is not None else ()
    return Repaint((*below, *(frames_of(each, info.frame_times) for each in shown)), paint)


def _painted(frames: Iterable[Frame], repaint: Repaint | None) -> Iterator[tuple[Fraction, Image]]:
    """(time, picture) of frames in order: what `repaint` makes of those that it has."""
    for is_below, run in groupby(frames, key=lambda f: repaint is not None and f.index in repaint):
        if is_below and repaint is not None:
            yield from repaint.paint(run)
        else:
            yield from ((frame.time, frame.image) for frame in run)
