"""Word and character error rates as a listener would count them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.evaluation.lattice import distance
from avdub.evaluation.words import compare, words_of


def word_errors(said: str, heard: str, language: str = "en") -> tuple[int, int]:
    found = compare(said, heard, language)
    return found.words, found.word_errors


def character_errors(said: str, heard: str) -> tuple[int, int]:
    found = compare(said, heard)
    return found.characters, found.character_errors


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("The ferry leaves the harbour.", "the ferry leaves the HARBOR"),
        ("He bought 5 pounds", "he bought five pounds"),
        ("I am 42", "I am forty-two."),
        ("in 1984", "in one thousand nine hundred eighty four"),
        ("in 1984", "in nineteen eighty-four"),
        ("nineteen oh five", "1905"),
        ("In twenty twenty-four", "In 2024"),
        ("the 1990s", "the nineteen nineties"),
        ("in the eighties", "in the 80s"),
        ("1,250,000 people", "one million two hundred fifty thousand people"),
        ("a hundred and five steps", "105 steps"),
        ("fifteen hundred", "1500"),
        ("flight 747", "flight seven forty seven"),
        ("room 204", "room two oh four"),
        ("on the 21st of May", "on the twenty-first of May"),
        ("the 12th and the 30th", "the twelfth and the thirtieth"),
        ("3.5% of it", "three point five percent of it"),
        ("3.5% of it", "three point five per cent of it"),
        ("at 6:00", "at six"),
        ("at 6:00", "at six o'clock"),
        ("at 10:30", "at ten thirty"),
        ("at half past ten", "at 10:30"),
        ("at 10:05 a.m.", "at ten oh five AM"),
        ("at a quarter to eleven", "at 10:45"),
        ("at 12:55", "at five to one"),
        ("$5", "five dollars"),
        ("$4.99", "four dollars and ninety nine cents"),
        ("four ninety-nine", "$4.99"),
        ("£3.5 million", "three point five million pounds"),
        ("half an hour", "1/2 an hour"),
        ("Dr. Smith and Mr. Bean", "doctor Smith & mister Bean"),
        ("Dr Smith lives on Mulholland Dr.", "Doctor Smith lives on Mulholland Drive"),
        ("St. Paul on Main St.", "saint Paul on main street"),
        ("No. 7", "number seven"),
        ("I said no.", "I said no"),
        ("cats, dogs, etc.", "cats, dogs, et cetera"),
        ("e.g. this", "for example this"),
        ("in the U.S.A.", "in the USA"),
        ("in the USA", "in the U S A"),
        ("5 km at 60 mph", "five kilometers at sixty miles an hour"),
        ("pages 10-12", "pages ten to twelve"),
        ("-5 degrees", "minus five degrees"),
        ("don't stop", "don’t stop"),
        ("the neighbours realised it", "the neighbors realized it"),
        ("a lighthouse anymore", "a light house any more"),
        ("good-bye", "goodbye"),
        ("007", "zero zero seven"),
        ("007", "oh oh seven"),
    ],
)
def test_ways_of_writing_the_same_are_no_error(said: str, heard: str) -> None:
    for one, other in ((said, heard), (heard, said)):
        n_words, errors = word_errors(one, other)
        assert (n_words > 0, errors) == (True, 0)


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("Tengo 42 años", "Tengo cuarenta y dos años"),
        ("El Sr. García y la Dra. Ruiz", "el señor Garcia y la doctora Ruiz"),
        ("21 libros", "veintiún libros"),
        ("201 páginas", "doscientas una páginas"),
        ("1.250 personas", "mil doscientas cincuenta personas"),
        ("1250 euros", "mil doscientos cincuenta euros"),
        ("en 1984", "en mil novecientos ochenta y cuatro"),
        ("31.000 y 1.000.000", "treinta y un mil y un millón"),
        ("100 o 116", "cien o ciento dieciséis"),
        ("a las 10:30", "a las diez y media"),
        ("a la 1:15", "a la una y cuarto"),
        ("a las 10:45", "a las once menos cuarto"),
        ("a las 20:05", "a las veinte cero cinco"),
        ("3,5 kg", "tres coma cinco kilos"),
        ("el 5%", "el cinco por ciento"),
        ("4,50 €", "cuatro euros con cincuenta"),
        ("$20", "veinte dólares"),
        ("el 1.er piso, 3ª puerta", "el primer piso, tercera puerta"),
        ("EE. UU.", "Estados Unidos"),
        ("¿Qué tal? Sí.", "que tal si"),
        ("etc.", "etcétera"),
    ],
)
def test_ways_of_writing_the_same_in_spanish_are_no_error(said: str, heard: str) -> None:
    for one, other in ((said, heard), (heard, said)):
        n_words, errors = word_errors(one, other, "es")
        assert (n_words > 0, errors) == (True, 0)


@pytest.mark.parametrize(
    ("said", "heard"),
    [("42", "43"), ("10:30", "ten forty"), ("1984", "nineteen eighty five"), ("$5", "five pounds")],
)
def test_another_number_is_an_error(said: str, heard: str) -> None:
    assert word_errors(said, heard)[1] == 1


def test_spanish_keeps_what_is_heard_apart() -> None:
    assert word_errors("año", "ano", "es") == (1, 1)
    assert word_errors("60", "setenta", "es") == (1, 1)


def test_a_numeral_is_as_many_words_as_its_nearest_reading() -> None:
    assert word_errors("in 1984", "in nineteen eighty five") == (4, 1)
    assert word_errors("in 1984", "in one thousand nine hundred eighty five") == (7, 1)


def test_a_wrong_a_missing_and_an_extra_word_are_an_error_each() -> None:
    assert word_errors("the cat sat down", "the bat sat") == (4, 2)
    assert word_errors("the cat sat", "the big cat sat down") == (3, 2)


@pytest.mark.parametrize("said", ["one two three", "1984", "Dr. No at 10:30", "$4.99"])
def test_silence_misses_every_word(said: str) -> None:
    n_words, errors = word_errors(said, "")
    assert n_words == errors > 0


def test_words_from_nothing_are_errors_too() -> None:
    assert word_errors("", "hello there") == (0, 2)


def test_words_of_other_alphabets_are_words() -> None:
    assert words_of("Señor, 映画!") == ["señor", "映画"]


def test_a_language_without_rules_compares_plain_words() -> None:
    assert word_errors("Ça va, 42 fois", "ça va 42 foies", "fr") == (4, 1)


def test_characters_count_without_blanks_and_case() -> None:
    assert character_errors("The cat", "the bats") == (6, 2)
    assert character_errors("lighthouse", "light house") == (10, 0)
    assert character_errors("at 10:30", "at ten thirty")[1] == 0


@given(st.lists(st.sampled_from("ab"), max_size=8), st.lists(st.sampled_from("ab"), max_size=8))
def test_errors_of_plain_words_are_their_edit_distance(said: list[str], heard: list[str]) -> None:
    assert word_errors(" ".join(said), " ".join(heard), "xx") == (len(said), distance(said, heard))


def test_distance_is_the_least_number_of_edits() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == distance("abc", "") == 3
    assert distance("abc", "abc") == 0


@given(st.integers(0, 999_999_999), st.sampled_from(["en", "es"]))
def test_any_numeral_equals_its_own_words(n: int, language: str) -> None:
    words = " ".join(words_of(str(n), language))
    assert not any(c.isdigit() for c in words)
    assert word_errors(str(n), words, language)[1] == 0


@given(st.text(max_size=40), st.sampled_from(["en", "es", "fr"]))
def test_any_text_equals_itself(text: str, language: str) -> None:
    assert word_errors(text, text, language)[1] == 0
