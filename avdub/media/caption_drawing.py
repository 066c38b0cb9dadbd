"""Captions drawn into pictures: white text with a black edge, at the bottom and centred.

OpenCV brings the font; it knows the letters of all languages that avdub speaks. A caption is drawn
once and laid over each of its frames.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from avdub.errors import WeightsError

Picture = NDArray[np.uint8]

LINE = 1 / 20  # size of the font over the height of the picture
WIDEST = 0.9  # of a line, over the width of the picture
TALLEST = 0.5  # of a caption, over the height of the picture
SPACING = 1.3  # from one line to the next, in sizes of the font
EDGE = 0.09  # of the black edge, in sizes of the font
MARGIN = 0.05  # below the text, over the height of the picture
SMALLEST = 8  # pixels
WEIGHT = 500  # of the font: a little bold
MOST_CHARACTERS = 600  # of a caption; the rest becomes an ellipsis

Width = Callable[[str], float]


@dataclass(frozen=True)
class Overlay:
    """A caption to lay over pictures: the first row it covers, how much of each pixel is kept and
    how much light is added there, both (H, W, 1) of 0 to 255."""

    top: int
    kept: NDArray[np.uint16]
    added: Picture

    def over(self, picture: Picture) -> Picture:
        """A copy of an RGB picture (H, W, 3) with the caption."""
        result = picture.copy()
        rows = slice(self.top, self.top + len(self.added))
        under = (result[rows] * self.kept + 127) // 255
        result[rows] = under.astype(np.uint8) + self.added
        return result


def check_drawing() -> None:
    """Raise WeightsError where OpenCV is too old to draw any but English letters."""
    if not hasattr(cv2, "FontFace"):
        raise WeightsError(
            f"OpenCV {cv2.__version__} cannot draw subtitles",
            "pip install --upgrade 'opencv-python>=5', and no other package of OpenCV beside it",
        )


def draw_caption(text: str, width: int, height: int, aspect: Fraction = Fraction(1)) -> Overlay:
    """Rows of plain text for pictures of a size, whose pixels are `aspect` times as wide as high.

    Long rows are wrapped; what does not fit even in a small font is left out at the end.
    """
    shown = max(1, round(width * aspect))  # text is drawn as it is seen, then squeezed
    size, lines = _layout(_shortened(text), shown, height)
    pitch = round(SPACING * size)
    edge = max(1, round(EDGE * size))
    below = round(MARGIN * height)
    tall = min(height, len(lines) * pitch + 2 * edge + below)
    letters = np.zeros((tall, shown), np.uint8)
    face = cv2.FontFace("sans")
    for n, line in enumerate(lines):
        left = round((shown - _width(line, face, size)) / 2)
        base = tall - below - edge - round(0.25 * size) - (len(lines) - 1 - n) * pitch
        cv2.putText(letters, line, (left, base), 255, face, size, WEIGHT)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * edge + 1, 2 * edge + 1))
    edges = cv2.dilate(letters, around)
    if shown != width:
        letters, edges = (
            cv2.resize(each, (width, tall), interpolation=cv2.INTER_AREA)
            for each in (letters, edges)
        )
    kept = (255 - letters.astype(np.uint16)) * (255 - edges.astype(np.uint16)) // 255
    return Overlay(height - tall, kept[..., None], letters[..., None])


def draw_band(text: str, width: int, size: int, most_lines: int) -> Picture:
    """White text of `size` pixels, wrapped and centred, on a black (H, width, 3) band of even
    height; what does not fit becomes an ellipsis."""
    face = cv2.FontFace("sans")
    measure = _measure(face, size)
    lines = _filled(text, width - size, measure) or [""]
    if len(lines) > most_lines:
        last = lines[most_lines - 1]
        while last and measure(f"{last} …") > width - size:
            last = last[:-1].rstrip()
        lines = [*lines[: most_lines - 1], f"{last} …"]
    pitch = size * 5 // 4
    band = np.zeros((2 * ((len(lines) * pitch + size // 2) // 2), width), np.uint8)
    for n, line in enumerate(lines):
        left = round((width - measure(line)) / 2)
        cv2.putText(band, line, (left, n * pitch + round(0.95 * size)), 255, face, size, WEIGHT)
    return np.repeat(band[..., None], 3, axis=2)


def _layout(text: str, width: int, height: int) -> tuple[int, list[str]]:
    """The size of the font and the lines, such that they cover no more than half the picture."""
    face = cv2.FontFace("sans")
    size = max(SMALLEST, round(LINE * min(height, 0.75 * width)))  # upright pictures are narrow
    while True:
        widest = WIDEST * width
        rows = [row for row in text.split("\n") if row.strip()]
        lines = [line for row in rows for line in _wrapped(row, widest, _measure(face, size))]
        room = max(1, int(TALLEST * height / (SPACING * size)))
        if len(lines) <= room:
            return size, lines
        if size <= SMALLEST:
            return size, [*lines[: room - 1], f"{lines[room - 1][:-4].rstrip()} …"]
        size = max(SMALLEST, size * 4 // 5)


def _measure(face: "cv2.FontFace", size: int) -> Width:
    return lambda text: _width(text, face, size)


def _width(text: str, face: "cv2.FontFace", size: int) -> float:
    """Pixels; OpenCV leaves out the space around a text."""
    left, _, wide, _ = cv2.getTextSize((0, 0), text, (0, 0), face, size, WEIGHT)
    return float(left + wide)


def _wrapped(row: str, widest: float, width: Width) -> list[str]:
    """The words of a row in as few lines as fit, of about the same length."""
    lines = _filled(row, widest, width)
    narrow, wide = widest / (len(lines) + 1), widest
    while len(lines) > 1 and wide - narrow > widest / 50:
        middle = (narrow + wide) / 2
        if len(_filled(row, middle, width)) > len(lines):
            narrow = middle
        else:
            wide = middle
    return _filled(row, wide, width)


def _filled(row: str, widest: float, width: Width) -> list[str]:
    """The words of a row in lines, each as full as it gets; words that do not fit are broken."""
    lines: list[str] = []
    for word in row.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if width(longer) <= widest:
            lines[-1:] = [longer]
            continue
        lines.append("")
        for character in word if width(word) > widest else [word]:
            if lines[-1] and width(lines[-1] + character) > widest:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_CHARACTERS else f"{text[:MOST_CHARACTERS].rstrip()} …"
