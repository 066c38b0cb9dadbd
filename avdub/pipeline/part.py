"""Parts of a dub made apart, on any machine: each leaves its products in a store that all share.

`prepare` comes first, then `paint` for any segments in any order, at last `run.dub`, which finds
everything and only splices. Each may be repeated or lost: what is kept is not made again.
"""

from collections import deque
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from avdub.media.video import FrameReader
from avdub.pipeline.animate import Unpainted
from avdub.pipeline.clock import Clock
from avdub.pipeline.options import DubOptions
from avdub.pipeline.ready import Ready, Task, make_ready
from avdub.pipeline.store import Memory, Store
from avdub.pipeline.weights import Weights, choose_device
from avdub.progress import Progress


def prepare(
    video: Path,
    subtitles: Path | None,
    options: DubOptions,
    progress: Progress,
    store: Store,
    weights: Weights | None = None,
) -> tuple[int, ...]:
    """Follow faces, find voices, speak all lines and fit the lips, into `store`.

    Returns the indexes of the segments whose mouths are to be painted. Raises AvdubError.
    """
    ready = _ready(video, subtitles, options, progress, store, weights)
    return tuple(sorted(each.job.segment.index for each in ready.driven))


def paint(
    video: Path,
    subtitles: Path | None,
    options: DubOptions,
    segments: Collection[int],
    progress: Progress,
    store: Store,
    weights: Weights | None = None,
) -> None:
    """Paint the mouths of some segments into `store`; what was not prepared is made on the way.

    A segment that cannot be painted is left to the dub, which tries again and says so. Raises
    AvdubError.
    """
    ready = _ready(video, subtitles, options, progress, store, weights)
    animator = ready.animator(segments)
    spans = animator.spans if animator is not None else ()
    for span in progress(spans, "picture", len(spans)):
        assert animator is not None, "without one there are no spans"
        with FrameReader(ready.plan.info, span) as reader, suppress(Unpainted):
            deque(animator.animate(reader), maxlen=0)


def _ready(
    video: Path,
    subtitles: Path | None,
    options: DubOptions,
    progress: Progress,
    store: Store,
    weights: Weights | None,
) -> Ready:
    weights = weights or Weights(options.model, choose_device(options.device))
    return make_ready(Task(video, subtitles, options), weights, Memory(store), progress, Clock())
