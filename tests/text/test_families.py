"""Front ends: what the text models of both families see."""

import pickle

import pytest

from avdub.errors import WeightsError
from avdub.text import BASE, EDGE, OFFICIAL, FrontEnd, Kind, front_end, phonemize, tokenize

BOTH = pytest.mark.parametrize("family", [BASE, OFFICIAL], ids=lambda f: f.name)


def test_front_ends_are_known_by_name() -> None:
    assert front_end("base") is BASE
    assert front_end("hierspeechpp") is OFFICIAL


def test_other_names_are_refused_and_the_known_ones_listed() -> None:
    with pytest.raises(WeightsError, match="'klingon'") as caught:
        front_end("klingon")
    assert "base, hierspeechpp" in caught.value.hint


def test_the_base_front_end_reads_as_the_module_does() -> None:
    said = BASE.phonemize("Hello, world!", "en-us")
    assert said == phonemize("Hello, world!") == "həlˈO, wˈɜɹld!"
    assert BASE.ids(BASE.chunk(said)) == tokenize(said)
    assert BASE.chunk("ab") == EDGE + "ab" + EDGE


def test_the_official_model_sees_a_blank_before_between_and_after_all_symbols() -> None:
    assert OFFICIAL.chunk("ab.") == "_a_b_._"
    ids = OFFICIAL.ids(OFFICIAL.chunk("ab."))
    assert ids[::2] == [0, 0, 0, 0]
    assert ids[1::2] == OFFICIAL.ids("ab.")


def test_of_a_symbol_listed_twice_the_later_place_counts() -> None:
    assert [i for i, symbol in enumerate(OFFICIAL.symbols) if symbol == "'"] == [174, 176]
    assert OFFICIAL.ids("'") == [176]


@BOTH
def test_every_symbol_has_an_id_and_is_one_token(family: FrontEnd) -> None:
    assert all(len(symbol) == 1 for symbol in family.symbols)
    assert all(0 <= i < len(family.symbols) for i in family.ids("".join(family.symbols)))


@BOTH
def test_pauses_and_vowels_are_symbols_of_their_own(family: FrontEnd) -> None:
    assert set(family.symbols) >= family.pauses | family.vowels
    assert not family.pauses & family.vowels


def test_base_symbols_are_pauses_vowels_and_others() -> None:
    assert BASE.kinds("#tO #") == [Kind.PAUSE, Kind.OTHER, Kind.VOWEL, Kind.PAUSE, Kind.PAUSE]


def test_a_blank_is_what_the_symbol_before_it_is_and_the_edges_are_pauses() -> None:
    kinds = OFFICIAL.kinds(OFFICIAL.chunk("tɑː,s"))
    said = [Kind.OTHER, Kind.VOWEL, Kind.VOWEL, Kind.PAUSE, Kind.OTHER]
    assert kinds[1::2] == said
    assert kinds[2:-1:2] == said[:-1]
    assert kinds[0] == kinds[-1] == Kind.PAUSE


@BOTH
def test_front_ends_travel_between_processes(family: FrontEnd) -> None:
    family.ids("a")
    assert pickle.loads(pickle.dumps(family)) == family
