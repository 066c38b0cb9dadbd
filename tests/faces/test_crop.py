import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avdub.faces.crop import (
    Area,
    Placement,
    crop,
    match_colour,
    mouth_mask,
    paste,
    place,
    points_in,
    window,
)
from avdub.faces.detect import Detection, Detector
from tests.faces.conftest import Floats, Image, moved


def square(x: float, y: float, side: float, turn: float = 0.0) -> Placement:
    """A square of `side` px whose middle is at x, y."""
    cos, sin = np.cos(turn) / side, np.sin(turn) / side
    matrix = np.array([[cos, -sin], [sin, cos]])
    return Placement(np.hstack([matrix, (0.5 - matrix @ [x, y])[:, None]]))


squares = st.builds(
    square, st.floats(-30, 130), st.floats(-30, 110), st.floats(8, 200), st.floats(-3, 3)
)


def noise(height: int, width: int, seed: int = 0) -> Image:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3))
    return cv2.resize(coarse.astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)


def disc(size: int) -> Floats:
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    return np.clip(1.5 - np.hypot(x, y) / (0.3 * size), 0, 1).astype(np.float32)


@given(squares)
@settings(max_examples=40, deadline=None)
def test_pasting_changes_nothing_outside_the_mask(placement: Placement) -> None:
    image, size = noise(80, 100), 32
    result = paste(image, np.full((size, size, 3), 7, np.uint8), placement, disc(size))
    y, x = np.mgrid[:80, :100]
    inside = points_in(placement, np.stack([x, y], -1))
    reach = np.hypot(*(inside - 0.5).transpose(2, 0, 1)) < 0.45 + 2 / size + 2 / placement.side_px
    assert (result == image)[~reach].all()


@given(squares)
@settings(max_examples=20, deadline=None)
def test_an_empty_mask_leaves_the_picture_exact(placement: Placement) -> None:
    image = noise(80, 100)
    empty = np.zeros((32, 32), np.float32)
    patch = np.zeros((32, 32, 3), np.uint8)
    np.testing.assert_array_equal(paste(image, patch, placement, empty), image)


@given(squares)
@settings(max_examples=40, deadline=None)
def test_a_placement_and_its_inverse_undo_one_another(placement: Placement) -> None:
    points = np.array([[3.0, 4.0], [50.0, 60.0], [-20.0, 9.0]])
    unit = points @ placement.matrix[:, :2].T + placement.matrix[:, 2]
    back = unit @ placement.inverse[:, :2].T + placement.inverse[:, 2]
    np.testing.assert_allclose(back, points, atol=1e-6)


def test_pasting_does_not_write_into_the_given_picture() -> None:
    image = noise(80, 100)
    before = image.copy()
    paste(image, np.zeros((32, 32, 3), np.uint8), square(50, 40, 40), disc(32))
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("side", [40.0, 64.0, 110.0])
def test_a_crop_pasted_back_gives_the_picture_again(side: float) -> None:
    image = cv2.GaussianBlur(noise(240, 320), (0, 0), 3)
    placement = square(161.3, 119.8, side, 0.2)
    result = paste(image, crop(image, placement, 64), placement, disc(64))
    assert np.abs(result.astype(int) - image).mean() < 0.5
    assert np.abs(result.astype(int) - image).max() < 12


def test_a_full_mask_lays_in_the_patch_itself() -> None:
    patch = np.full((32, 32, 3), (200, 30, 60), np.uint8)
    result = paste(noise(80, 100), patch, square(50, 40, 30), np.ones((32, 32), np.float32))
    np.testing.assert_array_equal(result[40, 50], (200, 30, 60))


def test_shrinking_averages_fine_stripes_instead_of_picking_some() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    small = crop(stripes, square(127.5, 127.5, 256), 32)
    assert np.abs(small[4:-4, 4:-4].astype(int) - 127).max() <= 2


def test_a_square_beyond_the_frame_repeats_its_edge_and_pastes_nothing() -> None:
    image, placement = noise(80, 100), square(500, 500, 40)
    assert (crop(image, placement, 16) == image[-1, -1]).all()
    assert window(placement, image.shape) is None
    pasted = paste(image, np.zeros((16, 16, 3), np.uint8), placement, disc(16))
    np.testing.assert_array_equal(pasted, image)


def test_the_square_holds_the_mouth_in_its_middle_and_the_chin(found: Detection) -> None:
    (placement,) = place(found.landmarks[None])
    unit = points_in(placement, found.landmarks)
    np.testing.assert_allclose(unit[[61, 291]].mean(0), [0.5, 0.43], atol=0.1)
    assert 0.3 < unit[291, 0] - unit[61, 0] < 0.55  # a broad smile
    assert 0.75 < unit[152, 1] < 0.97
    assert unit[[33, 263], 1].max() < 0.0


@given(st.floats(-40, 40), st.floats(-60, 60), st.floats(0.3, 4))
@settings(max_examples=20, deadline=None)
def test_the_square_goes_with_the_face(
    found: Detection, x: float, turn: float, scale: float
) -> None:
    matrix = cv2.getRotationMatrix2D((160, 128), turn, scale)
    matrix[:, 2] += [x, -x]
    there = found.landmarks.copy()
    there[:, :2] = found.landmarks[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    before, after = place(found.landmarks[None])[0], place(there[None])[0]
    assert after.side_px == pytest.approx(before.side_px * scale, rel=1e-3)
    np.testing.assert_allclose(
        points_in(after, there), points_in(before, found.landmarks), atol=2e-3
    )


def test_moving_lips_and_jaw_do_not_move_the_square(found: Detection) -> None:
    talking = found.landmarks.copy()
    talking[[13, 14, 17, 152, 148, 377, 61, 291]] += [0, 15, 0]
    still, same = place(found.landmarks[None])[0], place(talking[None])[0]
    np.testing.assert_array_equal(still.matrix, same.matrix)


def test_jitter_of_the_mesh_is_damped(found: Detection) -> None:
    rng = np.random.default_rng(3)
    shakes = rng.normal(0, 0.2, (60, 1, 3)) * [1, 1, 0]
    landmarks = (found.landmarks + shakes).astype(np.float32)
    centres = np.array([p.inverse @ [0.5, 0.5, 1] for p in place(landmarks)])
    assert np.diff(centres, axis=0).std() < 0.5 * np.diff(shakes[:, 0, :2], axis=0).std()


def test_a_jerk_of_the_head_is_followed_at_once(found: Detection) -> None:
    landmarks = np.repeat(found.landmarks[None], 20, axis=0)
    landmarks[10:, :, 0] += 12
    centres = np.array([p.inverse @ [0.5, 0.5, 1] for p in place(landmarks)])[:, 0]
    np.testing.assert_allclose(centres[10] - centres[9], 12, atol=1.0)


def test_the_mask_covers_the_mouth_but_neither_nose_tip_nor_border(found: Detection) -> None:
    (placement,) = place(found.landmarks[None])
    mask = mouth_mask(found.landmarks, placement, 96)
    at = (points_in(placement, found.landmarks) * 96).astype(int)
    assert mask.dtype == np.float32
    for lip in (61, 291, 13, 14, 0, 17):
        assert mask[at[lip, 1], at[lip, 0]] > 0.8
    assert mask[at[1, 1], at[1, 0]] == 0
    assert not mask[[0, -1]].any()
    assert not mask[:, [0, -1]].any()
    assert 0 <= mask.min() < mask.max() <= 1


def test_the_mask_reaches_below_the_chin(found: Detection) -> None:
    (placement,) = place(found.landmarks[None])
    mask = mouth_mask(found.landmarks, placement, 96)
    x, y = (points_in(placement, found.landmarks[152]) * 96).astype(int)
    assert mask[y, x] > 0.1


def test_the_mask_has_no_hard_edge(found: Detection) -> None:
    (placement,) = place(found.landmarks[None])
    mask = mouth_mask(found.landmarks, placement, 128)
    assert max(np.abs(np.diff(mask, axis=axis)).max() for axis in (0, 1)) < 0.35


def test_colours_are_matched_where_the_ring_weighs() -> None:
    target = noise(64, 64)
    patch = np.clip(target * 0.9 + 8, 0, 255).astype(np.uint8)
    ring = np.zeros((64, 64), np.float32)
    ring[:16] = 1
    matched = match_colour(patch, target, ring)
    assert np.abs(matched.astype(int) - target).mean() < 2


def test_a_wrong_ring_cannot_change_colours_beyond_the_bounds() -> None:
    patch = np.full((16, 16, 3), 100, np.uint8)
    matched = match_colour(patch, np.full_like(patch, 255), np.ones((16, 16), np.float32))
    np.testing.assert_array_equal(matched, 124)


def test_without_a_ring_colours_stay() -> None:
    patch = noise(16, 16)
    matched = match_colour(patch, patch[::-1], np.zeros((16, 16), np.float32))
    np.testing.assert_array_equal(matched, patch)


def test_a_moving_portrait_stands_still_in_its_crops(detector: Detector, portrait: Image) -> None:
    frames = [moved(portrait, 6 * np.sin(n / 3), 4 * np.cos(n / 4), n / 4) for n in range(12)]
    landmarks = np.stack([detector.detect(frame)[0].landmarks for frame in frames])
    crops = [
        crop(frame, placement, 64).astype(int)
        for frame, placement in zip(frames, place(landmarks), strict=True)
    ]
    still = np.mean([np.abs(each[8:-8, 8:-8] - crops[0][8:-8, 8:-8]).mean() for each in crops])
    shifting = np.abs(frames[0].astype(int) - frames[6])[100:200, 110:210].mean()
    assert still < 0.35 * shifting


def test_a_part_of_the_square_is_cropped_as_in_the_whole() -> None:
    image, placement = noise(80, 100), square(50, 40, 60, 0.2)
    whole = crop(image, placement, 64).astype(int)
    area = Area(64, 12, 24, 48, 60)
    part = crop(image, placement, 64, area).astype(int)
    assert part.shape == (36, 36, 3)
    assert np.abs(part - area.of(whole)).max() <= 2  # OpenCV rounds to parts of a pixel


@given(squares)
@settings(max_examples=40, deadline=None)
def test_pasting_a_part_is_as_pasting_the_whole(placement: Placement) -> None:
    image, size = noise(80, 100), 48
    patch, mask = noise(size, size, 1), disc(size)
    area = Area.around([mask])
    whole = paste(image, patch, placement, mask).astype(int)
    part = paste(image, area.of(patch), placement, area.of(mask), area).astype(int)
    assert np.abs(part - whole).max() <= 4
    assert ((part == image) | (whole != image) | (np.abs(part - image) <= 1)).all()


def test_an_area_holds_all_masks_and_their_surroundings() -> None:
    masks = np.zeros((2, 96, 96), np.float32)
    masks[0, 40, 30] = masks[1, 50, 70] = 0.1
    area = Area.around(list(masks))
    assert max(area.x0 - 27, area.y0 - 37) <= 0
    assert min(area.x1 - 74, area.y1 - 54) >= 0
    assert not any(each % 12 for each in area.part)


def test_where_no_mask_shows_the_area_is_the_whole_square() -> None:
    assert Area.around([np.zeros((40, 40), np.float32)]) == Area.whole(40)
