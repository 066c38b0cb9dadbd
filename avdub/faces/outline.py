"""What is known of a track without its landmarks: little enough to hold for hours of video."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avdub.timeline import Span

Floats = NDArray[np.float32]


class Followed:
    """What any track can tell: where it may be painted, and why not elsewhere."""

    frames: Span
    visible: NDArray[np.bool_]
    reason: tuple[str, ...]

    def why(self, frame: int) -> str:
        """Why `frame` must not be painted: a reason, "cut" outside the track, "" if it may be."""
        return self.reason[frame - self.frames.start] if frame in self.frames else "cut"

    def seen(self, span: Span) -> int:
        """Number of paintable frames inside `span`."""
        low, high = max(span.start, self.frames.start), min(span.end, self.frames.end)
        if high <= low:
            return 0
        return int(self.visible[low - self.frames.start : high - self.frames.start].sum())


@dataclass(frozen=True)
class Outline(Followed):
    """A FaceTrack of N frames without its landmarks.

    opening (N,): gap of the inner lips over the inter-ocular distance; box (4,): the mean one;
    home: the frames in which a segment must begin that this track may speak, None for any.
    """

    id: int
    frames: Span
    box: Floats
    visible: NDArray[np.bool_]
    reason: tuple[str, ...]
    shot: int
    opening: Floats
    identity: Floats | None = None
    home: Span | None = None

    def may_speak_from(self, frame: int) -> bool:
        """Whether a segment that begins at `frame` may be this face's."""
        return self.home is None or frame in self.home
