"""Subtitles as they are shown: rows of text and when they stand, for a track or for the picture.

Unlike segments, which are spoken, captions keep their rows and italics.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
from av.error import FFmpegError

from avdub.errors import SubtitleError
from avdub.media import cues
from avdub.media.subtitles import read_text
from avdub.timeline import MS_PER_S, Segment, Span

STYLED = (".ass", ".ssa")
MOST_AT_ONCE = 8  # of captions that stand together; nobody reads more
ASS_FIELDS = 9  # of an event as a packet, the text being the last
_ROW = re.compile(r"\n|\\[Nn]|<br\s*/?>", re.IGNORECASE)
_KEPT_TAG = re.compile(r"<(/?)([ibu])(?:[.\s][^<>]*)?>", re.IGNORECASE)
_DRAWING = re.compile(r"\{[^{}]*\\p[1-9]")
_MARKS = {
    f"<{slash}{name}>": chr(0xE100 + n)
    for n, (slash, name) in enumerate((slash, name) for slash in ("", "/") for name in "ibu")
}  # stand for tags in a text that must not have any


@dataclass(frozen=True)
class Caption:
    """Text that stands for a while: rows parted by line breaks, with no tags but <i>, <b>, <u>."""

    start_ms: int
    end_ms: int
    text: str

    @property
    def plain(self) -> str:
        """The rows without any tags."""
        return _KEPT_TAG.sub("", self.text)


@dataclass(frozen=True)
class Captions:
    """All captions of a programme by their start, and the ASS file they come from, if they do."""

    captions: tuple[Caption, ...]
    ass: str = ""

    def until(self, end: Fraction) -> "Captions":
        """Those that begin before `end` seconds, none of them longer."""
        end_ms = int(end * MS_PER_S)
        inside = (each for each in self.captions if each.start_ms < end_ms)
        cut = tuple(replace(each, end_ms=min(each.end_ms, end_ms)) for each in inside)
        return replace(self, captions=cut)


def read_captions(path: Path) -> Captions:
    """Captions of an SRT, WebVTT, ASS or SSA file; what cannot be read is left out.

    Raises InputError for a file that cannot be read, SubtitleError where nothing in it can.
    """
    text = read_text(path, [])
    is_ass = "[Events]" in text or "[Script Info]" in text
    found = _ass_captions(path, text) if is_ass else _captions(cues.scan(text, []))
    kept = sorted(set(found), key=lambda each: (each.start_ms, each.end_ms))
    if not kept:
        raise SubtitleError(f"{path} has no readable subtitle", "give subtitles with times")
    return Captions(tuple(kept), text if is_ass else "")


def captions_of(segments: Iterable[Segment]) -> Captions:
    """The text of segments, where there are no subtitles with times of their own."""
    return Captions(tuple(Caption(s.start_ms, s.end_ms, s.text) for s in segments))


def one_at_a_time(captions: Sequence[Caption]) -> tuple[Caption, ...]:
    """The same texts such that no two captions stand at once: those that do become one."""
    borders = sorted({t for each in captions for t in (each.start_ms, each.end_ms)})
    joined: list[Caption] = []
    standing: list[Caption] = []
    following = iter(sorted(captions, key=lambda each: each.start_ms))
    ahead = next(following, None)
    for start, end in pairwise(borders):
        standing = [each for each in standing if each.end_ms > start]
        while ahead is not None and ahead.start_ms <= start:
            standing = [*standing, ahead][-MOST_AT_ONCE:]
            ahead = next(following, None)
        if not standing:
            continue
        text = "\n".join(dict.fromkeys(each.text for each in standing))
        before = joined[-1] if joined else None
        if before is not None and (before.end_ms, before.text) == (start, text):
            joined[-1] = replace(before, end_ms=end)
        else:
            joined.append(Caption(start, end, text))
    return tuple(joined)


def frames_of(caption: Caption, frame_times: Sequence[Fraction]) -> Span:
    """The frames during which a caption stands."""
    start, end = (
        bisect_left(frame_times, Fraction(t, MS_PER_S)) for t in (caption.start_ms, caption.end_ms)
    )
    return Span(start, max(start, end))


def ass_packets(ass: str) -> Iterator[tuple[int, int, bytes]]:
    """Events of an ASS file by their start as (start_ms, end_ms, bytes of a Matroska packet)."""
    with av.open(BytesIO(ass.encode()), format="ass") as container:
        stream = container.streams.subtitles[0]
        for packet in container.demux(stream):
            if packet.size and packet.pts is not None:
                start = int(packet.pts * packet.time_base * MS_PER_S)
                length = int((packet.duration or 0) * packet.time_base * MS_PER_S)
                yield start, start + length, bytes(packet)


def _captions(found: Iterable[cues.Cue]) -> Iterator[Caption]:
    for cue in found:
        text = _clean("\n".join(cue.text))
        if text and cue.end_ms > cue.start_ms >= 0:
            yield Caption(cue.start_ms, cue.end_ms, text)


def _ass_captions(path: Path, text: str) -> Iterator[Caption]:
    """Events without their styles; drawings are left out."""
    try:
        for start, end, data in ass_packets(text):
            fields = data.decode("utf-8", errors="replace").split(",", ASS_FIELDS - 1)
            if len(fields) < ASS_FIELDS or _DRAWING.search(fields[-1]):
                continue
            rows = _clean(fields[-1])
            if rows and end > start:
                yield Caption(start, end, rows)
    except (FFmpegError, IndexError) as error:
        raise SubtitleError(f"{path} is damaged", "save it again as .ass or .srt") from error


def _clean(raw: str) -> str:
    """Raw text of any format as rows with no tags but those that are kept."""
    rows = (_clean_row(row) for row in _ROW.split(cues.with_tags(raw)))
    return "\n".join(row for row in rows if row)


def _clean_row(row: str) -> str:
    marked = _KEPT_TAG.sub(lambda tag: _MARKS[f"<{tag[1]}{tag[2].lower()}>"], row)
    text = cues.plain(marked)
    for tag, mark in _MARKS.items():
        text = text.replace(mark, tag)
    return text if _KEPT_TAG.sub("", text).strip() else ""
