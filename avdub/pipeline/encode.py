"""Job to latents, fitted to its slot: the only place where timing is decided.

Natural length if it fits, else predicted durations scaled within a set range, pauses and vowels
more than consonants; beyond the range the line is reported, never garbled. After this nothing may
change time.
"""

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from avdub.latents import Latents
from avdub.models.text_to_latents import TextToLatents
from avdub.text import BASE, FrontEnd, Kind
from avdub.timeline import STEP_RATE

LONGEST_CHUNK = 180  # phonemes the text model sees at once; blanks between them do not count
# Silence kept before and after a tight line. The sounds of the base family's teachers lead their
# labels by 75 ms, so there must be more of it before.
START_STEPS, END_STEPS = 5, 1
GIVES = {Kind.PAUSE: 1.0, Kind.VOWEL: 0.9, Kind.OTHER: 0.55}  # how much each yields when scaled
LEAST = 0.35  # no symbol shrinks below this share of itself while the slot allows it


@dataclass(frozen=True)
class Line:
    """A text ready to be spoken: symbols in chunks and their predicted steps, fractional."""

    chunks: tuple[str, ...]
    durations: Tensor  # (P,) over all chunks' symbols
    front_end: FrontEnd = BASE

    @property
    def symbols(self) -> str:
        return "".join(self.chunks)

    @property
    def natural_steps(self) -> float:
        """Length from the first sound to the last, with the short silences kept around them."""
        first, last = self.durations[0], self.durations[-1]
        inner = float(self.durations.sum() - first - last)
        if self.front_end.leads:
            return inner + START_STEPS + END_STEPS
        return inner + min(float(first), START_STEPS) + min(float(last), END_STEPS)

    @property
    def natural_s(self) -> float:
        return self.natural_steps / STEP_RATE


@dataclass(frozen=True)
class Fit:
    """Whole steps of each symbol, adding up to the slot. `rate` is natural over spoken length."""

    steps: Tensor
    rate: float


def read_line(
    model: TextToLatents, phonemes: str, style: Tensor, front_end: FrontEnd = BASE
) -> Line:
    """Predict how long each symbol of `phonemes` takes in this voice."""
    chunks = split_phonemes(phonemes, front_end)
    durations = [model.predict_durations(_ids(front_end, chunk), style) for chunk in chunks]
    return Line(tuple(chunks), torch.cat(durations), front_end)


def split_phonemes(phonemes: str, front_end: FrontEnd = BASE) -> list[str]:
    """Chunks of at most about LONGEST_CHUNK phonemes, cut at sentences, clauses or words; each
    begins and ends with silence."""
    rest, chunks = phonemes.strip(), []
    while len(rest) > LONGEST_CHUNK:
        head = rest[:LONGEST_CHUNK]
        ends = [[m.end() for m in re.finditer(kind, head)] for kind in ("[.!?…]", "[,;:—]", " ")]
        cut = next((found[-1] for found in ends if found and found[-1] > 40), LONGEST_CHUNK)
        chunks.append(rest[:cut].strip())
        rest = rest[cut:].strip()
    return [front_end.chunk(chunk) for chunk in (*chunks, rest) if chunk]


def rate_for(line: Line, slot_steps: int) -> float:
    """How much faster than natural the line must be spoken to fit (1 where it fits)."""
    return max(1.0, line.natural_steps / max(slot_steps, 1))


def fit_line(line: Line, slot_steps: int, slowest: float = 1.0) -> Fit:
    """Fill exactly `slot_steps`: compress where the line is longer, else keep it natural (or draw
    it out down to rate `slowest`) and end in silence."""
    durations = line.durations.clone().double()
    durations[0] = min(float(durations[0]), START_STEPS)
    durations[-1] = min(float(durations[-1]), END_STEPS)
    natural = float(durations.sum())
    target = min(float(slot_steps), natural / slowest)
    if natural > slot_steps or slowest < 1:
        durations = _scaled(durations, _gives(line), target)
    spoken = float(durations.sum())
    durations[-1] += slot_steps - spoken
    edges = torch.cat((torch.zeros(1, dtype=torch.float64), durations.cumsum(0)))
    edges[-1] = slot_steps
    steps = edges.round().long().diff().clamp(min=0)
    steps[-1] += slot_steps - int(steps.sum())
    return Fit(steps, natural / max(spoken, 1e-6))


def encode(model: TextToLatents, line: Line, fit: Fit, style: Tensor, seed: int) -> Latents:
    """The line's latents, exactly fit.steps.sum() long."""
    parts, at = [], 0
    for n, chunk in enumerate(line.chunks):
        steps = fit.steps[at : at + len(chunk)]
        at += len(chunk)
        if int(steps.sum()):
            parts.append(
                model.predict(
                    _ids(line.front_end, chunk), steps, style, model.config.noise, seed + n
                )
            )
    return Latents(torch.cat([p.vec for p in parts]), torch.cat([p.f0 for p in parts]))


def _scaled(durations: Tensor, gives: Tensor, target: float) -> Tensor:
    """Durations adding up to `target`, each giving way by its share `gives` (bisection)."""
    least = float(durations.sum()) * LEAST
    if target <= least:
        return durations * (LEAST * target / max(least, 1e-6))
    low, high = -1.0 / LEAST, 1.0 / min(GIVES.values())

    def at(amount: float) -> Tensor:
        return durations * (1 - amount * gives).clamp(min=LEAST)

    for _ in range(50):
        middle = (low + high) / 2
        if float(at(middle).sum()) > target:
            low = middle
        else:
            high = middle
    return at(high)


def _gives(line: Line) -> Tensor:
    kinds = [kind for chunk in line.chunks for kind in line.front_end.kinds(chunk)]
    return torch.tensor([GIVES[kind] for kind in kinds], dtype=torch.float64)


def _ids(front_end: FrontEnd, chunk: str) -> Tensor:
    return torch.tensor(front_end.ids(chunk))
