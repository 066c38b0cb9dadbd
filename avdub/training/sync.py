"""Recipe: SyncExpert learns to tell the true shift of a clip from all others.

One loss, `shift`: cross entropy over shifts, its target a narrow bell around the true one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from avdub.faces.lips import Floats
from avdub.models.sync import SyncExpert, SyncExpertConfig
from avdub.timeline import STEP_RATE
from avdub.training.face_batches import Clips
from avdub.training.face_data import REAL
from avdub.training.loop import Losses, Run, TrainConfig, train

WINDOW_STEPS = 2 * STEP_RATE
BELL_STEPS = 0.8  # deviation of the target: a video frame is two steps


@dataclass(frozen=True)
class Recipe:
    """Training choices; `arrays` names the latents that are heard."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: SyncExpertConfig = field(default_factory=SyncExpertConfig)
    arrays: tuple[str, ...] = (REAL,)
    weights: tuple[tuple[str, float], ...] = (("shift", 1.0),)


@dataclass(frozen=True)
class Source:
    """A clip's latents (T, D) and its lips at every step (T, L, 2)."""

    vec: Tensor
    lips: Tensor


def train_sync(packs: Sequence[Path], template: Floats, folder: Path, recipe: Recipe) -> SyncExpert:
    """Train on the packs' clips that are long enough."""
    clips = Clips(packs, template)
    found = [
        Source(vec, at_steps(clips.lips(i), clips.times(i), len(vec)))
        for i in range(len(clips))
        for name in recipe.arrays
        if len(vec := clips.vec(i, name, recipe.model.latents)) > WINDOW_STEPS
    ]
    torch.manual_seed(recipe.train.seed)
    model = SyncExpert(recipe.model)
    run = Run(model, recipe.train, folder, dict(recipe.weights), recipe.model)

    def step(generator: torch.Generator) -> Losses:
        picks = torch.randint(len(found), (recipe.train.batch,), generator=generator)
        return losses(model, [found[i] for i in picks.tolist()], generator)

    train(run, step)
    return model


def at_steps(lips: Tensor, times: Tensor, steps: int) -> Tensor:
    """Lip shapes of frames (N, L, 2) at `times` → at the middles of the steps (T, L, 2)."""
    middles = (torch.arange(steps, dtype=torch.float64) + 0.5) / STEP_RATE
    later = torch.searchsorted(times, middles).clamp(1, len(times) - 1)
    span = times[later] - times[later - 1]
    weight = ((middles - times[later - 1]) / span).clamp(0, 1).to(lips.dtype)
    return torch.lerp(lips[later - 1], lips[later], weight[:, None, None])


def losses(model: SyncExpert, sources: Sequence[Source], generator: torch.Generator) -> Losses:
    """Windows of the sources, each at a random true shift, disturbed."""
    reach = model.config.reach
    shifts = torch.randint(-reach + 1, reach, (len(sources),), generator=generator)
    cuts = [_cut(s, int(d), reach, generator) for s, d in zip(sources, shifts, strict=True)]
    vec = torch.stack([v for v, _ in cuts]).transpose(1, 2)
    lips = _disturbed(torch.stack([shape for _, shape in cuts]), generator)
    vec = vec + 0.3 * torch.randn(vec.shape, generator=generator)
    kept = torch.rand(vec.shape[0], vec.shape[1], 1, generator=generator) > 0.2
    logits = model(vec * kept, lips)
    off = torch.arange(-reach, reach + 1)[None] - shifts[:, None]
    wanted = torch.softmax(-0.5 * (off / BELL_STEPS).square(), 1)
    return {"shift": F.cross_entropy(logits.float(), wanted)}


def _cut(
    source: Source, shift: int, reach: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """vec (window + 2 reach, D) that runs `shift` steps ahead of lips (window, L, 2)."""
    n = len(source.vec)
    start = int(torch.randint(n - WINDOW_STEPS + 1, (), generator=generator))
    at = torch.arange(WINDOW_STEPS + 2 * reach) + start - reach - shift
    return source.vec[at.clamp(0, n - 1)], source.lips[start : start + WINDOW_STEPS]


def _disturbed(lips: Tensor, generator: torch.Generator) -> Tensor:
    """Other people's ways and heads: stretched movements, slow drifts, trembling landmarks."""
    n, steps = lips.shape[:2]

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    rest = lips.mean(1, keepdim=True)
    lips = rest + (lips - rest) * torch.exp(0.3 * draw(n, 1, 1, 2))
    lips = rest + (lips - rest) * torch.exp(0.2 * draw(n, 1, lips.shape[2], 1))
    drift = F.interpolate(draw(n, 4, 5), steps, mode="linear").transpose(1, 2)  # (B, T, 4)
    lips = lips * (1 + 0.1 * drift[:, :, None, :2]) + 0.01 * drift[:, :, None, 2:]
    return lips + 0.004 * draw(*lips.shape)
