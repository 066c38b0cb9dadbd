"""Parts of a dub made apart, on any machine: each leaves its products in a store that all share.

`prepare` comes first, then `paint` for any segments in any order, at last `run.perform`, which
finds everything and only splices. Each may be repeated or lost: what is kept is not made again.
"""

from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from avdub.media.stretches_apart import make_apart
from avdub.media.video import FrameReader
from avdub.pipeline.animate import Unpainted
from avdub.pipeline.captions import captions_for
from avdub.pipeline.clock import Clock
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
    output: Path,
    segments: Collection[int],
    progress: Progress,
    store: Store,
    weights: Weights | None = None,
) -> None:
    """Paint the mouths of some segments into `store`, and encode for `output` what shows no
    others; what was not prepared is made on the way.

    A segment that cannot be painted is left to the dub, which tries again and says so. Raises
    AvdubError.
    """
    ready = _ready(task, progress, store, weights)
    painter = ready.animator(segments)
    if painter is None:
        return
    done: tuple[Span, ...] = ()
    with suppress(Unpainted):
        done = _encode(ready, task, output, segments, progress)
    left = [part for span in painter.spans for part in _without(span, done)]
    for span in progress(left, "picture", len(left)):
        with FrameReader(ready.plan.info, span) as reader, suppress(Unpainted):
            deque(painter.animate(reader), maxlen=0)


def _encode(
    ready: Ready, task: Task, output: Path, segments: Collection[int], progress: Progress
) -> tuple[Span, ...]:
    """The stretches in which mouths of these segments and no others are painted; their frames."""
    info, options, animator = ready.plan.info, task.options, ready.animator()
    assert animator is not None, "there is one for some of its segments"
    is_drawn = options.subs == "burn"
    repaint = repaint_of(
        ready, animator, captions_for(info, task.subtitles, options) if is_drawn else None
    )
    assert repaint is not None, "mouths are painted"

    def is_own(frames: Span) -> bool:
        shown = {each.segment for each in animator.pieces(frames)}
        return bool(shown) and all(each in segments for each in shown)

    return make_apart(info, output, repaint, options.crf, is_own, progress)


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
