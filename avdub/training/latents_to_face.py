"""Recipes: LatentsToFace. First the generator learns to paint from real lip shapes, then the lip
head learns shapes from latents, in two stages.

Stage 1 hears the clip's own sound (real latents); stage 2 hears what TextToLatents predicts for the
clip's words at the clip's timing. The stage is the name of the latents array, nothing else. A lip
head for another encoder's latents is trained alike, on a painter that stays as it is.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.errors import InputError
from avdub.faces.lips import Floats
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig, at_times
from avdub.training.face_batches import Clips, FaceBatch
from avdub.training.face_data import PREDICTED, REAL, latents_kind
from avdub.training.loop import Losses, Run, TrainConfig, train

STAGES = {"1": (REAL,), "2": (REAL, PREDICTED)}


@dataclass(frozen=True)
class PaintRecipe:
    """The generator's training: `exemplars` a frame, loss weights."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: LatentsToFaceConfig = field(default_factory=LatentsToFaceConfig)
    exemplars: int = 4
    weights: tuple[tuple[str, float], ...] = (
        ("pixel", 1.0),
        ("mouth", 1.0),
        ("edges", 1.0),
        ("warp", 0.5),
        ("choice", 0.02),
        ("restraint", 0.2),
    )


@dataclass(frozen=True)
class LipRecipe:
    """The lip head's training; `arrays` names the latents it hears (the stage)."""

    train: TrainConfig = field(default_factory=TrainConfig)
    arrays: tuple[str, ...] = (REAL,)
    weights: tuple[tuple[str, float], ...] = (("shape", 1.0), ("speed", 1.0), ("opening", 1.0))


def train_painter(
    packs: Sequence[Path], template: Floats, folder: Path, recipe: PaintRecipe
) -> LatentsToFace:
    """Stage 0: paint real frames from their real lip shapes."""
    clips = Clips(packs, template)
    model = LatentsToFace(recipe.model)
    model.lips.requires_grad_(False)
    run = Run(model, recipe.train, folder, dict(recipe.weights))

    def step(generator: torch.Generator) -> Losses:
        batch = clips.batch(recipe.train.batch, recipe.exemplars, recipe.model, generator)
        return paint_losses(model, batch)

    train(run, step)
    return model.requires_grad_(True)


def paint_losses(model: LatentsToFace, batch: FaceBatch) -> Losses:
    """Pixels and edges in the mask, the mouth twice, the blend alone, sharp choices, restraint."""
    made = model(batch.target, batch.exemplars)
    mask = batch.target.mask
    error = (made.image - batch.real).abs()
    lips = batch.lips_mask * mask
    blend = made.image - mask * made.residual
    entropy = -(made.weights * (made.weights + 1e-6).log()).sum(1, keepdim=True)
    return {
        "pixel": _inside(error, mask),
        "mouth": _inside(error, lips),
        "edges": _inside(_edges(made.image, batch.real), mask),
        "warp": _inside((blend - batch.real).abs(), mask),
        "choice": _inside(entropy, mask),
        "restraint": made.residual.abs().mean(),  # or it paints blobs where nothing is asked
    }


def train_lips(
    model: LatentsToFace,
    packs: Sequence[Path],
    template: Floats,
    folder: Path,
    recipe: LipRecipe,
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
    sources = [
        (clips.vec(i, name, model.config.latents), clips.times(i), clips.lips(i))
        for i in range(len(clips))
        for name in recipe.arrays
    ]
    sources = [s for s in sources if len(s[0]) > 20]
    scale = _evened(vec for vec, _, _ in sources)[:, None]
    head = Head(model.lips)
    weight = model.lips.pre.weight
    weight.data *= scale
    run = Run(head, recipe.train, folder, dict(recipe.weights))

    def step(generator: torch.Generator) -> Losses:
        picks = torch.randint(len(sources), (recipe.train.batch,), generator=generator)
        return lip_losses(head.lips, [sources[i] for i in picks.tolist()], generator)

    train(run, step)
    weight.data /= scale
    return model


def fresh_lips(painter: LatentsToFace, latents: int, seed: int) -> LatentsToFace:
    """A new model with the weights of `painter` and an untrained lip head for D = `latents`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
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


def lip_losses(
    lips: nn.Module, sources: Sequence[tuple[Tensor, Tensor, Tensor]], generator: torch.Generator
) -> Losses:
    """Shape, speed and opening over whole clips: vec (T, D), times (N,), lips (N, L, 2) each."""
    longest = max(len(vec) for vec, _, _ in sources)
    vec = torch.stack([F.pad(v.T, (0, longest - len(v))) for v, _, _ in sources])
    vec = vec + 0.1 * torch.randn(vec.shape, generator=generator)
    shapes = lips(vec).flatten(2).float()  # (B, T, 2L)
    parts: dict[str, list[Tensor]] = {"shape": [], "speed": [], "opening": []}
    for rows, (_, times, real) in zip(shapes, sources, strict=True):
        made = torch.unflatten(at_times(rows, times), 1, (-1, 2))
        parts["shape"].append((made - real)[:, :40].abs().mean() + (made - real).abs().mean())
        parts["speed"].append((made.diff(dim=0) - real.diff(dim=0)).abs().mean() * 2)
        parts["opening"].append((_gap(made) - _gap(real)).abs().mean())
    return {k: 10 * torch.stack(v).mean() for k, v in parts.items()}


def _gap(shapes: Tensor) -> Tensor:
    """Inner-lip opening (N,) over three columns, as faces.lips.opening."""
    low, up = shapes[:, [24, 25, 26], 1], shapes[:, [36, 35, 34], 1]
    return (low - up).mean(1)


def _edges(made: Tensor, real: Tensor) -> Tensor:
    """|difference of gradients| summed over directions, padded back to the picture's size."""
    error = made - real
    across = F.pad(error.diff(dim=3).abs(), (0, 1))
    down = F.pad(error.diff(dim=2).abs(), (0, 0, 0, 1))
    return across + down


def _inside(error: Tensor, mask: Tensor) -> Tensor:
    return (error * mask).sum() / (mask.sum() * error.shape[1] + 1e-6)
