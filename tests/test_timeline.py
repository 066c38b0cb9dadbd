"""Exact time: what rounding may do to slots, for every common frame rate."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.timeline import (
    STEP_RATE,
    Segment,
    Span,
    Timeline,
    boundary,
    round_half_up,
)
from tests.make import make_segment

FRAME_RATES = st.sampled_from(
    [
        *(Fraction(n * 1000, 1001) for n in (24, 30, 60)),
        *(Fraction(n) for n in (10, 24, 25, 30, 50, 60)),
    ]
)
SOUND_RATES = st.sampled_from([8000, 11_025, 16_000, 22_050, 44_100, 48_000])
BORDERS_MS = st.lists(st.integers(0, 8000), min_size=2, max_size=12, unique=True).map(sorted)
FRACTIONS = st.fractions(-1000, 1000, max_denominator=2000)


def constant(rate: Fraction, n_frames: int = 200) -> Timeline:
    return Timeline(tuple(n / rate for n in range(n_frames)), n_frames / rate)


def slots(borders_ms: list[int]) -> list[Segment]:
    """Adjoining segments between the borders."""
    return [make_segment(a, b, index=n) for n, (a, b) in enumerate(pairwise(borders_ms), 1)]


@given(FRAME_RATES, BORDERS_MS)
def test_adjoining_segments_share_frames_without_overlap_or_gap(
    rate: Fraction, borders_ms: list[int]
) -> None:
    spans = [constant(rate).frames(segment) for segment in slots(borders_ms)]
    assert all(a.end == b.start for a, b in pairwise(spans))
    assert all(span.end <= 200 for span in spans)


@given(FRAME_RATES, BORDERS_MS, SOUND_RATES)
def test_adjoining_segments_share_samples_without_overlap_or_gap(
    rate: Fraction, borders_ms: list[int], sound_rate: int
) -> None:
    timeline = constant(rate)
    spans = [timeline.samples(segment, sound_rate) for segment in slots(borders_ms)]
    assert all(a.end == b.start for a, b in pairwise(spans))
    assert all(span.end <= boundary(timeline.end, sound_rate) for span in spans)


@given(FRAME_RATES, BORDERS_MS)
def test_disjoint_segments_have_disjoint_steps_inside_the_video(
    rate: Fraction, borders_ms: list[int]
) -> None:
    timeline = constant(rate)
    spans = [timeline.steps(segment) for segment in slots(borders_ms)[::2]]
    assert all(a.end <= b.start for a, b in pairwise(spans))
    assert all(span.end <= boundary(timeline.end, STEP_RATE) for span in spans)


@given(FRAME_RATES, st.integers(0, 3000), st.integers(1, 3000), SOUND_RATES)
def test_frames_samples_and_steps_of_a_slot_agree_within_one_unit(
    rate: Fraction, start_ms: int, length_ms: int, sound_rate: int
) -> None:
    timeline = constant(rate, 400)
    segment = make_segment(start_ms, min(start_ms + length_ms, int(1000 * timeline.end)))
    seconds = segment.end - segment.start
    assert abs(len(timeline.frames(segment)) - seconds * rate) <= 1
    assert abs(len(timeline.samples(segment, sound_rate)) - seconds * sound_rate) <= 1
    assert abs(len(timeline.steps(segment)) - seconds * STEP_RATE) <= 1


@given(
    st.lists(st.integers(0, 900_000), min_size=1, max_size=60, unique=True).map(sorted),
    st.integers(0, 9000),
    st.integers(1, 3000),
)
def test_a_frame_belongs_to_the_segment_its_time_lies_in(
    ticks: list[int], start_ms: int, length_ms: int
) -> None:
    times = tuple(Fraction(tick, 90_000) for tick in ticks)
    segment = make_segment(start_ms, start_ms + length_ms)
    span = Timeline(times, times[-1] + 1).frames(segment)
    for n, time in enumerate(times):
        assert (n in span) == (segment.start <= time < segment.end)


def test_a_segment_after_the_end_has_nothing() -> None:
    timeline = constant(Fraction(25), 25)
    late = make_segment(5000, 6000)
    assert len(timeline.frames(late)) == len(timeline.steps(late)) == 0
    assert timeline.samples(late, 16_000) == Span(16_000, 16_000)


@given(FRACTIONS)
def test_rounding_is_to_the_nearest(x: Fraction) -> None:
    assert abs(round_half_up(x) - x) <= Fraction(1, 2)


@given(st.integers(-1000, 1000))
def test_halves_go_up(n: int) -> None:
    assert round_half_up(n + Fraction(1, 2)) == n + 1


@given(FRACTIONS, FRACTIONS, SOUND_RATES)
def test_boundaries_keep_the_order_of_times(a: Fraction, b: Fraction, rate: int) -> None:
    first, second = sorted((a, b))
    assert 0 <= boundary(first, rate) <= boundary(second, rate)


def test_spans_are_half_open() -> None:
    span = Span(3, 6)
    assert list(span.range()) == [3, 4, 5]
    assert [n in span for n in (2, 3, 5, 6)] == [False, True, True, False]


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)])
def test_spans_that_run_backwards_are_refused(start: int, end: int) -> None:
    with pytest.raises(AssertionError, match="bad span"):
        Span(start, end)


@pytest.mark.parametrize(
    ("end_ms", "text", "words"), [(0, "Hi.", "ends before it starts"), (10, " \n", "has no text")]
)
def test_segments_have_a_length_and_a_text(end_ms: int, text: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        Segment(1, 0, end_ms, text)
