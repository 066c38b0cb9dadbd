"""F0 of made sounds. Needs swift-f0 and AMFM_decompy, which only training uses."""

import sys

import numpy as np
import pytest

pytest.importorskip("swift_f0", reason="swift-f0 comes with the train extra")
pytest.importorskip("amfm_decompy", reason="AMFM_decompy comes with the train extra")

from amfm_decompy import pYAAPT

from avdub import pitch
from avdub.errors import WeightsError
from avdub.pitch import log_f0

FORMANTS = ((600, 80), (1200, 120), (2500, 160))


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


def speech_at(hz: np.ndarray) -> np.ndarray:
    """A vowel whose pitch is `hz` (S,) at 16 kHz, between two silences of 0.2 s."""
    phase = 2 * np.pi * np.cumsum(hz) / 16_000
    sound = np.zeros(len(hz))
    for k in range(1, 40):
        peaks = sum(1 / (1 + ((k * hz - centre) / width) ** 2) for centre, width in FORMANTS)
        sound += (0.02 + peaks / np.sqrt(k)) * (k * hz < 7000) * np.sin(k * phase)
    sound += 0.01 * np.random.default_rng(0).standard_normal(len(hz))
    sound[:3200] = sound[-3200:] = 0
    return (0.1 * sound).astype(np.float32)


def glide(start: float, end: float, n_samples: int = 32_000) -> np.ndarray:
    held = n_samples // 8
    return np.r_[np.full(held, start), np.linspace(start, end, n_samples - 2 * held), [end] * held]


@pytest.mark.parametrize(("start", "end"), [(100, 160), (200, 140), (120, 250)])
def test_yaapt_follows_a_glide(start: float, end: float) -> None:
    hz = glide(start, end)
    values = log_f0(speech_at(hz), "yaapt")
    voiced = np.flatnonzero(values)
    assert abs(voiced[0] - 40) <= 4
    assert abs(voiced[-1] - 359) <= 4
    inside = voiced[10:-10]
    at_middles = hz[inside * 80 + 40]
    np.testing.assert_allclose(np.expm1(values[inside]), at_middles, rtol=0.03)


@pytest.mark.parametrize(("start", "end"), [(100, 160), (220, 180), (150, 150)])
def test_both_methods_agree_on_a_voice(start: float, end: float) -> None:
    sound = speech_at(glide(start, end))
    swift, yaapt = log_f0(sound), log_f0(sound, "yaapt")
    both = (swift > 0) & (yaapt > 0)
    assert both.sum() > 300
    assert (swift[40:360] > 0).mean() > 0.9
    ratio = np.median(np.expm1(yaapt[both]) / np.expm1(swift[both]))
    assert ratio == pytest.approx(1, abs=0.03)


@pytest.mark.parametrize("n_samples", [0, 319, 320, 639, 1280, 2440, 8000])
def test_yaapt_has_four_values_a_whole_step(n_samples: int) -> None:
    sound = speech_at(np.full(16_000, 150.0))[4000 : 4000 + n_samples]
    values = log_f0(sound, "yaapt")
    assert values.shape == (n_samples // 320 * 4,)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()


@pytest.mark.parametrize("n_samples", [320, 8000])
def test_silence_is_unvoiced_for_yaapt(n_samples: int) -> None:
    assert not log_f0(np.zeros(n_samples, np.float32), "yaapt").any()


def test_where_yaapt_gives_up_all_is_unvoiced(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(*_: object, **__: object) -> None:
        raise IndexError("no frame is voiced")

    monkeypatch.setattr(pYAAPT, "yaapt", give_up)
    values = log_f0(speech_at(np.full(16_000, 150.0)), "yaapt")
    assert values.shape == (200,)
    assert not values.any()


def test_yaapt_is_set_as_in_the_official_recipe(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []

    def listen(sound: object, **settings: float) -> None:
        heard.append((sound.data, sound.fs, settings))  # type: ignore[attr-defined]
        raise ValueError("enough")

    monkeypatch.setattr(pYAAPT, "yaapt", listen)
    log_f0(np.ones(5120, np.float32), "yaapt")
    ((data, rate, settings),) = heard
    assert rate == 16_000
    assert len(data) == 160 + 6400 + 160  # half a frame, whole blocks of 1280, half a frame
    assert data.sum() == 5120
    assert settings == {
        "frame_length": 20.0,
        "frame_space": 5.0,
        "nccf_thresh1": 0.25,
        "tda_frame_length": 25.0,
    }


@pytest.mark.parametrize(("method", "module"), [("swift", "swift_f0"), ("yaapt", "amfm_decompy")])
def test_a_missing_package_is_named(
    method: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    pitch._detector.cache_clear()
    with pytest.raises(WeightsError) as error:
        log_f0(voice_at(150), method)  # type: ignore[arg-type]
    assert f"pip install {module.replace('_', '-')}" in error.value.hint
