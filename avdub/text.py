"""Text to phonemes to tokens, per language; the vocabulary.

English goes through hibari's G2P (misaki conventions: diphthongs are single letters A I O W Y).
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

from avdub.errors import InputError

PAD = "_"
EDGE = "#"  # silence at either end
PUNCTUATION = ';:,.!?—…"()“” '
LETTERS = "AIOQSTWYabcdefhijklmnopqrstuvwxyz"
IPA = "ɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔʣʥʦʨᵊᵝᵻꭧ"
MARKS = "ˈˌːʰʲ̃↓→↗↘"
SYMBOLS: tuple[str, ...] = (PAD, EDGE, *PUNCTUATION, *LETTERS, *IPA, *MARKS)
SYMBOL_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS)}
PAUSES = frozenset(PUNCTUATION + EDGE)
SOUNDS = frozenset(LETTERS + IPA)
VOWELS = frozenset("AIOQWYaeiouæɑɐɒɔəɚɛɜɨɪɯøœʊʌɤᵊᵻ")
BILABIALS = frozenset("pbm")
LANGUAGES = ("en", "en-us", "en-gb")


def phonemize(text: str, language: str = "en") -> str:
    """One line of text → phoneme symbols, all of them in `SYMBOLS`; "" where nothing has a sound.

    Raises InputError for a language without a front end.
    """
    if language.lower() not in LANGUAGES:
        listed = ", ".join(LANGUAGES)
        raise InputError(f"no text front end for language {language!r}", f"use one of {listed}")
    phonemes = _g2p(language.lower() == "en-gb")(normalize(text))
    said = "".join(c for c in phonemes if c in SYMBOL_IDS).strip()
    return said if SOUNDS.intersection(said) else ""


def normalize(text: str) -> str:
    """One line, plain quotes and digits, no control characters or subtitle marks."""
    text = "".join(_plain_digits(c) if c.isnumeric() else c for c in text)
    text = re.sub(r"[\x00-\x1f\x7f\u200b-\u200f\ufeff]+", " ", text)
    text = re.sub(r"[♪♫#*_~|<>{}\[\]]+", " ", text).replace("’", "'").replace("‘", "'")
    return re.sub(r"\s+", " ", text).strip()


def _plain_digits(c: str) -> str:
    """² as 2, ½ as 1/2; numerals of other scripts are left out, the G2P fails on them."""
    plain = unicodedata.normalize("NFKC", c).replace("⁄", "/")
    return plain if plain.isascii() else ""


def tokenize(phonemes: str) -> list[int]:
    """Symbol ids with a silent edge on both sides."""
    return [SYMBOL_IDS[EDGE], *(SYMBOL_IDS[c] for c in phonemes), SYMBOL_IDS[EDGE]]


@cache
def _g2p(british: bool) -> Callable[[str], str]:
    from hibari.g2p import G2P

    g2p: Callable[[str], str] = G2P(british=british)
    return g2p
