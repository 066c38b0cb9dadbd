"""Batches for the recipes that work on latents: cuts, whole utterances and voice samples."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from avdub.errors import InputError
from avdub.models.layers import length_mask
from avdub.models.spectral import LogMel, PromptMel
from avdub.models.speech_to_latents import SpeechToLatents
from avdub.progress import Progress, silent
from avdub.text import BASE as BASE_FRONT_END
from avdub.text import FrontEnd
from avdub.timeline import F0_PER_STEP
from avdub.training.data import Entry, SpeechPack
from avdub.training.pack_latents import (
    BASE,
    LatentsKind,
    check_front_ends,
    check_width,
    kind_of,
    remember,
    shared_kind,
)
from avdub.training.prepare import is_held_out

PROMPT_STEPS = 150  # voice samples of up to 3 s
LATENTS = "latents.f16"


@dataclass(frozen=True)
class Utterances:
    """All entries of some packs, with each one's speakers at hand and a sampling weight."""

    items: tuple[tuple[SpeechPack, Entry], ...]
    by_speaker: dict[str, tuple[int, ...]]
    chances: Tensor

    def pick(self, n: int, generator: torch.Generator) -> list[tuple[SpeechPack, Entry]]:
        picks = torch.multinomial(self.chances, n, True, generator=generator)
        return [self.items[i] for i in picks.tolist()]

    def sample_of(self, speaker: str, generator: torch.Generator) -> Tensor:
        """A cut of another utterance of that speaker: (S,), S up to 3 s."""
        own = self.by_speaker[speaker]
        pack, entry = self.items[own[int(torch.randint(len(own), (), generator=generator))]]
        steps = min(entry.steps, PROMPT_STEPS)
        start = int(torch.randint(entry.steps - steps + 1, (), generator=generator))
        return pack.audio(entry, start, steps)


def open_utterances(
    packs: Sequence[Path],
    with_text: bool,
    held_out: bool,
    front: FrontEnd = BASE_FRONT_END,
    width: int | None = None,
) -> Utterances:
    """Entries of `packs`; `held_out` picks the ones kept aside instead of the training ones.
    `with_text` leaves out those whose symbols have no durations: known ones for the base family,
    and for another front end room for a step each.

    Raises InputError where the packs hold latents of different encoders or not of `width`
    channels, are made for another front end, or hold nothing of what is asked for.
    """
    check_front_ends(packs, front.name)
    opened = [SpeechPack(p) for p in packs]
    for pack in opened if width is not None else ():
        check_width(pack.folder / LATENTS, _kind(pack), width or 0)
    kinds = [(p.folder / LATENTS, _kind(p)) for p in opened if (p.folder / LATENTS).is_file()]
    if kinds:
        shared_kind(kinds)
    items = tuple(
        (p, e)
        for p in opened
        for e in p.entries
        if is_held_out(e.id, 40) == held_out and (not with_text or _is_timed(e, front))
    )
    if not items:
        what = "whose text and timing are known" if with_text else "to learn from"
        raise InputError(
            f"there is no utterance {what} in {', '.join(map(str, packs))}",
            "prepare speech with its text: a teacher corpus, or a folder with metadata.csv",
        )
    by_speaker: dict[str, list[int]] = {}
    for i, (_, e) in enumerate(items):
        by_speaker.setdefault(e.speaker, []).append(i)
    # a pack's total weight grows with the square root of how much of it there is: hundreds of
    # speakers with a few sentences each must not drown the voices that get a name
    sizes = Counter(p.folder for p, _ in items)
    chances = torch.tensor([sizes[p.folder] ** -0.5 for p, _ in items])
    return Utterances(items, {s: tuple(i) for s, i in by_speaker.items()}, chances)


def _is_timed(entry: Entry, front: FrontEnd) -> bool:
    if front is BASE_FRONT_END:
        return bool(entry.durations)
    return bool(entry.phonemes) and len(front.chunk(entry.phonemes)) <= entry.steps


def _kind(pack: SpeechPack) -> LatentsKind:
    return kind_of(pack.folder, LATENTS, sum(entry.steps for entry in pack.entries))


def voice_mels(wavs: Sequence[Tensor], log_mel: LogMel | PromptMel) -> tuple[Tensor, Tensor]:
    """Voice samples → mel (B, 80, frames) and mask (B, 1, frames)."""
    hop = log_mel.stft.hop
    lengths = torch.tensor([len(w) // hop for w in wavs])
    longest = int(lengths.max())
    padded = torch.stack([F.pad(w, (0, longest * hop - len(w))) for w in wavs])
    mel = log_mel(padded)[..., :-1]
    mask = length_mask(lengths, longest)
    return mel * mask, mask


@dataclass(frozen=True)
class TextBatch:
    """Whole utterances: tokens and durations (B, P), n_tokens and n_steps (B,), vec (B, D, T),
    f0 (B, 4T). Durations are zero where the packs have none."""

    tokens: Tensor
    n_tokens: Tensor
    durations: Tensor
    vec: Tensor
    f0: Tensor
    n_steps: Tensor


def text_batch(
    items: Sequence[tuple[SpeechPack, Entry]], width: int, front: FrontEnd = BASE_FRONT_END
) -> TextBatch:
    """Pad whole utterances into one batch, their phonemes as `front` shows them to the model.

    Raises InputError where a pack's latents are not `width` channels wide.
    """
    for pack in {id(pack): pack for pack, _ in items}.values():
        check_width(pack.folder / LATENTS, _kind(pack), width)
    tokens = [torch.tensor(front.ids(front.chunk(e.phonemes))) for _, e in items]
    longest, steps = max(map(len, tokens)), max(e.steps for _, e in items)

    def pad(x: Tensor, n: int) -> Tensor:
        return F.pad(x, (0, n - x.shape[-1]))

    return TextBatch(
        torch.stack([pad(t, longest) for t in tokens]),
        torch.tensor([len(t) for t in tokens]),
        torch.stack([pad(torch.tensor(e.durations).long(), longest) for _, e in items]),
        torch.stack([pad(p.rows(LATENTS, width, e).T, steps) for p, e in items]),
        torch.stack([pad(p.f0(e), steps * F0_PER_STEP) for p, e in items]),
        torch.tensor([e.steps for _, e in items]),
    )


def write_latents(
    model: SpeechToLatents, packs: Sequence[Path], name: str = BASE, progress: Progress = silent
) -> None:
    """Add `latents.f16` to packs; `name` says whose latents they are."""
    model.eval()
    is_half = not model.hears_samples  # HierSpeech++ was trained on full precision
    for folder in packs:
        pack = SpeechPack(folder)
        temporary = folder / "latents.tmp"
        with temporary.open("wb") as file, torch.autocast("cpu", torch.bfloat16, is_half):
            for entry in progress(pack.entries, f"latents {folder.name}", len(pack.entries)):
                vec = model.listen(pack.audio(entry))
                file.write(vec.half().numpy().tobytes())
        remember(folder, LATENTS, LatentsKind(name, model.config.channels))
        temporary.replace(folder / LATENTS)


def set_scale(model: SpeechToLatents, packs: Sequence[Path], per_pack: int = 60) -> None:
    """Standardise the latents per channel over a sample of every pack."""
    model.eval()
    model.mean.zero_()
    model.std.fill_(1)
    opened = [SpeechPack(p) for p in packs]
    rows = [model.listen(p.audio(e)) for p in opened for e in p.entries[:per_pack]]
    joined = torch.cat(rows)
    model.mean.copy_(joined.mean(0))
    model.std.copy_(joined.std(0))
