"""dub(): opens, wires the stages, times them, reports, closes.

Two streaming passes over the video: one follows faces (plan), one animates and writes. Memory is
one batch of frames plus the segments' latents, whatever the length.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from avdub.media.audio import iter_audio
from avdub.media.probe import AudioInfo, MediaInfo, probe
from avdub.media.retouch import Repaint
from avdub.media.sound_track import Tracks
from avdub.media.splice import check_depth, check_output, write_dub
from avdub.media.spliced import Spliced
from avdub.media.video import FrameReader
from avdub.media.waveform import Waveform, silence
from avdub.media.writer import default_suffix
from avdub.pipeline.actor import Troupe, meet_actor
from avdub.pipeline.adapt import adapt_for
from avdub.pipeline.animate import Animator, Unpainted
from avdub.pipeline.clock import Clock, peak_rss_mb
from avdub.pipeline.drive import SegmentDrive
from avdub.pipeline.mouth import fit_mouth
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job, Plan, make_plan
from avdub.pipeline.prosody import Prosody
from avdub.pipeline.report import (
    DUBBED,
    FAILED,
    KEPT,
    VOICE_ONLY,
    AdaptationReport,
    DubReport,
    LipReport,
    SegmentReport,
)
from avdub.pipeline.say import speak_text
from avdub.pipeline.speak import lay_over
from avdub.pipeline.store import NOTHING, Memory, Store
from avdub.pipeline.voiced import SILENT_RATE, Voiced, speak_all
from avdub.pipeline.weights import Weights, choose_device
from avdub.progress import Progress, silent
from avdub.timeline import STEP_RATE, Span, boundary

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
    options, clock, memory = options or DubOptions(), Clock(), Memory(store)
    with clock.stage("probe"):
        device = choose_device(options.device)
        info = probe(video)
        output = output or default_output(info)
        check_output(output, video, options.overwrite)
        check_depth(info, output)
        weights = Weights(options.model, device)
    with clock.stage("plan"):
        plan = make_plan(video, subtitles, options, progress, weights, hints, memory)
    with clock.stage("speech"):
        voiced, failed = speak_all(plan, weights, options, progress, memory)
    is_driven = bool(_driven(voiced))
    faced = _faced(plan, weights, options, memory, progress, clock, is_driven)

    def animators() -> "Animator | None":
        with clock.stage("faces"):
            return _animator(plan, voiced, faced.weights, memory)

    written: list[Spliced] = []

    def write(animator: "Animator | None") -> None:
        with clock.stage("picture"):
            written.append(_write(plan, voiced, animator, output, options, progress))

    animator = _finish(plan, animators, write, voiced, failed)
    reports = tuple(_report(job, voiced, failed, animator, memory) for job in plan.jobs)
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


@dataclass(frozen=True)
class Faced:
    """The weights with the face model to animate with, and how it was suited to this video."""

    weights: Weights
    adaptation: AdaptationReport | None = None
    lips: LipReport | None = None
    warnings: tuple[str, ...] = ()


def _faced(
    plan: Plan,
    weights: Weights,
    options: DubOptions,
    memory: Memory,
    progress: Progress,
    clock: Clock,
    is_driven: bool,
) -> Faced:
    """The face model adapted, or only its lips, or as it is: what the options want."""
    if options.adapt:
        with clock.stage("adapt"):
            adapted = adapt_for(plan, weights, options, progress, memory.store.folder)
        own = weights.with_face(adapted.model)
        return Faced(own, adapted.report, None, adapted.warnings)
    if options.lips == "original" and is_driven:
        with clock.stage("lips"):
            model, lips = fit_mouth(plan.info, plan.tracks.values(), weights, memory)
        return Faced(weights.with_face(model), None, lips)
    return Faced(weights)


def _driven(voiced: dict[int, Voiced]) -> list[Voiced]:
    """Those that move a face."""
    return [v for v in voiced.values() if v.job.face is not None and len(v.job.frames)]


def _animator(
    plan: Plan,
    voiced: dict[int, Voiced],
    weights: Weights,
    memory: Memory,
) -> Animator | None:
    """Everything the second pass needs, or None where no face is driven."""
    driven = _driven(voiced)
    if not driven:
        return None
    info, template, model = plan.info, weights.template, weights.latents_to_face
    drives: list[SegmentDrive] = []
    for each in driven:
        assert each.job.face is not None, "filtered above"
        on = plan.tracks[each.job.face]
        first = max(each.job.frames.start, on.frames.start)
        inside = Span(first, max(first, min(each.job.frames.end, on.frames.end)))
        start = Fraction(each.job.steps.start, STEP_RATE)
        times = tuple(info.frame_times[n] - start for n in inside.range())
        index = each.job.segment.index
        drives.append(SegmentDrive(index, on.id, inside, times, each.mouth, model, info.path))
    model.to(weights.device)
    size = model.config.size
    tracks = {d.track: plan.tracks[d.track] for d in drives}
    troupe = Troupe(tracks, lambda track: meet_actor(info, tracks[track], template, size))
    return Animator(model, template, troupe, drives, info.rate, memory)


def _finish(
    plan: Plan,
    animators: Callable[[], Animator | None],
    write: Callable[[Animator | None], None],
    voiced: dict[int, Voiced],
    failed: dict[int, str],
) -> Animator | None:
    """Write the dub; segments whose mouths cannot be painted move from `voiced` to `failed`.

    They keep their original sound as well, so all is written anew without them.
    """
    while True:
        animator = animators()
        try:
            write(animator)
            return animator
        except Unpainted as error:
            reasons = error.reasons | (_tried(plan, animator) if animator else {})
        for index, reason in reasons.items():
            failed[index] = reason
            del voiced[index]


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
    plan: Plan,
    voiced: dict[int, Voiced],
    animator: Animator | None,
    output: Path,
    options: DubOptions,
    progress: Progress,
) -> Spliced:
    info = plan.info
    overlays = [v.overlay for v in voiced.values()]
    sound: Iterator[Waveform] | None = None
    if info.audio is not None:
        sound = lay_over(iter_audio(info.path, info), overlays, options.duck_db)
    elif overlays:
        sound = lay_over(_silence(info), overlays, options.duck_db)
        info = replace(info, audio=_new_track(info))
    repaint = Repaint(animator.spans, animator.animate) if animator else None
    tracks = Tracks(options.audio, options.language)
    return write_dub(info, output, repaint, sound, options.crf, progress, tracks)


def _silence(info: MediaInfo) -> Iterator[Waveform]:
    left = boundary(info.end, SILENT_RATE)
    while left > 0:
        n = min(left, BLOCK_S * SILENT_RATE)
        left -= n
        yield silence(n, 1, SILENT_RATE)


def _new_track(info: MediaInfo) -> AudioInfo:
    return AudioInfo(SILENT_RATE, 1, "mono", "", Fraction(0), info.end)


def _report(
    job: Job,
    voiced: dict[int, Voiced],
    failed: dict[int, str],
    animator: Animator | None,
    memory: Memory,
) -> SegmentReport:
    s, done = job.segment, voiced.get(job.segment.index)
    status, reason = DUBBED, job.problem
    if s.index in failed:
        status, reason = FAILED, failed[s.index]
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
        memory.cached(s.index),
    )
