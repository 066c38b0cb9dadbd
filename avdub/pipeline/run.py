"""dub(): opens, wires the stages, times them, reports, closes.

Two streaming passes over the video: one follows faces (plan), one animates and writes. Memory is
one batch of frames plus the segments' latents, whatever the length.
"""

import re
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from avdub.errors import AvdubError, InputError
from avdub.latents import Latents
from avdub.media.ahead import read_ahead
from avdub.media.audio import iter_audio, read_audio
from avdub.media.probe import AudioInfo, MediaInfo, probe
from avdub.media.splice import check_output, write_dub
from avdub.media.video import FrameReader
from avdub.media.waveform import Waveform, silence
from avdub.media.writer import default_suffix
from avdub.pipeline.adapt import Adapted, adapt_for
from avdub.pipeline.animate import Animator, Drive, drive, meet_actor
from avdub.pipeline.cast import find_voice
from avdub.pipeline.encode import accents, encode, fit_line, read_line
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job, Plan, make_plan
from avdub.pipeline.prosody import PLAIN, Prosody, colour, intone
from avdub.pipeline.report import DUBBED, FAILED, KEPT, VOICE_ONLY, DubReport, SegmentReport
from avdub.pipeline.speak import Overlay, enhance, hear, lay_over, overlay, speak
from avdub.pipeline.weights import Weights, choose_device
from avdub.progress import Progress, silent
from avdub.text.reading import read_aloud
from avdub.timeline import STEP_RATE, Span, boundary

SILENT_RATE = 48_000  # of the sound track given to a video that has none
BLOCK_S = 10


@dataclass
class Clock:
    """Seconds a stage, for the report."""

    seconds: dict[str, float] = field(default_factory=dict)
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            spent = time.perf_counter() - begin
            self.seconds[f"{name}_s"] = round(self.seconds.get(f"{name}_s", 0.0) + spent, 3)

    def total(self) -> dict[str, float]:
        return {**self.seconds, "total_s": round(time.perf_counter() - self.started, 3)}


@dataclass(frozen=True)
class Voiced:
    """A job after the fork's left branch: what moves its mouth, its speech over the original."""

    job: Job
    mouth: Latents
    overlay: Overlay
    rate: float


def dub(
    video: Path,
    subtitles: Path | None = None,
    output: Path | None = None,
    options: DubOptions | None = None,
    progress: Progress = silent,
    hints: dict[int, Prosody] | None = None,
) -> DubReport:
    """Dub `video` from `subtitles` (None: found beside it) into `output` (None: `<stem>.dub<ext>`).

    `hints` is the prosody of segments by index where it does not come from this video.
    Raises InputError, MediaError, SubtitleError or WeightsError before any long work where it can;
    a failure leaves no output.
    """
    options, clock = options or DubOptions(), Clock()
    with clock.stage("probe"):
        device = choose_device(options.device)
        info = probe(video)
        output = output or default_output(info)
        check_output(output, video, options.overwrite)
        weights = Weights(options.model, device)
    with clock.stage("plan"):
        plan = make_plan(video, subtitles, options, progress, weights, hints)
    with clock.stage("speech"):
        voiced, failed = _speak_all(plan, weights, options, progress)
    adapted = None
    if options.adapt:
        with clock.stage("adapt"):
            adapted = adapt_for(plan, weights, options, progress)
    with clock.stage("faces"):
        animator = _animator(plan, voiced, weights, adapted)
    with clock.stage("picture"):
        _write(plan, voiced, animator, output, options, progress)
    reports = tuple(_report(job, voiced, failed, animator) for job in plan.jobs)
    return DubReport(
        output,
        len(info.frame_times),
        float(info.end),
        reports,
        clock.total(),
        peak_rss_mb(),
        plan.warnings + (adapted.warnings if adapted else ()),
        plan.model,
        adapted.report if adapted else None,
    )


def default_output(info: MediaInfo) -> Path:
    """`<stem>.dub<ext>` beside the video; a container we cannot write becomes .mp4."""
    return info.path.with_name(f"{info.path.stem}.dub{default_suffix(info)}")


def speak_text(
    text: str,
    options: DubOptions | None = None,
    seconds: float | None = None,
    weights: Weights | None = None,
) -> Waveform:
    """`text` in a voice, (S, 1) at 16 kHz; with `seconds` it fills them exactly.

    Raises InputError where the text cannot be spoken in so little time.
    """
    options = options or DubOptions()
    weights = weights or Weights(options.model, choose_device(options.device))
    family = weights.front_end
    said = read_aloud(text, (), family, options.language)
    if not said.phonemes:
        raise InputError("there is nothing to say in this text", "give it at least one word")
    style = find_voice(weights, options.voice or weights.voice_for(options.language)).styles
    line = read_line(weights.text_to_latents, said, style["text"], family, options.pace)
    steps = round(line.natural_steps) if seconds is None else boundary(Fraction(seconds), STEP_RATE)
    if steps < 1 or line.natural_steps / steps > options.max_rate:
        raise InputError(
            f"the text takes {line.natural_s:.2f} s and cannot be spoken in {seconds} s",
            "allow more --seconds or raise --max-rate",
        )
    fit = fit_line(line, steps, 1.0 if seconds is None else options.min_rate)
    latents = encode(weights.text_to_latents, line, fit, style["text"], options.seed)
    asked = accents(line, fit)
    latents = intone(latents, asked, PLAIN)
    sound = speak(weights.latents_to_speech, latents, style["speech"], options.seed)
    return colour(sound, asked, PLAIN, None)


def _speak_all(
    plan: Plan, weights: Weights, options: DubOptions, progress: Progress
) -> tuple[dict[int, Voiced], dict[int, str]]:
    """Each speakable job's latents and overlay by segment index, and why others failed."""
    voiced: dict[int, Voiced] = {}
    failed: dict[int, str] = {}
    for job in progress(plan.jobs, "speech", len(plan.jobs)):
        if job.line is None:
            continue
        try:
            voiced[job.segment.index] = _voice(job, plan.info, weights, options)
        except AvdubError as error:
            failed[job.segment.index] = error.message
    return voiced, failed


def _voice(job: Job, info: MediaInfo, weights: Weights, options: DubOptions) -> Voiced:
    assert job.line is not None, "a job without a line cannot be spoken"
    style = job.voice.styles
    seed = options.seed + job.segment.index
    fit = fit_line(job.line, len(job.steps))
    asked = accents(job.line, fit)
    latents = encode(weights.text_to_latents, job.line, fit, style["text"], seed)
    latents = intone(latents, asked, job.prosody)
    speech = speak(weights.latents_to_speech, latents, style["speech"], seed)
    mouth = hear(weights.speech_to_latents, speech) if weights.is_bridged else latents
    rate = info.audio.rate if info.audio else SILENT_RATE
    speech = enhance(weights.speech_sr(rate), speech)
    start, end = Fraction(job.steps.start, STEP_RATE), Fraction(job.steps.end, STEP_RATE)
    original = read_audio(info.path, info, (start, end)) if info.audio else None
    span = Span(boundary(start, rate), boundary(end, rate))
    speech = colour(speech, asked, job.prosody, original)
    return Voiced(job, mouth, overlay(speech, span, rate), fit.rate)


def _animator(
    plan: Plan, voiced: dict[int, Voiced], weights: Weights, adapted: Adapted | None
) -> Animator | None:
    """Everything the second pass needs, or None where no face is driven."""
    driven = [v for v in voiced.values() if v.job.face is not None and len(v.job.frames)]
    if not driven:
        return None
    model, template = adapted.model if adapted else weights.latents_to_face, weights.template
    drives: list[Drive] = []
    for each in driven:
        assert each.job.face is not None, "filtered above"
        start = Fraction(each.job.steps.start, STEP_RATE)
        times = [plan.info.frame_times[n] - start for n in each.job.frames.range()]
        on = plan.tracks[each.job.face]
        inside = Span(
            max(each.job.frames.start, on.frames.start), min(each.job.frames.end, on.frames.end)
        )
        first = inside.start - each.job.frames.start
        drives.append(drive(model, each.mouth, on.id, inside, times[first : first + len(inside)]))
    model.to(weights.device)
    size = model.config.size
    actors = {d.track: meet_actor(plan.info, plan.tracks[d.track], template, size) for d in drives}
    return Animator(model, template, actors, drives, plan.info.rate)


def _write(
    plan: Plan,
    voiced: dict[int, Voiced],
    animator: Animator | None,
    output: Path,
    options: DubOptions,
    progress: Progress,
) -> None:
    info = plan.info
    overlays = [v.overlay for v in voiced.values()]
    sound: Iterator[Waveform] | None = None
    if info.audio is not None:
        sound = lay_over(iter_audio(info.path, info), overlays, options.duck_db)
    elif overlays:
        sound = lay_over(_silence(info), overlays, options.duck_db)
        info = replace(info, audio=_new_track(info))
    # the thread that reads ahead must have ended before its reader is closed
    with FrameReader(plan.info) as reader, closing(read_ahead(reader)) as ahead:
        frames = progress(ahead, "picture", len(info.frame_times))
        pictures = animator.animate(frames) if animator else ((f.time, f.image) for f in frames)
        write_dub(info, output, pictures, sound, options.crf)


def _silence(info: MediaInfo) -> Iterator[Waveform]:
    left = boundary(info.end, SILENT_RATE)
    while left > 0:
        n = min(left, BLOCK_S * SILENT_RATE)
        left -= n
        yield silence(n, 1, SILENT_RATE)


def _new_track(info: MediaInfo) -> AudioInfo:
    return AudioInfo(SILENT_RATE, 1, "mono", "", Fraction(0), info.end)


def _report(
    job: Job, voiced: dict[int, Voiced], failed: dict[int, str], animator: Animator | None
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
    )


def peak_rss_mb() -> float:
    """Largest resident memory of this process so far."""
    # Linux starts a child's ru_maxrss at its parent's size; VmHWM is the process's own.
    status = Path("/proc/self/status")
    own = re.search(r"VmHWM:\s*(\d+) kB", status.read_text()) if status.is_file() else None
    if own:
        return round(int(own[1]) / 1024, 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)
