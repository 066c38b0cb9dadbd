"""Exact time: the one place that converts between milliseconds, PTS, frames, samples and steps.

Boundaries are rounded, never durations, so neighbouring slots neither overlap nor leave a gap. All
spans are half-open. Times are `Fraction` seconds from the start of the programme (the first frame's
PTS is 0).
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

SAMPLE_RATE = 16_000  # samples/s heard by the models
STEP_RATE = 50  # latent steps/s
SAMPLES_PER_STEP = SAMPLE_RATE // STEP_RATE
F0_PER_STEP = 4  # log-F0 values a step, 200/s
MS_PER_S = 1000

assert SAMPLES_PER_STEP * STEP_RATE == SAMPLE_RATE


@dataclass(frozen=True, slots=True)
class Segment:
    """A subtitle with its slot. `index` is the 1-based place in the subtitle file, `emphasis` the
    places in text.split() of words set in italics or bold among others."""

    index: int
    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None
    emphasis: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert self.end_ms > self.start_ms, f"segment {self.index} ends before it starts"
        assert self.text.strip(), f"segment {self.index} has no text"

    @property
    def start(self) -> Fraction:
        return Fraction(self.start_ms, MS_PER_S)

    @property
    def end(self) -> Fraction:
        return Fraction(self.end_ms, MS_PER_S)


@dataclass(frozen=True, slots=True)
class Span:
    """Half-open range [start, end) of frames, samples or steps."""

    start: int
    end: int

    def __post_init__(self) -> None:
        assert 0 <= self.start <= self.end, f"bad span {self.start}..{self.end}"

    def __len__(self) -> int:
        return self.end - self.start

    def __contains__(self, n: int) -> bool:
        return self.start <= n < self.end

    def range(self) -> range:
        return range(self.start, self.end)


def round_half_up(x: Fraction) -> int:
    """Nearest integer; halves go up, so equal boundaries always round alike."""
    return (2 * x.numerator + x.denominator) // (2 * x.denominator)


def boundary(time: Fraction, rate: int | Fraction) -> int:
    """The unit at `rate` per second nearest to `time`, never negative."""
    return max(0, round_half_up(time * rate))


@dataclass(frozen=True, slots=True)
class Timeline:
    """The frames of a video (strictly rising PTS in seconds) and where its last frame ends."""

    frame_times: Sequence[Fraction]
    end: Fraction

    def __post_init__(self) -> None:
        assert self.frame_times, "a timeline needs a frame"

    def frames(self, segment: Segment) -> Span:
        """Frames whose PTS lies inside the segment."""
        start = bisect_left(self.frame_times, segment.start)
        return Span(start, max(start, bisect_left(self.frame_times, segment.end)))

    def samples(self, segment: Segment, rate: int) -> Span:
        """Samples of the segment at `rate`, inside the programme."""
        last = boundary(self.end, rate)
        start = min(boundary(segment.start, rate), last)
        return Span(start, max(start, min(boundary(segment.end, rate), last)))

    def steps(self, segment: Segment) -> Span:
        """Latent steps of the segment, inside the programme."""
        return self.samples(segment, STEP_RATE)
