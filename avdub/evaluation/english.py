"""Written English to the ways it may be read: numerals, times, money, abbreviations, spelling."""

import re
from collections.abc import Callable

from avdub.evaluation.lattice import Abbreviations, Reading, Written, readings

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((1_000_000, "million"), (1_000, "thousand"), (100, "hundred"))
_ORDINALS = {
    **{"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth"},
    **{"nine": "ninth", "twelve": "twelfth"},
}
_MONEY = {"$": ("dollar", "cent"), "£": ("pound", "penny"), "€": ("euro", "cent")}
_MANY = {"penny": "pence"}
_SIGNS = {
    **{"%": readings("percent", "per cent"), "&": readings("and"), "+": readings("plus")},
    **{"@": readings("at"), "=": readings("equals", "is"), "°": readings("degrees", "degree")},
    **{"-": readings("minus", "negative", ""), "#": readings("number", "hashtag", "")},
}
_RANGE = readings("", "to", "dash")
_ABBREVIATIONS: dict[str, str | Written] = {  # with a dot or without one
    **{"mr": readings("mister"), "mrs": readings("missus", "misses", "mrs")},
    **{"ms": readings("miss", "ms"), "dr": readings("doctor", "drive"), "prof": "professor"},
    **{"jr": "junior", "sr": "senior", "vs": "versus", "ok": "okay", "dept": "department"},
    **{"sgt": "sergeant", "capt": "captain", "lt": "lieutenant", "ave": "avenue"},
    **{"blvd": "boulevard", "approx": "approximately", "ltd": "limited", "govt": "government"},
    **{"etc": readings("et cetera", "etcetera"), "st": readings("street", "saint", "st")},
    **{"eg": readings("for example", "e g"), "ie": readings("that is", "i e")},
    **{"km": readings("kilometers", "kilometer", "k m"), "kg": readings("kilograms", "kilogram")},
    **{"cm": readings("centimeters", "centimeter"), "mm": readings("millimeters", "millimeter")},
    **{"lb": readings("pounds", "pound"), "lbs": readings("pounds", "pound")},
    **{"ft": readings("feet", "foot"), "oz": readings("ounces", "ounce")},
    **{"mph": readings("miles per hour", "miles an hour", "m p h")},
    **{"hr": readings("hours", "hour"), "hrs": readings("hours", "hour")},
    **{"min": readings("minutes", "minute", "min"), "sec": readings("seconds", "second", "sec")},
    **{"m": readings("m", "meters", "meter"), "kph": readings("kilometers per hour", "k p h")},
}
_DOTTED = {  # only with a dot: without one they are words
    **{"no": "number", "gen": "general", "col": "colonel", "rev": "reverend", "mt": "mount"},
    **{"rd": "road", "inc": "incorporated", "co": "company", "fig": "figure", "vol": "volume"},
    **{"jan": "january", "feb": "february", "mar": "march", "apr": "april", "aug": "august"},
    **{"sept": "september", "sep": "september", "oct": "october", "nov": "november"},
    **{"dec": "december", "mon": "monday", "tue": "tuesday", "wed": "wednesday"},
    **{"thu": "thursday", "fri": "friday", "sat": "saturday", "sun": "sunday"},
}
_SHORT = Abbreviations(_ABBREVIATIONS, _DOTTED)
_ALIKE = {  # British: American
    **{"colour": "color", "favour": "favor", "favourite": "favorite", "flavour": "flavor"},
    **{"harbour": "harbor", "honour": "honor", "humour": "humor", "labour": "labor"},
    **{"neighbour": "neighbor", "neighbourhood": "neighborhood", "rumour": "rumor"},
    **{"behaviour": "behavior", "vapour": "vapor", "parlour": "parlor", "odour": "odor"},
    **{"armour": "armor", "savour": "savor", "endeavour": "endeavor", "tumour": "tumor"},
    **{"centre": "center", "theatre": "theater", "metre": "meter", "litre": "liter"},
    **{"kilometre": "kilometer", "fibre": "fiber", "sabre": "saber", "calibre": "caliber"},
    **{"grey": "gray", "tyre": "tire", "kerb": "curb", "plough": "plow", "storey": "story"},
    **{"cheque": "check", "programme": "program", "catalogue": "catalog", "dialogue": "dialog"},
    **{"defence": "defense", "offence": "offense", "licence": "license", "pretence": "pretense"},
    **{"practise": "practice", "jewellery": "jewelry", "aluminium": "aluminum", "mum": "mom"},
    **{"travelled": "traveled", "travelling": "traveling", "traveller": "traveler"},
    **{"cancelled": "canceled", "labelled": "labeled", "modelling": "modeling"},
    **{"marvellous": "marvelous", "skilful": "skillful", "enrol": "enroll", "fulfil": "fulfill"},
    **{"realise": "realize", "organise": "organize", "recognise": "recognize"},
    **{"apologise": "apologize", "analyse": "analyze", "sceptic": "skeptic", "draught": "draft"},
    **{"whilst": "while", "amongst": "among", "towards": "toward", "learnt": "learned"},
    **{"pyjamas": "pajamas", "moustache": "mustache", "cosy": "cozy", "doughnut": "donut"},
}
_APART = {
    "anymore": "any more",
    "goodbye": "good bye",
    "alright": "all right",
    "oclock": "o clock",
    "percent": "per cent",
}
_TOKEN = re.compile(
    r"""
    (?P<money>[$£€]\s?\d[\d,]*(?:\.\d+)?(?:\s(?:thousand|million|billion|trillion)\b)?)
  | (?P<time>\b\d{1,2}:[0-5]\d\b)
  | (?P<ordinal>\d+(?:st|nd|rd|th)\b)
  | (?P<decade>\b(?:\d\d)?\d0s\b)
  | (?P<decimal>\d[\d,]*\.\d+)
  | (?P<part>\b[123]/[234]\b)
  | (?P<number>\d{1,3}(?:,\d{3})+(?!\d)|\d+)
  | (?P<letters>\b(?:[^\W\d_]\.){2,})
  | (?P<range>(?<=\d)\s?[-–—]\s?(?=\d))
  | (?P<sign>[%&+@=°]|(?<!\S)[-−#](?=\d))
  | (?P<dotted>\b[^\W\d_]+\.)
  | (?P<word>[^\W\d_]+)
    """,
    re.VERBOSE,
)
_PARTS = {
    **{"1/2": readings("one half", "a half", "half"), "3/4": readings("three quarters")},
    **{"1/4": readings("one quarter", "a quarter", "quarter", "one fourth")},
    **{"1/3": readings("one third", "a third"), "2/3": readings("two thirds")},
}


def read_english(text: str) -> list[Written]:
    """Everything written in `text`, each with its readings; words are lower-case and American."""
    text = text.lower().replace("’", "'").replace("'", "")
    found = [_READERS[str(m.lastgroup)](m[0]) for m in _TOKEN.finditer(text)]
    return [tuple(dict.fromkeys(map(_plain, each))) for each in found]


def _plain(reading: Reading) -> Reading:
    return tuple(part for word in reading for part in _spelling(word).split())


def _spelling(word: str) -> str:
    word = _APART.get(word, word)
    if word in _ALIKE:
        return _ALIKE[word]
    for ending in ("s", "d", "ed", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and stem in _ALIKE:
            return _ALIKE[stem] + ending
    return word


def _number(token: str) -> Written:
    """Numerals as words: as a quantity, as a year, in pairs, digit by digit."""
    digits = token.replace(",", "")
    one_by_one = " ".join(_ONES[int(d)] for d in digits)
    spelled = (one_by_one, one_by_one.replace("zero", "oh"))
    if len(digits) > 9 or (len(digits) > 1 and digits[0] == "0"):
        return readings(*spelled)
    n = int(digits)
    found = [_cardinal(n), _cardinal(n, "and ")]
    found += ["a" + x.removeprefix("one") for x in found if x.startswith("one ")]
    if len(digits) == 4:
        found += _in_pairs(*divmod(n, 100))
    elif len(digits) == 3 and n % 100 > 9:
        found.append(f"{_ONES[n // 100]} {_cardinal(n % 100)}")
    return readings(*found, *spelled)


def _in_pairs(high: int, low: int) -> list[str]:
    """1984 as "nineteen eighty four", 1905 as "nineteen oh five", 1900 as "nineteen hundred"."""
    if high % 10 == 0 and (high != 20 or low < 10):
        return []
    head = _cardinal(high)
    rest = f" {_cardinal(low)}" if low else ""
    hundreds = f"{head} hundred{rest}"
    return [hundreds, f"{head} oh{rest}" if 0 < low < 10 else f"{head}{rest or ' hundred'}"]


def _time(token: str) -> Written:
    hour, minute = map(int, token.split(":"))
    at, then = _cardinal(hour), _cardinal(hour % 12 + 1)
    if minute == 0:
        return readings(at, f"{at} o clock", f"{at} hundred")
    minutes = _cardinal(minute)
    found = [f"{at} oh {minutes}"] if minute < 10 else []
    found.append(f"{at} {minutes}")
    left = _cardinal(60 - minute)
    past = {15: ("quarter", "a quarter"), 30: ("half",)}.get(minute, (minutes,))
    to = {45: (left, "quarter", "a quarter")}.get(minute, (left,))
    found += [f"{x} {word} {at}" for x in past for word in ("past", "after")]
    found += [f"{x} {word} {then}" for x in to for word in ("to", "before")]
    return readings(*found)


def _decade(token: str) -> Written:
    many = [" ".join(reading) for reading in _number(token[:-1])]
    return readings(*(_plural(x) for x in reversed(many) if not x.endswith(("zero", "oh"))))


def _plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


def _decimal(token: str) -> Written:
    whole, digits = token.replace(",", "").split(".")
    one_by_one = " ".join(_ONES[int(d)] for d in digits)
    tails = [one_by_one, one_by_one.replace("zero", "oh")]
    if len(digits) == 2 and digits[0] != "0":
        tails.append(_cardinal(int(digits)))
    heads = [" ".join(reading) for reading in _number(whole)]
    heads += [""] if whole == "0" else []
    return readings(*(f"{head} point {tail}" for tail in tails for head in heads))


def _part(token: str) -> Written:
    top, bottom = map(int, token.split("/"))
    return (*_PARTS.get(token, ()), *readings(f"{_cardinal(top)} {_cardinal(bottom)}"))


def _money(token: str) -> Written:
    unit, part = _MONEY[token[0]]
    amount, _, scale = token[1:].strip().partition(" ")
    whole, _, cents = amount.replace(",", "").partition(".")
    if scale or (cents and len(cents) != 2):
        amounts = _decimal(amount) if cents else _number(whole)
        return readings(*(f"{' '.join(h)} {scale} {unit}s" for h in amounts))
    name = unit if whole == "1" else unit + "s"
    heads = [" ".join(h) for h in _number(whole)]
    if not int(cents or 0):
        return readings(*(f"{head} {name}" for head in heads))
    n_cents = _cardinal(int(cents))
    cent = part if int(cents) == 1 else _MANY.get(part, part + "s")
    ends = (f"{name} {n_cents}", f"{name} and {n_cents} {cent}", f"{name} {n_cents} {cent}")
    point = [" ".join(d) + f" {unit}s" for d in _decimal(f"{whole}.{cents}")]
    return readings(*(f"{h} {end}" for h in heads for end in (*ends, n_cents)), *point)


def _cardinal(n: int, link: str = "") -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f" {_ONES[n % 10]}" if n % 10 else "")
    size, name = next((size, name) for size, name in _SCALES if n >= size)
    rest = n % size
    joint = link if rest and (size == 100 or rest < 100) else ""
    tail = f" {joint}{_cardinal(rest, link)}" if rest else ""
    return f"{_cardinal(n // size, link)} {name}{tail}"


def _ordinal(token: str) -> Written:
    n = int(token[:-2])
    return readings(*(_ordinal_of(cardinal) for cardinal in (_cardinal(n), _cardinal(n, "and "))))


def _ordinal_of(cardinal: str) -> str:
    head, _, last = cardinal.rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return f"{head} {last}".strip()


_READERS: dict[str, Callable[[str], Written]] = {  # by the groups of _TOKEN
    **{"money": _money, "time": _time, "ordinal": _ordinal, "decade": _decade, "part": _part},
    **{"decimal": _decimal, "number": _number, "letters": _SHORT.letters},
    **{"range": lambda _: _RANGE, "sign": lambda token: _SIGNS[token.replace("−", "-")]},
    **{"dotted": _SHORT.word, "word": _SHORT.word},
}
