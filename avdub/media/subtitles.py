"""Subtitle files and transcripts to segments, and back.

Text comes out plain and on one line; what cannot be read is skipped with a warning that names its
line, and only a file without any readable cue is an error.
"""

import codecs
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pysubs2

from avdub.errors import InputError, SubtitleError
from avdub.media import cues
from avdub.media.container import check_readable
from avdub.timeline import MS_PER_S, Segment, boundary

SUFFIXES = (".srt", ".vtt", ".ass", ".ssa")
LARGEST = 64 << 20  # bytes; 100,000 cues have 6 MB
_ASS_EVENT = re.compile(r"\s*(Dialogue|Comment)\s*:", re.IGNORECASE)
_ASS_TIME = r"\s*\d+:\d{1,2}:\d{1,2}[.:]\d{1,3}\s*"
_ASS_WHOLE = re.compile(rf"[^,]*,{_ASS_TIME},{_ASS_TIME},(?:[^,]*,){{6}}")
_ASS_COMMENT = re.compile(r"\{[^}]*\}")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_subtitles(path: Path) -> tuple[list[Segment], list[str]]:
    """Segments of an SRT, WebVTT, ASS or SSA file by start time, and warnings naming lines.

    Raises InputError for a file that cannot be read, SubtitleError where it holds no cue.
    """
    warnings: list[str] = []
    text = read_text(path, warnings)
    if "[Events]" in text or "[Script Info]" in text:
        found = list(_ass_cues(path, text, warnings))
    else:
        found = [(c, "\n".join(c.text), None) for c in cues.scan(text, warnings)]
    segments = list(_segments(found, warnings))
    warnings.sort(key=_line_of)
    if not segments:
        raise SubtitleError(
            f"{path} has no readable subtitle" + (f" ({warnings[0]})" if warnings else ""),
            f"give subtitles with times as {', '.join(SUFFIXES)}",
            line=_line_of(warnings[0]) if warnings else 1,
        )
    return sorted(segments, key=lambda s: (s.start_ms, s.index)), warnings


def _line_of(warning: str) -> int:
    match = re.match(r"line (\d+)", warning)
    return int(match[1]) if match else 0


def _segments(
    found: Sequence[tuple[cues.Cue, str, str | None]], warnings: list[str]
) -> Iterator[Segment]:
    """Cues with raw text and name → the segments among them."""
    seen: set[tuple[int, int, str]] = set()
    for index, (cue, raw, name) in enumerate(found, start=1):
        text = cues.plain(raw)
        key = (cue.start_ms, cue.end_ms, text)
        problem = ""
        if not text:
            problem = "has no text"
        elif cue.end_ms <= cue.start_ms:
            problem = "ends before it starts"
        elif key in seen:
            problem = "repeats an earlier one"
        if problem:
            warnings.append(f"line {cue.line}: subtitle {index} {problem} and is skipped")
            continue
        seen.add(key)
        speaker = name or cues.voice(raw)
        yield Segment(index, cue.start_ms, cue.end_ms, text, speaker, cues.emphasis(raw))


def _ass_cues(
    path: Path, text: str, warnings: list[str]
) -> Iterator[tuple[cues.Cue, str, str | None]]:
    """Spoken events: comments and drawings are left out."""
    kept: list[str] = []
    places: list[int] = []
    for number, line in enumerate(cues.split_lines(text), start=1):
        if _ASS_EVENT.match(line):
            if not _ASS_WHOLE.match(line):
                warnings.append(f"line {number}: the event cannot be read: {line.strip()[:60]!r}")
                continue
            places.append(number)
        kept.append(line)
    try:
        with catch_warnings():
            simplefilter("ignore")  # fields that do not matter here
            events = pysubs2.SSAFile.from_string("\n".join(kept), format_="ass").events
    except (pysubs2.Pysubs2Error, ValueError, KeyError) as error:
        raise SubtitleError(
            f"{path} is damaged: {error}", "save it again as .ass or .srt"
        ) from error
    for number, event in zip(places, events, strict=False):
        if event.type == "Dialogue" and not event.is_drawing:
            cue = cues.Cue(number, event.start, event.end)
            text = _ASS_COMMENT.sub("", cues.with_tags(event.text))
            yield cue, text, " ".join(event.name.split()) or None


def read_text(path: Path, warnings: list[str]) -> str:
    """The file as text: UTF-8, UTF-16 with its mark, else Windows-1252."""
    check_readable(path)
    with path.open("rb") as file:
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise SubtitleError(f"{path} is too large for subtitles", "give a text file below 64 MB")
    if data.startswith(_UTF16):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        warnings.append(f"line {line}: not UTF-8, so the file was read as Windows-1252")
        return data.decode("cp1252", errors="replace")


def find_subtitles(video: Path, language: str | None = None) -> Path:
    """The subtitle file beside a video, `stem.language.srt` before `stem.srt`, or InputError."""
    stems = [f"{video.stem}.{language}"] if language else []
    names = [stem + suffix for stem in [*stems, video.stem] for suffix in SUFFIXES]
    for name in names:
        if (candidate := video.with_name(name)).is_file():
            return candidate
    raise InputError(
        f"no subtitles beside {video}: looked for {', '.join(names)}",
        "name the subtitle file, or put it beside the video under one of these names",
    )


def clip_to(segments: Sequence[Segment], end: Fraction) -> tuple[list[Segment], list[str]]:
    """Segments inside a programme that ends at `end` seconds, and a warning for each change."""
    last_ms = int(end * MS_PER_S)
    kept: list[Segment] = []
    warnings: list[str] = []
    for segment in segments:
        if segment.start_ms >= last_ms:
            warnings.append(f"subtitle {segment.index} starts after the video ends and is skipped")
        elif segment.end_ms > last_ms:
            warnings.append(f"subtitle {segment.index} is cut at the end of the video")
            kept.append(replace(segment, end_ms=last_ms))
        else:
            kept.append(segment)
    return kept, warnings


def read_transcript(path: Path) -> list[str]:
    """Lines of a plain text without times, blank ones left out; SubtitleError if none is left."""
    lines = [" ".join(line.split()) for line in cues.split_lines(read_text(path, []))]
    lines = [line for line in lines if line]
    if not lines:
        raise SubtitleError(f"{path} has no text", "write one sentence a line", line=1)
    return lines


def spread_transcript(lines: Sequence[str], speech: Sequence[tuple[float, float]]) -> list[Segment]:
    """Lines laid over the stretches of speech (start_s, end_s), by their numbers of characters.

    Raises SubtitleError where there is no speech.
    """
    spoken_s = list(accumulate((end - start for start, end in speech), initial=0.0))
    if not speech or spoken_s[-1] <= 0:
        raise SubtitleError("no speech to lay the transcript over", "give subtitles with times")
    ends = list(accumulate((len(line) for line in lines), initial=0))
    per_character = spoken_s[-1] / ends[-1]
    segments: list[Segment] = []
    for n, line in enumerate(lines):
        start = _clock(ends[n] * per_character, speech, spoken_s, ending=False)
        end = _clock(ends[n + 1] * per_character, speech, spoken_s, ending=True)
        segments.append(Segment(n + 1, start, max(end, start + 1), line))
    return segments


def _clock(
    at_s: float, speech: Sequence[tuple[float, float]], spoken_s: list[float], ending: bool
) -> int:
    """Milliseconds on the clock after `at_s` of pure speech; a border belongs to either side."""
    for n, (start, _) in enumerate(speech):
        after = spoken_s[n + 1]
        if at_s < after - 1e-9 or (ending and at_s <= after + 1e-9) or n == len(speech) - 1:
            return boundary(Fraction(start + at_s - spoken_s[n]), MS_PER_S)
    raise AssertionError("there is speech")


def write_srt(segments: Sequence[Segment], path: Path) -> None:
    """UTF-8 SRT, whole or not at all, numbered from 1 in the order given; emphasis in italics."""
    blocks = (
        f"{n}\n{_stamp(s.start_ms)} --> {_stamp(s.end_ms)}\n{_with_italics(s)}\n"
        for n, s in enumerate(segments, start=1)
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_text("\n".join(blocks), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", "choose another folder"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _with_italics(segment: Segment) -> str:
    words = segment.text.split()
    return " ".join(f"<i>{w}</i>" if n in segment.emphasis else w for n, w in enumerate(words))


def _stamp(time_ms: int) -> str:
    seconds, ms = divmod(time_ms, MS_PER_S)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02},{ms:03}"
