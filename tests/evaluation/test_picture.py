"""Pictures against pictures."""

import numpy as np
import pytest

from avdub.evaluation.picture import (
    IDENTICAL_DB,
    across_border,
    border_step,
    change,
    inside,
    lab_mean,
    psnr,
    sharpness,
    ssim,
    widened,
)

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


def stripes(size: int = 40) -> np.ndarray:
    image = np.full((size, size, 3), 60, np.uint8)
    image[:, ::4] = 180
    return image


EVERYWHERE = np.ones((40, 40), bool)


def test_equal_pictures_are_wholly_similar() -> None:
    assert ssim(stripes(), stripes(), EVERYWHERE) == pytest.approx(1)


def test_similarity_counts_inside_the_mask_only() -> None:
    other, left = stripes(), np.zeros((40, 40), bool)
    other[:, 30:] = 120
    left[:, :20] = True
    assert ssim(stripes(), other, left) == pytest.approx(1)
    assert ssim(stripes(), other, ~left) < 0.7
    assert np.isnan(ssim(stripes(), other, left & ~left))


def test_green_lies_below_zero_on_a_and_yellow_above_it_on_b() -> None:
    grey = np.full((40, 40, 3), 100, np.uint8)
    green, yellow = grey.copy(), grey.copy()
    green[..., 1] += 20
    yellow[..., 2] -= 40
    np.testing.assert_allclose(lab_mean(grey, EVERYWHERE)[1:], 0, atol=0.1)
    assert lab_mean(green, EVERYWHERE)[1] < -8
    assert lab_mean(yellow, EVERYWHERE)[2] > 15


def test_the_colour_of_nothing_is_unknown() -> None:
    assert np.isnan(lab_mean(stripes(), ~EVERYWHERE)).all()


def test_a_polygon_covers_its_area() -> None:
    drawn = inside(np.array([[10, 10], [29, 10], [29, 19], [10, 19]]), (40, 40))
    assert drawn[10:20, 10:30].all()
    assert drawn.sum() == 200


def patch_weight() -> np.ndarray:
    """1 in the middle, falling to 0 over eight pixels, 0 at the sides."""
    away = np.abs(np.arange(80) - 40.0)
    side = np.clip((30 - away) / 8, 0, 1)
    return np.outer(side, side).astype(np.float32)


def test_a_brighter_patch_has_a_slope_across_its_border() -> None:
    texture = np.random.default_rng(0).integers(90, 110, (80, 80, 1)).repeat(3, 2)
    boxed = np.rint(texture + 12 * patch_weight()[..., None])
    plain = across_border(texture.astype(np.uint8), patch_weight(), 4)
    assert across_border(boxed.astype(np.uint8), patch_weight(), 4) > 3 * plain


def test_texture_does_not_count_as_a_border() -> None:
    flat = np.full((80, 80, 3), 100, np.uint8)
    rough = np.random.default_rng(0).integers(90, 110, (80, 80, 1)).repeat(3, 2).astype(np.uint8)
    assert across_border(flat, patch_weight(), 4) == pytest.approx(0, abs=1e-4)
    assert across_border(rough, patch_weight(), 4) < 0.2


def test_the_step_is_what_a_patch_is_off_by_inside_its_border() -> None:
    flat = np.full((80, 80, 3), 100, np.uint8)
    assert border_step(flat, flat, patch_weight(), 1) == 0
    assert border_step(flat, flat + 10, patch_weight(), 1) == pytest.approx(10, abs=0.01)
    assert np.isnan(border_step(flat, flat, np.zeros((80, 80), np.float32), 1))
    assert np.isnan(across_border(flat, np.ones((80, 80), np.float32), 1))
