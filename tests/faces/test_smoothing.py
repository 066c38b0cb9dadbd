import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.faces.detect import Detection
from avdub.faces.smoothing import calm, smooth, steady


@given(st.floats(0.5, 6), st.floats(-5, 5), st.floats(-0.2, 0.2))
def test_even_movement_passes_unchanged(sigma: float, speed: float, bend: float) -> None:
    t = np.arange(60, dtype=np.float64)
    values = speed * t + bend * t**2
    np.testing.assert_allclose(smooth(values, sigma)[20:-20], values[20:-20], atol=1e-6)


def test_a_symmetric_event_stays_where_it_was() -> None:
    values = np.zeros(41)
    values[18:23] = 1
    smoothed = smooth(values, 2.0)
    np.testing.assert_allclose(smoothed, smoothed[::-1], atol=1e-12)
    assert smoothed.argmax() == 20


def test_noise_is_damped() -> None:
    noise = np.random.default_rng(0).normal(size=(200, 3))
    assert smooth(noise, 3.0).std() < 0.5 * noise.std()


def test_a_width_below_a_frame_changes_nothing() -> None:
    values = np.random.default_rng(0).normal(size=(9, 2))
    np.testing.assert_array_equal(smooth(values, 0.2), values)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_short_sequences_keep_their_length(n: int) -> None:
    assert smooth(np.ones((n, 468, 3)), 5.0).shape == (n, 468, 3)


def test_calm_takes_tremble_but_keeps_a_step() -> None:
    rng = np.random.default_rng(0)
    values = np.where(np.arange(60) < 30, 0.0, 50.0) + rng.normal(0, 0.3, 60)
    calmed = calm(values, 2.0, 1.0)
    assert np.diff(calmed[:25]).std() < 0.6 * np.diff(values[:25]).std()
    assert calmed[30] - calmed[29] > 45


def test_speech_is_not_damped_while_the_skull_is_held(found: Detection) -> None:
    rng = np.random.default_rng(0)
    t = np.arange(50) / 25
    landmarks = np.repeat(found.landmarks[None], 50, axis=0)
    swing = (4 * np.sin(2 * np.pi * 6 * t)).astype(np.float32)  # lips at 6 Hz
    landmarks[:, [14, 17, 87, 317], 1] += swing[:, None]
    noisy = landmarks + rng.normal(0, 0.3, landmarks.shape).astype(np.float32)
    result = steady(noisy, 25)
    gap = result[:, 14, 1] - result[:, 13, 1]
    assert np.corrcoef(gap, swing)[0, 1] > 0.98
    assert gap.std() > 0.85 * swing.std()
    eye = np.diff(result[:, 33, 0]).std()
    assert eye < 0.4 * np.diff(noisy[:, 33, 0]).std()
