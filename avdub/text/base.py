"""How our own `base` family reads text: its symbols, and its phonemes for every language.

English is read by hibari's G2P, Spanish by rules of our own. Both follow misaki's conventions:
diphthongs are single letters A I O W Y.
"""

from collections.abc import Callable
from functools import cache

from avdub.text.plain import check_language, normalize
from avdub.text.spanish import to_phonemes
from avdub.text.spanish_words import to_words

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


def phonemize(text: str, language: str = "en") -> str:
    """One line of text → phoneme symbols, all of them in `SYMBOLS`; "" where nothing has a sound.

    Raises InputError for a language without a front end.
    """
    language, text = check_language(language), normalize(text)
    if language.startswith("es"):
        from_america = language in ("es-419", "es-mx")
        phonemes = to_phonemes(to_words(text, from_america), from_america)
    else:
        phonemes = _g2p(language == "en-gb")(text)
    said = "".join(c for c in phonemes if c in SYMBOL_IDS).strip()
    return said if SOUNDS.intersection(said) else ""


def tokenize(phonemes: str) -> list[int]:
    """Symbol ids with a silent edge on both sides."""
    return [SYMBOL_IDS[EDGE], *(SYMBOL_IDS[c] for c in phonemes), SYMBOL_IDS[EDGE]]


@cache
def _g2p(british: bool) -> Callable[[str], str]:
    from hibari.g2p import G2P

    g2p: Callable[[str], str] = G2P(british=british)
    return g2p
