"""Spanish words to phonemes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avdub.errors import InputError
from avdub.text import BASE, OFFICIAL, PAUSES, SYMBOL_IDS, VOWELS, phonemize
from avdub.text.spanish import to_phonemes


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [
        ("casa", "kˈasa"),
        ("queso", "kˈeso"),
        ("guitarra", "ɡitˈara"),
        ("cigüeña", "θˌiɣuˈeɲa"),
        ("gente", "xˈɛnte"),
        ("jirafa", "xiɾˈafa"),
        ("cielo", "θjˈelo"),
        ("zapato", "θapˈato"),
        ("lección", "lekθjˈon"),
        ("coche", "kˈoʧe"),
        ("calle", "kˈaʎe"),
        ("yegua", "ʝˈeɣwa"),
        ("rey", "rˈA"),
        ("muy", "mˈuj"),
        ("perro", "pˈero"),
        ("pero", "pˈeɾo"),
        ("rojo", "rˈoxo"),
        ("enredo", "enrˈeðo"),
        ("taxi", "tˈaksi"),
        ("xilófono", "silˈofono"),
        ("psicología", "sˌikoloxˈia"),
        ("hueso", "wˈeso"),
        ("hielo", "jˈelo"),
        ("alcohol", "ˌalkoˈol"),
        ("whisky", "wˈiski"),
        ("México", "mˈexiko"),
    ],
)
def test_letters_become_sounds(word: str, phonemes: str) -> None:
    assert phonemize(word, "es") == phonemes


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [
        ("hablan", "ˈaβlan"),
        ("hablar", "aβlˈaɾ"),
        ("reloj", "relˈox"),
        ("árbol", "ˈaɾβol"),
        ("llegué", "ʎeɣˈe"),
        ("patria", "pˈatɾia"),
        ("continuo", "kontˈinwo"),
        ("continúo", "kˌontinˈuo"),
        ("ruido", "ruˈiðo"),
        ("Paraguay", "pˌaɾaɣwˈI"),
        ("desahucio", "ðesˈauθjo".replace("ð", "d", 1)),
        ("fácilmente", "fˈaθilmˈente"),
        ("aumente", "Wmˈɛnte"),
        ("responsabilidad", "rˌesponsˌaβiliðˈad"),
        ("dígamelo", "dˈiɣamˌelo"),
    ],
)
def test_stress_follows_spelling(word: str, phonemes: str) -> None:
    assert phonemize(word, "es") == phonemes


@pytest.mark.parametrize(
    ("word", "phonemes"),
    [
        ("aire", "ˈIɾe"),
        ("causa", "kˈWsa"),
        ("peine", "pˈAne"),
        ("deuda", "dˈeʊða"),
        ("boina", "bˈoɪna"),
        ("país", "paˈis"),
        ("leer", "leˈeɾ"),
        ("estáis", "estˈais"),
        ("cuota", "kwˈota"),
        ("viuda", "bjˈuða"),
        ("cliente", "kliˈɛnte"),
        ("uruguayo", "ˌuɾuɣwˈaʝo"),
        ("prohibir", "pɾˌoiβˈiɾ"),
    ],
)
def test_vowels_glide_or_stay_apart(word: str, phonemes: str) -> None:
    assert phonemize(word, "es") == phonemes


def test_voiced_stops_are_soft_inside_a_breath_and_hard_after_a_pause_or_nasal() -> None:
    assert phonemize("Dedo, dedo. Un dedo.", "es") == "dˈeðo, dˈeðo. ˈun dˈeðo."
    assert phonemize("El vaso, un vaso.", "es") == "el βˈaso, ˈum bˈaso."
    assert phonemize("Los gatos, un gato.", "es") == "los ɣˈatos, ˈuŋ ɡˈato."


def test_nasals_take_the_place_of_what_follows_even_over_a_gap() -> None:
    assert phonemize("con pan", "es") == "kom pˈan"
    assert phonemize("enviar", "es") == "embjˈaɾ"
    assert phonemize("ángel", "es") == "ˈaŋxel"


def test_little_words_lean_on_the_next_and_are_stressed_when_there_is_none() -> None:
    assert phonemize("¿Para qué? ¿Para?", "es") == "pˌaɾa kˈe? pˈaɾa?"
    assert phonemize("la casa de mi tía", "es") == "la kˈasa ðe mi tˈia"
    assert phonemize("si quiero; sí quiero", "es") == "si kjˈeɾo; sˈi kjˈeɾo"


def test_upside_down_marks_are_left_out_and_guillemets_become_quotes() -> None:
    assert phonemize("«¡Hola!», dijo.", "es") == "“ˈola!”, dˈixo."


def test_latin_america_has_no_theta_and_one_sound_for_ll_and_y() -> None:
    assert phonemize("zapato, piscina, calle", "es-419") == "sapˈato, pisˈina, kˈaʝe"
    assert phonemize("zapato", "es-MX") == "sapˈato"
    assert phonemize("zapato", "es-ES") == phonemize("zapato", "es") == "θapˈato"


def test_the_base_family_speaks_spanish_and_the_official_one_says_that_it_does_not() -> None:
    assert BASE.phonemize("hola", "es") == "ˈola"
    with pytest.raises(InputError, match="read English, not 'es'") as caught:
        OFFICIAL.phonemize("hola", "es")
    assert "--model base" in caught.value.hint


@pytest.mark.parametrize("text", ["", "...", "¿?", "—", "你好", "😀", "«»"])
def test_text_without_a_sound_has_no_phonemes(text: str) -> None:
    assert phonemize(text, "es") == ""


@pytest.mark.parametrize("text", ["Shh", "Mmm", "Brrr", "pst", "y", "DVD", "ñ"])
def test_odd_words_have_some_sound(text: str) -> None:
    assert phonemize(text, "es")


@settings(max_examples=300)
@given(st.text(max_size=40))
def test_whatever_the_text_every_phoneme_is_a_symbol(text: str) -> None:
    said = phonemize(text, "es")
    assert set(said) <= SYMBOL_IDS.keys()
    assert said == said.strip()


@settings(max_examples=300)
@given(st.text("abcdefghijklmnñopqrstuvwxyzáéíóúü ,.-1209'º%€:/", max_size=30))
def test_whatever_the_letters_nothing_is_lost_to_the_symbols(text: str) -> None:
    from avdub.text.spanish_words import to_words

    assert set(to_phonemes(to_words(text))) <= SYMBOL_IDS.keys()


@settings(max_examples=200)
@given(st.text("abcdefgilmnñorstuáéíóú", min_size=2, max_size=12))
def test_a_word_has_at_most_one_main_stress_before_a_vowel(word: str) -> None:
    said = phonemize(word, "es")
    assert said.count("ˈ") <= 1 or word.endswith("mente") or " " in said
    for place, symbol in enumerate(said):
        if symbol in "ˈˌ":
            assert said[place + 1] in VOWELS
            assert said[place + 1] not in PAUSES
