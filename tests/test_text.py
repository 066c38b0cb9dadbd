"""Text to phonemes to tokens."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avdub.errors import InputError
from avdub.text import (
    EDGE,
    PAD,
    PAUSES,
    SYMBOL_IDS,
    SYMBOLS,
    VOWELS,
    normalize,
    phonemize,
    tokenize,
)


def test_english_words_become_phonemes() -> None:
    assert phonemize("Hello, world!") == "həlˈO, wˈɜɹld!"


def test_british_and_american_differ() -> None:
    assert phonemize("bath", "en-gb") != phonemize("bath", "en-us")


def test_plain_english_is_american() -> None:
    assert phonemize("bath", "en") == phonemize("bath", "en-US")


def test_numbers_are_read_out() -> None:
    assert phonemize("12 dogs & 3%") == phonemize("twelve dogs and three percent")


@pytest.mark.parametrize("text", ["", " ", "...", "…", "♪ ♪", "— —", "?!", "你好", "😀", "\u200b"])
def test_text_without_a_sound_has_no_phonemes(text: str) -> None:
    assert phonemize(text) == ""


@settings(max_examples=60)
@given(st.text(max_size=40))
def test_whatever_the_text_every_phoneme_has_a_token(text: str) -> None:
    said = phonemize(text)
    assert all(0 <= token < len(SYMBOLS) for token in tokenize(said))
    assert said == said.strip()


def test_raised_digits_are_read_like_others() -> None:
    assert phonemize("10 m²") == phonemize("10 m2")


@pytest.mark.parametrize("language", ["de", "xx", ""])
def test_other_languages_are_refused_and_the_known_ones_listed(language: str) -> None:
    with pytest.raises(InputError, match="no text front end") as caught:
        phonemize("Guten Tag", language)
    assert {"en-us", "es-419"} <= set(caught.value.hint.replace(",", "").split())


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("  a \n b\t", "a b"),
        ("♪ la la ♪", "la la"),
        ("it’s", "it's"),
        ("{\\an8}*hi*", "\\an8 hi"),
        ("a\u200b\ufeffb", "a b"),
        ("½ of 10³", "1/2 of 103"),
    ],
)
def test_text_is_made_plain(text: str, plain: str) -> None:
    assert normalize(text) == plain


def test_tokens_begin_and_end_with_silence() -> None:
    edge = SYMBOL_IDS[EDGE]
    assert tokenize("ab") == [edge, SYMBOL_IDS["a"], SYMBOL_IDS["b"], edge]


def test_symbols_are_told_apart() -> None:
    assert len(set(SYMBOLS)) == len(SYMBOLS)
    assert all(len(symbol) == 1 for symbol in SYMBOLS)


def test_padding_is_token_zero() -> None:
    assert SYMBOL_IDS[PAD] == 0


def test_vowels_and_pauses_are_symbols_of_their_own() -> None:
    assert set(SYMBOLS) >= VOWELS | PAUSES
    assert not VOWELS & PAUSES
