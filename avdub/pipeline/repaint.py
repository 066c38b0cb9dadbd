"""All that changes in a dub's picture: new mouths and, where wanted, captions over them.

The splice and what is made apart before it must ask for the very same.
"""

from dataclasses import replace

from avdub.media.captions import Captions
from avdub.media.retouch import Repaint
from avdub.pipeline.animate import Animator
from avdub.pipeline.captions import captioned
from avdub.pipeline.keep_stretches import StretchKeeper
from avdub.pipeline.ready import Ready


def repaint_of(ready: Ready, animator: Animator | None, drawn: Captions | None) -> Repaint | None:
    """New pictures for all that `animator` paints and where captions are drawn; None where nothing
    changes. What is encoded of them is kept where the dub's memory keeps anything."""
    info = ready.plan.info
    repaint = Repaint(animator.spans, animator.animate) if animator is not None else None
    if drawn is not None:
        repaint = captioned(repaint, drawn, info)
    if repaint is None or not ready.memory.keeps:
        return repaint
    captions = drawn.captions if drawn is not None else ()
    return replace(repaint, keeper=StretchKeeper(ready.memory, info, animator, captions))
