"""MediaInfo, segments and face tracks to a Plan: a Job a segment, or why not.

The plan is complete: later stages look nothing up. It reports every input problem before any long
work and is what `avdub plan` prints.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from avdub.errors import InputError
from avdub.faces.speaking import assign
from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.subtitles import (
    clip_to,
    find_subtitles,
    read_subtitles,
    read_transcript,
    spread_transcript,
)
from avdub.media.waveform import detect_speech
from avdub.pipeline.cast import Voice
from avdub.pipeline.encode import Line, rate_for
from avdub.pipeline.follow import find_faces, sound_energy
from avdub.pipeline.lines import cast_segments, read_lines, read_texts
from avdub.pipeline.options import DubOptions
from avdub.pipeline.prosody import PLAIN, Prosody, find_prosody
from avdub.pipeline.report import ModelFacts
from avdub.pipeline.store import Memory
from avdub.pipeline.tracks import Tracks
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.timeline import STEP_RATE, Segment, Span, boundary

SPARE_S = Fraction(1, 2)  # silence before the next cue that a long line may use
FRAME_COST_S, START_COST_S = 0.06, 5.0  # measured on two cores


@dataclass(frozen=True)
class Part:
    """A segment, who speaks it, and its words ready to be spoken (None: nothing to say)."""

    segment: Segment
    voice: Voice
    line: Line | None
    prosody: Prosody


@dataclass(frozen=True)
class Job:
    """All that is known of a segment. `line` is None where it cannot be spoken; `problem` says why.

    `steps` is the span the new speech may fill, `slot` the subtitle's own.
    """

    segment: Segment
    voice: Voice
    line: Line | None
    slot: Span
    steps: Span
    frames: Span
    face: int | None
    problem: str = ""
    prosody: Prosody = PLAIN
    is_broken: bool = False  # the problem is an error, and worth another try

    @property
    def rate(self) -> float | None:
        return None if self.line is None else rate_for(self.line, len(self.steps))


@dataclass(frozen=True)
class PlanRow:
    """One line of `avdub plan`."""

    index: int
    start_s: float
    end_s: float
    text: str
    voice: str
    face: int | None
    natural_s: float | None
    slot_s: float
    rate: float | None
    problem: str
    prosody: Prosody


@dataclass(frozen=True)
class Plan:
    """Jobs in time order, tracks by id, cuts in seconds."""

    info: MediaInfo
    jobs: tuple[Job, ...]
    tracks: Tracks
    cuts: tuple[float, ...]
    warnings: tuple[str, ...]
    model: ModelFacts
    speech_cost_s: float  # of a second of speech

    @property
    def rows(self) -> tuple[PlanRow, ...]:
        return tuple(_row(job) for job in self.jobs)

    @property
    def video(self) -> str:
        i = self.info
        sound = f"{i.audio.rate} Hz, {i.audio.layout}" if i.audio else "no sound"
        rate = f"{float(i.rate):.3f}".rstrip("0").rstrip(".")
        return f"{i.width}x{i.height}, {rate} frames/s, {float(i.end):.2f} s, {sound}"

    @property
    def predicted_s(self) -> float:
        """A rough guess of the dub's wall time on two cores."""
        n_frames = sum(len(job.frames) for job in self.jobs if job.face is not None)
        spoken = sum(len(job.steps) for job in self.jobs) / STEP_RATE
        return START_COST_S + n_frames * FRAME_COST_S + spoken * self.speech_cost_s

    @property
    def exit_code(self) -> int:
        return 5 if any(job.problem for job in self.jobs) else 0

    def as_json(self) -> dict[str, object]:
        return {
            "video": self.video,
            "segments": [asdict(row) for row in self.rows],
            "cuts": list(self.cuts),
            "warnings": list(self.warnings),
            **self.model.as_json(),
            "predicted_s": round(self.predicted_s, 1),
        }


def make_plan(
    video: Path,
    subtitles: Path | None,
    options: DubOptions | None = None,
    progress: Progress = silent,
    weights: Weights | None = None,
    hints: dict[int, Prosody] | None = None,
    memory: Memory | None = None,
) -> Plan:
    """Read everything, decide everything, synthesize nothing. Raises AvdubError.

    `hints` is the prosody of segments by index where it is known already, not from this video.
    `memory` knows what earlier runs found out.
    """
    options, memory = options or DubOptions(), memory or Memory()
    info = probe(video)
    segments, warnings = read_segments(info, subtitles, options)
    weights = weights or Weights(options.model)
    name = options.voice or weights.voice_for(options.language)
    readings, unread = read_texts(segments, weights, name, options)
    cast = cast_segments(info, segments, weights, name, memory)
    if not weights.speaks(name, options.language):
        warnings.append(f"the voice {name} was not trained to speak {options.language}")
    lines, broken = read_lines(readings, cast, weights, options, memory)
    broken |= unread
    tracks, cuts = find_faces(info, segments, weights, options, progress, memory)
    energy = sound_energy(info, memory)
    faces = assign(segments, list(tracks.outlines.values()), info.timeline, energy)
    if hints is None:
        hints = original_prosody(info, subtitles, segments, options, weights, memory)
    jobs = []
    for n, segment in enumerate(segments):
        line = lines.get(segment.index)
        following = segments[n + 1].start if n + 1 < len(segments) else info.end
        part = Part(segment, cast[segment], line, hints.get(segment.index, PLAIN))
        job = _job(info, part, faces[segment.index], following, options.max_rate)
        if segment.index in broken:
            job = replace(job, problem=broken[segment.index], is_broken=True)
        jobs.append(job)
    times = tuple(float(info.frame_times[c]) for c in cuts)
    facts = ModelFacts(weights.name, weights.mouth, cast.notes, weights.licences)
    cost = weights.speech_cost_s
    return Plan(info, tuple(jobs), tracks, times, tuple(warnings), facts, cost)


def read_segments(
    info: MediaInfo, subtitles: Path | None, options: DubOptions
) -> tuple[list[Segment], list[str]]:
    """The segments to dub, in time order, and warnings. Raises SubtitleError, InputError."""
    path = subtitles or find_subtitles(info.path, options.language)
    if path.suffix.lower() == ".txt":
        speech = detect_speech(iter_audio(info.path, info))
        segments = spread_transcript(read_transcript(path), speech or [(0.0, float(info.end))])
        warnings: list[str] = []
    else:
        segments, warnings = read_subtitles(path)
    segments, late = clip_to(segments, info.end)
    if not segments:
        raise InputError(
            f"no cue of {path} lies inside the video's {float(info.end):.1f} s",
            "check that the subtitles belong to this video",
        )
    if options.segments is not None:
        known = {s.index for s in segments}
        unknown = sorted(options.segments - known)
        if unknown:
            raise InputError(
                f"there is no segment {unknown[0]}",
                f"{path} has segments {min(known)} to {max(known)} inside the video",
            )
        segments = [s for s in segments if s.index in options.segments]
    return segments, [*warnings, *late]


def original_prosody(
    info: MediaInfo,
    subtitles: Path | None,
    segments: Sequence[Segment],
    options: DubOptions,
    weights: Weights,
    memory: Memory | None = None,
) -> dict[int, Prosody]:
    """What the original lines of `segments` suggest, by index; nothing where none is wanted.

    They are compared with all lines of the file, so that a part is dubbed as in the whole.
    """
    if options.prosody == "plain":
        return {}
    everybody = segments
    if options.segments is not None:
        everybody, _ = read_segments(info, subtitles, replace(options, segments=None))
    return find_prosody(info, segments, everybody, weights.voice_activity, memory or Memory())


def _job(
    info: MediaInfo,
    part: Part,
    face: tuple[int | None, str],
    following: Fraction,
    max_rate: float,
) -> Job:
    timeline, segment, line = info.timeline, part.segment, part.line
    slot = timeline.steps(segment)
    spare = max(segment.end, min(following, segment.end + SPARE_S, info.end))
    room = Span(slot.start, max(slot.end, boundary(spare, STEP_RATE)))
    track, why_no_face = face
    problem = "" if track is not None else why_no_face
    steps = slot
    if line is None:
        problem = "nothing to say in this text"
    elif rate_for(line, len(slot)) > 1 and rate_for(line, len(room)) <= max_rate:
        needed = slot.start + int(np.ceil(line.natural_steps))
        steps = Span(slot.start, min(room.end, max(slot.end, needed)))
    if line is not None and (not len(steps) or rate_for(line, len(steps)) > max_rate):
        problem = (
            f"too long: {line.natural_s:.1f} s of speech for {len(slot) / STEP_RATE:.1f} s, "
            f"at most {max_rate:g} times faster is allowed"
        )
        line = None
    last = Fraction(steps.end, STEP_RATE)
    whole = replace(segment, end_ms=max(segment.end_ms, int(last * 1000)))
    frames = timeline.frames(whole if steps != slot else segment)
    return Job(segment, part.voice, line, slot, steps, frames, track, problem, part.prosody)


def _row(job: Job) -> PlanRow:
    s, rate = job.segment, job.rate
    return PlanRow(
        s.index,
        s.start_ms / 1000,
        s.end_ms / 1000,
        s.text,
        job.voice.name,
        job.face,
        None if job.line is None else round(job.line.natural_s, 2),
        len(job.slot) / STEP_RATE,
        None if rate is None else round(rate, 2),
        job.problem,
        job.prosody,
    )
