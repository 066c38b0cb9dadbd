"""How many bits a stretch may take that is encoded anew: about as many as what it replaces.

Quality alone would make what was coded sparsely two or three times as large where it changes.
"""

from dataclasses import dataclass

import numpy as np

from avdub.media.scan import Scan
from avdub.timeline import Span

MORE = 1.1  # than the source's own rate: what is decoded and coded again needs a little more
ENTRY_ROOM = 1.25  # of the largest packet of its group may come at once, for a new entry,
LEAST_BUFFER_S = 0.5  # ... or what comes in that time


@dataclass(frozen=True)
class Cap:
    """Bits/s a stretch may take in the long run, and bits that may come at once."""

    rate: int
    buffer: int


def cap_of(packets: Span, scanned: Scan, tick: float) -> Cap:
    """For packets that are made anew; `tick` is seconds a tick.

    A stretch needs an entry even where the source has none. The buffer, full at first, pays for it.
    """
    entries = np.flatnonzero(scanned.table.entries[: packets.start + 1])
    group = int(entries[-1]) if len(entries) else 0
    n_bytes = int(scanned.sizes[packets.start : packets.end].sum())
    if group == packets.start:
        n_bytes -= int(scanned.sizes[group])
    pts = scanned.table.pts[packets.start : packets.end]
    apart = (pts.max() - pts.min()) / max(1, len(pts) - 1)
    seconds = max(float(tick * (pts.max() - pts.min() + apart)), 0.04)
    rate = MORE * 8 * n_bytes / seconds
    largest = float(scanned.sizes[group : packets.end].max())
    return Cap(round(rate), round(max(ENTRY_ROOM * 8 * largest, LEAST_BUFFER_S * rate)))
