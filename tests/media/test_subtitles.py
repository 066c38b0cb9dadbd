from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.errors import InputError, SubtitleError
from avdub.media.subtitles import (
    clip_to,
    find_subtitles,
    read_subtitles,
    read_transcript,
    spread_transcript,
    write_srt,
)
from avdub.timeline import Segment
from tests.make import make_segment


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read(folder: Path, text: str, encoding: str = "utf-8") -> tuple[list[Segment], list[str]]:
    path = folder / "subtitles"
    path.write_bytes(dedent(text).encode(encoding))
    return read_subtitles(path)


def texts(segments: list[Segment]) -> list[str]:
    return [s.text for s in segments]


SRT = """\
    1
    00:00:01,000 --> 00:00:02,500
    Hello <i>there</i>,
    {\\an8}friend.

    2
    00:01:03,040 --> 01:00:04,000
    Bye &amp; thanks
    """


def test_srt_becomes_plain_text_on_one_line(folder: Path) -> None:
    segments, warnings = read(folder, SRT)
    assert segments == [
        Segment(1, 1000, 2500, "Hello there, friend.", emphasis=(1,)),
        Segment(2, 63_040, 3_604_000, "Bye & thanks"),
    ]
    assert warnings == []


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r", "\r\r\n"])
def test_encodings_and_newlines_do_not_matter(encoding: str, newline: str, folder: Path) -> None:
    text = dedent(SRT).replace("friend", "señor 你好").replace("\n", newline)
    if encoding == "utf-16-le-bom":
        text, encoding = "\ufeff" + text, "utf-16-le"
    (folder / "a.srt").write_bytes(text.encode(encoding))
    segments, warnings = read_subtitles(folder / "a.srt")
    assert texts(segments) == ["Hello there, señor 你好.", "Bye & thanks"]
    assert warnings == []


def test_other_encodings_are_read_as_windows_1252_with_a_warning(folder: Path) -> None:
    segments, warnings = read(folder, SRT.replace("friend", "“café”"), "cp1252")
    assert texts(segments)[0] == "Hello there, “café”."
    assert warnings == ["line 4: not UTF-8, so the file was read as Windows-1252"]


def test_voice_tags_name_the_speaker_where_there_is_one(folder: Path) -> None:
    segments, warnings = read(
        folder,
        """\
        WEBVTT - a title

        NOTE
        00:00:09.000 is only mentioned here

        STYLE
        ::cue { color: red }

        greeting
        00:01.000 --> 00:02.000 position:10% align:start
        <v.loud Mary Ann>Hello <b>you</b></v>

        00:03.000 --> 00:04.000
        <v Bob>Hi! <v Mary Ann>Oh.

        00:05.000 --> 00:06.000
        Nobody <00:05.500><c>speaks</c>
        """,
    )
    assert warnings == []
    assert [(s.text, s.speaker) for s in segments] == [
        ("Hello you", "Mary Ann"),
        ("Hi! Oh.", None),
        ("Nobody speaks", None),
    ]


ASS = """\
    [Script Info]
    ScriptType: v4.00+

    [Events]
    Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
    Dialogue: 0,0:00:05.00,0:00:06.00,Default,,0,0,0,,Later, but{\\i1} first{\\i0}
    Dialogue: 0,0:00:01.00,0:00:02.50,Default,Mary,0,0,0,,Hi\\Nthere
    Comment: 0,0:00:01.00,0:00:02.00,Default,Mary,0,0,0,,Not shown
    Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\p1}m 0 0 l 9 9{\\p0}
    Dialogue: 0,0:00:01.00,sometime,Default,,0,0,0,,Broken
    """


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I <i>never</i> said <b>that</b>", ["never", "that"]),
        ("A <i>b\nc</i> d", ["b", "c"]),
        ("<b.loud>Three</b> four", ["Three"]),
        (r"So {\i1}very{\r} odd", ["very"]),
        ("Un<i>bel</i>ievable story", ["Unbelievable"]),
        ("<i>All of it</i>", []),
        ("<i>Off screen</i>\nI say <b>no</b> way", ["no"]),
        ("- <i>Hi</i>", []),
        ("&lt;i&gt;x&lt;/i&gt; y", []),
    ],
)
def test_words_in_italics_or_bold_are_emphasis_but_whole_rows_are_not(
    text: str, expected: list[str], folder: Path
) -> None:
    (segment,), _ = read(folder, f"1\n00:00:01,000 --> 00:00:02,000\n{text}\n")
    words = segment.text.split()
    assert [words[n] for n in segment.emphasis] == expected


def test_emphasis_of_ass_is_read(folder: Path) -> None:
    first, second = read(folder, ASS)[0]
    assert (first.emphasis, second.emphasis) == ((), (2,))


def test_emphasis_survives_writing(folder: Path) -> None:
    segments = [Segment(1, 0, 900, "I never said so", emphasis=(1,))]
    write_srt(segments, folder / "a.srt")
    assert read_subtitles(folder / "a.srt") == (segments, [])


def test_ass_keeps_names_and_drops_comments_and_drawings(folder: Path) -> None:
    segments, warnings = read(folder, ASS)
    assert [(s.start_ms, s.end_ms, s.text, s.speaker) for s in segments] == [
        (1000, 2500, "Hi there", "Mary"),
        (5000, 6000, "Later, but first", None),
    ]
    assert [w.split(":")[0] for w in warnings] == ["line 10"]


def test_old_ssa_is_read_too(folder: Path) -> None:
    segments, warnings = read(
        folder,
        """\
        [Script Info]
        ScriptType: v4.00

        [Events]
        Format: Marked, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
        Dialogue: Marked=0,0:00:01.00,0:00:02.00,Default,Joe,0000,0000,0000,,Old, but fine
        """,
    )
    assert segments == [Segment(1, 1000, 2000, "Old, but fine", "Joe")]
    assert warnings == []


def test_segments_are_sorted_and_keep_their_place_in_the_file(folder: Path) -> None:
    assert [s.index for s in read(folder, ASS)[0]] == [2, 1]


def test_a_broken_cue_costs_only_itself_and_names_its_line(folder: Path) -> None:
    segments, warnings = read(
        folder,
        """\
        1
        00:00:01,000 --> 00:00:02,000
        One

        2
        00:00:03 -> 00:00:0x,000
        Lost

        3
        00:00:05,000 --> 00:00:04,000
        Backwards

        4
        00:00:06,000 --> 00:00:07,000

        stray words

        5
        00:00:08,000 --> 00:00:09,000
        Five
        """,
    )
    assert texts(segments) == ["One", "Five"]
    assert warnings == [
        "line 6: text without a time is skipped: '00:00:03 -> 00:00:0x,000'",
        "line 10: subtitle 2 ends before it starts and is skipped",
        "line 14: subtitle 3 has no text and is skipped",
        "line 16: text without a time is skipped: 'stray words'",
    ]


def test_missing_blank_lines_do_not_glue_cues_together(folder: Path) -> None:
    segments, _ = read(
        folder,
        """\
        1
        00:00:01,000 --> 00:00:02,000
        One
        2
        00:00:03,000 --> 00:00:04,000
        Two
        3
        00:00:0x,000 --> 00:00:06,000
        Lost
        4
        00:00:07,000 --> 00:00:08,000
        Four
        """,
    )
    assert texts(segments) == ["One", "Two", "Four"]


def test_short_times_are_read(folder: Path) -> None:
    segments, _ = read(folder, "1\n00:01,5 --> 0:00:02\nHello\n")
    assert segments == [Segment(1, 1500, 2000, "Hello")]


def test_an_arrow_may_be_said(folder: Path) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nFrom A --> B, I <3 it\n"
    assert texts(read(folder, text)[0]) == ["From A --> B, I <3 it"]


def test_overlapping_cues_are_kept_but_copies_are_not(folder: Path) -> None:
    segments, warnings = read(
        folder,
        """\
        00:00:01.000 --> 00:00:03.000
        One

        00:00:02.000 --> 00:00:04.000
        Two

        00:00:01.000 --> 00:00:03.000
        One
        """,
    )
    assert texts(segments) == ["One", "Two"]
    assert warnings == ["line 7: subtitle 3 repeats an earlier one and is skipped"]


@pytest.mark.parametrize("text", ["", "no times here\n", "1\n00:00:01 --> 2\nHello\n"])
def test_nothing_readable_is_an_error_with_its_line(text: str, folder: Path) -> None:
    with pytest.raises(SubtitleError, match="no readable subtitle") as caught:
        read(folder, text)
    assert caught.value.line >= 1


def test_missing_subtitles_are_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"none\.srt does not exist"):
        read_subtitles(folder / "none.srt")


WORDS = st.text(
    st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="<>{}&\\"), min_size=1
).map(lambda text: " ".join(text.split()))


@st.composite
def segment_lists(draw: st.DrawFn) -> list[Segment]:
    starts = draw(st.lists(st.integers(0, 359_000_000), min_size=1, max_size=5, unique=True))
    return [
        Segment(n, start, start + draw(st.integers(1, 60_000)), draw(WORDS.filter(bool)))
        for n, start in enumerate(sorted(starts), start=1)
    ]


@given(segments=segment_lists())
def test_srt_round_trips(segments: list[Segment], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("srt") / "a.srt"
    write_srt(segments, path)
    assert read_subtitles(path) == (segments, [])
    assert [p.name for p in path.parent.iterdir()] == ["a.srt"]


@given(text=st.text(st.sampled_from("019:,.->\n x<{}/")))
def test_any_text_is_read_or_refused(text: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("any") / "a.srt"
    path.write_text(text + "\n\n1\n00:00:01,000 --> 00:00:02,000\nGood\n", newline="")
    segments, _ = read_subtitles(path)
    assert "Good" in texts(segments)


def test_cues_past_the_end_are_cut_or_dropped_with_a_warning() -> None:
    segments = [
        make_segment(index=n, start_ms=n * 1000, end_ms=n * 1000 + 800) for n in range(1, 5)
    ]
    kept, warnings = clip_to(segments, Fraction(3503, 1000))
    assert [(s.index, s.end_ms) for s in kept] == [(1, 1800), (2, 2800), (3, 3503)]
    assert warnings == [
        "subtitle 3 is cut at the end of the video",
        "subtitle 4 starts after the video ends and is skipped",
    ]


def test_a_transcript_is_its_lines(folder: Path) -> None:
    (folder / "a.txt").write_text("Hello  there.\n\n Bye.\n")
    assert read_transcript(folder / "a.txt") == ["Hello there.", "Bye."]


def test_an_empty_transcript_is_an_error(folder: Path) -> None:
    (folder / "a.txt").write_text(" \n\n")
    with pytest.raises(SubtitleError, match="has no text"):
        read_transcript(folder / "a.txt")


def test_a_transcript_is_laid_over_speech_by_characters() -> None:
    segments = spread_transcript(["aaaa", "bb", "cccccc"], [(1.0, 2.0), (5.0, 7.0)])
    assert [(s.start_ms, s.end_ms) for s in segments] == [(1000, 2000), (5000, 5500), (5500, 7000)]


@given(
    lines=st.lists(st.text("ab", min_size=1, max_size=30), min_size=1, max_size=20),
    lengths=st.lists(st.tuples(st.floats(0.1, 5), st.floats(0.1, 5)), min_size=1, max_size=6),
)
def test_spread_lines_follow_each_other_inside_speech(
    lines: list[str], lengths: list[tuple[float, float]]
) -> None:
    speech, at = [], 0.0
    for pause, length in lengths:
        speech.append((at + pause, at + pause + length))
        at += pause + length
    segments = spread_transcript(lines, speech)
    assert texts(segments) == lines
    assert segments[0].start_ms == round(speech[0][0] * 1000)
    assert abs(segments[-1].end_ms - at * 1000) <= 2
    for before, after in pairwise(segments):
        assert before.end_ms <= after.start_ms + 1


def test_a_transcript_without_speech_is_an_error() -> None:
    with pytest.raises(SubtitleError, match="no speech"):
        spread_transcript(["Hello"], [])


def test_subtitles_are_found_beside_the_video(folder: Path) -> None:
    video = folder / "film.mp4"
    (folder / "film.vtt").touch()
    assert find_subtitles(video).name == "film.vtt"
    (folder / "film.es.srt").touch()
    assert find_subtitles(video).name == "film.vtt"
    assert find_subtitles(video, "es").name == "film.es.srt"
    assert find_subtitles(video, "fr").name == "film.vtt"


def test_missing_subtitles_list_what_was_looked_for(folder: Path) -> None:
    with pytest.raises(InputError, match=r"film\.es\.srt, .*film\.vtt"):
        find_subtitles(folder / "film.mp4", "es")


def test_subtitles_that_cannot_be_written_are_an_error(folder: Path) -> None:
    with pytest.raises(InputError, match="cannot be written"):
        write_srt([make_segment()], folder / "none" / "a.srt")
