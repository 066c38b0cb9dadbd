"""The Fréchet distance and the layer of the face mesh it looks at."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from skimage import data

from avdub.errors import WeightsError
from avdub.evaluation.frechet import (
    CELLS,
    CHANNELS,
    INPUT,
    LAYER,
    LocalFeatures,
    frechet,
    with_output,
)
from tests.conftest import FACES

ALL = np.ones((CELLS, CELLS), bool)
ONES = np.ones(5)


def rows(seed: int, n: int = 4000) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5))


def test_a_set_is_at_no_distance_from_itself() -> None:
    assert frechet(rows(0), rows(0), ONES) == pytest.approx(0, abs=1e-9)


def test_a_moved_set_is_as_far_as_it_was_moved() -> None:
    assert frechet(rows(0), rows(0) + 2, ONES) == pytest.approx(4)


def test_a_wider_set_is_as_far_as_its_deviation_grew() -> None:
    assert frechet(rows(0), 3 * rows(0), ONES) == pytest.approx(4, rel=0.05)


def test_sets_that_vary_along_other_axes_are_apart() -> None:
    tall, wide = rows(0) * [3, 1, 1, 1, 1], rows(1) * [1, 3, 1, 1, 1]
    assert frechet(tall, wide, ONES) == pytest.approx(8 / 5, rel=0.1)


def test_channels_count_by_how_much_they_vary() -> None:
    scale = np.array([1, 10, 100, 1000, 1e4])
    moved = frechet(rows(0) * scale, (rows(0) + 2) * scale, scale)
    assert moved == pytest.approx(frechet(rows(0), rows(0) + 2, ONES))


def test_two_draws_of_one_set_are_near() -> None:
    assert frechet(rows(0), rows(1), ONES) < 0.01


def test_a_layer_is_given_out_beside_what_the_network_gave_before() -> None:
    path = FACES / "face_mesh.onnx"
    given = {"input_1": np.random.default_rng(0).random((1, 192, 192, 3), np.float32)}
    before = onnxruntime.InferenceSession(path).run(None, given)
    *after, layer = onnxruntime.InferenceSession(with_output(path.read_bytes(), LAYER)).run(
        None, given
    )
    for a, b in zip(before, after, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert layer.shape == (1, CHANNELS, CELLS, CELLS)


def test_long_names_have_long_lengths() -> None:
    assert with_output(b"", "x" * 300) == (
        b"\x3a\xb2\x02" + b"\x62\xaf\x02" + b"\x0a\xac\x02" + b"x" * 300
    )


@pytest.fixture(scope="module")
def features() -> LocalFeatures:
    return LocalFeatures(FACES)


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    return cv2.resize(data.astronaut()[40:200, 150:310], (INPUT, INPUT))


def test_there_is_a_row_for_each_cell_of_the_mask(
    features: LocalFeatures, face: np.ndarray
) -> None:
    mask = np.zeros_like(ALL)
    mask[3, 4:9] = True
    every = features(face, ALL).reshape(CELLS, CELLS, CHANNELS)
    np.testing.assert_allclose(features(face, mask), every[3, 4:9], rtol=1e-5)


def test_blur_and_tint_grow_the_distance(features: LocalFeatures, face: np.ndarray) -> None:
    real = features(face, ALL)
    scale = real.std(0)
    tinted = np.clip(face + np.array([0, 25, 0]), 0, 255).astype(np.uint8)
    little, much = (
        frechet(real, features(cv2.GaussianBlur(face, (0, 0), sigma), ALL), scale)
        for sigma in (1, 4)
    )
    assert 0 < little < much
    assert frechet(real, features(tinted, ALL), scale) > 0.001


def test_a_damaged_network_is_a_weights_error(tmp_path: Path) -> None:
    (tmp_path / "face_mesh.onnx").write_bytes(b"nonsense")
    with pytest.raises(WeightsError, match="no layer"):
        LocalFeatures(tmp_path)
    with pytest.raises(WeightsError, match="no layer"):
        LocalFeatures(tmp_path / "nowhere")
