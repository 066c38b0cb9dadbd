"""Pictures against pictures."""

import numpy as np
import pytest

from avdub.evaluation.picture import IDENTICAL_DB, change, psnr, sharpness, widened

GREY = np.full((8, 10, 3), 100, np.uint8)


def test_psnr_of_one_level_everywhere_is_known() -> None:
    assert psnr(GREY, GREY + 1) == pytest.approx(20 * np.log10(255), abs=1e-4)


def test_psnr_does_not_wrap_around() -> None:
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert psnr(black, white) == pytest.approx(0, abs=1e-6)


def test_equal_pictures_have_the_highest_finite_psnr() -> None:
    assert psnr(GREY, GREY) == IDENTICAL_DB


def test_only_pixels_of_the_mask_count() -> None:
    other, mask = GREY.copy(), np.zeros((8, 10), bool)
    other[:4] += 9
    mask[4:] = True
    assert psnr(GREY, other, mask) == IDENTICAL_DB
    assert change(GREY, other, mask) == 0
    assert change(GREY, other, ~mask) == 9


def test_a_blurred_picture_is_less_sharp() -> None:
    stripes = np.zeros((16, 16, 3), np.uint8)
    stripes[:, ::4] = 200
    blurred = stripes.astype(float)
    blurred = ((blurred + np.roll(blurred, 1, 1) + np.roll(blurred, -1, 1)) / 3).astype(np.uint8)
    assert sharpness(blurred) < 0.6 * sharpness(stripes)


def test_flat_pictures_have_no_edges() -> None:
    assert sharpness(GREY) == pytest.approx(0, abs=1e-4)


def test_a_mask_grows_in_all_directions_by_that_much() -> None:
    mask = np.zeros((15, 15), bool)
    mask[7, 7] = True
    grown = widened(mask, 3)
    assert grown[7, 4:11].all()
    assert grown[4:11, 7].all()
    assert grown.sum() < 49  # a disc, no square
    assert not grown[7, 3]
