"""Where a new shot begins: one frame at a time, keeping a few thumbnails and one number a frame."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

THUMB = (48, 27)  # width, height of the compared picture
AHEAD = 4  # frames a change must last; shorter ones are flashes
HISTORY = 24  # frames that tell how lively the shot is
CHANGED = 0.30  # change (0 to 1) from which a cut is thinkable
LIVELY = 3.0  # ... and how many times the shot's own median change it must be


class ShotCuts:
    """Feeds on frames; `cuts` are the frames where a new shot begins, known AHEAD frames later."""

    def __init__(self) -> None:
        self.cuts: list[int] = []
        self._recent: deque[tuple[int, Floats]] = deque(maxlen=AHEAD + 2)
        self._changes: deque[float] = deque(maxlen=HISTORY)
        self._suspects: deque[tuple[int, Floats]] = deque()

    def feed(self, index: int, image: Image) -> bool:
        """Take the next frame (H, W, 3); True if a cut may lie right before it."""
        stride = max(1, min(image.shape[:2]) // 270)  # a coarse grid is enough, and fast at 4K
        thumb = cv2.resize(image[::stride, ::stride], THUMB, interpolation=cv2.INTER_AREA).astype(
            np.float32
        )
        self._settle(index, thumb)
        suspect = False
        if self._recent:
            before = self._recent[-1][1]
            amount = change(before, thumb)
            usual = float(np.median(self._changes)) if self._changes else 0.0
            suspect = amount > max(CHANGED, min(LIVELY * usual, 0.8))
            if suspect:
                self._suspects.append((index, before))
            else:
                self._changes.append(amount)
        self._recent.append((index, thumb))
        return suspect

    def finish(self) -> list[int]:
        """Settle what is open at the end of the video and return all cuts."""
        for index, before in self._suspects:
            self._decide(index, before)
        self._suspects.clear()
        return self.cuts

    def _settle(self, index: int, thumb: Floats) -> None:
        while self._suspects and self._suspects[0][0] + AHEAD <= index:
            self._decide(*self._suspects.popleft())

    def _decide(self, index: int, before: Floats) -> None:
        """A cut unless one of the next frames looks as before, as it does after a flash."""
        after = [thumb for n, thumb in self._recent if n > index]
        if self.cuts and index - self.cuts[-1] < 2:
            return
        if all(change(before, thumb) > 0.6 * CHANGED for thumb in after):
            self.cuts.append(index)


def change(a: Floats, b: Floats) -> float:
    """How differently two thumbnails (h, w, 3) look, 0 to 1, whatever their brightness.

    Half is unlikeness of structure (1 - correlation of luma), half of the colour histograms; both
    must speak, or a passing object or a lamp switched on would count as a cut.
    """
    luma_a, luma_b = a @ _LUMA, b @ _LUMA
    deviation_a, deviation_b = luma_a - luma_a.mean(), luma_b - luma_b.mean()
    power = float(np.sqrt((deviation_a**2).sum() * (deviation_b**2).sum()))
    flat = 30.0 * luma_a.size  # the power of pictures with little structure; they compare as equal
    likeness = (float((deviation_a * deviation_b).sum()) + flat) / (power + flat)
    structure = float(np.clip(1 - likeness, 0, 1))
    colours = 0.5 * float(np.abs(_histogram(a) - _histogram(b)).sum())
    return float(np.sqrt(structure * colours))


_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _histogram(thumb: Floats) -> Floats:
    hsv = cv2.cvtColor(np.clip(thumb, 0, 255).astype(np.uint8), cv2.COLOR_RGB2HSV)
    hist = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256])
    return np.asarray(hist.ravel() / max(float(hist.sum()), 1.0), np.float32)
