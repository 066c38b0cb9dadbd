"""Recipe: a small Wav2Vec2 learns Whisper-base's hidden states, phonemes (CTC) and log-mel.

Clean teacher features, disturbed sound: gain, a random tilt filter and noise, so that the latents
hear through microphones. Losses: `teacher` (L1 on standardised features), `ctc`, `mel`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.speech_to_latents import (
    MELS,
    MELS_PER_STEP,
    SpeechToLatents,
    SpeechToLatentsConfig,
    stacked_mel,
)
from avdub.text import MARKS, PAUSES, SYMBOLS
from avdub.timeline import SAMPLES_PER_STEP
from avdub.training.data import Entry, SpeechPack
from avdub.training.loop import Losses, Run, TrainConfig, train
from avdub.training.pack_latents import BASE, check_front_ends
from avdub.training.prepare import is_held_out

TEACHER_CHANNELS = 1024
SPOKEN = [s for s in SYMBOLS if s not in PAUSES and s not in MARKS and s != "_"]
SPOKEN_IDS = {s: i + 1 for i, s in enumerate(SPOKEN)}  # 0 is the CTC blank


@dataclass(frozen=True)
class Recipe:
    """Training choices; `steps_cut` is the length of a training cut in latent steps."""

    train: TrainConfig = field(default_factory=TrainConfig)
    model: SpeechToLatentsConfig = field(default_factory=SpeechToLatentsConfig)
    steps_cut: int = 200
    weights: tuple[tuple[str, float], ...] = (("teacher", 1.0), ("ctc", 0.1), ("mel", 0.3))


class Student(nn.Module):
    """SpeechToLatents with the heads that only training needs."""

    def __init__(self, config: SpeechToLatentsConfig) -> None:
        super().__init__()
        self.latents = SpeechToLatents(config)
        self.teacher = nn.Linear(config.channels, TEACHER_CHANNELS)
        self.phonemes = nn.Linear(config.channels, len(SPOKEN_IDS) + 1)
        self.mel = nn.Linear(config.channels, MELS * MELS_PER_STEP)
        self.register_buffer("teacher_mean", torch.zeros(TEACHER_CHANNELS))
        self.register_buffer("teacher_std", torch.ones(TEACHER_CHANNELS))
        self.teacher_mean: Tensor
        self.teacher_std: Tensor


@dataclass(frozen=True)
class Cut:
    """A whole short utterance or a cut of a long one; CTC only where whole."""

    pack: SpeechPack
    entry: Entry
    start: int
    steps: int


def train_speech_to_latents(packs: Sequence[Path], folder: Path, recipe: Recipe) -> SpeechToLatents:
    """Train on the packs' entries that are not held out; writes checkpoints to `folder`."""
    check_front_ends(packs, BASE)
    opened = [SpeechPack(p) for p in packs]
    student = Student(recipe.model)
    _set_teacher_scale(student, opened)
    run = Run(student, recipe.train, folder, dict(recipe.weights))
    items = [(p, e) for p in opened for e in p.entries if not is_held_out(e.id)]
    chances = _balanced([e.speaker for _, e in items])

    def step(generator: torch.Generator) -> Losses:
        picks = torch.multinomial(chances, recipe.train.batch, True, generator=generator)
        picked = [items[int(i)] for i in picks]
        cuts = [_cut(pack, entry, recipe.steps_cut, generator) for pack, entry in picked]
        return losses(student, cuts, recipe.steps_cut, generator)

    train(run, step)
    return student.latents


def losses(
    student: Student, cuts: Sequence[Cut], steps_cut: int, generator: torch.Generator
) -> Losses:
    """Named losses of one batch."""
    clean = torch.stack([_padded(c.pack.audio(c.entry, c.start, c.steps), steps_cut) for c in cuts])
    target = torch.stack([_target(c, steps_cut) for c in cuts])
    target = (target - student.teacher_mean) / student.teacher_std
    mask = torch.arange(steps_cut)[None] < torch.tensor([c.steps for c in cuts])[:, None]
    vec = student.latents(disturb(clean, generator))
    error = F.l1_loss(student.teacher(vec), target, reduction="none").mean(2)
    mel = stacked_mel(student.latents.log_mel, clean)
    mel_error = F.l1_loss(student.mel(vec), mel, reduction="none").mean(2)
    return {
        "teacher": error[mask].mean(),
        "mel": mel_error[mask].mean(),
        "ctc": _ctc(student.phonemes(vec), cuts),
    }


def disturb(wav: Tensor, generator: torch.Generator) -> Tensor:
    """(B, S) → (B, S): random gain, spectral tilt and noise at 10–40 dB."""
    b = len(wav)
    tilt = (torch.rand(b, 1, generator=generator) - 0.5) * 1.2
    out = wav + tilt * F.pad(wav, (1, 0))[:, :-1]
    level = out.square().mean(1, keepdim=True).sqrt()
    snr = 10 + 30 * torch.rand(b, 1, generator=generator)
    noise = torch.randn(wav.shape, generator=generator)
    out = out + noise * level * 10 ** (-snr / 20)
    return out * 10 ** (torch.rand(b, 1, generator=generator) * 1.5 - 1.0)


def _ctc(logits: Tensor, cuts: Sequence[Cut]) -> Tensor:
    """CTC over the phonemes of whole utterances; 0 where the batch has none."""
    rows, labels = [], []
    for i, cut in enumerate(cuts):
        ids = [SPOKEN_IDS[c] for c in cut.entry.phonemes if c in SPOKEN_IDS]
        if ids and cut.steps == cut.entry.steps and len(ids) * 2 < cut.steps:
            rows.append(i)
            labels.append(torch.tensor(ids))
    if not rows:
        return logits.sum() * 0
    return F.ctc_loss(
        logits[rows].float().log_softmax(2).transpose(0, 1),
        torch.cat(labels),
        torch.tensor([cuts[i].steps for i in rows]),
        torch.tensor([len(label) for label in labels]),
        zero_infinity=True,
    )


def _cut(pack: SpeechPack, entry: Entry, steps: int, generator: torch.Generator) -> Cut:
    room = max(0, entry.steps - steps)
    start = int(torch.randint(room + 1, (), generator=generator))
    return Cut(pack, entry, start, min(steps, entry.steps))


def _target(cut: Cut, steps_cut: int) -> Tensor:
    rows = cut.pack.rows("teacher.f16", TEACHER_CHANNELS, cut.entry, cut.start, cut.steps)
    return F.pad(rows, (0, 0, 0, steps_cut - cut.steps))


def _padded(wav: Tensor, steps: int) -> Tensor:
    return F.pad(wav, (0, steps * SAMPLES_PER_STEP - len(wav)))


def _balanced(speakers: Sequence[str]) -> Tensor:
    """Chance by the square root of how much a speaker has."""
    counts = {s: speakers.count(s) for s in set(speakers)}
    return torch.tensor([counts[s] ** -0.5 for s in speakers])


def _set_teacher_scale(student: Student, packs: Sequence[SpeechPack]) -> None:
    rows = torch.cat(
        [p.rows("teacher.f16", TEACHER_CHANNELS, e) for p in packs for e in p.entries[:40]]
    )
    student.get_buffer("teacher_mean").copy_(rows.mean(0))
    student.get_buffer("teacher_std").copy_(rows.std(0) + 1e-3)
