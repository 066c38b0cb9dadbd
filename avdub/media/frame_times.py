"""Times of a video's frames as exact seconds, kept as whole ticks: eight bytes a frame.

Hours of video have hundreds of thousands of frames, and as many Fraction objects take a hundred
times that.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import lcm
from operator import index
from typing import Any, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]


class FrameTimes(Sequence[Fraction]):
    """`ticks` (n,) int64 of `tick` seconds each, as a sequence of Fractions that never changes.

    Equal to any FrameTimes or tuple of the same seconds, and hashed like that tuple.
    """

    __slots__ = ("_ticks", "tick")

    def __init__(self, ticks: ArrayLike, tick: Fraction) -> None:
        self._ticks: Ints = np.array(ticks, np.int64)
        self._ticks.flags.writeable = False
        self.tick = tick
        assert self._ticks.ndim == 1, f"ticks must be (n,), got {self._ticks.shape}"
        assert tick > 0, f"a tick of {tick} s"

    @classmethod
    def of(cls, times: Sequence[Fraction]) -> "FrameTimes":
        """Any times, in the longest tick that all of them are whole numbers of."""
        if isinstance(times, FrameTimes):
            return times
        tick = Fraction(1, lcm(*(time.denominator for time in times)))
        return cls([int(time / tick) for time in times], tick)

    def counted_in(self, tick: Fraction) -> Ints:
        """The nearest whole ticks of another length."""
        if tick == self.tick:
            return self._ticks
        return np.fromiter((round(time / tick) for time in self), np.int64, len(self))

    def __len__(self) -> int:
        return len(self._ticks)

    @overload
    def __getitem__(self, n: int) -> Fraction: ...
    @overload
    def __getitem__(self, n: slice) -> Self: ...
    def __getitem__(self, n: int | slice) -> Fraction | Self:
        if isinstance(n, slice):
            return type(self)(self._ticks[n], self.tick)
        return int(self._ticks[index(n)]) * self.tick

    def __iter__(self) -> Iterator[Fraction]:
        for ticks in self._ticks:
            yield int(ticks) * self.tick

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrameTimes) and other.tick == self.tick:
            return np.array_equal(self._ticks, other._ticks)
        if not isinstance(other, FrameTimes | tuple) or len(other) != len(self):
            return False if isinstance(other, FrameTimes | tuple) else NotImplemented
        return all(mine == time for mine, time in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} frames, tick={self.tick})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._ticks, self.tick)
