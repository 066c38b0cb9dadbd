"""Spanish text to words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.text.spanish_numbers import cardinal, ordinal, roman, to_roman
from avdub.text.spanish_words import is_feminine, to_words


@pytest.mark.parametrize(
    ("n", "words"),
    [
        (0, "cero"),
        (16, "dieciséis"),
        (31, "treinta y uno"),
        (100, "cien"),
        (101, "ciento uno"),
        (1000, "mil"),
        (1998, "mil novecientos noventa y ocho"),
        (21_000, "veintiún mil"),
        (1_000_000, "un millón"),
        (2_500_001, "dos millones quinientos mil uno"),
        (21_000_000, "veintiún millones"),
    ],
)
def test_cardinals(n: int, words: str) -> None:
    assert cardinal(n) == words


def test_ordinals_have_gender() -> None:
    assert ordinal(1) == "primero"
    assert ordinal(10) == "décimo"
    assert ordinal(23, feminine=True) == "vigésima tercera"
    assert ordinal(120) == "ciento veinte"


@given(st.integers(1, 3999))
def test_roman_numerals_are_read_as_they_are_written(n: int) -> None:
    assert roman(to_roman(n)) == n


@pytest.mark.parametrize("text", ["IIII", "VX", "", "HOLA", "IC"])
def test_what_is_no_roman_numeral_has_no_value(text: str) -> None:
    assert roman(text) == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("21 libros y 21 casas", "veintiún libros y veintiuna casas"),
        ("200 personas, 1 día", "doscientas personas, un día"),
        ("los 101 dálmatas", "los ciento un dálmatas"),
        ("tengo 31", "tengo treinta y uno"),
        ("1.234 y 1.000.000", "mil doscientos treinta y cuatro y un millón"),
        ("3,5 y 0,05 y 3.14", "tres coma cinco y cero coma cero cinco y tres punto catorce"),
        ("50 % o 2,5%", "cincuenta por ciento o dos coma cinco por ciento"),
        ("20 € y $1", "veinte euros y un dólar"),
        ("5,50 €", "cinco euros con cincuenta"),
        ("120 km/h, 5 kg, 1 h", "ciento veinte kilómetros por hora, cinco kilos, una hora"),
        ("-5 °C", "menos cinco grados"),
        ("1.º, 2ª planta, 3er piso", "primero, segunda planta, tercer piso"),
        ("1/2 taza, 3/4", "media taza, tres cuartos"),
        ("007", "cero cero siete"),
        ("10-15", "diez a quince"),
        ("5-10 km a -3 grados", "cinco a diez kilómetros a menos tres grados"),
        ("el 12/10/2024", "el doce de octubre de dos mil veinticuatro"),
    ],
)
def test_numbers_are_read_out(text: str, words: str) -> None:
    assert to_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a las 10:30", "a las diez y media"),
        ("a la 1:15", "a la una y cuarto"),
        ("son las 8:00", "son las ocho"),
        ("a las 18:40", "a las dieciocho cuarenta"),
        ("a las 2:05", "a las dos y cinco"),
        ("a las 10:52", "a las diez cincuenta y dos"),
    ],
)
def test_times_are_read_as_they_are_said(text: str, words: str) -> None:
    assert to_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("El Sr. Ruiz y la Dra. Paz", "el señor ruiz y la doctora paz"),
        ("Uds. y Ud.", "ustedes y usted."),
        ("EE. UU. y EE.UU.", "estados unidos y estados unidos."),
        ("pan, etc.", "pan, etcétera."),
        ("500 a. C.", "quinientos antes de cristo."),
        ("nº 7, pág. 3", "número siete, página tres"),
        ("C/ Mayor", "calle mayor"),
    ],
)
def test_abbreviations_are_written_out(text: str, words: str) -> None:
    assert to_words(text) == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("el siglo XX", "el siglo veinte"),
        ("los siglos XV y XVI", "los siglos quince y dieciséis"),
        ("Felipe II, Isabel II", "felipe segundo, isabel segunda"),
        ("Alfonso XIII", "alfonso trece"),
        ("la II Guerra Mundial", "la segunda guerra mundial"),
        ("capítulo IV", "capítulo cuarto"),
        ("VI A MIL", "vi a mil"),
    ],
)
def test_roman_numerals_are_read_after_what_they_count(text: str, words: str) -> None:
    assert to_words(text) == words


def test_what_cannot_be_said_as_a_word_is_spelled() -> None:
    assert to_words("un DVD de la ONU") == "un de uve de de la onu"
    assert to_words("vitamina C") == "vitamina ce"


def test_letters_and_digits_side_by_side_are_read_apart() -> None:
    assert to_words("5G, 4 g, R2") == "cinco ge, cuatro gramos, erre dos"
    assert to_words("2x1") == "dos por uno"


def test_initials_are_read_without_a_pause() -> None:
    assert to_words("J. R. R. Tolkien") == "jota erre erre tolkien"


def test_shouted_lines_are_not_spelled() -> None:
    assert to_words("¡ES MI ADN!") == "es mi adn!"


def test_dialogue_dashes_and_upside_down_marks_are_left_out() -> None:
    assert to_words("—¿Qué? —dijo él—. ¡No!") == "qué? —dijo él—. no!"
    assert to_words("- Hola.") == "hola."


def test_thousands_have_a_comma_in_mexico_and_a_point_in_spain() -> None:
    assert to_words("1,500 pesos", is_point_decimal=True) == "mil quinientos pesos"
    assert to_words("1.500 pesos") == "mil quinientos pesos"
    assert to_words("10 000 pesos") == "diez mil pesos"


@pytest.mark.parametrize("noun", ["casas", "canción", "ciudades", "noches"])
def test_feminine_nouns_are_known_by_their_endings(noun: str) -> None:
    assert is_feminine(noun)


@pytest.mark.parametrize("noun", ["libros", "problemas", "días", "turistas", "meses"])
def test_other_nouns_are_masculine(noun: str) -> None:
    assert not is_feminine(noun)


@given(st.text(max_size=60), st.booleans())
def test_whatever_the_text_words_have_known_letters_only(text: str, is_mexican: bool) -> None:
    known = set('abcdefghijklmnñopqrstuvwxyzáéíóúü ;:,.!?—…"()“”')
    assert set(to_words(text, is_mexican)) <= known


@given(st.text("0123456789.,:/-ºª%€$ kmhaIVXel", max_size=30), st.booleans())
def test_whatever_the_numbers_no_digit_is_left(text: str, is_mexican: bool) -> None:
    assert not any(c.isdigit() for c in to_words(text, is_mexican))
