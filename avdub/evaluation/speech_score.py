"""What the judges said of lines, and the figures of a voice that follow from it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np

from avdub.evaluation.similarity import Likeness

CLOSE = 0.05  # a natural length this share from a slot's needs no fitting that anybody hears


@dataclass(frozen=True)
class Slot:
    """A subtitle's slot, the line's natural length, and whether that was too long to be spoken."""

    slot_s: float
    natural_s: float
    too_long: bool = False

    @property
    def rate(self) -> float:
        """How much faster than naturally the line must be spoken to fill the slot."""
        return self.natural_s / self.slot_s


@dataclass(frozen=True)
class LineScore:
    """One line: its words and characters, the errors in them, what was heard, and measures.

    wer is errors over words, cer the same of characters; spoken_s goes from the first sound to the
    last. None is what could not be measured: miss_ms where no length was asked for, similarity
    without a reference, p808 where nothing was spoken (`problem` says why).
    """

    voice: str
    text: str
    heard: str
    words: int
    errors: int
    characters: int
    character_errors: int
    p808: float | None
    seconds: float
    spoken_s: float
    similarity: float | None = None
    miss_ms: float | None = None
    slot: Slot | None = None
    problem: str = ""

    @property
    def wer(self) -> float:
        return self.errors / max(self.words, 1)

    @property
    def cer(self) -> float:
        return self.character_errors / max(self.characters, 1)


@dataclass(frozen=True)
class Figures:
    """What is told of a voice, or of several; None where it was not measured.

    Shares are of lines: in_slot have a natural length within CLOSE of their slot, unhurried one no
    longer than it, too_long none that --max-rate brings into it. rate is the mean over lines of
    how much faster than naturally they must be (1 where they fit).
    """

    wer: float | None = None
    cer: float | None = None
    p808: float | None = None
    p808_lowest: float | None = None
    words_per_s: float | None = None
    f0_p5_hz: float | None = None
    f0_p50_hz: float | None = None
    f0_p95_hz: float | None = None
    f0_semitones: float | None = None  # from the 5th to the 95th percentile
    similarity: float | None = None
    ceiling: float | None = None
    floor: float | None = None
    identified: float | None = None
    in_slot: float | None = None
    unhurried: float | None = None
    rate: float | None = None
    too_long: float | None = None
    miss_ms: float | None = None


@dataclass(frozen=True)
class VoiceScore:
    """The lines of one voice, the 5th, 50th and 95th percentile of its F0, and its likeness."""

    voice: str
    lines: tuple[LineScore, ...]
    f0_hz: tuple[float, float, float] | None = None
    likeness: Likeness | None = None

    @property
    def figures(self) -> Figures:
        """wer and cer pool errors, p808 is the mean, miss_ms the largest, words_per_s pools."""
        rated = [x.p808 for x in self.lines if x.p808 is not None]
        spoken = [x for x in self.lines if x.spoken_s > 0]
        misses = [x.miss_ms for x in self.lines if x.miss_ms is not None]
        return Figures(
            wer=sum(x.errors for x in self.lines) / max(1, sum(x.words for x in self.lines)),
            cer=sum(x.character_errors for x in self.lines)
            / max(1, sum(x.characters for x in self.lines)),
            p808=float(np.mean(rated)) if rated else None,
            p808_lowest=min(rated, default=None),
            words_per_s=sum(x.words for x in spoken) / sum(x.spoken_s for x in spoken)
            if spoken
            else None,
            miss_ms=max(misses, default=None),
            **self._pitch(),
            **self._likeness(),
            **self._slots(),
        )

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        lines = [{**asdict(x), "wer": x.wer, "cer": x.cer} for x in self.lines]
        return {"voice": self.voice, **asdict(self.figures), "lines": lines}

    def _pitch(self) -> dict[str, float]:
        if self.f0_hz is None:
            return {}
        low, middle, high = self.f0_hz
        spread = 12 * float(np.log2(high / low))
        return {"f0_p5_hz": low, "f0_p50_hz": middle, "f0_p95_hz": high, "f0_semitones": spread}

    def _likeness(self) -> dict[str, float | None]:
        like = self.likeness
        if like is None:
            return {}
        return {
            "similarity": like.mean,
            "ceiling": like.ceiling,
            "floor": like.floor,
            "identified": like.identified,
        }

    def _slots(self) -> dict[str, float]:
        slots = [x.slot for x in self.lines if x.slot is not None]
        if not slots:
            return {}
        rates = np.array([slot.rate for slot in slots])
        return {
            "in_slot": float((np.abs(rates - 1) <= CLOSE).mean()),
            "unhurried": float((rates <= 1).mean()),
            "rate": float(np.maximum(rates, 1).mean()),
            "too_long": float(np.mean([slot.too_long for slot in slots])),
        }


def mean_figures(scores: Sequence[VoiceScore]) -> Figures:
    """Means over the voices that have a figure; the lowest P.808 and the largest miss of all."""
    worst = {"p808_lowest": min, "miss_ms": max}
    told: dict[str, float] = {}
    for name in (field.name for field in fields(Figures)):
        values = [v for s in scores if (v := getattr(s.figures, name)) is not None]
        if values:
            told[name] = worst[name](values) if name in worst else float(np.mean(values))
    return Figures(**told)
