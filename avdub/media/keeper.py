"""What keeps stretches that were encoded, so that they need not be made again.

Only the interface: who keeps them, where and by what name, is not the media's affair.
"""

from collections.abc import Sequence
from typing import Protocol

from avdub.media.reencode import Made
from avdub.timeline import Span


class Keeper(Protocol):
    """Keeps new packets of a video by the frames they show, by `how` they were encoded, and by all
    that its pictures depend on. Neither `find` nor `keep` raises.
    """

    def whole(self, frames: Span) -> Span:
        """`frames` and their neighbours that are painted together with some of them."""
        ...

    def find(self, frames: Span, how: Sequence[object]) -> Sequence[Made] | None:
        """What was kept; None where nothing was."""
        ...

    def keep(self, frames: Span, how: Sequence[object], made: Sequence[Made]) -> None:
        """Keep all packets of `frames`."""
        ...
