"""Written Spanish to the ways it may be read: numerals, times, money, abbreviations.

Acute accents do not count, as nobody hears them: "sí" and "si", "qué" and "que" are alike.
"""

import re
from collections.abc import Callable
from itertools import product

from avdub.evaluation.lattice import Abbreviations, Reading, Written, readings

_ONES = (
    *("cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez"),
    *("once", "doce", "trece", "catorce", "quince", "dieciseis", "diecisiete", "dieciocho"),
    *("diecinueve", "veinte", "veintiuno", "veintidos", "veintitres", "veinticuatro"),
    *("veinticinco", "veintiseis", "veintisiete", "veintiocho", "veintinueve"),
)
_TENS = {
    **{3: "treinta", 4: "cuarenta", 5: "cincuenta", 6: "sesenta", 7: "setenta", 8: "ochenta"},
    9: "noventa",
}
_HUNDREDS = {
    **{1: "ciento", 2: "doscientos", 3: "trescientos", 4: "cuatrocientos", 5: "quinientos"},
    **{6: "seiscientos", 7: "setecientos", 8: "ochocientos", 9: "novecientos"},
}
_ORDINALS = (
    *("", "primero", "segundo", "tercero", "cuarto", "quinto", "sexto", "septimo", "octavo"),
    *("noveno", "decimo", "undecimo", "duodecimo"),
)
_GENDERS = (("uno", "o"), ("un", "o"), ("una", "a"))  # of "one", and of the hundreds
_MONEY = {"$": ("dolar", "dolares"), "€": ("euro", "euros"), "£": ("libra", "libras")}
_SIGNS = {
    **{"%": readings("por ciento", "porciento"), "&": readings("y"), "+": readings("mas")},
    **{"@": readings("arroba"), "=": readings("igual a", "igual", "es igual a")},
    **{"°": readings("grados", "grado"), "-": readings("menos", ""), "#": readings("numero", "")},
}
_RANGE = readings("", "a")
_ABBREVIATIONS: dict[str, str | Written] = {  # with a dot or without one
    **{"sr": "señor", "sra": "señora", "srta": "señorita", "sres": "señores", "dr": "doctor"},
    **{"dra": "doctora", "dña": "doña", "ud": "usted", "uds": "ustedes", "vd": "usted"},
    **{"etc": "etcetera", "avda": "avenida", "pag": "pagina", "num": "numero", "nº": "numero"},
    **{"prof": readings("profesor", "profe"), "profa": "profesora", "tel": "telefono"},
    **{"aprox": "aproximadamente", "pza": "plaza", "depto": "departamento", "gral": "general"},
    **{"km": readings("kilometros", "kilometro"), "kg": readings("kilogramos", "kilos", "kilo")},
    **{"cm": readings("centimetros", "centimetro"), "mm": readings("milimetros", "milimetro")},
    **{"m": readings("m", "metros", "metro"), "g": readings("g", "gramos", "gramo")},
    **{"h": readings("horas", "hora", "h"), "min": readings("minutos", "minuto")},
    **{"pej": "por ejemplo", "eeuu": "estados unidos", "seg": readings("segundos", "segundo")},
}
_DOTTED = {"d": "don", "av": "avenida", "ej": "ejemplo", "s": "siglo", "n": "numero"}
_SHORT = Abbreviations(_ABBREVIATIONS, _DOTTED)
_TOKEN = re.compile(
    r"""
    (?P<money>[$€£]\s?\d[\d.]*(?:,\d+)?|\d[\d.]*(?:,\d+)?\s?[$€£])
  | (?P<time>\b\d{1,2}:[0-5]\d\b)
  | (?P<ordinal>\b\d{1,2}\.?(?:[ºªo°a]|er|ro|do|to|vo|mo|no|ra|da|ta)\b|\b\d{1,2}\.?[ºª°])
  | (?P<thousands>\d{1,3}(?:[.\s\u00a0]\d{3})+(?![\d,]))
  | (?P<decimal>\d[\d.]*,\d+|\d+\.\d+)
  | (?P<number>\d+)
  | (?P<states>\bee\.?\s?uu\b\.?)
  | (?P<example>\bp\.\s?ej\b\.?)
  | (?P<letters>\b(?:[^\W\d_]\.){2,})
  | (?P<numero>\bn\.?[ºo°](?=\W*\d))
  | (?P<range>(?<=\d)\s?[-–—]\s?(?=\d))
  | (?P<sign>[%&+@=°]|(?<!\S)[-−#](?=\d))
  | (?P<dotted>\b[^\W\d_]+\.)
  | (?P<word>[^\W\d_]+)
    """,
    re.VERBOSE,
)
_PLAIN = str.maketrans("áéíóúü", "aeiouu")


def read_spanish(text: str) -> list[Written]:
    """Everything written in `text`, each with its readings; words are lower-case, unaccented."""
    text = text.lower().translate(_PLAIN)
    return [_READERS[str(m.lastgroup)](m[0]) for m in _TOKEN.finditer(text)]


def _number(token: str) -> Written:
    """Numerals as words in every gender, and digit by digit."""
    digits = re.sub(r"\D", "", token)
    one_by_one = " ".join(_ONES[int(d)] for d in digits)
    if len(digits) > 9 or (len(digits) > 1 and digits[0] == "0"):
        return readings(one_by_one)
    n = int(digits)
    found = [_cardinal(n, *gender) for gender in _GENDERS]
    if len(digits) == 4 and n // 100 > 10 and n % 100 > 9:
        found.append(f"{_cardinal(n // 100)} {_cardinal(n % 100)}")
    return readings(*found, one_by_one)


def _time(token: str) -> Written:
    hour, minute = map(int, token.split(":"))
    at, then = _cardinal(hour, "una"), _cardinal(hour % 12 + 1, "una")
    if minute == 0:
        return readings(at, f"{at} en punto", f"{at} horas")
    minutes, left = _cardinal(minute), _cardinal(60 - minute)
    found = [f"{at} {minutes}", f"{at} y {minutes}", f"{at} cero {minutes}"]
    found += {15: [f"{at} y cuarto"], 30: [f"{at} y media"], 45: [f"{then} menos cuarto"]}.get(
        minute, []
    )
    return readings(*found, f"{then} menos {left}", f"{at} horas {minutes}")


def _ordinal(token: str) -> Written:
    n = int(re.sub(r"\D", "", token))
    if not 0 < n < len(_ORDINALS):
        return _number(str(n))
    whole = _ORDINALS[n]
    short = [whole[:-1]] if n in (1, 3) else []  # "el primer día"
    return readings(whole, whole[:-1] + "a", *short, *(" ".join(x) for x in _number(str(n))))


def _decimal(token: str) -> Written:
    """3,5 and 3.5; a comma before three digits may also part the thousands, as in Mexico."""
    whole, _, digits = token.rpartition("," if "," in token else ".")
    heads = _texts(_number(whole.replace(".", "")))
    tails = [_spelled_zeros(digits), " ".join(_ONES[int(d)] for d in digits)]
    points = ("coma", "punto", "con")
    found = [f"{h} {p} {t}" for p, t, h in product(points, tails, heads)]
    if len(digits) == 3 and len(whole) <= 3:
        found += _texts(_number(whole + digits))
    return readings(*found)


def _spelled_zeros(digits: str) -> str:
    """05 as "cero cinco", 25 as "veinticinco"; long tails digit by digit."""
    rest = digits.lstrip("0")
    if len(digits) > 9 or not rest:
        return " ".join(_ONES[int(d)] for d in digits)
    return " ".join(["cero"] * (len(digits) - len(rest)) + [_cardinal(int(rest))])


def _money(token: str) -> Written:
    sign = next(c for c in token if c in _MONEY)
    one, many = _MONEY[sign]
    amount = token.replace(sign, "").strip()
    whole, _, cents = amount.partition(",")
    whole = whole.replace(".", "")
    name = one if whole == "1" else many
    heads = _texts(_number(whole))
    if not cents.strip("0"):
        return readings(*(f"{head} {name}" for head in heads))
    if len(cents) != 2:
        return readings(*(f"{x} {many}" for x in _texts(_decimal(amount))))
    n_cents = _cardinal(int(cents))
    ends = (f"{name} con {n_cents}", f"{name} {n_cents}", f"con {n_cents} {many}")
    more = (f"{name} con {n_cents} centimos", f"{name} y {n_cents} centavos")
    plain = [f"{x} {many}" for x in _texts(_decimal(amount))]
    return readings(*(f"{h} {end}" for h in heads for end in (*ends, *more)), *plain)


def _texts(written: tuple[Reading, ...]) -> list[str]:
    return [" ".join(reading) for reading in written]


def _cardinal(n: int, one: str = "uno", ending: str = "o") -> str:
    """`one` is how the last 1 sounds ("uno", "un", "una"), `ending` the vowel of the hundreds."""
    if n < 30:
        word = _ONES[n]
        return word.removesuffix("uno") + one if n % 10 == 1 and n != 11 else word
    if n < 100:
        rest = f" y {_cardinal(n % 10, one)}" if n % 10 else ""
        return _TENS[n // 10] + rest
    if n < 1000:
        if n == 100:
            return "cien"
        word = _HUNDREDS[n // 100]
        head = word if word == "ciento" else f"{word[:-2]}{ending}s"
        return _and_rest(head, n % 100, one, ending)
    if n < 1_000_000:
        short = "una" if one == "una" else "un"
        head = "mil" if n < 2000 else f"{_cardinal(n // 1000, short, ending)} mil"
        return _and_rest(head, n % 1000, one, ending)
    millions = n // 1_000_000
    head = "un millon" if millions == 1 else f"{_cardinal(millions, 'un')} millones"
    return _and_rest(head, n % 1_000_000, one, ending)


def _and_rest(head: str, rest: int, one: str, ending: str) -> str:
    return f"{head} {_cardinal(rest, one, ending)}" if rest else head


_READERS: dict[str, Callable[[str], Written]] = {  # by the groups of _TOKEN
    **{"money": _money, "time": _time, "ordinal": _ordinal, "thousands": _number},
    **{"decimal": _decimal, "number": _number, "letters": _SHORT.letters},
    **{"states": lambda _: readings("estados unidos", "e e u u", "ee uu")},
    **{"example": lambda _: readings("por ejemplo"), "numero": lambda _: readings("numero")},
    **{"range": lambda _: _RANGE, "sign": lambda token: _SIGNS[token.replace("−", "-")]},
    **{"dotted": _SHORT.word, "word": _SHORT.word},
}
