"""MediaInfo, segments and face tracks to a Plan: a Job a segment, or why not.

The plan is complete: later stages look nothing up. It reports every input problem before any long
work and is what `avdub plan` prints.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError
from avdub.faces.detect import make_detector
from avdub.faces.speaking import assign
from avdub.faces.track import FaceTrack, Tracker
from avdub.media.ahead import read_ahead
from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.subtitles import (
    clip_to,
    find_subtitles,
    read_subtitles,
    read_transcript,
    spread_transcript,
)
from avdub.media.video import FrameReader
from avdub.media.waveform import detect_speech
from avdub.pipeline.encode import Line, rate_for, read_line
from avdub.pipeline.options import DubOptions
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.text import phonemize
from avdub.timeline import STEP_RATE, Segment, Span, boundary

MARGIN_S = 1  # of video around the cues in which faces are followed
SPARE_S = Fraction(1, 2)  # silence before the next cue that a long line may use
FRAME_COST_S, SPEECH_COST_S, START_COST_S = 0.06, 0.35, 5.0  # measured on two cores


@dataclass(frozen=True)
class Job:
    """All that is known of a segment. `line` is None where it cannot be spoken; `problem` says why.

    `steps` is the span the new speech may fill, `slot` the subtitle's own.
    """

    segment: Segment
    voice: str
    line: Line | None
    slot: Span
    steps: Span
    frames: Span
    face: int | None
    problem: str = ""

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


@dataclass(frozen=True)
class Plan:
    """Jobs in time order, tracks by id, cuts in seconds."""

    info: MediaInfo
    jobs: tuple[Job, ...]
    tracks: dict[int, FaceTrack]
    cuts: tuple[float, ...]
    warnings: tuple[str, ...]

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
        return START_COST_S + n_frames * FRAME_COST_S + spoken * SPEECH_COST_S

    @property
    def exit_code(self) -> int:
        return 5 if any(job.problem for job in self.jobs) else 0

    def as_json(self) -> dict[str, object]:
        return {
            "video": self.video,
            "segments": [asdict(row) for row in self.rows],
            "cuts": list(self.cuts),
            "warnings": list(self.warnings),
            "predicted_s": round(self.predicted_s, 1),
        }


def make_plan(
    video: Path,
    subtitles: Path | None,
    options: DubOptions | None = None,
    progress: Progress = silent,
    weights: Weights | None = None,
) -> Plan:
    """Read everything, decide everything, synthesize nothing. Raises AvdubError."""
    options = options or DubOptions()
    info = probe(video)
    segments, warnings = read_segments(info, subtitles, options)
    phonemes = {s.index: phonemize(s.text, options.language) for s in segments}
    weights = weights or Weights(options.weights)
    style = weights.voice(options.voice)["text"]
    tracks, cuts = find_faces(info, segments, weights, options, progress)
    energy = _energy(info)
    faces = assign(segments, list(tracks.values()), info.timeline, energy)
    jobs = []
    for n, segment in enumerate(segments):
        said = phonemes[segment.index]
        line = read_line(weights.text_to_latents, said, style) if said else None
        following = segments[n + 1].start if n + 1 < len(segments) else info.end
        jobs.append(_job(info, segment, line, faces[segment.index], following, options))
    times = tuple(float(info.frame_times[c]) for c in cuts)
    return Plan(info, tuple(jobs), tracks, times, tuple(warnings))


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


def find_faces(
    info: MediaInfo,
    segments: Sequence[Segment],
    weights: Weights,
    options: DubOptions,
    progress: Progress,
) -> tuple[dict[int, FaceTrack], list[int]]:
    """Follow faces through the dubbed parts (and a margin) → tracks by id, cut frames."""
    spans = _watched(info, segments)
    detector = make_detector(weights.faces, options.face_backend, threads=1)
    tracks: dict[int, FaceTrack] = {}
    cuts: list[int] = []
    for span, frames in _frames(info, spans, progress):
        tracker = Tracker(detector, info.rate)
        for n, image in enumerate(frames):
            tracker.feed(n, image)
        for track in tracker.finish():
            moved = Span(track.frames.start + span.start, track.frames.end + span.start)
            tracks[len(tracks)] = replace(track, id=len(tracks), frames=moved)
        cuts += [span.start + cut for cut in tracker.cuts]
    return tracks, cuts


def _frames(
    info: MediaInfo, spans: Sequence[Span], progress: Progress
) -> Iterator[tuple[Span, Iterator[NDArray[np.uint8]]]]:
    total = sum(map(len, spans))
    everything = ((span, frame) for span in spans for frame in FrameReader(info, span))
    with closing(read_ahead(everything)) as ahead:
        watched = iter(progress(ahead, "faces", total))
        for span in spans:
            yield span, (next(watched)[1].image for _ in span.range())
        next(watched, None)


def _watched(info: MediaInfo, segments: Sequence[Segment]) -> list[Span]:
    """Frame spans of the segments with a margin, joined where they meet."""
    found: list[Span] = []
    for segment in sorted(segments, key=lambda s: s.start_ms):
        wider = replace(
            segment,
            start_ms=max(0, segment.start_ms - 1000 * MARGIN_S),
            end_ms=segment.end_ms + 1000 * MARGIN_S,
        )
        span = info.timeline.frames(wider)
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        elif len(span):
            found.append(span)
    return found


def _energy(info: MediaInfo) -> NDArray[np.float32] | None:
    """Power of the sound during each frame; None without sound."""
    if info.audio is None:
        return None
    rate = info.audio.rate
    edges = [boundary(t, rate) for t in (*info.frame_times, info.end)]
    sums = np.zeros(len(info.frame_times))
    start = 0
    for block in iter_audio(info.path, info):
        power = np.square(block.mono().samples[:, 0], dtype=np.float64)
        total = np.concatenate([[0], power.cumsum()])
        inside = np.clip(np.asarray(edges) - start, 0, len(power))
        sums += np.diff(total[inside])
        start += len(power)
    return np.asarray(sums / np.maximum(np.diff(edges), 1), np.float32)


def _job(
    info: MediaInfo,
    segment: Segment,
    line: Line | None,
    face: tuple[int | None, str],
    following: Fraction,
    options: DubOptions,
) -> Job:
    timeline = info.timeline
    slot = timeline.steps(segment)
    spare = max(segment.end, min(following, segment.end + SPARE_S, info.end))
    room = Span(slot.start, max(slot.end, boundary(spare, STEP_RATE)))
    track, why_no_face = face
    problem = "" if track is not None else why_no_face
    steps = slot
    if line is None:
        problem = "nothing to say in this text"
    elif rate_for(line, len(slot)) > 1 and rate_for(line, len(room)) <= options.max_rate:
        needed = slot.start + int(np.ceil(line.natural_steps))
        steps = Span(slot.start, min(room.end, max(slot.end, needed)))
    if line is not None and (not len(steps) or rate_for(line, len(steps)) > options.max_rate):
        problem = (
            f"too long: {line.natural_s:.1f} s of speech for {len(slot) / STEP_RATE:.1f} s, "
            f"at most {options.max_rate:g} times faster is allowed"
        )
        line = None
    last = Fraction(steps.end, STEP_RATE)
    whole = replace(segment, end_ms=max(segment.end_ms, int(last * 1000)))
    frames = timeline.frames(whole if steps != slot else segment)
    return Job(segment, options.voice, line, slot, steps, frames, track, problem)


def _row(job: Job) -> PlanRow:
    s, rate = job.segment, job.rate
    return PlanRow(
        s.index,
        s.start_ms / 1000,
        s.end_ms / 1000,
        s.text,
        job.voice,
        job.face,
        None if job.line is None else round(job.line.natural_s, 2),
        len(job.slot) / STEP_RATE,
        None if rate is None else round(rate, 2),
        job.problem,
    )
