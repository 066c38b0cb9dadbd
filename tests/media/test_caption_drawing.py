"""Captions in pictures: where they stand, what they look like, and what they leave alone."""

import time
from fractions import Fraction

import cv2
import numpy as np
import pytest

from avdub.errors import WeightsError
from avdub.media.caption_drawing import Picture, check_drawing, draw_caption


def grey(width: int = 640, height: int = 360) -> Picture:
    return np.full((height, width, 3), 128, np.uint8)


def drawn(
    text: str, width: int = 640, height: int = 360, aspect: Fraction = Fraction(1)
) -> Picture:
    return draw_caption(text, width, height, aspect).over(grey(width, height))


def box(picture: Picture) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what is not grey."""
    rows, columns = np.nonzero((picture != 128).any(2))
    return int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())


def test_text_is_white_with_a_black_edge() -> None:
    picture = drawn("Hello")
    assert picture.max() > 250
    assert picture.min() < 5
    assert (picture[..., 0] == picture[..., 1]).all()


def test_text_stands_at_the_bottom_in_the_middle() -> None:
    top, bottom, left, right = box(drawn("Hello there"))
    assert top > 360 * 0.85
    assert 360 * 0.93 < bottom < 360 * 0.97
    assert abs((left + right) - 640) <= 8


def test_the_rest_of_the_picture_is_untouched() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (360, 640, 3)).astype(np.uint8)
    before = noise.copy()
    after = draw_caption("Hello", 640, 360).over(noise)
    np.testing.assert_array_equal(noise, before)
    top, bottom, left, right = box(drawn("Hello"))
    after[top : bottom + 1, left : right + 1] = before[top : bottom + 1, left : right + 1]
    np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (1920, 1080), (96, 64), (101, 77)])
def test_long_rows_are_wrapped_inside_the_picture(size: tuple[int, int]) -> None:
    width, height = size
    top, bottom, left, right = box(drawn("many words in one row " * 8, *size))
    assert left > width * 0.02
    assert right < width * 0.98
    assert top >= height * 0.4
    assert bottom < height


def test_rows_are_kept_apart() -> None:
    picture = drawn("Above\nBelow")
    inked = (picture != 128).any((1, 2))
    starts = np.flatnonzero(np.diff(inked.astype(int)) == 1)
    assert len(starts) == 2


def test_letters_grow_with_the_picture() -> None:
    heights = [np.subtract(*box(drawn("H", w, h))[1::-1]) for w, h in ((640, 360), (1920, 1080))]
    assert heights[1] == pytest.approx(3 * heights[0], rel=0.2)


@pytest.mark.parametrize("letter", "áéíóúñüÁÉÍÓÚÑÜ¿¡çãõàèêôöäß«»“”…—♪€")
def test_every_letter_of_the_languages_is_known(letter: str) -> None:
    shapes = [drawn(each).tobytes() for each in (letter, "\U000f1234", "?", "n")]
    assert shapes[0] not in shapes[1:]


def test_wide_pixels_make_narrow_letters() -> None:
    plain, wide = box(drawn("Hello")), box(drawn("Hello", aspect=Fraction(2)))
    assert (wide[3] - wide[2]) == pytest.approx((plain[3] - plain[2]) / 2, rel=0.1)
    assert wide[1] - wide[0] == pytest.approx(plain[1] - plain[0], abs=2)


@pytest.mark.parametrize("text", ["word " * 200_000, "x" * 1_000_000, "a\n" * 10_000])
def test_a_megabyte_of_text_is_drawn_at_once_and_leaves_half_the_picture(text: str) -> None:
    began = time.monotonic()
    top, _, _, _ = box(drawn(text))
    assert top > 360 * 0.4
    assert time.monotonic() - began < 5


def test_an_opencv_that_knows_few_letters_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    check_drawing()
    monkeypatch.delattr(cv2, "FontFace")
    with pytest.raises(WeightsError, match="cannot draw subtitles") as caught:
        check_drawing()
    assert "opencv-python>=5" in caught.value.hint
