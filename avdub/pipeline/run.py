"""dub(): opens, wires the stages, times them, reports, closes.

Two streaming passes over the video: one follows faces (plan), one animates and writes. Memory is
one batch of frames plus the segments' latents, whatever the length.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from avdub.media.audio import iter_audio
from avdub.media.captions import Captions
from avdub.media.probe import AudioInfo, MediaInfo, probe
from avdub.media.sound_track import Tracks
from avdub.media.splice import check_depth, check_output, write_dub
from avdub.media.spliced import Spliced
from avdub.media.video import FrameReader
from avdub.media.waveform import Waveform, silence
from avdub.media.writer import default_suffix
from avdub.pipeline.animate import Animator, Unpainted
from avdub.pipeline.captions import captions_for
from avdub.pipeline.clock import Clock, peak_rss_mb
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job, Plan
from avdub.pipeline.prosody import Prosody
from avdub.pipeline.ready import Ready, Task, make_ready
from avdub.pipeline.repaint import repaint_of
from avdub.pipeline.report import (
    DUBBED,
    FAILED,
    KEPT,
    VOICE_ONLY,
    DubReport,
    SegmentReport,
)
from avdub.pipeline.say import speak_text
from avdub.pipeline.speak import lay_over
from avdub.pipeline.store import NOTHING, Memory, Store
from avdub.pipeline.voiced import SILENT_RATE
from avdub.pipeline.weights import Weights, choose_device
from avdub.progress import Progress, silent
from avdub.timeline import boundary

__all__ = ["default_output", "dub", "speak_text"]
BLOCK_S = 10


def dub(
    video: Path,
    subtitles: Path | None = None,
    output: Path | None = None,
    options: DubOptions | None = None,
    progress: Progress = silent,
    hints: dict[int, Prosody] | None = None,
    store: Store = NOTHING,
) -> DubReport:
    """Dub `video` from `subtitles` (None: found beside it) into `output` (None: `<stem>.dub<ext>`).

    `hints` is the prosody of segments by index where it does not come from this video. What
    `store` keeps of earlier runs is used, and each segment's products are put there as soon as
    they are whole. Raises InputError, MediaError, SubtitleError or WeightsError before any long
    work where it can; a failure leaves no output. Whatever else goes wrong with a segment leaves
    that one as it was.
    """
    task = Task(video, subtitles, options or DubOptions(), hints)
    return perform(task, output, progress, store)


def perform(
    task: Task,
    output: Path | None = None,
    progress: Progress = silent,
    store: Store = NOTHING,
    weights: Weights | None = None,
) -> DubReport:
    """As `dub`; `weights` are those of the task's model and device where they are open already."""
    video, options, clock, memory = task.video, task.options, Clock(), Memory(store)
    with clock.stage("probe"):
        device = choose_device(options.device)
        info = probe(video)
        output = output or default_output(info)
        check_output(output, video, options.overwrite)
        check_depth(info, output)
        captions = captions_for(info, task.subtitles, options)
        weights = weights or Weights(options.model, device)
    ready = make_ready(task, weights, memory, progress, clock)
    plan, faced = ready.plan, ready.faced

    def animators() -> Animator | None:
        with clock.stage("faces"):
            return ready.animator()

    written: list[Spliced] = []

    def write(animator: Animator | None) -> None:
        with clock.stage("picture"):
            check_output(output, video, options.overwrite)  # hours may have gone by
            written.append(_write(ready, animator, output, options, captions, progress))

    animator = _finish(ready, animators, write)
    if animator is not None:
        clock.seconds["paint_s"] = round(animator.paint_s, 3)
    reports = tuple(_report(job, ready, animator) for job in plan.jobs)
    return DubReport(
        output,
        len(info.frame_times),
        float(info.end),
        reports,
        clock.total(),
        peak_rss_mb(),
        (*plan.warnings, *faced.warnings, *store.warnings),
        plan.model,
        faced.adaptation,
        picture=written[-1],
        lips=faced.lips,
    )


def default_output(info: MediaInfo) -> Path:
    """`<stem>.dub<ext>` beside the video; a container we cannot write becomes .mp4."""
    return info.path.with_name(f"{info.path.stem}.dub{default_suffix(info)}")


def _finish(
    ready: Ready,
    animators: Callable[[], Animator | None],
    write: Callable[[Animator | None], None],
) -> Animator | None:
    """Write the dub; segments whose mouths cannot be painted move to those that failed.

    They keep their original sound as well, so all is written anew without them.
    """
    while True:
        animator = animators()
        try:
            write(animator)
            return animator
        except Unpainted as error:
            reasons = error.reasons | (_tried(ready.plan, animator) if animator else {})
        for index, reason in reasons.items():
            ready.failed[index] = reason
            del ready.voiced[index]


def _tried(plan: Plan, animator: Animator) -> dict[int, str]:
    """Why segments cannot be painted, of all that are left: once writing has failed, it should not
    fail again."""
    reasons: dict[int, str] = {}
    for span in animator.spans:
        with FrameReader(plan.info, span) as reader:
            try:
                deque(animator.animate(reader), maxlen=0)
            except Unpainted as error:
                reasons |= error.reasons
    return reasons


def _write(
    ready: Ready,
    animator: Animator | None,
    output: Path,
    options: DubOptions,
    captions: Captions | None,
    progress: Progress,
) -> Spliced:
    info, overlays = ready.plan.info, list(ready.voiced.values())
    sound: Iterator[Waveform] | None = None
    if info.audio is not None:
        sound = lay_over(iter_audio(info.path, info), overlays, options.duck_db)
    elif overlays:
        sound = lay_over(_silence(info), overlays, options.duck_db)
        info = replace(info, audio=_new_track(info))
    drawn, added = (captions, None) if options.subs == "burn" else (None, captions)
    repaint = repaint_of(ready, animator, drawn)
    tracks = Tracks(options.audio, options.language, added)
    return write_dub(info, output, repaint, sound, options.crf, progress, tracks)


def _silence(info: MediaInfo) -> Iterator[Waveform]:
    left = boundary(info.end, SILENT_RATE)
    while left > 0:
        n = min(left, BLOCK_S * SILENT_RATE)
        left -= n
        yield silence(n, 1, SILENT_RATE)


def _new_track(info: MediaInfo) -> AudioInfo:
    return AudioInfo(SILENT_RATE, 1, "mono", "", Fraction(0), info.end)


def _report(job: Job, ready: Ready, animator: Animator | None) -> SegmentReport:
    s, done = job.segment, ready.voiced.get(job.segment.index)
    status, reason = DUBBED, job.problem
    if s.index in ready.failed:
        status, reason = FAILED, ready.failed[s.index]
    elif done is None:
        status = KEPT
    elif job.face is None or animator is None:
        status = VOICE_ONLY
    else:
        reason = animator.unpainted(job.face, job.frames) or reason
        status = VOICE_ONLY if reason.startswith("no frame") else DUBBED
    return SegmentReport(
        s.index,
        s.start_ms / 1000,
        s.end_ms / 1000,
        s.text,
        job.voice.name,
        status,
        reason,
        round(job.line.natural_s, 3) if job.line else None,
        round(done.rate, 3) if done else None,
        job.face,
        job.prosody,
        ready.memory.cached(s.index),
    )
