"""A line of subtitles as plain words, and the languages there are: the same for every family."""

import re
import unicodedata

from avdub.errors import InputError

LANGUAGES = ("en", "en-us", "en-gb", "es", "es-es", "es-419", "es-mx")


def check_language(language: str) -> str:
    """`language` as one of LANGUAGES. Raises InputError where it is none of them."""
    if language.lower() not in LANGUAGES:
        listed = ", ".join(LANGUAGES)
        raise InputError(f"no text front end for language {language!r}", f"use one of {listed}")
    return language.lower()


def normalize(text: str) -> str:
    """One line, plain quotes and digits, no control characters or subtitle marks."""
    text = "".join(_plain_digits(c) if c.isnumeric() else c for c in text)
    text = re.sub(r"[\x00-\x1f\x7f\u200b-\u200f\ufeff]+", " ", text)
    text = re.sub(r"[♪♫#*_~|<>{}\[\]]+", " ", text).replace("’", "'").replace("‘", "'")
    return re.sub(r"\s+", " ", text).strip()


def _plain_digits(c: str) -> str:
    """² as 2, ½ as 1/2; numerals of other scripts are left out, the G2P fails on them."""
    plain = unicodedata.normalize("NFKC", c).replace("⁄", "/")
    return plain if plain.isascii() else ""
