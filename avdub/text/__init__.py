"""Text to phonemes to tokens, for each model family; the vocabularies.

What is offered here without a family's name belongs to `base`, the family in the package.
"""

from avdub.text.base import (
    BILABIALS,
    EDGE,
    IPA,
    LETTERS,
    MARKS,
    PAD,
    PAUSES,
    PUNCTUATION,
    SOUNDS,
    SYMBOL_IDS,
    SYMBOLS,
    VOWELS,
    phonemize,
    tokenize,
)
from avdub.text.families import BASE, OFFICIAL, FrontEnd, Kind, front_end
from avdub.text.plain import LANGUAGES, normalize

__all__ = [
    "BASE",
    "BILABIALS",
    "EDGE",
    "IPA",
    "LANGUAGES",
    "LETTERS",
    "MARKS",
    "OFFICIAL",
    "PAD",
    "PAUSES",
    "PUNCTUATION",
    "SOUNDS",
    "SYMBOLS",
    "SYMBOL_IDS",
    "VOWELS",
    "FrontEnd",
    "Kind",
    "front_end",
    "normalize",
    "phonemize",
    "tokenize",
]
