"""Which packets of a video are made anew when some of its frames change, and which stay.

Pure arithmetic over packets' times: knows nothing of files or codecs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avdub.media.frame_times import Ints
from avdub.media.nal import Entry
from avdub.timeline import Span

DEEPEST = 2  # frames our encoders are let hold back for B-frames
TOGETHER = 100  # packets after which a clean entry begins another stretch


@dataclass(frozen=True)
class PacketTable:
    """A video's packets in decoding order: times in ticks, and where decoding may start."""

    pts: Ints
    dts: Ints
    entries: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.pts)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Neighbouring groups of pictures, the first from any place on, that are made anew.

    `packets` are replaced, all but `kept`: the entry that follows them, which is written after them
    because pictures shown before it were decoded after it. `shown` are the PTS of the new pictures
    and `slots` the DTS of the replaced packets and `kept`, both (n,) and rising.
    """

    packets: Span
    kept: int | None
    shown: Ints
    slots: Ints

    @property
    def depth(self) -> int:
        """How many frames an encoder may hold back so that no packet is decoded after its time."""
        for depth in range(DEEPEST, 0, -1):
            due = self.shown[np.maximum(np.arange(len(self.shown)) - depth, 0)]
            if (self.slots[: len(due)] <= due).all():
                return depth
        return 0


def plan_stretches(table: PacketTable, touched: Sequence[int] | Ints) -> tuple[Stretch, ...]:
    """What must be made anew so that the frames with the PTS `touched` can change.

    From the first touched frame of a group of pictures to its end, for what follows builds on it.
    Many groups in a row are parted, so that each part can be made, and kept, for itself.
    """
    cuts = _cuts(table)
    borders = _borders(table, cuts)
    order = np.argsort(table.pts)
    places = np.sort(order[np.searchsorted(table.pts, np.asarray(touched, np.int64), sorter=order)])
    groups = np.searchsorted(borders, places, side="right") - 1
    begins = np.diff(groups, prepend=-2) > 1  # the first touched packet of each run of groups
    ends = np.diff(groups, append=len(borders) + 1) > 1
    starts = cuts[np.searchsorted(cuts, places[begins], side="right") - 1]
    clean = borders[:-1][table.entries[borders[:-1]] == Entry.CLEAN]
    return tuple(
        _stretch(table, *part)
        for start, end in zip(starts, borders[groups[ends] + 1], strict=True)
        for part in _parted(int(start), int(end), clean)
    )


def _parted(start: int, end: int, clean: Ints) -> Iterator[tuple[int, int]]:
    """A row of groups in parts that begin at some of the borders `clean`."""
    first, last = np.searchsorted(clean, [start + TOGETHER, end])
    for border in clean[first:last].tolist():
        if border - start >= TOGETHER:
            yield start, border
            start = border
    yield start, end


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


def _cuts(table: PacketTable) -> Ints:
    """Packets before which the stream can end: all before them are shown before all others."""
    newest, oldest = _newest(table), _oldest(table)
    return np.concatenate([[0], np.flatnonzero(newest[:-1] < oldest[1:]) + 1])


def _borders(table: PacketTable, cuts: Ints) -> Ints:
    """Cuts at which the stream can also begin, and the end."""
    n, oldest = len(table), _oldest(table)
    found = [0]
    for start in cuts[1:][table.entries[cuts[1:]] != Entry.NONE].tolist():
        # pictures shown before an open entry may follow it directly and nowhere else
        after = start + 1 + _leaders(table, start)
        if table.entries[start] == Entry.OPEN and after < n and oldest[after] < table.pts[start]:
            continue
        found.append(start)
    return np.array([*found, n], np.int64)


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
    made = np.arange(start, end) != (-1 if kept is None else kept)
    return Stretch(packets, kept, np.sort(table.pts[start:end][made]), table.dts[start:end])
