"""The face generator adapted to the video's own actor before it animates him: stage 1 on himself.

The painter is fine-tuned on his frames and the lip head widened to his way of speaking, in bounded
time. Both are tried on frames held out; what does not help there is left as it was. Results are
kept in the user's cache, by what made them.
"""

import copy
import hashlib
import json
import logging
import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from avdub.checkpoint import load_module, read_tensors, save_module
from avdub.errors import AvdubError
from avdub.home import user_cache
from avdub.learning.actor_frames import CHOOSE, LEARN
from avdub.learning.lip_actor import LipFit, fit_lips, widen
from avdub.learning.paint_actor import OwnExemplars, PaintActorRecipe, Painted, fine_tune
from avdub.media.probe import MediaInfo, probe
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.pipeline.digest import file_digest
from avdub.pipeline.mouth import parts_of
from avdub.pipeline.options import DubOptions
from avdub.pipeline.paint import multiplies_bf16
from avdub.pipeline.plan import Plan
from avdub.pipeline.report import AdaptationReport
from avdub.pipeline.store import ADAPTED
from avdub.pipeline.watch import actor_frames, spoken, watch, watched
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent

VERSION = 2  # of the recipe: raised where the same input would give another result
MIN_FRAMES = 40
MIN_GAIN_DB = 0.1
STEPS_A_SECOND = 2.5  # of the time asked for: two idle cores take about as many
WATCH_SHARE, CROP_SHARE, LISTEN_SHARE = 0.35, 0.5, 0.6  # of the time, from its start
KEPT = 24  # adapted models in the cache
FACTS = "adaptation"
NO_TIME = "there was too little time to learn it on this machine"
TOO_LITTLE = "a face is seen in too few frames to learn from"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Adapted:
    """The model to animate with, what was gained, and its file in the cache, if it lies there."""

    model: LatentsToFace
    report: AdaptationReport
    file: Path | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """One where nothing was gained."""
        return () if self.report.kept else (self.report.sentence,)


def adapt_for(
    plan: Plan,
    weights: Weights,
    options: DubOptions,
    progress: Progress = silent,
    folder: Path | None = None,
) -> Adapted:
    """As `adapt`, for a dub: nothing is learned where no face is animated."""
    if all(job.face is None for job in plan.jobs):
        return Adapted(weights.latents_to_face, AdaptationReport(False, "no face is animated"))
    whole = options.adapt_video
    return adapt(probe(whole) if whole else plan.info, weights, options, progress, folder)


def adapt(
    info: MediaInfo,
    weights: Weights,
    options: DubOptions | None = None,
    progress: Progress = silent,
    folder: Path | None = None,
) -> Adapted:
    """`weights.latents_to_face` adapted to the faces of a video, or as it is with the reason.

    Takes `options.adapt_seconds` and a few more at most. A video that cannot be learned from is no
    error. The result is kept in `folder`, with what else lies there; None is the user's cache.
    """
    options, began = options or DubOptions(), time.monotonic()
    model = weights.latents_to_face
    file = (folder or user_cache()) / ADAPTED / f"{_key(info, model, options)}.safetensors"
    cached = _cached(file)
    if cached is not None:
        return cached
    try:
        made = _adapted(info, weights, options, progress)
    except AvdubError as error:
        made = Adapted(model, AdaptationReport(False, error.message))
    taken = replace(made.report, seconds=round(time.monotonic() - began, 1))
    made = replace(made, report=taken)
    return _remembered(made, file) if taken.steps else made


def _adapted(info: MediaInfo, weights: Weights, options: DubOptions, progress: Progress) -> Adapted:
    began, limit = time.monotonic(), options.adapt_seconds
    model = weights.latents_to_face

    def at(share: float) -> float:
        return began + share * limit

    seen = watch(info, weights, options.face_backend, at(WATCH_SHARE), progress)
    if len(seen) < MIN_FRAMES:
        reason = TOO_LITTLE if len(seen) else "no usable face is seen"
        reason = NO_TIME if time.monotonic() > at(WATCH_SHARE) else reason
        return Adapted(model, AdaptationReport(False, reason, frames=len(seen)))
    cut = actor_frames(info, seen, weights.template, model.config.size, at(CROP_SHARE))
    if cut is None or len(cut[0]) < MIN_FRAMES or not len(cut[0].having(CHOOSE)):
        reason = NO_TIME if time.monotonic() > at(CROP_SHARE) else TOO_LITTLE
        return Adapted(model, AdaptationReport(False, reason, frames=len(cut[0]) if cut else 0))
    frames, chosen = cut
    parts = watched(info, parts_of(seen.tracks, float(info.rate)))
    said = spoken(info, parts, weights, model, at(LISTEN_SHARE))
    fit, why_not = fit_lips(said) if said is not None else (None, "nobody is heard")
    judge = OwnExemplars(frames, chosen, multiplies_bf16())
    steps = max(1, round(limit * STEPS_A_SECOND))
    recipe = PaintActorRecipe(steps=steps, bf16=multiplies_bf16())
    limits = (limit - (time.monotonic() - began), options.seed)
    painted = fine_tune(model, judge, limits, recipe, progress)
    before, after = painted.before, painted.after
    gained = after.score - before.score >= MIN_GAIN_DB and after.mask >= before.mask
    made = painted.model if gained else model
    report = _report(painted, gained, len(frames.having(LEARN)), fit, why_not)
    return Adapted(_rounded(widen(made, fit) if fit else made), report)


def _report(
    painted: Painted, gained: bool, n_frames: int, fit: LipFit | None, why_not: str
) -> AdaptationReport:
    reason = "" if gained else "it did not paint frames held out better"
    if not painted.steps:
        reason = NO_TIME
    return AdaptationReport(
        gained or fit is not None,
        reason,
        n_frames,
        painted.steps,
        round(painted.before.mask, 2) if painted.looks else None,
        round(painted.after.mask, 2) if painted.looks else None,
        round(painted.before.lips, 2) if painted.looks else None,
        round(painted.after.lips, 2) if painted.looks else None,
        lip_gain=round(fit.gain, 2) if fit else 1.0,
        lip_error=(round(fit.errors[0], 4), round(fit.errors[1], 4)) if fit else None,
        lip_reason=why_not,
    )


def _rounded(model: LatentsToFace) -> LatentsToFace:
    """A copy whose weights are exactly what a file of half precision gives back."""
    made = copy.deepcopy(model).eval().requires_grad_(False)
    for value in made.state_dict().values():
        value.copy_(value.half())
    return made


def _key(info: MediaInfo, model: LatentsToFace, options: DubOptions) -> str:
    """Of everything that makes the result, but for the speed of the machine."""
    digest = hashlib.sha256()
    choices = (VERSION, options.seed, float(options.adapt_seconds), options.face_backend)
    digest.update(json.dumps([*choices, file_digest(info.path)]).encode())
    for value in model.state_dict().values():
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]


def _cached(file: Path) -> Adapted | None:
    """What was made before; None where nothing was, or the file is damaged."""
    if not file.is_file():
        return None
    try:
        facts = json.loads(read_tensors(file)[0][FACTS])
        report = replace(AdaptationReport.of(facts), cached=True)
        model = load_module(file, LatentsToFace, LatentsToFaceConfig)
        file.touch()  # the least recently used are dropped first
    except (AvdubError, OSError, ValueError, KeyError, TypeError) as error:
        log.info("made again, since %s cannot be used: %s", file, error)
        return None
    return Adapted(model, report, file)


def _remembered(made: Adapted, file: Path) -> Adapted:
    """The same with its file; a cache that cannot be written is no error."""
    facts = {FACTS: json.dumps(asdict(made.report))}
    own = file.with_name(f"{file.stem}.{os.getpid()}{file.suffix}")  # two runs may make the same
    try:
        file.parent.mkdir(0o700, parents=True, exist_ok=True)
        save_module(own, made.model, made.model.config, facts=facts)
        own.chmod(0o600)
        own.replace(file)
        for old in sorted(file.parent.glob("*.safetensors"), key=_last_used)[:-KEPT]:
            old.unlink(missing_ok=True)
    except (AvdubError, OSError) as error:
        with suppress(OSError):
            own.unlink(missing_ok=True)
        log.info("not kept in %s: %s", file.parent, error)
        return made
    return replace(made, file=file)


def _last_used(file: Path) -> float:
    return file.stat().st_mtime
