"""Which words of a line stand out: those in tags, between *asterisks* or in CAPITALS.

Where nothing stands out against the rest, because all of the line is marked, nothing is meant. A
word that capitals only abbreviate (NASA, FBI) is no emphasis and keeps them.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from avdub.text.base import _g2p

_STARRED = re.compile(r"(?<![\w*])\*+(?=[^\s*])[^*]*(?<=[^\s*])\*+(?![\w*])")
_BRACKETED = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_LABEL = re.compile(r"\s*[^\W\d_a-z][^a-z:]*:(?=\s)")  # JOHN: at the start of a line
_EDGES = re.compile(r"^[^\w]+|[^\w]+$")
# These abbreviate something too, but somebody who writes them in capitals mostly raises his voice.
_EVERYDAY = frozenset(
    (
        *("add", "as", "basic", "be", "calm", "care", "gift", "he", "hi", "ice", "in", "is", "me"),
        *("mud", "neat", "nice", "oh", "or", "sad", "shape", "start", "stress", "unison", "waves"),
    )
)


def find_emphasis(
    text: str, tagged: Collection[int], language: str
) -> tuple[list[str], frozenset[int]]:
    """The words of `text` as they should be read, and the places of those that stand out.

    `tagged` are places in text.split(). Words that only emphasis put in capitals come in small
    letters; only English is known well enough to tell them.
    """
    words = text.split()
    raised, is_shouted = _raised(text, words) if language.lower().startswith("en") else (set(), 0)
    plain = [word.lower() if n in raised else word for n, word in enumerate(words)]
    found = {n for n in tagged if n < len(words)} | _covered(text, _STARRED)
    if not is_shouted:
        found |= raised - _covered(text, _BRACKETED) - _covered(text, _LABEL)
    sounding = {n for n, word in enumerate(words) if any(c.isalnum() for c in word)}
    found &= sounding
    return plain, frozenset() if found >= sounding else frozenset(found)


def _covered(text: str, pattern: re.Pattern[str]) -> set[int]:
    """Places of the words that the finds of `pattern` touch with a letter or digit."""
    spans = [found.span() for found in pattern.finditer(text)]
    if pattern is _LABEL:
        spans = [span for span in spans if span[0] == 0]
    letters = [[n for n in range(*word.span()) if text[n].isalnum()] for word in _words(text)]
    return {
        place
        for place, own in enumerate(letters)
        if any(first <= n < last for n in own for first, last in spans)
    }


def _words(text: str) -> Iterator[re.Match[str]]:
    return re.finditer(r"\S+", text)


def _raised(text: str, words: Sequence[str]) -> tuple[set[int], bool]:
    """Places of words in capitals that mean themselves, and whether the whole line is like that."""
    cores = [_EDGES.sub("", word).replace("’", "'") for word in words]
    capital = {n for n, core in enumerate(cores) if _is_capital(core)}
    longer = {n for n, core in enumerate(cores) if sum(c.isalpha() for c in core) > 1}
    known = {n for n in capital if _is_word(cores[n])}
    raised = {n for n in known if not _abbreviates(cores[n])}
    while more := {n for n in known - raised if {n - 1, n + 1} & raised}:
        raised |= more  # "I LOVE IT"
    return raised, capital >= longer - _covered(text, _LABEL)


def _is_capital(core: str) -> bool:
    letters = [c for c in core if c.isalpha()]
    return len(letters) > 1 and core.isupper() and not any(c.isdigit() for c in core)


def _is_word(core: str) -> bool:
    """Whether the dictionary has it, or all its hyphened parts, in small letters."""
    lexicon = _g2p(False).lexicon  # type: ignore[attr-defined]
    parts = core.lower().split("-")
    return all(part in lexicon.golds or part in lexicon.silvers for part in parts)


def _abbreviates(core: str) -> bool:
    """Whether the dictionary has it in capitals too, read as letters or as a name."""
    lexicon = _g2p(False).lexicon  # type: ignore[attr-defined]
    return core in lexicon.golds and core.lower() not in _EVERYDAY
