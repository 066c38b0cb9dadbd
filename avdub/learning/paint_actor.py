"""The painter fine-tuned on one actor's frames, for a bounded time, never to become worse.

Weights are averaged over the last steps, those best on one part of the held-out frames are taken,
and another part tells what they gained.
"""

import copy
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from avdub.learning.actor_frames import CHECK, CHOOSE, ActorFrames, Indexes
from avdub.learning.face_losses import PAINT_WEIGHTS, paint_losses
from avdub.models.latents_to_face import LatentsToFace
from avdub.progress import Progress, silent

EVALUATED = 8  # frames at a time
STAGE = "adapt"


@dataclass(frozen=True)
class PaintActorRecipe:
    """`steps` at most, of `batch` frames with `exemplars` each; `look_every` so many steps the
    held-out frames are painted, and `patience` looks without a gain end it. `bf16` is for
    processors that multiply it faster."""

    steps: int = 150
    batch: int = 8
    exemplars: int = 4
    learning_rate: float = 1e-3
    warmup: int = 5
    weight_decay: float = 0.01
    clip: float = 1.0
    averaging: float = 0.95
    look_every: int = 20
    patience: int = 4
    bf16: bool = True
    weights: tuple[tuple[str, float], ...] = PAINT_WEIGHTS


@dataclass(frozen=True)
class Quality:
    """Mean PSNR in dB over frames: inside the mouth's mask, and of the lips and what they enclose.

    Most of the mask is skin, which nobody looks at; `score` counts both alike.
    """

    mask: float
    lips: float

    @property
    def score(self) -> float:
        return (self.mask + self.lips) / 2


@dataclass(frozen=True)
class Looked:
    """Quality of the frames for choosing after so many steps and seconds."""

    steps: int
    seconds: float
    quality: Quality


@dataclass(frozen=True)
class Painted:
    """The model as it came out, quality of the frames for checking before and after, steps taken
    and how the choice went; without `looks` there was no time to look at anything."""

    model: LatentsToFace
    before: Quality
    after: Quality
    steps: int
    looks: tuple[Looked, ...]


class OwnExemplars:
    """For each frame the exemplars of its track: `chosen` (tracks, K) by track number."""

    def __init__(self, frames: ActorFrames, chosen: Indexes, bf16: bool = True) -> None:
        self.frames, self.chosen, self.bf16 = frames, chosen, bf16

    def quality(self, model: LatentsToFace, role: int) -> Quality:
        """Of the frames of a role, painted from their own lip shapes."""
        found = self.frames.having(role)
        values = [
            self._psnr(model, part) for part in np.array_split(found, -(-len(found) // EVALUATED))
        ]
        mask, lips = torch.cat(values).mean(0).tolist()
        return Quality(mask, lips)

    def look_s(self, model: LatentsToFace, roles: Sequence[int]) -> float:
        """About how long it takes to look at all frames of the roles once."""
        found = np.concatenate([self.frames.having(role) for role in roles])
        began = time.monotonic()
        self._psnr(model, found[:EVALUATED])
        return (time.monotonic() - began) * len(found) / EVALUATED

    @torch.inference_mode()
    def _psnr(self, model: LatentsToFace, targets: Indexes) -> Tensor:
        """(B, 2) in dB: inside the mask, and of the lips."""
        exemplars = self.chosen[self.frames.tracks[targets]]
        batch = self.frames.as_they_are(targets, exemplars)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            made = model(batch.target, batch.exemplars).image
        error = (made.float().clamp(0, 1) - batch.real).square().mean(1, keepdim=True)
        mask = batch.target.mask
        both = torch.cat((mask, mask * batch.lips_mask), 1)
        mean = (error * both).sum((2, 3)) / both.sum((2, 3)).clamp(min=1e-6)
        return -10 * torch.log10(mean + 1e-10)


def fine_tune(
    start: LatentsToFace,
    judge: OwnExemplars,
    limits: tuple[float, int],
    recipe: PaintActorRecipe | None = None,
    progress: Progress = silent,
) -> Painted:
    """A copy of `start` that paints the judge's frames better, or `start` itself.

    `limits` are seconds from now and the seed. The time holds for all of it, on machines of any
    speed: a step is begun only where its own time and that of two more looks is left.
    """
    recipe = recipe or PaintActorRecipe()
    clock = _Clock(limits[0])
    check = CHECK if len(judge.frames.having(CHECK)) else CHOOSE
    if 2 * judge.look_s(start, (check, CHOOSE)) > clock.limit_s:
        return Painted(start, Quality(0, 0), Quality(0, 0), 0, ())
    before = judge.quality(start, check)
    looks = [Looked(0, 0.0, judge.quality(start, CHOOSE))]
    clock.kept_s = clock.seconds()  # what two looks take
    tuning = _Tuning(start, judge.frames, recipe, limits[1])
    best, best_at = start, 0
    for _ in progress(_steps(clock, tuning), STAGE, recipe.steps):
        if tuning.done % recipe.look_every and not clock.is_over:
            continue
        looks.append(Looked(tuning.done, clock.seconds(), judge.quality(tuning.averaged, CHOOSE)))
        if looks[-1].quality.score > looks[best_at].quality.score:
            best, best_at = copy.deepcopy(tuning.averaged), len(looks) - 1
        elif len(looks) - 1 - best_at >= recipe.patience:
            break
    after = before if best is start else judge.quality(best, check)
    return Painted(best, before, after, tuning.done, tuple(looks))


class _Clock:
    """Seconds since it was made, of `limit`; `kept_s` of them and a step's own are no step's."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s, self.kept_s, self.step_s = limit_s, 0.0, 0.0
        self._began = time.monotonic()

    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def is_over(self) -> bool:
        return self.seconds() + self.step_s + self.kept_s > self.limit_s


class _Tuning:
    """A copy of the model in training, and `averaged`, the running mean of its weights."""

    def __init__(
        self, start: LatentsToFace, frames: ActorFrames, recipe: PaintActorRecipe, seed: int
    ) -> None:
        self.model, self.averaged = start.with_light(True), start.with_light(True)
        self.model.requires_grad_(True).lips.requires_grad_(False)
        self.frames, self.recipe, self.done = frames, recipe, 0
        self._trained = [p for p in self.model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(
            self._trained,
            recipe.learning_rate,
            betas=(0.8, 0.99),
            weight_decay=recipe.weight_decay,
        )
        self._generator = torch.Generator().manual_seed(seed)

    def step(self) -> None:
        """One step; the rate falls along a cosine of the steps, not of the time, which chance
        would have a part in: what is averaged makes up for steps that the clock cuts off."""
        recipe = self.recipe
        warm = min(1.0, (self.done + 1) / recipe.warmup)
        share = self.done / recipe.steps
        rate = recipe.learning_rate * warm * (0.05 + 0.475 * (1 + math.cos(math.pi * share)))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        batch = self.frames.batch(recipe.batch, recipe.exemplars, self._generator)
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.bf16):
            losses = paint_losses(self.model, batch)
        weights = dict(recipe.weights)
        total = torch.stack([weights[name] * loss for name, loss in losses.items()]).sum()
        self._optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(total)
        norm = nn.utils.clip_grad_norm_(self._trained, recipe.clip)
        if torch.isfinite(norm):
            self._optimizer.step()
        self.done += 1
        self._average()

    @torch.no_grad()
    def _average(self) -> None:
        kept = min(self.recipe.averaging, self.done / (self.done + 4))
        pairs = zip(self.averaged.parameters(), self.model.parameters(), strict=True)
        for mean, new in pairs:
            mean.lerp_(new, 1 - kept)


def _steps(clock: _Clock, tuning: _Tuning) -> Iterator[int]:
    """Steps taken, until the recipe or the clock ends them."""
    while tuning.done < tuning.recipe.steps and not clock.is_over:
        begun = clock.seconds()
        tuning.step()
        clock.step_s = clock.seconds() - begun
        yield tuning.done
