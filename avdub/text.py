"""Text to phonemes to tokens, per language; the vocabulary.

English goes through hibari's G2P (misaki conventions: diphthongs are single letters A I O W Y).
"""

import re
from collections.abc import Callable
from functools import cache

from avdub.errors import InputError

PAD = "_"
EDGE = "#"  # silence at either end
PUNCTUATION = ";:,.!?—…\"()“” "
LETTERS = "AIOQSTWYabcdefhijklmnopqrstuvwxyz"
IPA = "ɑɐɒæβɔɕçɖðʤəɚɛɜɟɡɥɨɪʝɯɰŋɳɲɴøɸθœɹɾɻʁɽʂʃʈʧʊʋʌɣɤχʎʒʔʣʥʦʨᵊᵝᵻꭧ"
MARKS = "ˈˌːʰʲ̃↓→↗↘"
SYMBOLS: tuple[str, ...] = (PAD, EDGE, *PUNCTUATION, *LETTERS, *IPA, *MARKS)
SYMBOL_IDS = {symbol: i for i, symbol in enumerate(SYMBOLS)}
PAUSES = frozenset(PUNCTUATION + EDGE)
VOWELS = frozenset("AIOQWYaeiouæɑɐɒɔəɚɛɜɨɪɯøœʊʌɤᵊᵻ")
BILABIALS = frozenset("pbm")
LANGUAGES = ("en", "en-us", "en-gb")


def phonemize(text: str, language: str = "en") -> str:
    """One line of text → phoneme symbols, every one of them in `SYMBOLS`.

    Raises InputError for a language without a front end.
    """
    if language.lower() not in LANGUAGES:
        listed = ", ".join(LANGUAGES)
        raise InputError(f"no text front end for language {language!r}", f"use one of {listed}")
    phonemes = _g2p(language.lower() == "en-gb")(normalize(text))
    return "".join(c for c in phonemes if c in SYMBOL_IDS).strip()


def normalize(text: str) -> str:
    """One line, plain quotes and dashes, no control characters or subtitle marks."""
    text = re.sub(r"[\x00-\x1f\x7f\u200b-\u200f\ufeff]+", " ", text)
    text = re.sub(r"[♪♫#*_~|<>{}\[\]]+", " ", text).replace("’", "'").replace("‘", "'")
    return re.sub(r"\s+", " ", text).strip()


def tokenize(phonemes: str) -> list[int]:
    """Symbol ids with a silent edge on both sides."""
    return [SYMBOL_IDS[EDGE], *(SYMBOL_IDS[c] for c in phonemes), SYMBOL_IDS[EDGE]]


@cache
def _g2p(british: bool) -> Callable[[str], str]:
    from hibari.g2p import G2P

    g2p: Callable[[str], str] = G2P(british=british)
    return g2p
