"""Words compared as a listener would: case, punctuation, numerals and spelling do not count."""

import re
from dataclasses import dataclass

from avdub.evaluation.english import read_english
from avdub.evaluation.lattice import (
    Written,
    distance,
    nearest,
    usual,
    word_lattice,
)
from avdub.evaluation.spanish import read_spanish


def words_of(text: str, language: str = "en") -> list[str]:
    """`text` as plain lower-case words as they are usually read: numerals spelled out."""
    return usual(_read(text, language))


@dataclass(frozen=True)
class Errors:
    """What was wanted in words and characters, and the errors in each. Blanks are no characters."""

    words: int
    word_errors: int
    characters: int
    character_errors: int


def compare(said: str, heard: str, language: str = "en") -> Errors:
    """Substitutions, insertions and deletions that make `heard` of `said`.

    Of what can be read in several ways ("1984"), the readings nearest to each other count.
    """
    wanted, got = _read(said, language), _read(heard, language)
    ours, theirs, errors = nearest(
        word_lattice(wanted, frozenset(usual(got))), word_lattice(got, frozenset(usual(wanted)))
    )
    a, b = "".join(ours), "".join(theirs)
    return Errors(len(ours), errors, len(a), distance(a, b))


def _read(text: str, language: str) -> list[Written]:
    match language.lower().split("-")[0]:
        case "en":
            return read_english(text)
        case "es":
            return read_spanish(text)
    return [((word,),) for word in re.findall(r"[^\W_]+", text.lower())]
