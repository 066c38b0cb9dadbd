"""F0 of made sounds. Needs swift-f0, which only training uses."""

import numpy as np
import pytest

pytest.importorskip("swift_f0", reason="swift-f0 comes with the train extra")

from avdub.pitch import log_f0


def voice_at(hz: float, seconds: float = 0.6) -> np.ndarray:
    """Harmonics of `hz` at 16 kHz, weaker the higher."""
    time = np.arange(round(seconds * 16_000)) / 16_000
    tones = [np.sin(2 * np.pi * k * hz * time) / k for k in range(1, 12)]
    return (0.2 * np.sum(tones, axis=0)).astype(np.float32)


@pytest.mark.parametrize("hz", [90, 150, 300])
def test_a_steady_voice_has_its_pitch(hz: float) -> None:
    middle = log_f0(voice_at(hz))[30:-30]
    assert (middle > 0).all()
    np.testing.assert_allclose(np.expm1(middle), hz, rtol=0.015)


def test_there_are_four_values_a_whole_step() -> None:
    assert log_f0(voice_at(150)[: 7 * 320 + 200]).shape == (28,)


def test_silence_is_unvoiced() -> None:
    assert not log_f0(np.zeros(8000, np.float32)).any()


def test_noise_is_mostly_unvoiced() -> None:
    noise = 0.1 * np.random.default_rng(0).standard_normal(16_000).astype(np.float32)
    assert (log_f0(noise) > 0).mean() < 0.2


def test_a_pause_between_two_voices_is_unvoiced() -> None:
    pause = np.zeros(8000, np.float32)
    sound = np.concatenate([voice_at(150), pause, voice_at(200)])
    values = log_f0(sound)
    assert not values[140:200].any()
    np.testing.assert_allclose(np.expm1(values[30:90]), 150, rtol=0.015)
    np.testing.assert_allclose(np.expm1(values[-90:-30]), 200, rtol=0.015)


def test_less_than_a_step_has_no_values() -> None:
    assert log_f0(np.zeros(319, np.float32)).shape == (0,)
