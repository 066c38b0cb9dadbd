"""A line read aloud: its phonemes, where they are emphasised and where the voice rises.

The line is read as a whole, since context decides how a word sounds; where its words lie among the
phonemes is found by counting, and a word that cannot be found for sure is not emphasised.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import Enum, auto
from functools import cache

from avdub.text.emphasis import find_emphasis
from avdub.text.families import FrontEnd

ALIKE = 0.5  # share of its own sounds that a word keeps in context, at least ("the" keeps half)
STRESS, WEAK_STRESS = "ˈ", "ˌ"
_STRESSES = re.compile(f"[{STRESS}{WEAK_STRESS}]")
_ASKING = (
    *("what", "who", "whom", "whose", "when", "where", "why", "how", "which"),
    *("what's", "who's", "when's", "where's", "why's", "how's", "what're", "who're", "how're"),
    *("what'd", "who'd", "where'd", "why'd", "how'd", "what'll", "who'll", "what've"),
)
_BREAK = re.compile(r" *(?:—|…|\.{2,})[ —….]*")
# Families whose voices, as measured, keep sounding through other marks however long those last.
COMMAS_ONLY = frozenset({"base"})
_SENTENCE_ENDS = ".!?…"


class Break(Enum):
    """A longer pause than a comma's, between words."""

    DASH = auto()
    ELLIPSIS = auto()


@dataclass(frozen=True)
class Reading:
    """Phonemes, the spans of those that are emphasised, the question marks before which the voice
    rises, and the marks at which it breaks off (places in `phonemes`)."""

    phonemes: str
    emphasis: tuple[tuple[int, int], ...] = ()
    rises: tuple[int, ...] = ()
    breaks: tuple[tuple[int, Break], ...] = ()


def read_aloud(
    text: str, tagged: Collection[int], front_end: FrontEnd, language: str = "en"
) -> Reading:
    """One line of text, with the places of its tagged words, as `front_end` reads it.

    No phonemes where nothing has a sound. Raises InputError for a language without a front end.
    """
    text = text.replace("--", "—")
    words, emphasised = find_emphasis(text, tagged, language)
    said = front_end.phonemize(" ".join(words), language)
    spans = []
    for n in sorted(emphasised):
        span = _find(said, words, n, front_end, language)
        has_neighbour = bool({n - 1, n + 1} & emphasised)
        if span and not (has_neighbour and STRESS not in said[slice(*span)]):  # not "*the* best"
            spans.append(span)
    said, emphasis = _stressed(said, spans, front_end)
    said, emphasis, breaks = _broken(said, emphasis, front_end)
    rises = _rises(said, front_end, language) if language.lower().startswith("en") else ()
    return Reading(said, emphasis, rises, breaks)


def _find(
    said: str, words: Sequence[str], place: int, front_end: FrontEnd, language: str
) -> tuple[int, int] | None:
    """The span of a word in `said`; None where it is uncertain."""

    def read(part: Sequence[str]) -> str:
        return front_end.phonemize(" ".join(part), language) if part else ""

    own = read([words[place]])
    tokens, own_tokens = _tokens(said, front_end), _tokens(own, front_end)
    before = len(_tokens(read(words[:place]), front_end))
    after = len(_tokens(read(words[place + 1 :]), front_end))
    if not own_tokens or before + len(own_tokens) + after != len(tokens):
        return None
    start, end = tokens[before][0], tokens[before + len(own_tokens) - 1][1]
    inside = said[start:end]
    if any(c in front_end.pauses for c in inside.replace(" ", "")):
        return None
    alone = own[own_tokens[0][0] : own_tokens[-1][1]]
    bare, bare_alone = _STRESSES.sub("", inside), _STRESSES.sub("", alone)
    is_alike = SequenceMatcher(None, bare_alone, bare).ratio() >= ALIKE
    return (start, end) if is_alike else None


def _tokens(said: str, front_end: FrontEnd) -> list[tuple[int, int]]:
    """Spans between spaces, without the punctuation around them; those without a sound left out."""
    spans = []
    for token in re.finditer("[^ ]+", said):
        sounds = [n for n in range(*token.span()) if said[n] not in front_end.pauses]
        if sounds:
            spans.append((sounds[0], sounds[-1] + 1))
    return spans


def _stressed(
    said: str, spans: Sequence[tuple[int, int]], front_end: FrontEnd
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Every emphasised word with a main stress; words like "it" have none, "not" a weak one."""
    moved: list[tuple[int, int]] = []
    shift = 0
    for first, last in spans:
        start, end = first + shift, last + shift
        inside = said[start:end]
        if STRESS not in inside and WEAK_STRESS in inside:
            inside = inside.replace(WEAK_STRESS, STRESS, 1)
        elif STRESS not in inside:
            vowel = next((n for n, c in enumerate(inside) if c in front_end.vowels), 0)
            inside = inside[:vowel] + STRESS + inside[vowel:]
        said = said[:start] + inside + said[end:]
        moved.append((start, start + len(inside)))
        shift += len(inside) - (last - first)
    return said, tuple(moved)


def _broken(
    said: str, spans: tuple[tuple[int, int], ...], front_end: FrontEnd
) -> tuple[str, tuple[tuple[int, int], ...], tuple[tuple[int, Break], ...]]:
    """Dashes and ellipses between words, as commas where only those are silent, and the spans
    moved with them."""
    breaks: list[tuple[int, Break]] = []
    for found in reversed(list(_BREAK.finditer(said))):
        first, last = found.span()
        if not all(set(side) - front_end.pauses for side in (said[:first], said[last:])):
            continue
        mark = ", " if front_end.name in COMMAS_ONLY else found[0]
        longer = len(mark) - (last - first)
        said = said[:first] + mark + said[last:]
        spans = tuple((a + longer, b + longer) if a >= last else (a, b) for a, b in spans)
        breaks = [(place + longer, kind) for place, kind in breaks]
        kind = Break.DASH if "—" in found[0] else Break.ELLIPSIS
        breaks.append((first + len(mark) - len(mark.lstrip()), kind))
    return said, spans, tuple(sorted(breaks, key=lambda each: each[0]))


def _rises(said: str, front_end: FrontEnd, language: str) -> tuple[int, ...]:
    """The question marks of questions that do not begin by asking what, who, when, ..."""
    rises, start = [], 0
    for n, c in enumerate(said):
        if c not in _SENTENCE_ENDS:
            continue
        sentence = said[start:n]
        begun = [sentence, re.split("[,;:—]", sentence)[-1]]
        words = [_bare(word) for part in begun for word in part.split()[:2]]
        if c == "?" and sentence.strip(" ") and not set(words) & _asking(front_end, language):
            rises.append(n)
        start = n + 1
    return tuple(rises)


@cache
def _asking(front_end: FrontEnd, language: str) -> frozenset[str]:
    return frozenset(_bare(front_end.phonemize(word, language)) for word in _ASKING)


def _bare(word: str) -> str:
    return "".join(c for c in word if c not in ',;:—"“”()¿ˈˌ')
