import numpy as np
import pytest

from avdub.media.waveform import (
    Waveform,
    detect_speech,
    fade,
    gain,
    join,
    loudness,
    resample,
    silence,
)
from tests.make import make_tone


def test_a_sine_at_half_scale_has_minus_9_db() -> None:
    assert loudness(make_tone()) == pytest.approx(-9.03, abs=0.01)


def test_silence_has_a_finite_level() -> None:
    assert loudness(silence(100, 2, 16_000)) == -120
    assert loudness(silence(0, 1, 16_000)) == -120


def test_gain_is_in_db() -> None:
    assert loudness(gain(make_tone(), -6)) == pytest.approx(loudness(make_tone()) - 6, abs=0.01)


def test_mono_averages_channels() -> None:
    w = Waveform(np.array([[1.0, 0.0], [0.5, -0.5]], np.float32), 8000)
    assert w.mono().samples.tolist() == [[0.5], [0.0]]


@pytest.mark.parametrize(("rate", "to"), [(16_000, 24_000), (44_100, 48_000), (48_000, 32_000)])
def test_resampling_keeps_pitch_and_rounds_length(rate: int, to: int) -> None:
    w = resample(make_tone(0.5, rate, 2), to)
    assert len(w) == round(len(make_tone(0.5, rate)) * to / rate)
    expected = make_tone(0.5, to, 2).samples[: len(w)]
    middle = slice(len(w) // 4, -len(w) // 4)
    assert np.abs(w.samples[middle] - expected[middle]).max() < 0.01


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    w = make_tone()
    assert resample(w, w.rate) is w


def test_fades_reach_silence_and_leave_the_middle() -> None:
    w = Waveform(np.ones((1000, 1), np.float32), 1000)
    faded = fade(w, in_s=0.1, out_s=0.2).samples[:, 0]
    assert faded[0] < 0.01
    assert faded[-1] < 0.01
    assert np.all(faded[100:800] == 1)
    assert np.all(np.diff(faded[:100]) > 0)


def test_a_fade_longer_than_the_sound_is_as_long_as_the_sound() -> None:
    assert len(fade(make_tone(0.01), 5.0, 5.0)) == 160


def test_joining_different_rates_is_refused() -> None:
    with pytest.raises(AssertionError, match="rates or channels differ"):
        join([make_tone(rate=8000), make_tone(rate=16_000)])


def test_parts_follow_each_other() -> None:
    assert len(join([make_tone(0.25), make_tone(0.5)])) == 12_000


def noisy(parts: list[tuple[float, float]], noise: float = 0.003) -> Waveform:
    """(seconds, level) parts of tone over noise."""
    rng = np.random.default_rng(0)
    sound = np.concatenate([make_tone(s).samples * 2 * level for s, level in parts])
    return Waveform((sound + noise * rng.standard_normal(sound.shape)).astype(np.float32), 16_000)


def test_speech_is_found_over_background_noise() -> None:
    w = noisy([(1.0, 0.0), (1.5, 0.3), (0.8, 0.0), (0.7, 0.1), (1.0, 0.0)])
    assert np.ravel(detect_speech([w])) == pytest.approx([1.0, 2.5, 3.3, 4.0], abs=0.1)


def test_block_size_does_not_matter() -> None:
    w = noisy([(0.5, 0.0), (1.0, 0.3), (0.5, 0.0)])
    blocks = [Waveform(part, w.rate) for part in np.array_split(w.samples, 13)]
    assert detect_speech(blocks) == detect_speech([w])


def test_short_pauses_and_clicks_do_not_count() -> None:
    w = noisy([(0.5, 0.0), (0.5, 0.3), (0.15, 0.0), (0.5, 0.3), (0.6, 0.0), (0.02, 0.5), (0.5, 0)])
    assert len(detect_speech([w])) == 1


def test_silence_holds_no_speech() -> None:
    assert detect_speech([silence(32_000, 1, 16_000)]) == []
    assert detect_speech([]) == []


def test_sound_without_pauses_is_one_stretch() -> None:
    assert detect_speech([noisy([(2.0, 0.3)])]) == [(0.0, 2.0)]
