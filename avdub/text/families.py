"""FrontEnd: how a model family reads text. One for our own weights, one for HierSpeech++'s."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from avdub.errors import WeightsError
from avdub.text import base, hierspeechpp


class Kind(Enum):
    """What a symbol is when it comes to timing."""

    PAUSE = auto()
    VOWEL = auto()
    OTHER = auto()


@dataclass(frozen=True)
class FrontEnd:
    """How a model family reads text: its phonemes, and the symbols its text model sees.

    `phonemize` takes a line and a language. `edge` begins and ends what the model sees, `blank` is
    between all its symbols.
    """

    name: str
    symbols: tuple[str, ...]
    pauses: frozenset[str]
    vowels: frozenset[str]
    edge: str
    blank: str
    phonemize: Callable[[str, str], str]

    def chunk(self, phonemes: str) -> str:
        """One stretch as the model sees it, a token each character."""
        return self.edge + self.blank.join(phonemes) + self.edge

    def ids(self, symbols: str) -> list[int]:
        """Their tokens; where the list has a symbol twice, the later place."""
        return [self._ids[symbol] for symbol in symbols]

    def kinds(self, chunk: str) -> list[Kind]:
        """What each symbol of a chunk is. A blank between two is what the one before it is."""
        kinds: list[Kind] = []
        for n, symbol in enumerate(chunk):
            is_between = symbol == self.blank and 0 < n < len(chunk) - 1
            kinds.append(kinds[-1] if is_between else self._kind(symbol))
        return kinds

    def _kind(self, symbol: str) -> Kind:
        if symbol in self.pauses:
            return Kind.PAUSE
        return Kind.VOWEL if symbol in self.vowels else Kind.OTHER

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {symbol: i for i, symbol in enumerate(self.symbols)}


BASE = FrontEnd("base", base.SYMBOLS, base.PAUSES, base.VOWELS, base.EDGE, "", base.phonemize)
OFFICIAL = FrontEnd(
    "hierspeechpp",
    hierspeechpp.SYMBOLS,
    hierspeechpp.PAUSES,
    hierspeechpp.VOWELS,
    hierspeechpp.BLANK,
    hierspeechpp.BLANK,
    hierspeechpp.phonemize,
)


def front_end(name: str) -> FrontEnd:
    """The front end called "base" or "hierspeechpp". Raises WeightsError for any other name."""
    known = {family.name: family for family in (BASE, OFFICIAL)}
    if name not in known:
        raise WeightsError(
            f"the weights want a text front end {name!r}, which avdub does not have",
            f"use weights made for one of {', '.join(known)}",
        )
    return known[name]
