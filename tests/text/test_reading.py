"""Reading aloud: which words stand out, where they lie among the phonemes, and questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.text import BASE, OFFICIAL
from avdub.text.emphasis import find_emphasis
from avdub.text.reading import Break, read_aloud


def raised(text: str, *tagged: int, language: str = "en") -> list[str]:
    words, found = find_emphasis(text, tagged, language)
    return [words[n] for n in sorted(found)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I did NOT say that.", ["not"]),
        ("I *really* mean it.", ["*really*"]),
        ("He is *the best* here", ["*the", "best*"]),
        ("We DON'T know.", ["don't"]),
        ("Do YOU LOVE IT or not?", ["you", "love", "it"]),
        ("2 * 3 * 4 is more", []),
    ],
)
def test_capitals_and_asterisks_stand_out(text: str, expected: list[str]) -> None:
    assert raised(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "NASA and the FBI know.",
        "The US and the WHO agree.",
        "IT people like TV.",
        "STOP IT NOW!",
        "*All of it.*",
        "JOHN: I came here.",
        "[MUSIC] Good evening.",
        "I am here.",
    ],
)
def test_abbreviations_labels_and_whole_lines_do_not(text: str) -> None:
    assert raised(text) == []


def test_tagged_words_stand_out_unless_all_are() -> None:
    assert raised("I never said so", 1) == ["never"]
    assert raised("I never", 0, 1) == []


def test_capitals_of_other_languages_are_left_alone() -> None:
    assert find_emphasis("Eso NO es", (), "es") == (["Eso", "NO", "es"], frozenset())


def test_words_in_capitals_are_read_and_not_spelled() -> None:
    assert read_aloud("IT IS SO.", (), BASE).phonemes == read_aloud("it is so.", (), BASE).phonemes


@pytest.mark.parametrize(
    ("text", "sounds"),
    [
        ("I did NOT say that.", ["nˈɑt"]),
        ("It cost $5 and 10 cents, and I *hate* it.", ["hˈAt"]),
        ("Give *it* to me.", ["ˈɪt"]),
        ("He is *the best* here", ["bˈɛst"]),
        ("We *never*, ever go.", ["nˈɛvəɹ"]),
    ],
)
def test_emphasised_words_are_found_and_stressed(text: str, sounds: list[str]) -> None:
    made = read_aloud(text, (), BASE)
    assert [made.phonemes[first:last] for first, last in made.emphasis] == sounds


def test_a_word_that_cannot_be_found_for_sure_is_not_emphasised() -> None:
    assert read_aloud("*Wait—what* is it", (), BASE).emphasis == ()


@pytest.mark.parametrize(
    ("text", "n_rises"),
    [
        ("Is it true?", 1),
        ("You did?", 1),
        ("What is it?", 0),
        ("Well, why not?", 0),
        ("Who's there? Is it you?", 1),
        ("It is true.", 0),
        ("Really?!", 1),
    ],
)
def test_only_questions_for_yes_or_no_rise(text: str, n_rises: int) -> None:
    made = read_aloud(text, (), BASE)
    assert [made.phonemes[n] for n in made.rises] == ["?"] * n_rises


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("Wait -- what?", [Break.DASH]),
        ("Wait — what?", [Break.DASH]),
        ("Wait—what?", [Break.DASH]),
        ("Well... I see… now.", [Break.ELLIPSIS, Break.ELLIPSIS]),
        ("- No, I was...", []),
        ("A long-term plan.", []),
    ],
)
def test_dashes_and_ellipses_between_words_are_breaks(text: str, kinds: list[Break]) -> None:
    base, official = read_aloud(text, (), BASE), read_aloud(text, (), OFFICIAL)
    assert [kind for _, kind in base.breaks] == kinds
    assert all(base.phonemes[place] == "," for place, _ in base.breaks)
    assert all(official.phonemes[place] in "—.…" for place, _ in official.breaks)


def test_emphasis_after_a_break_stays_with_its_word() -> None:
    made = read_aloud("Wait -- he *did*... but she did NOT.", (), BASE)
    assert [made.phonemes[first:last] for first, last in made.emphasis] == ["dˈɪd", "nˈɑt"]


WORDS = st.lists(
    st.sampled_from(
        ["Hello", "*you*", "NOT", "NASA", "$5", "--", "?", "10:30", "I'm", "…", "the,"]
    ),
    max_size=8,
)


@given(words=WORDS, tagged=st.sets(st.integers(0, 9)))
def test_spans_lie_inside_and_in_order_and_hold_sounds(words: list[str], tagged: set[int]) -> None:
    made = read_aloud(" ".join(words), tagged, BASE)
    edges = [edge for span in made.emphasis for edge in span]
    assert edges == sorted(edges)
    for first, last in made.emphasis:
        assert "ˈ" in made.phonemes[first:last]
        assert not BASE.pauses & set(made.phonemes[first:last].replace(" ", ""))
