"""Stretches that are made and kept before the splice, wherever that is, so that it finds them."""

from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from avdub.media.container import open_media, video_stream
from avdub.media.probe import MediaInfo
from avdub.media.retouch import Repaint
from avdub.media.scan import Unspliceable, scan
from avdub.media.stretches import MOST_KEPT, StretchMaker, stretches_of
from avdub.progress import Progress, silent
from avdub.timeline import Span


def make_apart(
    info: MediaInfo,
    output: Path,
    repaint: Repaint,
    crf: int | None,
    is_wanted: Callable[[Span], bool],
    progress: Progress = silent,
) -> tuple[Span, ...]:
    """Make the stretches of `repaint`, all of it, whose frames are wanted, for its keeper to keep.

    `output`, of which nothing is written, has the name that the splice will be told. What may be
    too large to be kept is left out. Returns the frames of what was made: nothing where the splice
    would encode the whole file. Raises MediaError where a stretch cannot be made.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_media(info.path))
        try:
            scanned = scan(info, output)
            stretches = stretches_of(info, scanned, repaint)
            stream = video_stream(source, info.path)
            maker = StretchMaker(stream, info, scanned, stretches, repaint, crf)
        except Unspliceable:
            return ()
        stack.callback(maker.close)
        frames = [maker.frames(n) for n in range(len(stretches))]
        sizes = [int(scanned.sizes[s.packets.start : s.packets.end].sum()) for s in stretches]
        can_keep = [n for n, size in enumerate(sizes) if size < MOST_KEPT // 2]
        wanted = [n for n in can_keep if is_wanted(frames[n])]
        maker.only = frozenset(wanted)
        packets = chain.from_iterable(chain.from_iterable(maker.made(n) for n in wanted))
        total = sum(len(frames[n]) for n in wanted)
        deque(progress(packets, "picture", total), maxlen=0)
        return tuple(frames[n] for n in wanted)
