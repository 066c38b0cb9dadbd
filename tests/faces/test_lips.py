from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from avdub.errors import WeightsError
from avdub.faces.detect import Detection
from avdub.faces.lips import (
    JAW_POINTS,
    LIP_POINTS,
    SHAPE_POINTS,
    STABLE_POINTS,
    interocular,
    jaw,
    lip_shape,
    load_template,
    make_template,
    opening,
    to_frame,
    width,
)
from tests.faces.conftest import FOLDER, Floats

TEMPLATE = load_template(FOLDER)
angles = st.floats(-0.7, 0.7)


def posed(mesh: Floats, turn: tuple[float, float, float], scale: float, x: float) -> Floats:
    matrix = cv2.Rodrigues(np.array(turn, np.float64))[0]
    return (scale * mesh @ matrix.T + [x, 0.5 * x, 0.0]).astype(np.float32)


def spoken(gap: float) -> Floats:
    """The template with its lower lip and chin lowered by `gap` inter-ocular distances."""
    mesh = TEMPLATE.copy()
    lower = [n for n in LIP_POINTS if TEMPLATE[n, 1] > TEMPLATE[13, 1] + 0.001]
    mesh[[*lower, *JAW_POINTS[5:12]], 1] += gap
    return mesh


def test_the_shape_holds_two_lip_rings_and_the_jaw_without_repeats() -> None:
    assert len(LIP_POINTS) == 40
    assert len(set(SHAPE_POINTS)) == len(SHAPE_POINTS) == 57


def test_no_point_that_speaks_counts_as_stable() -> None:
    assert not set(STABLE_POINTS) & set(SHAPE_POINTS)


def test_the_template_is_a_symmetric_face_of_unit_eye_distance() -> None:
    assert interocular(TEMPLATE[None])[0] == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(TEMPLATE[61] * [-1, 1, 1], TEMPLATE[291], atol=1e-5)
    assert TEMPLATE[10, 1] < TEMPLATE[168, 1] < TEMPLATE[1, 1] < TEMPLATE[13, 1] < TEMPLATE[152, 1]


@given(st.tuples(angles, angles, angles), st.floats(10, 900), st.floats(-500, 3000))
@settings(max_examples=30, deadline=None)
def test_pose_and_scale_do_not_change_the_lip_shape(
    turn: tuple[float, float, float], scale: float, x: float
) -> None:
    mesh = spoken(0.2)
    straight = lip_shape(mesh[None], TEMPLATE)
    turned = lip_shape(posed(mesh, turn, scale, x)[None], TEMPLATE)
    np.testing.assert_allclose(turned, straight, atol=2e-3)


@given(st.tuples(angles, angles, angles), st.floats(10, 900), st.floats(-500, 3000))
@settings(max_examples=30, deadline=None)
def test_a_shape_put_back_onto_its_head_lies_where_it_was(
    turn: tuple[float, float, float], scale: float, x: float
) -> None:
    landmarks = posed(spoken(0.15), turn, scale, x)[None]
    back = to_frame(lip_shape(landmarks, TEMPLATE), landmarks, TEMPLATE)
    np.testing.assert_allclose(back, landmarks[:, SHAPE_POINTS, :2], atol=0.1)


def test_a_real_face_makes_the_round_trip_within_a_tenth_of_a_pixel(found: Detection) -> None:
    landmarks = found.landmarks[None]
    back = to_frame(lip_shape(landmarks, TEMPLATE), landmarks, TEMPLATE)
    np.testing.assert_allclose(back, landmarks[:, SHAPE_POINTS, :2], atol=0.1)


def test_another_mouths_shape_moves_only_with_this_head() -> None:
    head = posed(TEMPLATE, (0, 0, 0), 50, 200)[None]
    put = to_frame(lip_shape(spoken(0.2)[None], TEMPLATE), head, TEMPLATE)
    expected = spoken(0.2)[list(SHAPE_POINTS), :2] * 50 + [200, 100]
    np.testing.assert_allclose(put[0], expected, atol=0.5)


def test_opening_the_jaw_raises_opening_and_jaw_but_not_width() -> None:
    shut, wide = (lip_shape(spoken(gap)[None], TEMPLATE) for gap in (0.0, 0.25))
    assert opening(wide)[0] - opening(shut)[0] == pytest.approx(0.25, abs=0.01)
    assert jaw(wide)[0] - jaw(shut)[0] == pytest.approx(0.25, abs=0.01)
    assert width(wide)[0] == pytest.approx(float(width(shut)[0]), abs=0.01)


def test_the_smiling_astronaut_shows_an_open_mouth(found: Detection) -> None:
    shape = lip_shape(found.landmarks[None], TEMPLATE)
    neutral = lip_shape(TEMPLATE[None], TEMPLATE)
    assert width(shape)[0] > width(neutral)[0]
    assert opening(shape)[0] > opening(neutral)[0]


def test_a_template_made_from_turned_heads_looks_straight_ahead() -> None:
    rng = np.random.default_rng(1)
    heads = [
        posed(spoken(gap), tuple(rng.uniform(-0.3, 0.3, 3)), 80, 300)
        for gap in np.repeat([0.0, 0.1, 0.2], 4)
    ]
    made = make_template(np.stack(heads))
    assert np.abs(made[:, :2] - TEMPLATE[:, :2]).mean() < 0.01


def test_a_missing_template_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no face template"):
        load_template(tmp_path)


def test_a_file_that_is_no_face_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "template.npz", landmarks=np.zeros((5, 3)))
    with pytest.raises(WeightsError, match="468"):
        load_template(tmp_path)
