"""How much of a text is read at all."""

import pytest

from avdub.pipeline.lines import FASTEST, until_too_long
from tests.make import make_segment


def test_a_usual_line_is_read_whole() -> None:
    segment = make_segment(0, 2000, "We have to talk about the weather, don't we?")
    assert until_too_long(segment, 1.5) == segment.text


def test_of_a_megabyte_only_what_is_too_long_beyond_doubt_is_read() -> None:
    text = until_too_long(make_segment(0, 2000, "word " * 200_000), 1.5)
    letters = sum(c.isalnum() for c in text)
    assert letters == FASTEST * 1.5 * 3 + 1
    assert text + ("word " * 200_000)[len(text) :] == "word " * 200_000


def test_what_is_not_spoken_does_not_count() -> None:
    text = "?!… " * 10_000 + "Hello."
    assert until_too_long(make_segment(0, 1000, text), 1.5) == text


@pytest.mark.parametrize("max_rate", [1.0, 4.0])
def test_who_allows_more_speed_is_read_more(max_rate: float) -> None:
    text = until_too_long(make_segment(0, 1000, "a" * 100_000), max_rate)
    assert len(text) == FASTEST * max_rate * 2 + 1
