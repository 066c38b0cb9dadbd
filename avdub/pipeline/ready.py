"""A dub made ready: everything but its picture. The whole and its parts are built on it alike."""

from collections.abc import Collection
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

from avdub.latents import Latents
from avdub.pipeline.actor import Troupe, meet_actor
from avdub.pipeline.adapt import adapt_for
from avdub.pipeline.animate import Animator
from avdub.pipeline.clock import Clock
from avdub.pipeline.drive import SegmentDrive
from avdub.pipeline.mouth import fit_mouth
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Plan, make_plan
from avdub.pipeline.prosody import Prosody
from avdub.pipeline.report import AdaptationReport, LipReport
from avdub.pipeline.store import Memory
from avdub.pipeline.voiced import Voiced, speak_all
from avdub.pipeline.weights import Weights
from avdub.progress import Progress
from avdub.timeline import STEP_RATE, Span


@dataclass(frozen=True)
class Faced:
    """The weights with the face model to animate with, and how it was suited to this video."""

    weights: Weights
    adaptation: AdaptationReport | None = None
    lips: LipReport | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ready:
    """A plan, what is spoken of it by segment index, why other segments failed, and the weights
    whose face model suits this video."""

    plan: Plan
    voiced: dict[int, Voiced]
    failed: dict[int, str]
    faced: Faced
    memory: Memory

    @property
    def driven(self) -> list[Voiced]:
        """What moves a face."""
        return [each for each in self.voiced.values() if _moves_a_face(each)]

    def animator(self, segments: Collection[int] | None = None) -> Animator | None:
        """What paints all mouths, or those of some segments; None where there is none to paint.

        A mouth that another segment's covers is left to that one in any case.
        """
        driven = self.driven
        if not driven:
            return None
        info, weights, tracks = self.plan.info, self.faced.weights, self.plan.tracks
        model = weights.latents_to_face
        model.to(weights.device)
        drives = [self._drive(each) for each in driven]
        size, template = model.config.size, weights.template
        troupe = Troupe(tracks, lambda track: meet_actor(info, tracks[track], template, size))
        animator = Animator(model, template, troupe, drives, info.rate, self.memory)
        animator.only = segments
        return animator

    def _drive(self, each: Voiced) -> SegmentDrive:
        job, info = each.job, self.plan.info
        assert job.face is not None, "only what moves a face has a drive"
        on = self.plan.tracks.outlines[job.face]
        first = max(job.frames.start, on.frames.start)
        inside = Span(first, max(first, min(job.frames.end, on.frames.end)))
        start = Fraction(job.steps.start, STEP_RATE)
        model, latents = self.faced.weights.latents_to_face, partial(_mouth, each)
        return SegmentDrive(job.segment.index, on.id, inside, start, info, model, latents)


@dataclass(frozen=True)
class Task:
    """What is to be dubbed, and how. `hints` is the prosody of segments by index where it does not
    come from this video."""

    video: Path
    subtitles: Path | None
    options: DubOptions
    hints: dict[int, Prosody] | None = None


def make_ready(
    task: Task, weights: Weights, memory: Memory, progress: Progress, clock: Clock
) -> Ready:
    """Plan and speak, and suit the face model to the video. Raises AvdubError; what is wrong with
    one segment alone is said in the result."""
    options = task.options
    with clock.stage("plan"):
        files = task.video, task.subtitles
        plan = make_plan(*files, options, progress, weights, task.hints, memory)
    with clock.stage("speech"):
        voiced, failed = speak_all(plan, weights, options, progress, memory)
    is_driven = any(_moves_a_face(each) for each in voiced.values())
    faced = _faced(plan, weights, options, memory, progress, clock, is_driven)
    return Ready(plan, voiced, failed, faced, memory)


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
            model, lips = fit_mouth(plan.info, plan.tracks, weights, memory)
        return Faced(weights.with_face(model), None, lips)
    return Faced(weights)


def _moves_a_face(each: Voiced) -> bool:
    return each.job.face is not None and len(each.job.frames) > 0


def _mouth(each: Voiced) -> Latents:
    return each.mouth
