"""How the published HierSpeech++ weights read text: VITS' symbols, phonemes by espeak-ng 1.51.

The weights know a symbol by its place in the list and a word by the phonemes they were trained
with, so the text is prepared as theirs was: in ASCII, in lower case, with these abbreviations.
"""

import re

from avdub.errors import InputError, WeightsError
from avdub.text.plain import check_language, normalize

BLANK = "_"  # token 0: around every symbol
PUNCTUATION = ';:,.!?¡¿—…"«»“” '
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
IPA = "ɑɐɒæɓʙβɔɕçɗɖðʤəɘɚɛɜɝɞɟʄɡɠɢʛɦɧħɥʜɨɪʝɭɬɫɮʟɱɯɰŋɳɲɴøɵɸθœɶʘɹɺɾɻʀʁɽʂʃʈʧʉʊʋⱱʌɣɤʍχʎʏʑʐʒʔʡʕʢǀǁǂǃ"
MARKS = "ˈˌːˑʼʴʰʱʲʷˠˤ˞↓↑→↗↘'̩'"  # the apostrophe is there twice; the later place is the one in use
SYMBOLS: tuple[str, ...] = (BLANK, *PUNCTUATION, *LETTERS, *IPA, *MARKS, "ᵻ")
PAUSES = frozenset(PUNCTUATION + BLANK)
VOWELS = frozenset("aeiouyæɑɐɒɔəɘɚɛɜɝɞɨɪɯøɵœɶʉʊʌɤʏᵻːˑ˞")  # with what makes them long or rhotic
VOICES = {"en": "en-us", "en-us": "en-us", "en-gb": "en-gb"}

_SOUNDS = frozenset(LETTERS + IPA + "ᵻ")
_SAYABLE = frozenset(SYMBOLS) - {BLANK}
_UNITS = str.maketrans({"€": " euro ", "£": " pound ", "°": " degrees "})  # Unidecode: EUR, PS, deg
_ABBREVIATIONS = {
    "mrs": "misess",  # so spelled in training, and what it sounds like was learned from that
    "mr": "mister",
    "dr": "doctor",
    "st": "saint",
    "co": "company",
    "jr": "junior",
    "maj": "major",
    "gen": "general",
    "drs": "doctors",
    "rev": "reverend",
    "lt": "lieutenant",
    "hon": "honorable",
    "sgt": "sergeant",
    "capt": "captain",
    "esq": "esquire",
    "ltd": "limited",
    "col": "colonel",
    "ft": "fort",
}
_ABBREVIATED = re.compile(rf"\b({'|'.join(_ABBREVIATIONS)})\.(?!\w)")


def phonemize(text: str, language: str = "en") -> str:
    """One line of text → phoneme symbols, all of them in `SYMBOLS`; "" where nothing has a sound.

    Raises InputError for a language without a front end, WeightsError where the packages that
    read text for this family are missing.
    """
    voice = VOICES.get(check_language(language))
    if voice is None:
        raise InputError(
            f"the HierSpeech++ weights read English, not {language!r}",
            f"use --model base, or one of {', '.join(VOICES)}",
        )
    try:
        from avdub.text.espeak import to_ipa

        plain = clean(text)
    except ImportError as error:
        raise WeightsError(
            f"the HierSpeech++ text front end needs {error.name}",
            "run `pip install 'avdub[hierspeechpp]'`",
        ) from error
    said = "".join(c for c in to_ipa(plain, voice) if c in _SAYABLE).strip()
    return said if _SOUNDS.intersection(said) else ""


def clean(text: str) -> str:
    """The words as they were in training: ASCII, lower case, abbreviations written out."""
    from unidecode import unidecode

    text = re.sub("[\ud800-\udfff]", " ", text.translate(_UNITS))  # Unidecode warns of halves
    text = normalize(unidecode(text)).lower()
    return _ABBREVIATED.sub(lambda found: _ABBREVIATIONS[found[1]], text)
