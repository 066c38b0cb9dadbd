"""Spanish text to words: numbers, times, money, units, abbreviations and spelled letters.

What comes out is lower-case letters, spaces and the marks that `base` has symbols for.
"""
# ruff: noqa: SIM905 - long lists of words read better as text

import re
import unicodedata

from avdub.text.spanish_numbers import LARGEST, cardinal, digits, ordinal, roman

LETTER_NAMES = dict(
    zip(
        "abcdefghijklmnñopqrstuvwxyz",
        "a/be/ce/de/e/efe/ge/hache/i/jota/ka/ele/eme/ene/eñe/o/pe/cu/erre/ese/te/u/uve/uve doble/"
        "equis/i griega/zeta".split("/"),
        strict=True,
    )
)
ABBREVIATIONS = dict(
    entry.split("=")
    for entry in (
        "sr.=señor|sra.=señora|srta.=señorita|sres.=señores|sras.=señoras|dr.=doctor|dra.=doctora|"
        "dres.=doctores|ud.=usted|uds.=ustedes|vd.=usted|vds.=ustedes|d.=don|d.ª=doña|dña.=doña|"
        "prof.=profesor|profa.=profesora|ing.=ingeniero|lic.=licenciado|arq.=arquitecto|"
        "gral.=general|cap.=capítulo|pág.=página|págs.=páginas|art.=artículo|vol.=volumen|"
        "núm.=número|nº=número|n.º=número|tel.=teléfono|avda.=avenida|av.=avenida|sto.=santo|"
        "sta.=santa|cía.=compañía|dpto.=departamento|izq.=izquierda|dcha.=derecha|"
        "aprox.=aproximadamente|máx.=máximo|mín.=mínimo|etc.=etcétera|p. ej.=por ejemplo|"
        "ee. uu.=estados unidos|eeuu=estados unidos|rr. hh.=recursos humanos|"
        "ff. aa.=fuerzas armadas|bs. as.=buenos aires|a. c.=antes de cristo|"
        "d. c.=después de cristo|a. m.=de la mañana|p. m.=de la tarde|s. a.=sociedad anónima|"
        "s. l.=sociedad limitada|c/=calle |mr.=míster|mrs.=mísis"
    ).split("|")
)
UNITS = {
    key: (one, many)
    for key, one, many in (
        entry.split("=")
        for entry in (
            "km/h=kilómetro por hora=kilómetros por hora|m/s=metro por segundo=metros por segundo|"
            "km2=kilómetro cuadrado=kilómetros cuadrados|m2=metro cuadrado=metros cuadrados|"
            "m3=metro cúbico=metros cúbicos|km=kilómetro=kilómetros|cm=centímetro=centímetros|"
            "mm=milímetro=milímetros|m=metro=metros|kg=kilo=kilos|mg=miligramo=miligramos|"
            "g=gramo=gramos|ml=mililitro=mililitros|cl=centilitro=centilitros|l=litro=litros|"
            "ha=hectárea=hectáreas|h=hora=horas|min=minuto=minutos|s=segundo=segundos|"
            "mb=megabyte=megabytes|gb=gigabyte=gigabytes|kw=kilovatio=kilovatios|w=vatio=vatios|"
            "hz=hercio=hercios|°c=grado=grados|ºc=grado=grados|°=grado=grados|"
            "%=por ciento=por ciento|€=euro=euros|$=dólar=dólares|£=libra=libras"
        ).split("|")
    )
}
MONTHS = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
FRACTIONS = {2: "medio", 3: "tercio", 4: "cuarto", 5: "quinto", 8: "octavo", 10: "décimo"}
SIGNS = {"&": " y ", "+": " más ", "=": " igual a ", "@": " arroba ", "%": " por ciento "} | {
    sign: f" {UNITS[sign][1]} " for sign in "€$£°"
}
FEMININE = re.compile(
    "(?:.*(?:a|as|ción|ciones|sión|siones|dad|dades|tud|tudes)|veces|noches?|mujer|mujeres|"
    "clases?|calles?|llaves?|partes?|flores|flor|voces|luces|luz|nubes|tardes?|leyes|imágenes|"
    "órdenes|series?|fuentes|libras|horas|toneladas)"
)
MASCULINE = re.compile("(?:.*[eo]mas?|.*gramas?|.*istas|días?|mapas?|planetas?|atletas|sofás?)")
NO_NOUN = frozenset(
    "y e o u ni de del a al en con por para sin que se es son era el la los las un una más menos "
    "no sí ya como cuando pero hasta desde entre me te le lo nos os les su sus mi tu mil coma "
    "millón millones punto está va van hay tiene".split()
)
SPELLED = frozenset("ADN DNI USB NBA FBI UE CIF NIF ONG URL IBM UCI ITV CEO USA PIB".split())
THESE, THOSE = ("la", "las", "unas", "estas", "esas"), ("los", "unos", "estos", "esos")
ROYAL = re.compile(r"\b((?!DE|LA|EL)[A-ZÁÉÍÓÚÑ][a-záéíóúñ]+) ([IVX]+)\b(?!\.\w)")
DIVIDED = re.compile(
    r"\b(siglos?|capítulo|tomo|volumen|acto|parte|fase)((?:(?:,| y| o| al?)? [IVXLC]+\b)+)", re.I
)
COUNTED = re.compile(r"\b([IVX]{2,}) (?=([A-ZÁÉÍÓÚÑ]?[a-záéíóúñ]+))")

_NUMBER = r"\d+"
_NOUN = r"(?=(?:\s+([^\W\d_]+))?)"
_UNIT = "|".join(
    re.escape(key) if len(key) == 1 else f"(?i:{re.escape(key)})"  # 5G are no grams
    for key in sorted(UNITS, key=len, reverse=True)
)
_ABBREVIATED = re.compile(
    r"(?<![\w.])("
    + "|".join(
        re.escape(key).replace(r"\ ", r"\s?")
        for key in sorted(ABBREVIATIONS, key=len, reverse=True)
    )
    + r")(?!\w)",
    re.I,
)


def to_words(text: str, is_point_decimal: bool = False) -> str:
    """One plain line → words and marks. `is_point_decimal`: 1,000 is a thousand, as in Mexico."""
    text = unicodedata.normalize("NFC", text)
    is_shouted = text.upper() == text and len(text.split()) > 1
    text = re.sub(r"^\s*[-–—]+(?!\d)\s*", "", text)
    text = _marks(text)
    if not is_shouted:
        text = _romans(text)
    text = _ABBREVIATED.sub(_abbreviation, text)
    text = re.sub(r"\b(?:[A-ZÑ]\. ?){2,}(?=.)", lambda found: found[0].replace(".", " "), text)
    text = _numbers(text, is_point_decimal)
    text = re.sub("[" + re.escape("".join(SIGNS)) + "]", lambda found: SIGNS[found[0]], text)
    text = re.sub(r"\b[^\W\d_]+\b", lambda found: _spelled(found[0], is_shouted), text)
    return _letters(text)


def _marks(text: str) -> str:
    """Spanish punctuation as the marks there are symbols for."""
    text = text.translate(str.maketrans("«»–", "“”—", "¿¡"))
    text = re.sub(r"(?<=\d)'(?=\d)", " ", text)
    text = re.sub(r"(?<=[^\W\d_])['`´](?=[^\W\d_])", "", text).replace("'", "")
    text = re.sub(r"\bwww\.", "www punto ", text)
    text = re.sub(r"(?<=\w)\.(?=(?:com|es|org|net|mx|ar|tv)\b)", " punto ", text)
    text = re.sub(r"\be-mail", "email", text, flags=re.I)
    return re.sub(r"\.{3,}", "…", re.sub(r" -+ ", " — ", text))


def _romans(text: str) -> str:
    """Numerals of centuries, kings and chapters as words."""

    def divided(found: re.Match[str]) -> str:
        feminine = found[1].lower() in ("parte", "fase")
        said = re.sub(r"\b[IVXLC]+\b", lambda n: _rank(n[0], feminine), found[2])
        return found[1] + said

    def royal(found: re.Match[str]) -> str:
        feminine = found[1].endswith("a") or found[1] in ("Isabel", "Beatriz", "Carmen")
        return f"{found[1]} {_rank(found[2], feminine)}"

    def counted(found: re.Match[str]) -> str:
        return _rank(found[1], is_feminine(found[2].lower())) + " "

    return COUNTED.sub(counted, ROYAL.sub(royal, DIVIDED.sub(divided, text)))


def _rank(numeral: str, feminine: bool) -> str:
    n = roman(numeral.upper())
    if not n:
        return numeral
    return ordinal(n, feminine) if n <= 10 else cardinal(n)


def _abbreviation(found: re.Match[str]) -> str:
    key = re.sub(r"\.(?=\w)", ". ", found[0].lower())
    said = ABBREVIATIONS.get(found[0].lower()) or ABBREVIATIONS.get(key)
    if said is None or (key == "d." and not found[0].isupper()):
        return found[0]
    is_end = found[0].endswith(".") and not found.string[found.end() :].strip(' "”)')
    return said + ("." if is_end else "")


def is_feminine(noun: str) -> bool:
    """Whether a noun, by its ending, is more likely feminine."""
    return FEMININE.fullmatch(noun) is not None and MASCULINE.fullmatch(noun) is None


def _numbers(text: str, is_point_decimal: bool) -> str:
    text = re.sub(r"(?<![\d.,])\d{9,}(?![\d.,])", lambda found: digits(found[0]), text)
    text = _groups_joined(text, "[., ]" if is_point_decimal else "[. ]")
    text = re.sub(r"([€$£])\s?(\d[\d.,]*\d|\d)", r"\2 \1", text)
    text = re.sub(r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b", _date, text)
    text = re.sub(r"\b(las?)?(\s*)(\d{1,2})[:](\d{2})(?::\d{2})?(?: ?h\b)?", _time, text)
    text = re.sub(rf"\b(\d{{1,2}})/(\d{{1,2}})\b(?!/){_NOUN}", _fraction, text)
    text = re.sub(rf"\b({_NUMBER})\.?([ºª]|er|ro|do|ra)(?!\w){_NOUN}", _ordinal, text)
    text = re.sub(r"(?<=\d)\s?[-—]\s?(?=\d)", " a ", text)
    text = re.sub(r"(?<![\w.,])[-—−](?=\d)", "menos ", text)
    text = re.sub(rf"\b({_NUMBER})[,.](\d\d)\s?([€$£])", _money, text)
    text = re.sub(rf"({_NUMBER})\s?({_UNIT})(?!\w)", _measure, text)
    text = re.sub(r"(?<=\d) ?[x×] ?(?=\d)", " por ", text)
    text = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", text)
    text = re.sub(rf"\b({_NUMBER})([,.])(\d+)", _decimal, text)
    text = re.sub(rf"(\b[^\W\d_]+\s+)?({_NUMBER}){_NOUN}", _plain_number, text)
    return re.sub(r"\d", lambda found: f" {digits(found[0])} ", text)


def _groups_joined(text: str, mark: str) -> str:
    """1.000 as 1000; groups that look like a telephone's stay."""
    groups = rf"(?<![\d.,])(?<!\d )\d{{1,3}}({mark})\d{{3}}(?:\1\d{{3}})*(?!\d| \d)"

    def joined(found: re.Match[str]) -> str:
        is_phone = re.fullmatch(r"[6-9]\d\d \d{3} \d{3}", found[0])
        return found[0] if is_phone else re.sub(r"\D", "", found[0])

    return re.sub(groups, joined, text)


def _value(number: str) -> int:
    return int(re.sub(r"\D", "", number))


def _say(number: str, feminine: bool = False, short: bool = False) -> str:
    """A number as written; with a leading zero, or far too long, digit by digit."""
    plain = re.sub(r"\D", "", number)
    if (plain[0] == "0" and len(plain) > 1) or int(plain) >= LARGEST:
        return digits(plain)
    return cardinal(int(plain), feminine, short)


def _date(found: re.Match[str]) -> str:
    day, month = int(found[1]), int(found[2])
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return found[0]
    return f"{_say(str(day))} de {MONTHS[month - 1]} de {_say(found[3])}"


def _time(found: re.Match[str]) -> str:
    hour, minute = int(found[3]), int(found[4])
    said = (found[1] or "") + found[2] + cardinal(hour, feminine=True)
    if hour > 24 or minute > 59:
        return found[0].replace(":", " ")
    parts = {0: "", 15: " y cuarto", 30: " y media"}
    if hour > 12 or (minute not in parts and minute > 29):
        return said + (f" {cardinal(minute)}" if minute else " horas")
    return said + parts.get(minute, f" y {cardinal(minute)}")


def _fraction(found: re.Match[str]) -> str:
    above, below = int(found[1]), int(found[2])
    if below not in FRACTIONS or above >= below:
        return f"{found[1]} {found[2]}"
    noun = (found[3] or "").lower()
    if below == 2 and len(noun) > 1 and noun not in NO_NOUN:
        return "media" if is_feminine(noun) else "medio"
    return f"{cardinal(above, short=True)} {FRACTIONS[below]}{'s' if above > 1 else ''}"


def _ordinal(found: re.Match[str]) -> str:
    said = ordinal(_value(found[1]), found[2] in ("ª", "ra"))
    noun = (found[3] or "").lower()
    is_short = found[2] == "er" or (len(noun) > 1 and noun not in NO_NOUN)
    return said[:-1] if is_short and said.endswith(("primero", "tercero")) else said


def _money(found: re.Match[str]) -> str:
    many = UNITS[found[3]][_value(found[1]) != 1]
    return f"{_say(found[1], found[3] == '£', True)} {many} con {_say(str(int(found[2])))}"


def _measure(found: re.Match[str]) -> str:
    before = found.string[: found.start()]
    is_part = re.search(r"\d[.,]$", before) is not None
    one, many = UNITS[found[2].lower()]
    unit = one if _value(found[1]) == 1 and not is_part else many
    if is_part:
        return f"{found[1]} {unit}"
    said = _say(found[1], is_feminine(unit.split()[0]), found[2] != "%")
    return f"{said} {unit}"


def _decimal(found: re.Match[str]) -> str:
    whole, mark, part = found[1], found[2], found[3]
    tail = _say(part) if len(part) <= 2 else digits(part)
    zeros = len(part) - len(part.lstrip("0"))
    if zeros and len(part) == 2 and part != "00":
        tail = f"cero {cardinal(int(part))}"
    return f"{_say(whole)} {'coma' if mark == ',' else 'punto'} {tail}"


def _plain_number(found: re.Match[str]) -> str:
    before, noun = found[1] or "", (found[3] or "").lower()
    is_noun = len(noun) > 1 and noun not in NO_NOUN
    article = before.strip().lower()
    feminine = article in THESE if article in THESE + THOSE else is_noun and is_feminine(noun)
    return before + _say(found[2], feminine, is_noun) + " "


def _spelled(word: str, is_shouted: bool) -> str:
    """Letter by letter what nobody can say as a word: "DVD", "B"."""
    plain = _unaccented(word.lower())
    is_code = word in SPELLED and not is_shouted
    is_sound = len(set(plain)) <= 2 and len(plain) > 1 and plain[-1] in "hmrsz"  # "mmm", "shh"
    if is_code or (not re.search("[aeiouyáéíóúü]", plain) and not is_sound):
        return " ".join(LETTER_NAMES.get(c, "") for c in plain)
    return word


def _letters(text: str) -> str:
    """Lower case, Spanish letters and marks; other alphabets' letters are left out."""
    kept = [_unaccented(c) for c in text.lower()]
    said = "".join(c if re.fullmatch(r'[a-záéíóúüñ;:,.!?—…"()“” ]*', c) else " " for c in kept)
    return re.sub(r" (?=[;:,.!?…)”])", "", re.sub(r"\s+", " ", said)).strip()


def _unaccented(text: str) -> str:
    """Foreign accents off, Spanish ones kept: "ç" is c-cedilla's sound, s."""
    text = text.replace("ç", "s").replace("ß", "ss").replace("ø", "o").replace("æ", "e")
    plain = []
    for c in text:
        if c in "áéíóúüñ":
            plain.append(c)
        else:
            plain += [x for x in unicodedata.normalize("NFD", c) if not unicodedata.combining(x)]
    return "".join(plain)
