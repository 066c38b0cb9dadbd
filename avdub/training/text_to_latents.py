"""Recipe: TextToLatents on the latents of speech whose text is known.

Losses: `posterior` and `prior` (L1 of decoded latents), `kl`, `f0` (L1 of log-F0, unvoiced is 0),
`duration` (what the durations cost their predictor), `ctc` (the symbols without blanks, heard in
z). Base packs have phoneme durations, and the prior term trains the very path of inference.

A HierSpeech++ model finds its durations in every step by monotonic alignment search, and learns
F0 from true latents. Its weights are those of the published TTV training: latents 10, KL 0.1 a
step (ours is a channel and step), F0, durations and CTC 1. Other than there: no dropout, F0 from
whole utterances instead of cuts of 60 steps, gradients clipped, a cosine for the rate.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.errors import InputError
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig, normalised_error
from avdub.text import BASE, front_end
from avdub.timeline import F0_PER_STEP, STEP_RATE
from avdub.training.align import aligned_durations
from avdub.training.data import Entry, SpeechPack
from avdub.training.loop import Losses, Run, TrainConfig, seeded, train
from avdub.training.speech_data import (
    TextBatch,
    Utterances,
    open_utterances,
    text_batch,
    voice_mels,
)


@dataclass(frozen=True)
class Recipe:
    """Training choices; `longest` drops utterances of more steps. What weighs 0 or nothing is not
    computed."""

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


def recipe_for(config: TrainConfig, model: TextToLatentsConfig) -> Recipe:
    """The recipe of the model's family. HierSpeech++ was trained in full precision, and its
    stochastic durations need it."""
    if model.front_end == BASE.name:
        return Recipe(config, model)
    weights = (
        ("posterior", 10.0),
        ("kl", 0.1 * model.channels),
        ("f0", 1.0),
        ("duration", 1.0),
        *((("ctc", 1.0),) if model.classify_symbols else ()),
    )
    return Recipe(replace(config, bf16=False), model, weights=weights)


class Trainee(nn.Module):
    """The text model, which has the mel its voice encoder hears."""

    def __init__(self, config: TextToLatentsConfig) -> None:
        super().__init__()
        self.text = TextToLatents(config)


def train_text_to_latents(
    packs: Sequence[Path], folder: Path, recipe: Recipe, start: TextToLatents | None = None
) -> TextToLatents:
    """Train on the packs' utterances that have their timing and are not held out; `start` goes on
    from trained weights.

    Raises InputError where a pack is made for another model or a run is of another one.
    """
    front = front_end(recipe.model.front_end)
    data = open_utterances(packs, True, False, front, recipe.model.latents)
    if all(entry.steps > recipe.longest for _, entry in data.items):
        longest_s = recipe.longest / STEP_RATE
        hint = f"cut them into parts of at most {longest_s:g} s"
        raise InputError("all utterances in the packs are too long", hint)
    with seeded(recipe.train.seed):
        trainee = Trainee(recipe.model)
    if start is not None:
        trainee.text.load_state_dict(start.state_dict())
    run = Run(trainee, recipe.train, folder, dict(recipe.weights), recipe.model)
    train(run, lambda generator: losses(trainee, data, recipe, generator))
    return trainee.text


def losses(
    trainee: Trainee, data: Utterances, recipe: Recipe, generator: torch.Generator
) -> Losses:
    """Named losses of one batch of whole utterances."""
    model, weights = trainee.text, dict(recipe.weights)
    front = front_end(recipe.model.front_end)
    items = similar(data, recipe, generator)
    batch = text_batch(items, recipe.model.latents, front)
    samples = [data.sample_of(e.speaker, generator) for _, e in items]
    style = model.voice(*voice_mels(samples, model.voice.mel))
    shape = (len(items), recipe.model.channels, batch.vec.shape[2])
    noise = torch.randn(shape, generator=generator)
    duration_noise = torch.randn(len(items), 2, batch.tokens.shape[1], generator=generator)
    durations = batch.durations
    if front is not BASE:
        durations = aligned_durations(model, batch, style, noise)
    out = model(
        batch.tokens,
        batch.n_tokens,
        durations,
        batch.vec,
        style,
        (noise, duration_noise),
        with_prior=weights.get("prior", 0) > 0,
    )
    f0_mask = out.mask.repeat_interleave(F0_PER_STEP, 2)
    found = {
        "posterior": normalised_error(out.posterior_vec, batch.vec, out.mask),
        "kl": out.kl,
        "f0": normalised_error(out.log_f0[:, None], batch.f0[:, None], f0_mask),
        "duration": out.duration,
    }
    if out.prior_vec is not None:
        found["prior"] = normalised_error(out.prior_vec, batch.vec, out.mask)
    if out.symbol_logits is not None and weights.get("ctc", 0) > 0:
        found["ctc"] = symbol_loss(out.symbol_logits, batch)
    return found


def symbol_loss(logits: Tensor, batch: TextBatch) -> Tensor:
    """CTC of logits (B, symbols, T) against the symbols without blanks, which are token 0, a
    symbol."""
    labels = [row[row != 0] for row in batch.tokens]
    return F.ctc_loss(
        logits.float().log_softmax(1).permute(2, 0, 1),  # (T, B, symbols)
        torch.cat(labels),
        batch.n_steps,
        torch.tensor([len(label) for label in labels]),
        zero_infinity=True,
    )


def similar(
    data: Utterances, recipe: Recipe, generator: torch.Generator
) -> list[tuple[SpeechPack, Entry]]:
    """A batch of utterances of like length, so that little of it is padding."""
    n = recipe.train.batch
    picked: list[tuple[SpeechPack, Entry]] = []
    while not picked:
        picked = [i for i in data.pick(6 * n, generator) if i[1].steps <= recipe.longest]
    picked.sort(key=lambda item: item[1].steps)
    start = int(torch.randint(max(1, len(picked) - n + 1), (), generator=generator))
    return picked[start : start + n]
