"""A painted frame against its real one: each fault shows in its own number, and a copy in none."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from avdub.evaluation.frechet import CHANNELS, LocalFeatures
from avdub.evaluation.painted_frame import Row, measure_frame, measure_step, mouth_cells, view_of
from avdub.evaluation.picture import IDENTICAL_DB, Image, inside
from avdub.evaluation.repaint import Repaint
from avdub.faces.crop import Placement, place
from avdub.faces.detect import Detection
from avdub.faces.lips import LIP_POINTS, SHAPE_POINTS, Floats, load_template
from tests.conftest import FACES

EYES_PX = 60.0  # inter-ocular distance
LOWER = (14, 87, 317, 88, 178, 402, 318)  # inner points of the lower lip


def head(open_px: float) -> Floats:
    """A mesh in the middle of a picture of 240 × 260, its lips apart by about `open_px`."""
    marks = load_template(FACES) * EYES_PX + np.float32([120, 80, 0])
    marks[list(LOWER), 1] += open_px
    return np.asarray(marks, np.float32)


def picture(seed: int = 0) -> Image:
    """Coloured noise of a face's scale."""
    rough = np.random.default_rng(seed).normal(0, 40, (260, 240, 3)).astype(np.float32)
    soft = cv2.GaussianBlur(rough, (0, 0), 1.5)
    return np.clip(np.float32([150, 110, 95]) + 3 * soft, 0, 255).astype(np.uint8)


def frame(painted: Callable[[Image], Image], open_px: float = 12, seed: int = 0) -> Repaint:
    landmarks = head(open_px)
    square: Placement = place(landmarks[None])[0]
    real = picture(seed)
    made = painted(real)
    wanted = landmarks[list(SHAPE_POINTS), :2]
    return Repaint(0, real, made, real, landmarks, square, wanted)


def seen(image: Image, landmarks: Floats) -> Detection | None:
    """A mesh that finds the lips where they were."""
    return Detection(np.zeros(4, np.float32), 1.0, landmarks)


def measured(painted: Callable[[Image], Image], open_px: float = 12) -> Row:
    x = frame(painted, open_px)
    return measure_frame(x, x.painted, seen)


def weight_in_frame(image: Image) -> Floats:
    x = frame(np.copy)
    view = view_of(x, image)
    whole = np.zeros(image.shape[:2], np.float32)
    x0, y0 = view.origin.astype(int)
    height, width = view.weight.shape
    whole[y0 : y0 + height, x0 : x0 + width] = view.weight
    return whole


def mouth_inside(image: Image) -> np.ndarray:
    inner = head(12)[list(LIP_POINTS[20:]), :2]
    return inside(inner, image.shape[:2])


def green_mouth(image: Image) -> Image:
    made = image.astype(int)
    made[mouth_inside(image)] += [-8, 12, -4]
    return np.clip(made, 0, 255).astype(np.uint8)


def box(image: Image) -> Image:
    made = image + 20 * weight_in_frame(image)[..., None]
    return np.clip(np.rint(made), 0, 255).astype(np.uint8)


def blurred(image: Image) -> Image:
    weight = weight_in_frame(image)[..., None]
    soft = cv2.GaussianBlur(image, (0, 0), 2).astype(np.float32)
    return np.rint(image + weight * (soft - image)).astype(np.uint8)


def test_a_copy_has_no_fault() -> None:
    row = measured(np.copy)
    assert row["psnr"] == IDENTICAL_DB
    assert row["ssim"] == pytest.approx(1)
    assert (row["lmd"], row["lmd_px"], row["step"]) == (0, 0, 0)
    assert (row["l"], row["a"], row["b"]) == (0, 0, 0)
    for name in ("sharp", "sharp_lips"):
        assert row[name] == row[f"{name}_real"] > 1
    assert row["slope"] == row["slope_real"] > 0


def test_what_lies_beside_the_mouth_does_not_count() -> None:
    def beside(image: Image) -> Image:
        weight = weight_in_frame(image)
        return np.where((weight > 0)[..., None], image, 0).astype(np.uint8)

    assert measured(beside)["psnr"] == IDENTICAL_DB


def test_a_green_mouth_shows_in_a_and_nowhere_else() -> None:
    row, copy = measured(green_mouth), measured(np.copy)
    assert row["a"] < -8
    assert abs(row["l"]) < 5
    assert row["step"] < 0.5
    assert row["slope"] == pytest.approx(copy["slope"], rel=0.02)


def test_a_mouth_that_is_closed_has_no_colour() -> None:
    assert np.isnan(measured(np.copy, open_px=0)["a"])
    assert np.isfinite(measured(np.copy, open_px=6)["a"])


def test_a_box_shows_as_a_step_and_a_seam() -> None:
    row = measured(box)
    assert row["step"] > 8
    assert row["slope"] > 1.3 * row["slope_real"]


def test_a_blurred_mouth_is_less_sharp_than_the_skin_around_it() -> None:
    row = measured(blurred)
    assert row["sharp"] < 0.7 * row["sharp_real"]
    assert row["sharp_lips"] < 0.7 * row["sharp_lips_real"]
    assert row["sharp_around"] == measured(np.copy)["sharp_around"]
    assert row["ssim"] < 0.95


def test_lips_found_elsewhere_are_that_far_away() -> None:
    x = frame(np.copy)

    def moved(image: Image, landmarks: Floats) -> Detection:
        is_real = image is x.real
        return Detection(np.zeros(4, np.float32), 1.0, landmarks + (0 if is_real else 3))

    row = measure_frame(x, x.painted, moved)
    assert row["lmd_px"] == pytest.approx(3 * 2**0.5, rel=1e-4)
    assert row["lmd"] == pytest.approx(3 * 2**0.5 / EYES_PX, rel=0.05)


def test_lips_that_are_not_found_again_leave_the_distance_unknown() -> None:
    x = frame(np.copy)
    assert "lmd" not in measure_frame(x, x.painted, lambda image, landmarks: None)


def brighter(by: int) -> Callable[[Image], Image]:
    return lambda image: np.clip(image.astype(int) + by, 0, 255).astype(np.uint8)


def test_a_copy_moves_as_the_real_mouth_does() -> None:
    row = measure_step(frame(np.copy), frame(np.copy, seed=1), "painted")
    assert row["moved"] == row["moved_real"] > 5
    assert row["unrest"] == 0


def test_a_still_mouth_does_not_move() -> None:
    still = picture()
    row = measure_step(frame(np.copy), frame(lambda image: still, seed=1), "painted")
    assert row["moved"] == 0
    assert row["unrest"] == pytest.approx(row["moved_real"], rel=0.02)


def test_flicker_is_movement_that_the_real_mouth_has_not() -> None:
    row = measure_step(frame(brighter(-6)), frame(brighter(6)), "painted")
    assert row["moved_real"] == 0
    assert row["moved"] == pytest.approx(12, abs=0.2)
    assert row["unrest"] == pytest.approx(12, abs=0.2)


def test_a_steady_fault_is_no_flicker() -> None:
    row = measure_step(frame(brighter(6)), frame(brighter(6), seed=1), "painted")
    assert row["unrest"] < 0.3


def test_cells_of_the_mouth_have_features() -> None:
    x = frame(blurred)
    features = LocalFeatures(FACES)
    real, made = (mouth_cells(features, x, image) for image in (x.real, x.painted))
    assert real.shape == made.shape
    assert real.shape[1] == CHANNELS
    assert 240 < len(real) < 1600
    assert not np.allclose(real, made)
