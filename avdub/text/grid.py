"""The GRID corpus' sentences: six words that follow from a clip's six-letter name."""

from avdub.errors import InputError

LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (
            *("ay", "bee", "see", "dee", "ee", "eff", "gee", "aitch", "eye", "jay", "kay", "ell"),
            *("em", "en", "oh", "pea", "cue", "are", "ess", "tea", "you", "vee", "double-you"),
            *("ex", "why", "zee"),
        ),
        strict=True,
    )
)
GRID: tuple[dict[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    LETTERS,
    {
        **{"z": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five"},
        **{"6": "six", "7": "seven", "8": "eight", "9": "nine"},
    },
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


def grid_sentence(name: str) -> str:
    """The words of a GRID clip from its six-letter name. Raises InputError for another name."""
    code = name.rpartition("_")[2]
    if len(code) != len(GRID) or any(c not in t for c, t in zip(code, GRID, strict=True)):
        raise InputError(f"{name} is no GRID clip name", "leave it out")
    words = [table[c] for c, table in zip(code, GRID, strict=True)]
    return " ".join(words) + "."
