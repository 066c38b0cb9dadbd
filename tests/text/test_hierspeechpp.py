"""The text front end of the published HierSpeech++ weights: their phonemes, whatever the text."""

import json
import sys
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avdub.errors import InputError, WeightsError
from avdub.text import OFFICIAL, espeak, hierspeechpp

PARITY = Path(__file__).parents[3] / "shared" / "hierspeechpp" / "text_parity.json"
needs_parity = pytest.mark.skipif(
    not PARITY.is_file(), reason="needs ../shared/hierspeechpp/text_parity.json"
)


def phonemize(text: str, language: str = "en") -> str:
    return OFFICIAL.phonemize(text, language)


def as_read_here(phonemes: str) -> str:
    """What is expected of espeak-ng 1.51; where there is no wheel of it, 1.52 says ɔːɹ for oːɹ."""
    return phonemes if is_1_51() else phonemes.replace("oːɹ", "ɔːɹ")


@cache
def is_1_51() -> bool:
    phonemize("Which library is it?")  # chosen by now
    return bool(espeak.EspeakWrapper().version < (1, 52))


@pytest.mark.parametrize(
    ("text", "phonemes"),
    [
        ("The ferry leaves at six.", "ðə fˈɛɹi lˈiːvz æt sˈɪks."),
        ("More of it? Before four!", "mˈoːɹ ʌv ɪt? bᵻfˌoːɹ fˈoːɹ!"),
        ("Dr. Lee owes 1,200 dollars.", "dˈɑːktɚ lˈiː ˈoʊz wˈʌn θˈaʊzənd tˈuːhˈʌndɹɪd dˈɑːlɚz."),
    ],
)
def test_sentences_become_the_phonemes_the_weights_know(text: str, phonemes: str) -> None:
    assert phonemize(text) == as_read_here(phonemes)


@needs_parity
def test_the_symbols_are_the_official_ones_in_their_order() -> None:
    assert list(OFFICIAL.symbols) == json.loads(PARITY.read_text("utf-8"))["symbols"]


@needs_parity
@pytest.mark.parametrize("n", range(7))
def test_tokens_equal_those_of_the_official_code(n: int) -> None:
    case = json.loads(PARITY.read_text("utf-8"))["cases"][n]
    said = phonemize(case["text"])
    assert said == as_read_here(case["phonemes"])
    if said == case["phonemes"]:
        assert OFFICIAL.ids(said) == case["ids"]


def test_there_are_178_symbols_and_the_blank_is_the_first() -> None:
    assert len(OFFICIAL.symbols) == 178
    assert OFFICIAL.ids("_") == [0]


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Mr. and Mrs. Fox", "mister and misess fox"),
        ("DR. JONES JR.", "doctor jones junior"),
        ("amazon.co.uk and a duct. Most.", "amazon.co.uk and a duct. most."),
        ("the Co. of Lt. Col. St. John", "the company of lieutenant colonel saint john"),
        ("Café  naïve\n“résumé”…", 'cafe naive "resume"...'),
        ("♪ {la} <i>la</i> ♪", "la i la /i"),
        ("£5, €6, 7°", "pound 5, euro 6, 7 degrees"),
    ],
)
def test_text_is_prepared_as_in_training(text: str, clean: str) -> None:
    assert hierspeechpp.clean(text) == clean


@pytest.mark.parametrize(
    "text", ["", " ", "...", "…", "♪ ♪", "— —", "?!", "()", "'", "😀", "\u200b"]
)
def test_text_without_a_sound_has_no_phonemes(text: str) -> None:
    assert phonemize(text) == ""


def test_brackets_are_left_out() -> None:
    assert phonemize("Yes (no) [yes] {no} yes.") == phonemize("Yes no yes no yes.")


@settings(max_examples=200)
@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_whatever_the_text_every_phoneme_has_a_token(text: str) -> None:
    said = phonemize(text)
    assert all(0 < token < 178 for token in OFFICIAL.ids(said))
    assert said == said.strip()


@settings(max_examples=200)
@given(st.text("ab7 .,-'\"()[]«»%$&@/\\:;!?…—\n", max_size=40))
def test_whatever_the_punctuation_nothing_said_is_lost(text: str) -> None:
    assert bool(phonemize(text)) == any(c in "ab7%$&@/\\" for c in text)


def test_plain_english_is_american_and_british_differs() -> None:
    assert phonemize("bath", "en") == phonemize("bath", "en-US") == "bˈæθ"
    assert phonemize("bath", "en-gb") != phonemize("bath", "en-us")


@pytest.mark.parametrize("language", ["de", "xx", ""])
def test_other_languages_are_refused_and_the_known_ones_listed(language: str) -> None:
    with pytest.raises(InputError, match="no text front end") as caught:
        phonemize("Guten Tag", language)
    assert "en-us" in caught.value.hint


@pytest.mark.parametrize("package", ["phonemizer", "unidecode"])
def test_a_missing_package_is_named_with_what_to_install(
    package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(sys.modules, "avdub.text.espeak", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        WeightsError, match=f"HierSpeech.. text front end needs {package}"
    ) as caught:
        phonemize("Hello.")
    assert "pip install 'avdub[hierspeechpp]'" in caught.value.hint
