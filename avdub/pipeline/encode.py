"""Job to latents, fitted to its slot: the only place where timing is decided.

Natural length if it fits, else predicted durations scaled within a set range, pauses and vowels
more than consonants; beyond the range the line is reported, never garbled. After this nothing may
change time.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import pairwise

import torch
from torch import Tensor

from avdub.latents import Latents
from avdub.models.text_to_latents import TextToLatents
from avdub.text import BASE, FrontEnd, Kind
from avdub.text.reading import STRESS, Break, Reading
from avdub.timeline import STEP_RATE

LONGEST_CHUNK = 180  # phonemes the text model sees at once; blanks between them do not count
START_STEPS, END_STEPS = 2, 3  # silence kept before and after a tight line, at most
GIVES = {Kind.PAUSE: 1.0, Kind.VOWEL: 0.9, Kind.OTHER: 0.55}  # how much each yields when scaled
LEAST = 0.35  # no symbol shrinks below this share of itself while the slot allows it
EMPHASIS = 1.2  # how much longer the vowels of an emphasised word are
LEAST_PAUSES = {Break.ELLIPSIS: 17.5, Break.DASH: 11.0}  # steps; predicted are about three
SENTENCE_ENDS = ".!?…"
# Families whose voices, as measured, say a question and an exclamation like a statement.
FLAT_FAMILIES = frozenset({"base"})


class Asked(Enum):
    """What a stretch of a line asks of the voice, beyond what the text model makes of it."""

    EMPHASIS = auto()  # of a word
    RISE = auto()  # at the end of a question
    LIVELINESS = auto()  # of an exclamation


@dataclass(frozen=True)
class Accent:
    """A stretch from `start` to `end` that is strongest at `peak`, in steps of a fitted line."""

    asked: Asked
    start: float
    peak: float
    end: float


@dataclass(frozen=True)
class Line:
    """A text ready to be spoken: symbols in chunks and their predicted steps, fractional.

    `emphasis` has the spans of emphasised words among all symbols, `rises` the places of question
    marks before which the voice rises.
    """

    chunks: tuple[str, ...]
    durations: Tensor  # (P,) over all chunks' symbols
    front_end: FrontEnd = BASE
    emphasis: tuple[tuple[int, int], ...] = ()
    rises: tuple[int, ...] = ()

    @property
    def symbols(self) -> str:
        return "".join(self.chunks)

    @property
    def natural_steps(self) -> float:
        """Length from the first sound to the last, with the short silences kept around them."""
        first, last = self.durations[0], self.durations[-1]
        inner = float(self.durations.sum() - first - last)
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
    model: TextToLatents,
    reading: Reading | str,
    style: Tensor,
    front_end: FrontEnd = BASE,
    pace: float = 1.0,
) -> Line:
    """Predict how long each symbol of a reading (or of mere phonemes) takes in this voice.

    At pace 2 a line naturally lasts half as long, consonants giving way less than the rest.
    """
    reading = Reading(reading) if isinstance(reading, str) else reading
    chunks = split_phonemes(reading.phonemes, front_end)
    steps = torch.cat([model.predict_durations(_ids(front_end, c), style) for c in chunks]).double()
    places = _places(reading.phonemes, chunks, front_end)
    emphasis = tuple((places[first], places[last - 1] + 1) for first, last in reading.emphasis)
    line = Line(tuple(chunks), steps, front_end, emphasis, tuple(places[n] for n in reading.rises))
    breaks = {places[n]: LEAST_PAUSES[kind] for n, kind in reading.breaks}
    steps = _paused(line, _lengthened(line), breaks)
    if pace != 1:
        inner = steps[1:-1]
        steps[1:-1] = _scaled(inner, _gives(line)[1:-1], float(inner.sum()) / pace)
    return replace(line, durations=steps.float())


def _places(phonemes: str, chunks: Sequence[str], front_end: FrontEnd) -> list[int]:
    """Where among the symbols of all chunks each phoneme went; a space that was cut away, where
    the next phoneme went."""
    own = [n for n, symbol in _own_symbols(chunks, front_end)]
    symbols = "".join(symbol for _, symbol in _own_symbols(chunks, front_end))
    places, at = [], 0
    for phoneme in phonemes:
        places.append(own[min(at, len(own) - 1)])
        at += at < len(symbols) and symbols[at] == phoneme
    return places


def _own_symbols(chunks: Sequence[str], front_end: FrontEnd) -> Iterator[tuple[int, str]]:
    """The phonemes among the symbols, without edges and blanks, and their places."""
    start = 0
    for chunk in chunks:
        stride = 2 if front_end.blank else 1
        for n in range(1, len(chunk) - 1, stride):
            yield start + n, chunk[n]
        start += len(chunk)


def _lengthened(line: Line) -> Tensor:
    """The line's durations with longer vowels in emphasised words."""
    durations, kinds = line.durations.clone(), _kinds(line)
    for first, last in line.emphasis:
        for n in range(first, last):
            durations[n] *= EMPHASIS if kinds[n] is Kind.VOWEL else 1
    return durations


def _paused(line: Line, durations: Tensor, breaks: dict[int, float]) -> Tensor:
    """Durations whose pauses at the places of `breaks` last at least so many steps."""
    sounding = [n for n, kind in enumerate(_kinds(line)) if kind is not Kind.PAUSE]
    for before, after in pairwise(sounding):
        inside = range(before + 1, after)
        least = max((steps for place, steps in breaks.items() if place in inside), default=0.0)
        now = float(durations[before + 1 : after].sum())
        if 0 < now < least:
            durations[before + 1 : after] *= least / now
    return durations


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


def accents(line: Line, fit: Fit) -> list[Accent]:
    """What the line asks of the voice, at the times at which its sounds are heard."""
    ends: list[float] = fit.steps.cumsum(0).tolist()
    starts: list[float] = (torch.tensor(ends) - fit.steps).tolist()
    symbols, found = line.symbols, []

    def nucleus(first: int, last: int, on: int) -> float:
        """The middle of the first (on=1) or last stressed vowel."""
        stresses = [n for n in range(first, last) if symbols[n] == STRESS] or [first]
        inside = range(stresses[0 if on > 0 else -1], last)
        vowel = next((n for n in inside if symbols[n] in line.front_end.vowels), inside[0])
        return (starts[vowel] + ends[vowel]) / 2

    for first, last in line.emphasis:
        peak = nucleus(first, last, 1)
        found.append(Accent(Asked.EMPHASIS, starts[first], peak, ends[last - 1]))
    if line.front_end.name not in FLAT_FAMILIES:
        return found
    begun = 0
    for n, symbol in enumerate(symbols):
        if symbol in SENTENCE_ENDS:
            if n in line.rises:
                found.append(Accent(Asked.RISE, nucleus(begun, n, -1), starts[n], starts[n]))
            elif symbol == "!" and n > begun:
                middle = (starts[begun] + starts[n]) / 2
                found.append(Accent(Asked.LIVELINESS, starts[begun], middle, starts[n]))
            begun = n + 1
    return found


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
    return torch.tensor([GIVES[kind] for kind in _kinds(line)], dtype=torch.float64)


def _kinds(line: Line) -> list[Kind]:
    return [kind for chunk in line.chunks for kind in line.front_end.kinds(chunk)]


def _ids(front_end: FrontEnd, chunk: str) -> Tensor:
    return torch.tensor(front_end.ids(chunk))
