"""Which packets of a video are made anew when some of its frames change, and which stay.

Pure arithmetic over packets' times: knows nothing of files or codecs.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avdub.media.nal import Entry
from avdub.timeline import Span

Ints = NDArray[np.int64]
DEEPEST = 2  # frames our encoders are let hold back for B-frames


@dataclass(frozen=True)
class PacketTable:
    """A video's packets in decoding order: times in ticks, and where decoding may start."""

    pts: Ints
    dts: Ints
    entries: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True)
class Stretch:
    """Neighbouring groups of pictures, the first from any place on, that are made anew.

    `packets` are replaced, all but `kept`: the entry that follows them, which is written after them
    because pictures shown before it were decoded after it. `shown` are the PTS of the new pictures
    and `slots` the DTS of the replaced packets and `kept`, both rising.
    """

    packets: Span
    kept: int | None
    shown: tuple[int, ...]
    slots: tuple[int, ...]

    @property
    def depth(self) -> int:
        """How many frames an encoder may hold back so that no packet is decoded after its time."""
        for depth in range(DEEPEST, 0, -1):
            due = (self.shown[max(0, n - depth)] for n in range(len(self.shown)))
            if all(slot <= time for slot, time in zip(self.slots, due, strict=False)):
                return depth
        return 0


def plan_stretches(table: PacketTable, touched: Iterable[int]) -> tuple[Stretch, ...]:
    """What must be made anew so that the frames with the PTS `touched` can change.

    From the first touched frame of a group of pictures to its end, for what follows builds on it.
    """
    cuts, borders = _cuts(table), _borders(table)
    place = {int(pts): n for n, pts in enumerate(table.pts)}
    firsts: dict[int, int] = {}  # group to its first touched packet
    for pts in touched:
        group = bisect_right(borders, place[pts]) - 1
        firsts[group] = min(firsts.get(group, place[pts]), place[pts])
    runs: list[list[int]] = []
    for group in sorted(firsts):
        if runs and group == runs[-1][-1] + 1:
            runs[-1].append(group)
        else:
            runs.append([group])
    stretches = []
    for run in runs:
        start = cuts[bisect_right(cuts, firsts[run[0]]) - 1]
        stretches.append(_stretch(table, start, borders[run[-1] + 1]))
    return tuple(stretches)


def decoding_times(pts: Sequence[int] | Ints) -> Ints:
    """DTS for packets that have only PTS: rising, never after the PTS, no earlier than needed."""
    shown = np.sort(np.asarray(pts, np.int64))
    ranks = np.searchsorted(shown, pts)
    depth = int(max(0, (np.arange(len(shown)) - ranks).max(initial=0)))
    if not depth:
        return shown
    step = max(1, int(np.diff(shown).min(initial=1)))
    early = shown[0] - step * np.arange(depth, 0, -1)
    return np.concatenate([early, shown[: len(shown) - depth]]).astype(np.int64)


def _cuts(table: PacketTable) -> list[int]:
    """Packets before which the stream can end: all before them are shown before all others."""
    newest, oldest = _newest(table), _oldest(table)
    return [0, *(np.flatnonzero(newest[:-1] < oldest[1:]) + 1).tolist()]


def _borders(table: PacketTable) -> list[int]:
    """Cuts at which the stream can also begin, and the end."""
    n, oldest = len(table), _oldest(table)
    found = [0]
    for start in _cuts(table)[1:]:
        if table.entries[start] == Entry.NONE:
            continue
        # pictures shown before an open entry may follow it directly and nowhere else
        after = start + 1 + _leaders(table, start)
        if table.entries[start] == Entry.OPEN and after < n and oldest[after] < table.pts[start]:
            continue
        found.append(start)
    return [*found, n]


def _newest(table: PacketTable) -> Ints:
    """The latest PTS of each packet and all before it."""
    return np.maximum.accumulate(table.pts)


def _oldest(table: PacketTable) -> Ints:
    """The earliest PTS of each packet and all after it."""
    return np.minimum.accumulate(table.pts[::-1])[::-1]


def _leaders(table: PacketTable, entry: int) -> int:
    """How many packets right after an entry are shown before it."""
    end = entry + 1
    while end < len(table) and table.pts[end] < table.pts[entry]:
        end += 1
    return end - entry - 1


def _stretch(table: PacketTable, start: int, end: int) -> Stretch:
    kept = None
    if end < len(table) and table.entries[end] == Entry.OPEN:
        kept, end = end, end + 1 + _leaders(table, end)
    packets = Span(start, end)
    inside = table.pts[start:end]
    shown = sorted(int(pts) for n, pts in enumerate(inside, start) if n != kept)
    return Stretch(packets, kept, tuple(shown), tuple(int(t) for t in table.dts[start:end]))
