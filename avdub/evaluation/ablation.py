"""The paper's ablation on our data: what each step of the training is worth on people never seen.

Five arms differ in the lip head and in the way its latents are made; painter, text, voice, timing
and judges are the same for all. Every arm is trained from several seeds, as one may be lucky.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from avdub.errors import InputError
from avdub.evaluation.lip_table import (
    ClipLips,
    Judge,
    LipOptions,
    LipScore,
    find_expert,
    read_subjects,
    score_of,
)
from avdub.evaluation.setups import Driver, Setup, Source
from avdub.evaluation.spoken import check_text_source
from avdub.models.latents_to_face import LatentsToFace
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent

STAGE_ONE, TWO_STAGES_PLAIN, TWO_STAGES = "stage_one", "two_stages_plain", "two_stages"


class Arm(NamedTuple):
    """A row of the table: which lip head, and which latents move it."""

    name: str
    head: str
    source: Source


ARMS = (
    Arm("cascade through sound", STAGE_ONE, Source.CASCADE),
    Arm("stage 1, real latents", STAGE_ONE, Source.SOUND),
    Arm("stage 1, predicted latents", STAGE_ONE, Source.TEXT),
    Arm("two stages, no sync loss", TWO_STAGES_PLAIN, Source.TEXT),
    Arm("two stages", TWO_STAGES, Source.TEXT),
)


class Figure(NamedTuple):
    """A mean over seeds and its standard deviation over them (0 for one seed)."""

    mean: float
    deviation: float


@dataclass(frozen=True)
class ArmScore:
    """One arm. Correlations are with the real mouth at the clip's own timing; `distance` and
    `confidence` are the sync expert's of the lips with the sound that is played to them: the clip's
    own for real latents, else the speech made of the words. `beaten` is on how many of the `pairs`
    of a clip and a seed the full recipe's opening correlates better. None: not measured."""

    name: str
    source: Source
    opening: Figure | None
    width: Figure | None
    jaw: Figure | None
    amplitude: Figure | None
    closure: Figure | None
    distance: Figure | None
    confidence: Figure | None
    beaten: int
    pairs: int
    clips: tuple[tuple[str, tuple[float | None, ...]], ...]  # opening by video, one a seed


@dataclass(frozen=True)
class Ablation:
    """All arms, and what could not be measured."""

    arms: tuple[ArmScore, ...]
    seeds: int
    notes: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        found = asdict(self)
        for arm in found["arms"]:
            for name, value in arm.items():
                if isinstance(value, Figure):
                    arm[name] = value._asdict()
            arm["clips"] = {video: list(openings) for video, openings in arm["clips"]}
        return found


def measure_ablation(
    videos: Sequence[Path],
    weights: Weights,
    seeds: Sequence[Mapping[str, LatentsToFace]],
    options: LipOptions | None = None,
    progress: Progress = silent,
) -> Ablation:
    """Measure every arm on every video; `seeds` are the face models by head, for each seed.

    The sources and set-ups of `options` are the arms' own. Raises InputError where no video can be
    measured, WeightsError for a family whose text latents no face model knows.
    """
    assert seeds, "nothing was trained"
    check_text_source(weights)
    options = options or LipOptions()
    wanted = LipOptions(tuple(Source), times=options.times, backend=options.backend)
    subjects, problems, notes = read_subjects(videos, weights, wanted, progress)
    expert, missing = find_expert(weights)
    judge = Judge(weights, expert, Driver(subjects, weights, own_sound=False))
    todo = [(arm, heads[arm.head]) for arm in ARMS for heads in seeds]
    scores = [
        score_of(arm.source, Setup.MATCHED, videos, judge.with_face(model), problems)
        for arm, model in progress(todo, "arms", len(todo))
    ]
    if not any(clip.frames for score in scores for clip in score.clips):
        why = next(clip.problem for score in scores for clip in score.clips)
        raise InputError(f"no lips could be measured: {why}", "see --help for what a clip needs")
    n = len(seeds)
    of_arm = [scores[n * i : n * (i + 1)] for i in range(len(ARMS))]
    return Ablation(
        tuple(_arm(arm, each, of_arm[-1]) for arm, each in zip(ARMS, of_arm, strict=True)),
        n,
        (*notes, *missing),
    )


def _arm(arm: Arm, scores: Sequence[LipScore], full: Sequence[LipScore]) -> ArmScore:
    """One arm's scores, one a seed, beside those of the full recipe."""
    pairs = [
        (mine, best)
        for score, other in zip(scores, full, strict=True)
        for a, b in zip(score.clips, other.clips, strict=True)
        if (mine := _opening(a)) is not None and (best := _opening(b)) is not None
    ]
    names = [clip.video for clip in scores[0].clips]
    return ArmScore(
        arm.name,
        arm.source,
        _figure(score.correlation for score in scores),
        _figure(score.width for score in scores),
        _figure(score.jaw for score in scores),
        _figure(score.amplitude for score in scores),
        _figure(score.closure.share if score.closure else None for score in scores),
        _figure(score.expert.distance if score.expert else None for score in scores),
        _figure(score.expert.confidence if score.expert else None for score in scores),
        sum(best > mine for mine, best in pairs),
        len(pairs),
        tuple(
            (name, tuple(_opening(score.clips[i]) for score in scores))
            for i, name in enumerate(names)
        ),
    )


def _opening(clip: ClipLips) -> float | None:
    return clip.sync.correlation if clip.sync else None


def _figure(values: Iterable[float | None]) -> Figure | None:
    known = [value for value in values if value is not None]
    return Figure(float(np.mean(known)), float(np.std(known))) if known else None
