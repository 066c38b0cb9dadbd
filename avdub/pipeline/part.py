"""Parts of a dub made apart, on any machine: each leaves its products in a store that all share.

`prepare` comes first, then `paint` for any segments in any order, at last `run.perform`, which
finds everything and only splices. Each may be repeated or lost: what is kept is not made again.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from contextlib import suppress
from pathlib import Path

from avdub.media.stretches_apart import make_apart
from avdub.media.video import FrameReader
from avdub.pipeline.animate import Unpainted
from avdub.pipeline.captions import captions_for
from avdub.pipeline.clock import Clock
from avdub.pipeline.patches import is_kept
from avdub.pipeline.ready import Ready, Task, make_ready
from avdub.pipeline.repaint import repaint_of
from avdub.pipeline.store import Memory, Store
from avdub.pipeline.weights import Weights, choose_device
from avdub.progress import Progress
from avdub.timeline import Span


def prepare(
    task: Task, progress: Progress, store: Store, weights: Weights | None = None
) -> tuple[int, ...]:
    """Follow faces, find voices, speak all lines and fit the lips, into `store`.

    Returns the indexes of the segments whose mouths are to be painted. Raises AvdubError.
    """
    ready = _ready(task, progress, store, weights)
    return tuple(sorted(each.job.segment.index for each in ready.driven))


def paint(
    task: Task,
    output: Path | None,
    segments: Collection[int],
    progress: Progress,
    store: Store,
    weights: Weights | None = None,
) -> None:
    """Paint the mouths of some segments into `store`, and encode for `output`, where there is one,
    what shows them and no others but painted ones; what was not prepared is made on the way.

    A segment that cannot be painted is left to the dub, which tries again and says so. Raises
    AvdubError.
    """
    ready = _ready(task, progress, store, weights)
    painter = ready.animator(segments)
    if painter is None:
        return
    stretches = _Stretches(ready, task, output, segments) if output is not None else None
    done = stretches.make(stretches.is_own, progress) if stretches is not None else ()
    left = [part for span in painter.spans for part in _without(span, done)]
    for span in progress(left, "picture", len(left)):
        with FrameReader(ready.plan.info, span) as reader, suppress(Unpainted):
            deque(painter.animate(reader), maxlen=0)
    if stretches is not None and stretches.shared:
        stretches.make(stretches.is_painted, progress)


class _Stretches:
    """The stretches of a dub, as one who paints some segments sees them: its own show no others,
    those that it shares also show segments that others paint. Who paints last encodes them."""

    def __init__(self, ready: Ready, task: Task, output: Path, segments: Collection[int]) -> None:
        animator = ready.animator()
        assert animator is not None, "there is one for some of its segments"
        self.animator, self.segments = animator, segments
        self.shared: list[Span] = []  # their frames, as far as they were looked at
        self._info, self._output, self._options = ready.plan.info, output, task.options
        self._memory = ready.memory
        is_drawn = task.options.subs == "burn"
        drawn = captions_for(self._info, task.subtitles, task.options) if is_drawn else None
        repaint = repaint_of(ready, animator, drawn)
        assert repaint is not None, "mouths are painted"
        self._repaint = repaint

    def make(self, is_wanted: Callable[[Span], bool], progress: Progress) -> tuple[Span, ...]:
        """Encode those whose frames are wanted; returns which these are, none if one failed."""
        how = self._info, self._output, self._repaint, self._options.crf
        try:
            return make_apart(*how, is_wanted, progress)
        except Unpainted:
            self.shared.clear()
            return ()

    def is_own(self, frames: Span) -> bool:
        """Whether all that is painted there, which must be something, is of these segments."""
        own = [each.segment in self.segments for each in self.animator.pieces(frames)]
        if any(own) and not all(own):
            self.shared.append(frames)
        return bool(own) and all(own)

    def is_painted(self, frames: Span) -> bool:
        """Whether all that is painted there, by these segments and others, is known by now."""
        if frames not in self.shared:
            return False
        return all(is_kept(each, self._memory) for each in self.animator.pieces(frames))


def _without(span: Span, others: Collection[Span]) -> Iterator[Span]:
    """What is left of a span; `others` are in order and apart."""
    start = span.start
    for other in others:
        if start < other.end and other.start < span.end:
            if start < other.start:
                yield Span(start, other.start)
            start = other.end
    if start < span.end:
        yield Span(start, span.end)


def _ready(task: Task, progress: Progress, store: Store, weights: Weights | None) -> Ready:
    weights = weights or Weights(task.options.model, choose_device(task.options.device))
    return make_ready(task, weights, Memory(store), progress, Clock())
