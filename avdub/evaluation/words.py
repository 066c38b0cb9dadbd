"""Words compared as a listener would: case, punctuation, numerals and spelling do not count."""

import re
from collections.abc import Sequence
from itertools import pairwise

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
_ABBREVIATIONS = {"mr": "mister", "mrs": "missus", "dr": "doctor", "ok": "okay", "vs": "versus"}
_SIGNS = {"%": " percent ", "&": " and ", "+": " plus ", "@": " at "}
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
_APART = {"anymore": "any more", "goodbye": "good bye", "alright": "all right"}


def words_of(text: str) -> list[str]:
    """`text` as plain lower-case words: numerals spelled out, American spelling."""
    text = text.lower().replace("’", "'").replace("'", "")
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"\b(\d{1,2}):00\b", r"\1", text)
    text = re.sub(r"(\d+)\.(\d+)", _decimal, text)
    text = re.sub(r"(\d+)(st|nd|rd|th)\b", lambda m: f" {_ordinal(int(m[1]))} ", text)
    text = re.sub(r"\d+", lambda m: f" {_number(m[0])} ", text)
    found = re.findall(r"[^\W_]+", text)
    return [part for word in found for part in _plain(word).split()]


def word_errors(said: str, heard: str) -> tuple[int, int]:
    """How many words `said` has, and how many substitutions, insertions and deletions `heard`."""
    wanted, got = words_of(said), words_of(heard)
    return len(wanted), min(
        distance(wanted, got), distance(_rejoined(wanted, got), _rejoined(got, wanted))
    )


def distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Levenshtein distance of two sequences."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            cost = min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
            diagonal, row[j] = row[j], cost
    return row[-1]


def _rejoined(words: Sequence[str], other: Sequence[str]) -> list[str]:
    """Neighbours that the other side writes as one word ("light house") are one here too."""
    known, out, skip = set(other), list[str](), False
    for first, second in pairwise([*words, ""]):
        if skip:
            skip = False
        elif second and first + second in known:
            out.append(first + second)
            skip = True
        else:
            out.append(first)
    return out


def _plain(word: str) -> str:
    word = _ABBREVIATIONS.get(word, word)
    word = _APART.get(word, word)
    if word in _ALIKE:
        return _ALIKE[word]
    for ending in ("s", "d", "ed", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and stem in _ALIKE:
            return _ALIKE[stem] + ending
    return word


def _decimal(match: re.Match[str]) -> str:
    digits = " ".join(_ONES[int(d)] for d in match[2])
    return f" {_number(match[1])} point {digits} "


def _number(digits: str) -> str:
    """Numerals as words; leading zeros and what is too long digit by digit."""
    if len(digits) > 9 or (len(digits) > 1 and digits[0] == "0"):
        return " ".join(_ONES[int(d)] for d in digits)
    return _cardinal(int(digits))


def _cardinal(n: int) -> str:
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f" {_ONES[n % 10]}" if n % 10 else "")
    size, name = next((size, name) for size, name in _SCALES if n >= size)
    rest = f" {_cardinal(n % size)}" if n % size else ""
    return f"{_cardinal(n // size)} {name}{rest}"


def _ordinal(n: int) -> str:
    head, _, last = _cardinal(n).rpartition(" ")
    if last in _ORDINALS:
        last = _ORDINALS[last]
    else:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return f"{head} {last}".strip()
