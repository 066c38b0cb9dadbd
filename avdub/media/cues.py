"""SRT and WebVTT text to cues, line by line, naming every line that is not understood.

A broken cue costs itself and a warning, never its neighbours. Knows nothing of files.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[.,](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-+>\s*{_TIME}(?:\s.*)?$")
_ARROW = re.compile(r"-->")
_TIME_LIKE = re.compile(r"\d\s*[:.,]\s*\d.*-+>|-+>.*\d\s*[:.,]\s*\d")
_VTT_BLOCK = re.compile(r"(WEBVTT|NOTE|STYLE|REGION)(\s|$)")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]+)>")
_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<\d[\d:.]*>|\{\\[^}]*\}")
_EMPHASIS = re.compile(r"<(/?)(i|b|em|strong)(?:[.\s][^<>]*)?>", re.IGNORECASE)
_OVERRIDES = re.compile(r"\{[^{}]*\\[^{}]*\}")
_ROW = re.compile(r"\n|\\[Nn]|<br\s*/?>", re.IGNORECASE)
_MARKS = {  # stand for tags in a text without any
    "\ue000": ("i", True),
    "\ue001": ("i", False),
    "\ue002": ("b", True),
    "\ue003": ("b", False),
}
_BREAK = re.compile(r"\\[Nnh]|<br\s*/?>", re.IGNORECASE)
_INVISIBLE = re.compile("[\u200b-\u200f\u202a-\u202e\u2060\ufeff]")


@dataclass
class Cue:
    """One cue as written: `line` is where its timing stands, `text` its raw lines."""

    line: int
    start_ms: int
    end_ms: int
    text: list[str] = field(default_factory=list)


def plain(text: str) -> str:
    """Text without tags and entities, on one line."""
    text = _TAG.sub("", _BREAK.sub(" ", text))
    return " ".join(_INVISIBLE.sub("", html.unescape(text)).split())


def emphasis(text: str) -> tuple[int, ...]:
    """Places in plain(text).split() of the words in italics or bold.

    A row that is marked as a whole is a voice from off screen, a song or a sign: not emphasis.
    """
    marked = _EMPHASIS.sub(_mark, with_tags(text.translate(dict.fromkeys(map(ord, _MARKS)))))
    places: list[int] = []
    is_on = {"i": False, "b": False}
    n_words = 0
    for row in _ROW.split(marked):
        found, n_sounding = [], 0
        for word in plain(row).split():
            is_inside = is_sounding = False
            for c in word:
                if c in _MARKS:
                    kind, is_on_now = _MARKS[c]
                    is_on[kind] = is_on_now
                elif c.isalnum():
                    is_sounding, is_inside = True, is_inside or any(is_on.values())
            found += [n_words] if is_inside else []
            n_sounding += is_sounding
            n_words += any(c not in _MARKS for c in word)
        places += found if len(found) < n_sounding else []
    return tuple(places) if n_words == len(plain(text).split()) else ()


def with_tags(text: str) -> str:
    """Text whose ASS overrides of italics and bold are tags such as <i>, other overrides gone."""
    return _OVERRIDES.sub(lambda found: "".join(_tags(found[0])), text)


def _tags(overrides: str) -> Iterator[str]:
    for kind, value, reset in re.findall(r"\\([ib])(\d+)|\\(r)", overrides):
        if reset:
            yield "</i></b>"
        else:
            yield f"<{'/' * (value == '0')}{kind}>"


def _mark(tag: re.Match[str]) -> str:
    kind = "b" if tag[2].lower() in ("b", "strong") else "i"
    return next(mark for mark, meant in _MARKS.items() if meant == (kind, not tag[1]))


def voice(text: str) -> str | None:
    """The speaker of WebVTT voice tags, None where there is none or more than one."""
    names = {" ".join(name.split()) for name in _VOICE.findall(text)}
    return names.pop() if len(names) == 1 else None


def split_lines(text: str) -> list[str]:
    """Lines of text, whatever system wrote it; other separators are part of a line."""
    return re.split(r"\r*\n|\r", text)


def scan(text: str, warnings: list[str]) -> list[Cue]:
    """All cues with a readable timing, in file order; adds "line n: ..." for what is skipped."""
    scanner = _Scanner(warnings)
    for number, line in enumerate([*split_lines(text), ""], start=1):
        scanner.take(number, line)
    return scanner.cues


class _Scanner:
    """Reads line after line; `_stray` holds lines since the last blank that belong to no cue."""

    def __init__(self, warnings: list[str]) -> None:
        self.cues: list[Cue] = []
        self._warnings = warnings
        self._open: Cue | None = None
        self._skipping = False
        self._stray: list[tuple[int, str]] = []

    def take(self, number: int, line: str) -> None:
        timing = _TIMING.match(line)
        if not line.strip():
            self._end_block()
        elif timing:
            self._start_cue(number, timing)
        elif self._skipping:
            return
        elif self._is_broken_timing(line):
            self._drop_number()
            self._warnings.append(f"line {number}: the times cannot be read: {line.strip()!r}")
            self._open, self._skipping, self._stray = None, True, []
        elif self._open is not None:
            self._open.text.append(line)
        elif _VTT_BLOCK.match(line):
            self._skipping = True
        else:
            self._stray.append((number, line.strip()))

    def _is_broken_timing(self, line: str) -> bool:
        """Inside a cue an arrow may be text, so there it must also look like times."""
        return bool((_ARROW if self._open is None else _TIME_LIKE).search(line))

    def _start_cue(self, number: int, timing: re.Match[str]) -> None:
        self._drop_number()
        self._report_stray(self._stray[:-1])  # the last one is the cue's own name or number
        start_ms, end_ms = _times(timing)
        self._open, self._skipping, self._stray = Cue(number, start_ms, end_ms), False, []
        self.cues.append(self._open)

    def _drop_number(self) -> None:
        """Where a blank line is missing, the next cue's number ended up in this one's text."""
        if self._open is not None and self._open.text and self._open.text[-1].strip().isdecimal():
            self._open.text.pop()

    def _end_block(self) -> None:
        self._report_stray(self._stray)
        self._open, self._skipping, self._stray = None, False, []

    def _report_stray(self, stray: list[tuple[int, str]]) -> None:
        texts = [(number, text) for number, text in stray if not text.isdecimal()]
        if texts:
            number, text = texts[0]
            self._warnings.append(f"line {number}: text without a time is skipped: {text!r}")


def _times(timing: re.Match[str]) -> Iterator[int]:
    groups = timing.groups()
    for hours, minutes, seconds, fraction in (groups[:4], groups[4:]):
        whole = int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)
        yield whole * 1000 + int((fraction or "").ljust(3, "0"))
