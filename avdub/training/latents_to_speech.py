"""Recipe: LatentsToSpeech by multi-resolution spectral losses; stage 2 hears predicted latents.

Stage 1 makes speech from real latents. Stage 2 makes the same real speech from what TextToLatents
predicts for its text, teacher-forced to its timing and with its own F0: the synthesizer learns to
sharpen what the text model blurs.

HierSpeech++'s hierarchical synthesizer reconstructs the sound from its acoustic posterior, and also
learns its two KL terms, the prosody (its own mel's lowest bands) and F0, voiced or not. The
published code does not train it, so all weights are assumed: 45 for an L1 and 1 for a KL a step
(ours is a channel and step), as VITS has them. There is no guidance: the unconditional style, which
dubbing never uses, stays as it is.

A critic (`critic` in the recipe) listens to the base family after its first CRITIC_FROM steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.errors import InputError
from avdub.models.hierarchical import Hierarchical, HierarchicalConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.spectral import PromptMel, Stft
from avdub.models.text_to_latents import TextToLatents
from avdub.text import BASE, OFFICIAL, front_end
from avdub.timeline import SAMPLES_PER_STEP, STEP_RATE
from avdub.training.align import aligned_durations
from avdub.training.data import Entry, SpeechPack
from avdub.training.discriminators import Critic, Rival
from avdub.training.loop import Losses, Run, TrainConfig, seeded, train
from avdub.training.losses import SpectralLoss
from avdub.training.speech_data import (
    Utterances,
    open_utterances,
    text_batch,
    voice_mels,
)

CRITIC_FROM = 50  # steps in which the critic learns before the synthesizer hears of it
CRITIC_RATE = 5e-4
CRITIC_EVERY = 2  # steps: its own learning costs as much as all of the synthesizer's


@dataclass(frozen=True)
class Recipe:
    """Training choices; `cut_steps` is 1 s of speech; `critic` channels, 0 for none."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: LatentsToSpeechConfig = field(default_factory=LatentsToSpeechConfig)
    cut_steps: int = 50
    weights: tuple[tuple[str, float], ...] = (
        ("log", 1.0),
        ("convergence", 0.5),
        ("mel", 1.0),
        ("unreal", 0.3),
        ("apart", 1.0),
    )
    critic: int = 0


def recipe_for(config: TrainConfig, model: LatentsToSpeechConfig, critic: int = 0) -> Recipe:
    """The recipe of the model's family; HierSpeech++'s in full precision and without a critic."""
    if model.hierarchical is None:
        return Recipe(config, model, critic=critic)
    a_step = float(model.hierarchical.channels)
    weights = (
        ("log", 45.0),
        ("convergence", 22.5),
        ("mel", 45.0),
        ("prosody", 45.0),
        ("f0", 45.0),
        ("acoustic_kl", a_step),
        ("semantic_kl", a_step),
    )
    return Recipe(replace(config, bf16=False), model, weights=weights)


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
        if config.hierarchical is not None:
            self.target = HierarchicalTarget(config.hierarchical)


class HierarchicalTarget(nn.Module):
    """What the hierarchical synthesizer hears of real sound and has to tell of it."""

    def __init__(self, config: HierarchicalConfig) -> None:
        super().__init__()
        self.bands = config.prosody
        self.stft = Stft(2 * (config.spectrum - 1), SAMPLES_PER_STEP)
        self.mel = PromptMel()

    def forward(self, wav: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 320T) → linear spectrum (B, 641, T) and prosody (B, 20, T)."""
        return self.stft.magnitude(wav)[..., :-1], self.mel(wav)[:, : self.bands, :-1]


def train_latents_to_speech(
    packs: Sequence[Path],
    folder: Path,
    recipe: Recipe,
    start: LatentsToSpeech | None = None,
    text_model: TextToLatents | None = None,
) -> LatentsToSpeech:
    """Stage 1, or stage 2 when `text_model` is given; `start` continues from trained weights.

    Raises InputError where a pack is made for another model or a run is of another one.
    """
    front = BASE if recipe.model.hierarchical is None else OFFICIAL
    data = open_utterances(packs, text_model is not None, False, front, recipe.model.latents)
    _check_stage(data, recipe, text_model, front.name)
    with seeded(recipe.train.seed):
        trainee = Trainee(recipe.model)
    if start is not None:
        trainee.speech.load_state_dict(start.state_dict())
    rival = _rival(recipe)
    run = Run(trainee, recipe.train, folder, dict(recipe.weights), recipe.model, rival=rival)
    width = recipe.model.latents

    def step(generator: torch.Generator) -> Losses:
        cuts = _cuts(data, recipe, generator)
        n = recipe.cut_steps
        if text_model is None:
            rows = [c.pack.rows("latents.f16", width, c.entry, c.start, n) for c in cuts]
            vec = torch.stack(rows).transpose(1, 2)
        else:
            vec = _predicted(text_model, data, cuts, n, generator)
        found, made, real = losses(trainee, vec, cuts, data, generator)
        if rival is not None:
            if run.done % CRITIC_EVERY == 0:
                rival.improve(real, made)
            if run.done >= CRITIC_FROM:
                found["unreal"], found["apart"] = rival.judge(real, made)
        return found

    train(run, step)
    return trainee.speech


def _rival(recipe: Recipe) -> Rival | None:
    if not recipe.critic:
        return None
    with seeded(recipe.train.seed):
        return Rival(Critic(recipe.critic), CRITIC_RATE)


def losses(
    trainee: Trainee,
    vec: Tensor,
    cuts: Sequence[Cut],
    data: Utterances,
    generator: torch.Generator,
) -> tuple[Losses, Tensor, Tensor]:
    """Named losses of one batch of cuts, whose latents are vec (B, D, T); made and real sound."""
    n = vec.shape[2]
    real = torch.stack([c.pack.audio(c.entry, c.start, n) for c in cuts])
    log_f0 = torch.stack([c.pack.f0(c.entry, c.start, n) for c in cuts])
    samples = [data.sample_of(c.entry.speaker, generator) for c in cuts]
    style = trainee.speech.voice(*voice_mels(samples, trainee.speech.voice.mel))
    more: Losses = {}
    if isinstance(trainee.speech.synthesizer, Hierarchical):
        heard, prosody = trainee.target(real)
        noise = torch.randn(2, len(cuts), *trainee.speech.noise_shape(n), generator=generator)
        out = trainee.speech.synthesizer.reconstruct(vec, log_f0, style, heard, real, noise)
        made = out.wav
        more = {
            "prosody": F.l1_loss(out.prosody, prosody),
            "f0": F.l1_loss(out.log_f0, log_f0),
            "acoustic_kl": out.acoustic_kl,
            "semantic_kl": out.semantic_kl,
        }
    else:
        noise = torch.randn(real.shape, generator=generator)
        made = trainee.speech(vec, log_f0, style, noise)
    log_loss, convergence, mel = trainee.loss(made, real)
    return {"log": log_loss, "convergence": convergence, "mel": mel, **more}, made, real


def _check_stage(
    data: Utterances, recipe: Recipe, text_model: TextToLatents | None, front: str
) -> None:
    if all(entry.steps < recipe.cut_steps for _, entry in data.items):
        seconds = recipe.cut_steps / STEP_RATE
        raise InputError(
            f"no utterance in the packs is as long as a cut of {seconds:g} s",
            "prepare longer recordings",
        )
    if text_model is None:
        return
    config = text_model.config
    if (config.front_end, config.latents) != (front, recipe.model.latents):
        raise InputError(
            f"the text model predicts {config.latents} channels of {config.front_end} text, but "
            f"the speech model takes {recipe.model.latents} of {front}",
            "give a text model and a speech model of one family",
        )


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
    config = text_model.config
    front = front_end(config.front_end)
    batch = text_batch([(c.pack, c.entry) for c in cuts], config.latents, front)
    samples = [data.sample_of(c.entry.speaker, generator) for c in cuts]
    style = text_model.voice(*voice_mels(samples, text_model.voice.mel))
    durations = batch.durations
    if front is not BASE:
        noise = torch.zeros(len(cuts), config.channels, batch.vec.shape[2])
        durations = aligned_durations(text_model, batch, style, noise)
    vec = text_model.teacher_forced(batch.tokens, batch.n_tokens, durations, style)[0]
    rows = [vec[i, :, c.start : c.start + steps] for i, c in enumerate(cuts)]
    return torch.stack([F.pad(r, (0, steps - r.shape[1])) for r in rows])
