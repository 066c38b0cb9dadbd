"""Numbers in Spanish words: cardinals with gender, ordinals, digits, Roman numerals.

Our own few lines: num2words, the usual package for it, knows neither gender nor the short forms
("veintiún libros", "doscientas personas") that decide how a line sounds.
"""
# ruff: noqa: SIM905 - lists of words read better as text

UP_TO_29 = (
    "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince "
    "dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés veinticuatro "
    "veinticinco veintiséis veintisiete veintiocho veintinueve"
).split()
TENS = "treinta cuarenta cincuenta sesenta setenta ochenta noventa".split()
HUNDREDS = (
    "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos ochocientos "
    "novecientos"
).split()
ORDINALS = "primero segundo tercero cuarto quinto sexto séptimo octavo noveno décimo".split()
TENTHS = (
    "décimo vigésimo trigésimo cuadragésimo quincuagésimo sexagésimo septuagésimo octogésimo "
    "nonagésimo"
).split()
LARGEST = 10**12  # from here on digits are read one by one
ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}


def cardinal(n: int, feminine: bool = False, short: bool = False) -> str:
    """A number from 0 to below LARGEST. `short` before a noun: "un", "veintiún"."""
    millions, rest = divmod(n, 10**6)
    words = []
    if millions:
        words.append("un millón" if millions == 1 else f"{cardinal(millions, short=True)} millones")
    if rest or not millions:
        words.append(_below_million(rest, feminine, short))
    return " ".join(words)


def ordinal(n: int, feminine: bool = False) -> str:
    """1 to 99 as "primero", "vigésimo tercero"; others as cardinals."""
    if not 1 <= n <= 99:
        return cardinal(n, feminine)
    tens, ones = divmod(n, 10)
    words = [TENTHS[tens - 1]] * (tens > 0 and n != 10) + [ORDINALS[ones - 1]] * (ones > 0)
    if n == 10:
        words = ["décimo"]
    said = " ".join(words)
    return " ".join(word[:-1] + "a" for word in said.split()) if feminine else said


def digits(text: str) -> str:
    """Each digit by itself."""
    return " ".join(UP_TO_29[int(c)] for c in text)


def roman(text: str) -> int:
    """The value of a well-formed Roman numeral up to 3999, else 0."""
    values = [ROMAN.get(c, 0) for c in text]
    pairs = zip(values, [*values[1:], 0], strict=False)
    total = sum(-a if a < b else a for a, b in pairs)
    return total if 0 < total < 4000 and to_roman(total) == text else 0


def to_roman(n: int) -> str:
    """1 to 3999 in Roman numerals."""
    said = ""
    for value, letters in (
        *((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L")),
        *((40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")),
    ):
        said += letters * (n // value)
        n %= value
    return said


def _below_million(n: int, feminine: bool, short: bool) -> str:
    thousands, rest = divmod(n, 1000)
    words = []
    if thousands:
        before = "" if thousands == 1 else _below_thousand(thousands, feminine, short=True) + " "
        words.append(f"{before}mil")
    if rest or not thousands:
        words.append(_below_thousand(rest, feminine, short))
    return " ".join(words)


def _below_thousand(n: int, feminine: bool, short: bool) -> str:
    if n == 100:
        return "cien"
    hundreds, rest = divmod(n, 100)
    words = []
    if hundreds:
        word = HUNDREDS[hundreds - 1]
        words.append(word[:-2] + "as" if feminine and hundreds > 1 else word)
    if rest or not hundreds:
        words.append(_below_hundred(rest, feminine, short))
    return " ".join(words)


def _below_hundred(n: int, feminine: bool, short: bool) -> str:
    tens, ones = divmod(n, 10)
    if n < len(UP_TO_29):
        said = UP_TO_29[n]
    else:
        said = TENS[tens - 3] + (f" y {UP_TO_29[ones]}" if ones else "")
    if ones != 1 or n == 11:
        return said
    if feminine:
        return said[:-1] + "a"
    if not short:
        return said
    return "veintiún" if n == 21 else said[:-1]
