"""Recipe: TextToLatents on the latents of speech whose phoneme durations are known.

Losses: `posterior` and `prior` (L1 of decoded latents), `kl`, `f0` (L1 of log-F0, unvoiced is 0),
`duration` (log steps). The prior term trains the very path of inference.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from avdub.models.spectral import LogMel
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig, normalised_error
from avdub.timeline import F0_PER_STEP
from avdub.training.data import Entry, SpeechPack
from avdub.training.loop import Losses, Run, TrainConfig, train
from avdub.training.speech_data import Utterances, open_utterances, text_batch, voice_mels


@dataclass(frozen=True)
class Recipe:
    """Training choices; `longest` drops utterances of more steps."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: TextToLatentsConfig = field(default_factory=TextToLatentsConfig)
    longest: int = 400
    weights: tuple[tuple[str, float], ...] = (
        ("posterior", 0.5),
        ("prior", 1.0),
        ("kl", 0.05),
        ("f0", 0.5),
        ("duration", 1.0),
    )


class Trainee(nn.Module):
    """The text model and the mel its voice encoder hears."""

    def __init__(self, config: TextToLatentsConfig) -> None:
        super().__init__()
        self.text = TextToLatents(config)
        self.log_mel = LogMel()


def train_text_to_latents(packs: Sequence[Path], folder: Path, recipe: Recipe) -> TextToLatents:
    """Train on the packs' utterances that have durations and are not held out."""
    data = open_utterances(packs, True, False)
    trainee = Trainee(recipe.model)
    run = Run(trainee, recipe.train, folder, dict(recipe.weights))
    train(run, lambda generator: losses(trainee, data, recipe, generator))
    return trainee.text


def losses(
    trainee: Trainee, data: Utterances, recipe: Recipe, generator: torch.Generator
) -> Losses:
    """Named losses of one batch of whole utterances."""
    items = similar(data, recipe, generator)
    batch = text_batch(items, recipe.model.latents)
    samples = [data.sample_of(e.speaker, generator) for _, e in items]
    style = trainee.text.voice(*voice_mels(samples, trainee.log_mel))
    shape = (len(items), recipe.model.channels, batch.vec.shape[2])
    noise = torch.randn(shape, generator=generator)
    duration_noise = torch.randn(len(items), 2, batch.tokens.shape[1], generator=generator)
    out = trainee.text(
        batch.tokens, batch.n_tokens, batch.durations, batch.vec, style, (noise, duration_noise)
    )
    f0_mask = out.mask.repeat_interleave(F0_PER_STEP, 2)
    return {
        "posterior": normalised_error(out.posterior_vec, batch.vec, out.mask),
        "prior": normalised_error(out.prior_vec, batch.vec, out.mask),
        "kl": out.kl,
        "f0": normalised_error(out.log_f0[:, None], batch.f0[:, None], f0_mask),
        "duration": out.duration,
    }


def similar(
    data: Utterances, recipe: Recipe, generator: torch.Generator
) -> list[tuple[SpeechPack, Entry]]:
    """A batch of utterances of like length, so that little of it is padding."""
    n = recipe.train.batch
    picked = [i for i in data.pick(6 * n, generator) if i[1].steps <= recipe.longest]
    picked.sort(key=lambda item: item[1].steps)
    start = int(torch.randint(max(1, len(picked) - n + 1), (), generator=generator))
    return picked[start : start + n]
