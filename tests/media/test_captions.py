"""Captions as viewers see them: what is kept of a file's texts, and which stand together."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.errors import InputError, SubtitleError
from avdub.media.captions import (
    MOST_AT_ONCE,
    Caption,
    Captions,
    captions_of,
    frames_of,
    one_at_a_time,
    read_captions,
)
from avdub.timeline import Span
from tests.make import make_segment

ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:02.00,0:00:03.00,Default,Bob,0,0,0,,{\\i1}Hola{\\i0}, {\\c&H00FF00&}niño\\NAdiós
Comment: 0,0:00:02.00,0:00:03.00,Default,Bob,0,0,0,,A note
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Uno, dos
Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0{\\p0}
"""


def read(folder: Path, text: str, name: str = "s.srt", encoding: str = "utf-8") -> Captions:
    (folder / name).write_text(text, encoding=encoding)
    return read_captions(folder / name)


def cue(times: str, text: str) -> str:
    return f"1\n{times}\n{text}\n\n"


FIRST = "00:00:01,000 --> 00:00:02,000"
SECOND = "00:00:02,500 --> 00:00:03,000"


def test_rows_and_italics_are_kept(tmp_path: Path) -> None:
    found = read(tmp_path, cue(FIRST, "- <I>Hola</I>.\n- Adiós."))
    assert found.captions == (Caption(1000, 2000, "- <i>Hola</i>.\n- Adiós."),)
    assert found.captions[0].plain == "- Hola.\n- Adiós."


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('{\\an8}<font color="red">Up</font> here', "Up here"),
        ("{\\i1}Both{\\i0} kinds", "<i>Both</i> kinds"),
        ("Ben &amp; Ann", "Ben & Ann"),
        ("<v Ann>Hello<br/>there", "Hello\nthere"),
        ("<b>Bold</b> and <u>under</u>", "<b>Bold</b> and <u>under</u>"),
        ("  much   space  ", "much space"),
    ],
)
def test_other_marks_are_gone(raw: str, text: str, tmp_path: Path) -> None:
    assert [each.text for each in read(tmp_path, cue(FIRST, raw)).captions] == [text]


def test_captions_come_by_time_and_once(tmp_path: Path) -> None:
    both = cue(SECOND, "Later") + cue(FIRST, "Sooner") + cue(FIRST, "Sooner")
    assert [each.text for each in read(tmp_path, both).captions] == ["Sooner", "Later"]


def test_captions_without_text_or_time_are_left_out(tmp_path: Path) -> None:
    odd = cue("00:00:02,000 --> 00:00:01,000", "Backwards") + cue(FIRST, "<i> </i>")
    assert len(read(tmp_path, odd + cue(SECOND, "Fine")).captions) == 1


def test_events_of_ass_lose_their_style_but_not_their_rows(tmp_path: Path) -> None:
    found = read(tmp_path, ASS, "s.ass")
    assert found.captions == (
        Caption(1000, 2000, "Uno, dos"),
        Caption(2000, 3000, "<i>Hola</i>, niño\nAdiós"),
    )
    assert found.ass == ASS


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252", "utf-8-sig"])
def test_other_encodings_are_read(encoding: str, tmp_path: Path) -> None:
    found = read(tmp_path, cue(FIRST, "¿Dónde está el niño?"), encoding=encoding)
    assert found.captions[0].text == "¿Dónde está el niño?"


def test_a_file_without_captions_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SubtitleError, match="no readable subtitle"):
        read(tmp_path, "nothing here")
    with pytest.raises(InputError, match="does not exist"):
        read_captions(tmp_path / "none.srt")


def test_segments_are_captions_too() -> None:
    found = captions_of([make_segment(100, 900, "A line.")])
    assert found.captions == (Caption(100, 900, "A line."),)


def test_captions_end_with_the_programme() -> None:
    whole = Captions((Caption(0, 900, "a"), Caption(800, 3000, "b"), Caption(2000, 3000, "c")))
    kept = whole.until(Fraction(2)).captions
    assert kept == (Caption(0, 900, "a"), Caption(800, 2000, "b"))


def test_texts_that_stand_together_become_one() -> None:
    both = [Caption(0, 1000, "a"), Caption(600, 1500, "b")]
    assert one_at_a_time(both) == (
        Caption(0, 600, "a"),
        Caption(600, 1000, "a\nb"),
        Caption(1000, 1500, "b"),
    )


def test_the_same_text_without_a_gap_is_one_caption() -> None:
    both = [Caption(0, 1000, "a"), Caption(500, 1500, "a"), Caption(1500, 1600, "a")]
    assert one_at_a_time(both) == (Caption(0, 1600, "a"),)


def test_thousands_at_once_are_bounded() -> None:
    many = [Caption(n, 100_000, f"text {n}") for n in range(20_000)]
    joined = one_at_a_time(many)
    assert max(len(each.text.split("\n")) for each in joined) == MOST_AT_ONCE


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12))
def test_one_at_a_time_never_overlaps_and_leaves_no_moment_out(
    places: list[tuple[int, int]],
) -> None:
    captions = [Caption(start, start + n, f"{start} {n}") for start, n in places]
    joined = one_at_a_time(captions)
    for before, after in pairwise(joined):
        assert before.end_ms <= after.start_ms
    for moment in range(75):
        standing = [c for c in captions if c.start_ms <= moment < c.end_ms]
        shown = [c for c in joined if c.start_ms <= moment < c.end_ms]
        assert bool(standing) == bool(shown)
        if 0 < len(standing) <= MOST_AT_ONCE and len(places) <= MOST_AT_ONCE:
            assert set(shown[0].text.split("\n")) == {c.text for c in standing}


def test_frames_of_a_caption_are_those_shown_while_it_stands() -> None:
    times = [Fraction(n, 25) for n in range(50)]
    assert frames_of(Caption(400, 1000, "a"), times) == Span(10, 25)
    assert frames_of(Caption(410, 430, "a"), times) == Span(11, 11)
