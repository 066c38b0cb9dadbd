"""New packets of stretches: as they were kept, or decoded, repainted and encoded.

Stretches that follow each other are read in one run, so that painting need not stop between them.
"""

from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice

import av
import numpy as np

from avdub.arenas import trim_arenas
from avdub.errors import MediaError
from avdub.media.ahead import read_ahead
from avdub.media.gops import DEEPEST, Stretch, plan_stretches
from avdub.media.nal import BrokenStream
from avdub.media.probe import MediaInfo
from avdub.media.rate import Cap, cap_of
from avdub.media.reencode import Made, Reencoder
from avdub.media.retouch import Repaint, repainted
from avdub.media.scan import Scan, Unspliceable
from avdub.media.video import Decoded, FrameReader
from avdub.media.writer import USUAL_CRF
from avdub.timeline import Span

PAINTED_AHEAD = 3  # frames
MOST_KEPT = 1 << 26  # bytes of a stretch; what cannot be parted may be as long as the video


@dataclass
class _Run:
    """Stretches up to number `end` are read together: their frames, repainted, in order, and at
    last `n_more` that only help to paint those."""

    end: int
    frames: Iterator[av.VideoFrame]
    n_more: int
    open: ExitStack


@dataclass
class _Kept:
    """Packets as they are made, while they are few enough to be kept."""

    made: list[Made] = field(default_factory=list)
    size: int = 0

    def add(self, more: Sequence[Made]) -> None:
        self.size += sum(len(each.data) for each in more)
        if self.size <= MOST_KEPT:
            self.made.extend(more)
        else:
            self.made.clear()


def stretches_of(info: MediaInfo, scanned: Scan, repaint: Repaint) -> tuple[Stretch, ...]:
    """What must be made anew so that all frames of a repaint can change."""
    pts = info.pts
    touched = np.concatenate([pts[:0], *(pts[s.start : s.end] for s in repaint.spans)])
    return plan_stretches(scanned.table, touched)


class StretchMaker:
    """Makes the packets of `stretches`, one after the other.

    Without `crf` they have USUAL_CRF, within about the bits of those they replace. `stream` is the
    video's. Raises Unspliceable where its kind of picture cannot be encoded to match.
    """

    def __init__(
        self,
        stream: av.VideoStream,
        info: MediaInfo,
        scanned: Scan,
        stretches: Sequence[Stretch],
        repaint: Repaint,
        crf: int | None,
    ) -> None:
        self.info, self.scanned, self.stretches = info, scanned, stretches
        self.repaint = repaint
        self.only: Container[int] | None = None  # numbers that will be asked for; None: all
        context = stream.codec_context
        depth = min([DEEPEST, context.reorder_depth, *(each.depth for each in stretches)])
        self._is_capped, crf = crf is None, USUAL_CRF if crf is None else crf
        how = context, scanned.record, info.time_base, info.rate
        try:
            self.encoder = Reencoder(*how, depth, crf)
        except BrokenStream as error:
            raise Unspliceable(str(error)) from error
        self._known: dict[int, Sequence[Made] | None] = {}  # looked up, by number
        self._run: _Run | None = None

    def frames(self, number: int) -> Span:
        """Which frames of the video a stretch shows."""
        shown = self.stretches[number].shown
        index = int(np.searchsorted(self.info.pts, shown[0]))
        return Span(index, index + len(shown))

    def made(self, number: int) -> Generator[list[Made], None, None]:
        """New packets of a stretch: at each step those that are ready, about one for each frame.

        Raises MediaError where they cannot be made.
        """
        kept = self._find(number)
        self._known.pop(number, None)
        if kept is not None:
            yield from ([each] for each in kept)
            return
        stretch, keeper = self.stretches[number], self.repaint.keeper
        frames = islice(self._pictures(number), len(stretch.shown))
        keys, whole = self.scanned.keyframes(stretch.packets), _Kept()
        for some in self.encoder.encode(frames, stretch.shown, keys, self._cap(stretch)):
            if keeper is not None:
                whole.add(some)
            yield some
        if keeper is not None and whole.made:
            keeper.keep(self.frames(number), self._how(stretch), whole.made)
        self._finish(number)

    def close(self) -> None:
        """Stop reading, wherever it is."""
        if self._run is not None:
            self._run.open.close()
            self._run = None
            trim_arenas()

    def _find(self, number: int) -> Sequence[Made] | None:
        keeper = self.repaint.keeper
        if keeper is None:
            return None
        if number not in self._known:
            stretch = self.stretches[number]
            found = keeper.find(self.frames(number), self._how(stretch))
            if found is not None and sorted(each.pts for each in found) != stretch.shown.tolist():
                found = None
            self._known[number] = found
        return self._known[number]

    def _pictures(self, number: int) -> Iterator[av.VideoFrame]:
        """Frames from a stretch's first on."""
        if self._run is None:
            end = number + 1
            while self._follows(end) and self._find(end) is None:
                end += 1
            self._run = self._open(number, end)
        return self._run.frames

    def _follows(self, number: int) -> bool:
        """Whether there is such a stretch, wanted, that begins where the one before ends."""
        if number == len(self.stretches) or (self.only is not None and number not in self.only):
            return False
        before, after = self.stretches[number - 1], self.stretches[number]
        return before.packets.end == after.packets.start

    def _open(self, start: int, end: int) -> _Run:
        """A run of stretches; what is painted together with their frames is read with them."""
        frames = Span(self.frames(start).start, self.frames(end - 1).end)
        keeper = self.repaint.keeper
        wider = frames if keeper is None else keeper.whole(frames)
        info = self.info
        opened = ExitStack()
        reader = opened.enter_context(FrameReader(info, wider))
        decoded: Iterable[Decoded] = opened.enter_context(
            closing(read_ahead(reader.decoded(self.repaint)))
        )
        pictures = repainted(decoded, self.repaint, info.colour, info.orientation)
        # painting goes on while libx264 encodes, of which one thread may be all there is
        ahead = opened.enter_context(closing(read_ahead(pictures, PAINTED_AHEAD)))
        own = islice(ahead, frames.start - wider.start, None)
        return _Run(end, own, wider.end - frames.end, opened)

    def _finish(self, number: int) -> None:
        """After a run's last stretch: see that painting ends well, and stop reading."""
        if self._run is None or number + 1 < self._run.end:
            return
        if sum(1 for _ in self._run.frames) != self._run.n_more:
            raise MediaError("there are more new pictures than frames")
        self.close()

    def _how(self, stretch: Stretch) -> tuple[object, ...]:
        """All that its packets depend on beside the video's own and its pictures."""
        packets = stretch.packets.start, stretch.packets.end
        return *packets, stretch.kept, self.encoder.facts(self._cap(stretch))

    def _cap(self, stretch: Stretch) -> Cap | None:
        if not self._is_capped:
            return None
        return cap_of(stretch.packets, self.scanned, float(self.info.time_base))
