"""Recipe: LatentsToSpeech by multi-resolution spectral losses; stage 2 hears predicted latents.

Stage 1 makes speech from real latents. Stage 2 makes the same real speech from what TextToLatents
predicts for its text, teacher-forced to its timing and with its own F0: the synthesizer learns to
sharpen what the text model blurs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.spectral import LogMel
from avdub.models.text_to_latents import TextToLatents
from avdub.training.data import Entry, SpeechPack
from avdub.training.loop import Losses, Run, TrainConfig, train
from avdub.training.losses import SpectralLoss
from avdub.training.speech_data import (
    Utterances,
    open_utterances,
    text_batch,
    voice_mels,
)


@dataclass(frozen=True)
class Recipe:
    """Training choices; `cut_steps` is 1 s of speech."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: LatentsToSpeechConfig = field(default_factory=LatentsToSpeechConfig)
    cut_steps: int = 50
    weights: tuple[tuple[str, float], ...] = (("log", 1.0), ("convergence", 0.5), ("mel", 1.0))


@dataclass(frozen=True)
class Cut:
    """Where a training cut lies."""

    pack: SpeechPack
    entry: Entry
    start: int


class Trainee(nn.Module):
    """The synthesizer and its losses in one module, so that both are saved and moved together."""

    def __init__(self, config: LatentsToSpeechConfig) -> None:
        super().__init__()
        self.speech = LatentsToSpeech(config)
        self.loss = SpectralLoss()
        self.log_mel = LogMel()


def train_latents_to_speech(
    packs: Sequence[Path],
    folder: Path,
    recipe: Recipe,
    start: LatentsToSpeech | None = None,
    text_model: TextToLatents | None = None,
) -> LatentsToSpeech:
    """Stage 1, or stage 2 when `text_model` is given; `start` continues from trained weights."""
    data = open_utterances(packs, text_model is not None, False)
    trainee = Trainee(recipe.model)
    if start is not None:
        trainee.speech.load_state_dict(start.state_dict())
    run = Run(trainee, recipe.train, folder, dict(recipe.weights))
    width = recipe.model.latents

    def step(generator: torch.Generator) -> Losses:
        cuts = _cuts(data, recipe, generator)
        n = recipe.cut_steps
        if text_model is None:
            rows = [c.pack.rows("latents.f16", width, c.entry, c.start, n) for c in cuts]
            vec = torch.stack(rows).transpose(1, 2)
        else:
            vec = _predicted(text_model, data, cuts, n, generator)
        return losses(trainee, vec, cuts, data, generator)

    train(run, step)
    return trainee.speech


def losses(
    trainee: Trainee,
    vec: Tensor,
    cuts: Sequence[Cut],
    data: Utterances,
    generator: torch.Generator,
) -> Losses:
    """Named losses of one batch of cuts, whose latents are vec (B, D, T)."""
    n = vec.shape[2]
    real = torch.stack([c.pack.audio(c.entry, c.start, n) for c in cuts])
    log_f0 = torch.stack([c.pack.f0(c.entry, c.start, n) for c in cuts])
    samples = [data.sample_of(c.entry.speaker, generator) for c in cuts]
    style = trainee.speech.voice(*voice_mels(samples, trainee.log_mel))
    noise = torch.randn(real.shape, generator=generator)
    made = trainee.speech(vec, log_f0, style, noise)
    log_loss, convergence, mel = trainee.loss(made, real)
    return {"log": log_loss, "convergence": convergence, "mel": mel}


def _cuts(data: Utterances, recipe: Recipe, generator: torch.Generator) -> list[Cut]:
    found: list[Cut] = []
    while len(found) < recipe.train.batch:
        for pack, entry in data.pick(recipe.train.batch - len(found), generator):
            room = entry.steps - recipe.cut_steps
            if room >= 0:
                start = int(torch.randint(room + 1, (), generator=generator))
                found.append(Cut(pack, entry, start))
    return found


@torch.no_grad()
def _predicted(
    text_model: TextToLatents,
    data: Utterances,
    cuts: Sequence[Cut],
    steps: int,
    generator: torch.Generator,
) -> Tensor:
    """What the text model says for the cuts, at their real timing → (B, D, steps)."""
    batch = text_batch([(c.pack, c.entry) for c in cuts], text_model.config.latents)
    samples = [data.sample_of(c.entry.speaker, generator) for c in cuts]
    style = text_model.voice(*voice_mels(samples, LogMel()))
    vec = text_model.teacher_forced(batch.tokens, batch.n_tokens, batch.durations, style)[0]
    rows = [vec[i, :, c.start : c.start + steps] for i, c in enumerate(cuts)]
    return torch.stack([F.pad(r, (0, steps - r.shape[1])) for r in rows])
