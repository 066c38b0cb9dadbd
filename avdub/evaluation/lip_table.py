"""The table of lips: mouths made from latents against the real mouths of videos, by every measure
and under every set-up asked for.
"""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from avdub.errors import InputError, WeightsError
from avdub.evaluation.closure import (
    Closure,
    Pauses,
    all_pause,
    closure,
    mean_closure,
    mean_pauses,
    pauses,
)
from avdub.evaluation.expert import Agreement, agreement, mean_agreement
from avdub.evaluation.lips import IN_TIME_MS, LipSync, Openings, correlation, lip_sync, mean_sync
from avdub.evaluation.mouths import (
    Clip,
    Doubles,
    Mask,
    predicted_mouth,
    predicted_steps,
    real_steps,
)
from avdub.evaluation.setups import Drive, Driver, Setup, Source, Subject
from avdub.evaluation.spoken import check_text_source
from avdub.evaluation.subjects import Spans, Stage, speech_spans
from avdub.models.latents_to_face import LatentsToFace
from avdub.models.sync import SyncExpert
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent

T = TypeVar("T")


@dataclass(frozen=True)
class LipOptions:
    """What is measured: by which ways latents are made, under which set-ups; `times` is a table of
    word times (None: that beside each video's folder, where there is one)."""

    sources: tuple[Source, ...] = (Source.SOUND,)
    setups: tuple[Setup, ...] = (Setup.MATCHED,)
    times: Path | None = None
    backend: str = "mediapipe"


@dataclass(frozen=True)
class ClipLips:
    """One video: frames of its face, and how the predicted mouth compares with the real one.

    `sync` is that of the lip opening, `spoken` its correlation where the clip speaks (clips of one
    form share their pauses), `width` and `jaw` correlations at shift 0, `amplitude` the opening's
    deviation over the real one's. None: not measured; where nothing is, `problem` says why.
    `openings` are the pairs that `sync` correlates.
    """

    video: str
    frames: int = 0
    sync: LipSync | None = None
    spoken: float | None = None
    width: float | None = None
    jaw: float | None = None
    amplitude: float | None = None
    closure: Closure | None = None
    pauses: Pauses | None = None
    expert: Agreement | None = None
    problem: str = ""
    openings: Openings | None = None


@dataclass(frozen=True)
class LipScore:
    """All clips under one set-up; means over those measured, `mean` the sync of their mean curve.

    `worst` is the lowest correlation of the opening, `in_time` the share of clips whose peak lies
    within 40 ms of shift 0.
    """

    source: Source
    setup: Setup
    clips: tuple[ClipLips, ...]
    correlation: float | None
    spoken: float | None
    width: float | None
    jaw: float | None
    amplitude: float | None
    worst: float | None
    in_time: float | None
    mean: LipSync | None
    closure: Closure | None
    pauses: Pauses | None
    expert: Agreement | None


@dataclass(frozen=True)
class LipTable:
    """All set-ups; `real` is what the expert says of the real lips; notes name what is missing."""

    scores: tuple[LipScore, ...]
    real: Agreement | None
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def measure_lips(
    videos: Sequence[Path],
    weights: Weights,
    options: LipOptions | None = None,
    progress: Progress = silent,
) -> LipTable:
    """Measure every video that can be; raises InputError where none can, WeightsError."""
    options = options or LipOptions()
    _ = weights.speech_to_latents, weights.latents_to_face  # missing weights show before any work
    if Source.TEXT in options.sources:
        check_text_source(weights)
    subjects, problems, notes = read_subjects(videos, weights, options, progress)
    expert, missing = find_expert(weights)
    judge = Judge(weights, expert, Driver(subjects, weights))
    scores = [
        score_of(source, setup, videos, judge, problems)
        for source in options.sources
        for setup in options.setups
    ]
    if not any(clip.frames for score in scores for clip in score.clips):
        why = next(clip.problem for score in scores for clip in score.clips)
        raise InputError(f"no lips could be measured: {why}", "see --help for what a clip needs")
    return LipTable(tuple(scores), judge.real(), (*notes, *missing))


def read_subjects(
    videos: Sequence[Path], weights: Weights, options: LipOptions, progress: Progress = silent
) -> tuple[tuple[Subject, ...], dict[str, str], tuple[str, ...]]:
    """The videos that can be read, why others cannot, and notes on what cannot be measured.

    Raises InputError where none can be, or where nothing tells when their words are said and the
    options need it.
    """
    stage = Stage(weights, options.backend, options.times)
    if set(options.sources) - {Source.SOUND}:
        stage.check_times(videos)
    subjects: list[Subject] = []
    problems: dict[str, str] = {}
    for path in progress(videos, "lips", len(videos)):
        try:
            subjects.append(stage.read(path))
        except InputError as error:
            problems[str(path)] = error.message
    if not subjects:
        why = next(iter(problems.values()), "there is no video")
        raise InputError(f"no lips could be measured: {why}", "give videos of a person who speaks")
    return tuple(subjects), problems, stage.notes


class Judge:
    """Compares what drives each subject with its real mouth."""

    def __init__(self, weights: Weights, expert: SyncExpert | None, driver: Driver) -> None:
        self.weights, self.expert, self.driver = weights, expert, driver
        self.subjects = driver.subjects
        self.spans: list[Spans] = [speech_spans(s.clip.wav, weights) for s in self.subjects]

    def with_face(self, model: LatentsToFace) -> "Judge":
        """The same judge of what another face model makes of the same latents."""
        other = copy(self)
        other.weights = self.weights.with_face(model)
        return other

    def real(self) -> Agreement | None:
        """What the expert says of the real lips in time."""
        if self.expert is None:
            return None
        pairs = [(s.clip, *real_steps(s.clip)) for s in self.subjects]
        judged = [agreement(self.expert, clip.vec, lips, known) for clip, lips, known in pairs]
        return mean_agreement([a for a in judged if a is not None])

    def clip(self, n: int, source: Source, setup: Setup) -> ClipLips:
        """The n-th subject under one set-up."""
        subject = self.subjects[n]
        try:
            drive = self.driver.drive(n, source, setup)
        except InputError as error:
            return ClipLips(subject.name, problem=error.message)
        clip = subject.clip
        predicted, real = predicted_mouth(clip, drive.vec, self.weights), clip.mouth
        n_frames = int(clip.known.sum())
        amplitude = _ratio(predicted.opening[clip.known], real.opening[clip.known])
        if setup is Setup.SILENT:
            still = all_pause(predicted.opening - clip.rest_opening)
            return ClipLips(subject.name, n_frames, amplitude=amplitude, pauses=still)
        sync = lip_sync(real.opening, predicted.opening, clip.rate)
        if sync is None:
            problem = "too few frames, or the mouth does not move"
            return ClipLips(subject.name, n_frames, problem=problem)
        is_matched = setup is Setup.MATCHED
        speaks = _inside(clip.times, self.spans[n])
        meets = closure(subject.aligned, clip.times, predicted.opening, real.opening)
        above = [opening - clip.rest_opening for opening in (predicted.opening, real.opening)]
        return ClipLips(
            subject.name,
            n_frames,
            sync,
            _known(correlation(real.opening, np.where(speaks, predicted.opening, np.nan))),
            _known(correlation(real.width, predicted.width)),
            _known(correlation(real.jaw, predicted.jaw)),
            amplitude,
            meets if is_matched else None,
            pauses(self.spans[n], clip.times, *above) if is_matched else None,
            self._agreement(clip, drive),
            openings=Openings.of(real.opening, predicted.opening, clip.known),
        )

    def _agreement(self, clip: Clip, drive: Drive) -> Agreement | None:
        if self.expert is None or drive.heard is None:
            return None
        return agreement(self.expert, drive.heard, predicted_steps(drive.vec, self.weights))


def score_of(
    source: Source,
    setup: Setup,
    videos: Sequence[Path],
    judge: Judge,
    problems: dict[str, str],
) -> LipScore:
    """All videos under one set-up; `problems` are those of videos that are no subjects."""
    order = iter(range(len(judge.subjects)))
    clips = tuple(
        ClipLips(path.name, problem=problems[str(path)])
        if str(path) in problems
        else judge.clip(next(order), source, setup)
        for path in videos
    )
    syncs = [clip.sync for clip in clips if clip.sync is not None]
    return LipScore(
        source,
        setup,
        clips,
        _mean(sync.correlation for sync in syncs),
        _mean(clip.spoken for clip in clips),
        _mean(clip.width for clip in clips),
        _mean(clip.jaw for clip in clips),
        _mean(clip.amplitude for clip in clips),
        min((sync.correlation for sync in syncs), default=None),
        _mean(float(abs(sync.best_shift_ms) <= IN_TIME_MS) for sync in syncs),
        mean_sync(syncs) if syncs else None,
        mean_closure(_those(clips, lambda clip: clip.closure)),
        mean_pauses(_those(clips, lambda clip: clip.pauses)),
        mean_agreement(_those(clips, lambda clip: clip.expert)),
    )


def find_expert(weights: Weights) -> tuple[SyncExpert | None, tuple[str, ...]]:
    """The family's sync expert, or why there is none."""
    try:
        return weights.sync, ()
    except WeightsError as error:
        return None, (f"no sync expert judges these lips: {error.message}",)


def _those(clips: Iterable[ClipLips], part: Callable[[ClipLips], T | None]) -> list[T]:
    return [value for clip in clips if (value := part(clip)) is not None]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _ratio(predicted: Doubles, real: Doubles) -> float | None:
    """Deviation over the real one."""
    deviation = float(np.std(real)) if len(real) else 0.0
    return float(np.std(predicted)) / deviation if deviation > 1e-9 else None


def _inside(times: Doubles, spans: Spans) -> Mask:
    """Which `times` (N,) lie in one of the spans."""
    inside = np.zeros(len(times), bool)
    for start, end in spans:
        inside |= (times >= start) & (times < end)
    return inside


def _known(value: float) -> float | None:
    return None if np.isnan(value) else value
