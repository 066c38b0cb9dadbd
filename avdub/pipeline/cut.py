"""A part of a video as a video of its own, dubbed: what a preview shows."""

from dataclasses import replace
from pathlib import Path

from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.subtitles import write_srt
from avdub.media.video import FrameReader
from avdub.media.writer import FrameWriter
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import original_prosody, read_segments
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import dub
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.timeline import Span


def dub_cut(
    video: Path,
    subtitles: Path | None,
    index: int,
    folder: Path,
    options: DubOptions | None = None,
    progress: Progress = silent,
    margin_s: float = 1.0,
) -> tuple[Path, Path, DubReport]:
    """Segment `index` with `margin_s` around it, before and after dubbing, as files in `folder`."""
    options = replace(options or DubOptions(), segments=frozenset({index}), overwrite=True)
    info = probe(video)
    (segment,), _ = read_segments(info, subtitles, options)
    wide = replace(
        segment,
        start_ms=max(0, segment.start_ms - round(1000 * margin_s)),
        end_ms=segment.end_ms + round(1000 * margin_s),
    )
    span = info.timeline.frames(wide)
    start = info.frame_times[span.start]
    before, after, cue = (folder / name for name in ("before.mp4", "after.mp4", "cue.srt"))
    _copy_part(info, span, before)
    offset = round(1000 * start)
    moved = replace(
        segment, index=1, start_ms=max(0, segment.start_ms - offset), end_ms=segment.end_ms - offset
    )
    write_srt([moved], cue)
    hints = original_prosody(info, subtitles, [segment], options, Weights(options.model))
    hints = dict(enumerate(hints.values(), start=1))  # of the whole video; a part has no typical
    report = dub(before, cue, after, replace(options, segments=None), progress, hints)
    return before, after, report


def _copy_part(info: MediaInfo, span: Span, path: Path) -> None:
    """Frames of `span` with their sound as a video of their own."""
    start = info.frame_times[span.start]
    whole = span.end < len(info.frame_times)
    end = info.frame_times[span.end] if whole else info.end
    times = tuple(t - start for t in info.frame_times[span.start : span.end])
    part = replace(info, frame_times=times, end=end - start)
    sound = None
    if info.audio is not None:
        sound = iter_audio(info.path, info, span=(start, end))
    with FrameWriter(path, part, sound, crf=12) as writer, FrameReader(info, span) as reader:
        for frame in reader:
            writer.write(frame.image, frame.time - start)
