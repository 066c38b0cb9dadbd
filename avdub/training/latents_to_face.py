"""Recipes: LatentsToFace. First the generator learns to paint from real lip shapes, then the lip
head learns shapes from latents, in two stages.

Stage 1 hears the clip's own sound (real latents); stage 2 hears what TextToLatents predicts for the
clip's words at the clip's timing. The stage is the name of the latents array, nothing else. A lip
head for another encoder's latents is trained alike, on a painter that stays as it is.

With a sync expert the lips must also be in time with the clip's real sound, whatever they were made
from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.errors import InputError
from avdub.faces.lips import Floats
from avdub.learning.face_losses import PAINT_WEIGHTS, lip_losses, paint_losses
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.sync import SyncExpert
from avdub.training.face_batches import Clips
from avdub.training.face_data import PREDICTED, REAL, latents_kind
from avdub.training.loop import Losses, Run, TrainConfig, seeded, train
from avdub.training.sync import WINDOW_STEPS

SHORTEST_STEPS = 20
STAGES = {"1": (REAL,), "2": (REAL, PREDICTED)}


@dataclass(frozen=True)
class PaintRecipe:
    """The generator's training: `exemplars` a frame, loss weights."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: LatentsToFaceConfig = field(default_factory=LatentsToFaceConfig)
    exemplars: int = 4
    weights: tuple[tuple[str, float], ...] = PAINT_WEIGHTS


@dataclass(frozen=True)
class LipRecipe:
    """The lip head's training; `arrays` names the latents it hears (the stage)."""

    train: TrainConfig = field(default_factory=TrainConfig)
    arrays: tuple[str, ...] = (REAL,)
    weights: tuple[tuple[str, float], ...] = (
        ("shape", 1.0),
        ("speed", 1.0),
        ("opening", 1.0),
        ("sync", 0.3),  # only where a sync expert is given
    )


class LipSource(NamedTuple):
    """A clip: latents (T, D) in even scale, times (N,) of its frames, their lips (N, L, 2), and the
    latents of its own sound (T', D) as a sync expert hears them."""

    vec: Tensor
    times: Tensor
    lips: Tensor
    heard: Tensor


def train_painter(
    packs: Sequence[Path],
    template: Floats,
    folder: Path,
    recipe: PaintRecipe,
    start: LatentsToFace | None = None,
) -> LatentsToFace:
    """Stage 0: paint real frames from their real lip shapes; `start` goes on from a painter, and
    keeps its lip head."""
    clips = Clips(packs, template)
    with seeded(recipe.train.seed):
        model = LatentsToFace(recipe.model)
    if start is not None:
        model.load_state_dict(start.state_dict())
    model.lips.requires_grad_(False)
    run = Run(model, recipe.train, folder, dict(recipe.weights))

    def step(generator: torch.Generator) -> Losses:
        batch = clips.batch(recipe.train.batch, recipe.exemplars, recipe.model, generator)
        return paint_losses(model, batch)

    train(run, step)
    return model.requires_grad_(True)


def train_lips(
    model: LatentsToFace,
    packs: Sequence[Path],
    template: Floats,
    folder: Path,
    recipe: LipRecipe,
    expert: SyncExpert | None = None,
) -> LatentsToFace:
    """Teach the lip head of `model` on the latents arrays of the packs; the painter stays.

    Raises InputError where the packs' latents differ or are not those of the head's width.
    """
    kind = latents_kind(packs, recipe.arrays)
    if kind.width != model.config.latents:
        raise InputError(
            f"the packs hold {kind}, but the lip head takes {model.config.latents} channels",
            f"start with --stage 1 --latents {kind.name}",
        )
    clips = Clips(packs, template)
    width = model.config.latents
    sources = [
        LipSource(
            clips.vec(i, name, width), clips.times(i), clips.lips(i), clips.vec(i, REAL, width)
        )
        for i in range(len(clips))
        for name in recipe.arrays
    ]
    sources = [s for s in sources if len(s.vec) > SHORTEST_STEPS]
    scale = _evened(source.vec for source in sources)[:, None]
    head = Head(model.lips)
    weight = model.lips.pre.weight
    weight.data *= scale
    run = Run(head, recipe.train, folder, dict(recipe.weights))

    def step(generator: torch.Generator) -> Losses:
        picks = torch.randint(len(sources), (recipe.train.batch,), generator=generator)
        chosen = [sources[i] for i in picks.tolist()]
        found = lip_losses(head.lips, [(s.vec, s.times, s.lips) for s in chosen], generator)
        if expert is not None:
            found["sync"] = sync_loss(head.lips, expert, chosen, generator)
        return found

    train(run, step)
    weight.data /= scale
    return model


def sync_loss(
    lips: nn.Module, expert: SyncExpert, sources: Sequence[LipSource], generator: torch.Generator
) -> Tensor:
    """The expert's cost of telling that a window of made lips is in time with the real sound."""
    expert.requires_grad_(False)
    reach = expert.config.reach
    n = min(min(len(s.vec), len(s.heard)) for s in sources)
    vec = torch.stack([s.vec[:n].T for s in sources])
    made = lips(vec + 0.1 * torch.randn(vec.shape, generator=generator))  # (B, T, L, 2)
    steps = min(n, WINDOW_STEPS)
    start = int(torch.randint(n - steps + 1, (), generator=generator))
    at = (torch.arange(steps + 2 * reach) + start - reach).clamp(0, n - 1)
    heard = torch.stack([s.heard[at].T for s in sources])
    logits = expert(heard, made[:, start : start + steps].float())
    return F.cross_entropy(logits.float(), torch.full((len(sources),), reach))


def fresh_lips(painter: LatentsToFace, latents: int, seed: int) -> LatentsToFace:
    """A new model with the weights of `painter` and an untrained lip head for D = `latents`."""
    with seeded(seed):
        model = LatentsToFace(replace(painter.config, latents=latents))
    kept = {k: v for k, v in painter.state_dict().items() if not k.startswith("lips.")}
    model.load_state_dict({**model.state_dict(), **kept})
    return model


def _evened(vecs: Iterable[Tensor]) -> Tensor:
    """Divide latents (T, D), in place, by each channel's size over all → that size (D,).

    Hidden states of a wav2vec 2.0 differ a lot between channels; the noise of training, and the
    steps of the optimiser, should mean the same for each. Nothing is subtracted: a convolution
    pads with zeros, which must stay zeros.
    """
    vecs = list(vecs)
    total = sum(vec.double().square().sum(0) for vec in vecs)
    n = sum(len(vec) for vec in vecs)
    size = torch.as_tensor(total / n).sqrt().clamp(min=1e-4).float()
    for vec in vecs:
        vec /= size
    return size


class Head(nn.Module):
    """The lip head alone, as a module that a Run can save."""

    def __init__(self, lips: nn.Module) -> None:
        super().__init__()
        self.lips = lips
