"""New speech over the original sound: what changes and, above all, what does not."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.latents import Latents
from avdub.media.waveform import Waveform, gain, loudness, silence
from avdub.pipeline.speak import (
    LOUDEST_DB,
    QUIETEST_DB,
    SPEECH_DB,
    Overlay,
    lay_over,
    levelled,
    overlay,
    speak,
    speech_level,
)
from avdub.timeline import Span
from tests.make import make_tone
from tests.tiny import make_latents_to_speech, make_styles

RATE = 8000
LENGTH = 4000


def programme(channels: int = 1, level: float = 0.3) -> Waveform:
    noise = np.random.default_rng(0).uniform(-level, level, (LENGTH, channels))
    return Waveform(noise.astype(np.float32), RATE)


def blocks(sound: Waveform, size: int) -> Iterator[Waveform]:
    for start in range(0, len(sound), size):
        yield Waveform(sound.samples[start : start + size], sound.rate)


def make_overlay(start: int, end: int, level: float = 0.1, hz: float = 440) -> Overlay:
    time = np.arange(end - start) / RATE
    samples = level * np.sin(2 * np.pi * hz * time)
    return Overlay(Span(start, end), Waveform(samples[:, None].astype(np.float32), RATE))


def laid(
    overlays: list[Overlay], size: int = 700, sound: Waveform | None = None, duck_db: float = -60
) -> np.ndarray:
    source = sound or programme()
    parts = list(lay_over(blocks(source, size), overlays, duck_db))
    assert all(part.rate == RATE for part in parts)
    return np.concatenate([part.samples for part in parts])


@given(
    st.lists(st.tuples(st.integers(0, LENGTH - 1), st.integers(1, 900)), max_size=4),
    st.integers(100, 5000),
)
def test_samples_outside_all_slots_are_bit_identical(
    slots: list[tuple[int, int]], size: int
) -> None:
    overlays = [make_overlay(start, min(LENGTH, start + n)) for start, n in slots]
    outside = np.ones(LENGTH, bool)
    for each in overlays:
        outside[each.span.start : each.span.end] = False
    out = laid(overlays, size)
    assert len(out) == LENGTH
    np.testing.assert_array_equal(out[outside], programme().samples[outside])


@given(st.integers(50, 5000))
def test_the_size_of_blocks_does_not_matter(size: int) -> None:
    overlays = [make_overlay(500, 1500), make_overlay(1400, 2600, hz=300)]
    np.testing.assert_array_equal(laid(overlays, size), laid(overlays, LENGTH))


def test_loud_original_samples_outside_are_not_bent() -> None:
    loud = programme(level=1.0)
    out = laid([make_overlay(1000, 2000)], sound=loud)
    np.testing.assert_array_equal(out[:1000], loud.samples[:1000])


def test_overlapping_overlays_are_mixed() -> None:
    a, b = make_overlay(500, 2500), make_overlay(1000, 3000, hz=300)
    out = laid([a, b], sound=silence(LENGTH, 1, RATE))[:, 0]
    both = a.speech.samples[500:, 0] + b.speech.samples[:1500, 0]
    np.testing.assert_allclose(out[1000:2500], both, atol=1e-6)


def test_inside_the_original_is_ducked() -> None:
    quiet = Overlay(Span(1000, 3000), silence(2000, 1, RATE))
    out = laid([quiet])
    np.testing.assert_allclose(
        out[1240:2760], programme().samples[1240:2760] * 10 ** (-60 / 20), atol=1e-7
    )


def test_ducking_fades_in_and_out_inside_the_slot() -> None:
    flat = Waveform(np.full((LENGTH, 1), 0.5, np.float32), RATE)
    out = laid([Overlay(Span(1000, 3000), silence(2000, 1, RATE))], sound=flat)[:, 0]
    assert np.abs(np.diff(out)).max() < 0.01
    assert (np.diff(out[1000:1240]) <= 0).all()
    assert (np.diff(out[2760:3000]) >= 0).all()


def test_without_ducking_speech_is_added() -> None:
    each = make_overlay(1000, 3000)
    out = laid([each], duck_db=0)
    wanted = programme().samples[1000:3000] + each.speech.samples
    np.testing.assert_allclose(out[1000:3000], wanted, atol=1e-6)


def test_sums_above_full_scale_are_bent_not_clipped() -> None:
    out = laid([make_overlay(0, LENGTH, 0.8), make_overlay(0, LENGTH, 0.8)])
    assert 0.95 < np.abs(out).max() <= 1
    assert (np.abs(out) >= 1).mean() < 0.3


@pytest.mark.parametrize(
    ("channels", "heard"),
    [(1, [0]), (2, [0, 1]), (6, [2]), (8, [2])],
    ids=["mono", "stereo", "5.1", "7.1"],
)
def test_speech_comes_from_the_middle(channels: int, heard: list[int]) -> None:
    out = laid([make_overlay(1000, 3000)], sound=silence(LENGTH, channels, RATE))
    assert [n for n in range(channels) if np.abs(out[:, n]).max() > 0.05] == heard


def test_an_overlay_of_another_rate_is_refused() -> None:
    other = Overlay(Span(0, 100), silence(100, 1, 44_100))
    with pytest.raises(AssertionError, match="differ in rate"):
        laid([other])


def test_an_overlay_fills_its_slot() -> None:
    with pytest.raises(AssertionError, match="fill its slot"):
        Overlay(Span(0, 100), silence(99, 1, RATE))


@given(st.integers(1, 300), st.sampled_from([8000, 22_050, 44_100, 48_000]), st.integers(-2, 2))
def test_speech_of_steps_fills_the_slots_samples(steps: int, rate: int, rounding: int) -> None:
    speech = make_tone(steps / 50)
    n = max(0, round(steps / 50 * rate) + rounding)
    made = overlay(speech, Span(7, 7 + n), rate)
    assert len(made.speech) == n
    assert made.speech.rate == rate


def test_speech_starts_and_ends_in_silence() -> None:
    latents = Latents(torch.ones(30, 16), torch.full((120,), 5.0))
    sound = speak(make_latents_to_speech(), latents, make_styles(0)["speech"], 0)
    assert (len(sound), sound.rate, sound.channels) == (9600, 16_000, 1)
    assert np.abs(sound.samples[[0, -1]]).max() < 1e-3
    assert np.abs(sound.samples[3000:6000]).max() > 1e-3


def test_pauses_do_not_lower_the_level_of_speech() -> None:
    tone = make_tone(1.0)
    paused = Waveform(np.concatenate([tone.samples, 0 * tone.samples]), tone.rate)
    assert speech_level(paused) == pytest.approx(speech_level(tone), abs=0.1)
    assert loudness(paused) < loudness(tone) - 2


def test_new_speech_is_as_loud_as_the_old() -> None:
    original = gain(make_tone(1.0), -15)
    made = levelled(gain(make_tone(0.5), -3), original)
    assert speech_level(made) == pytest.approx(speech_level(original), abs=0.1)


@pytest.mark.parametrize(
    ("original_db", "level"), [(9, LOUDEST_DB), (-35, QUIETEST_DB), (-60, SPEECH_DB)]
)
def test_levels_stay_within_limits(original_db: float, level: float) -> None:
    made = levelled(make_tone(0.5), gain(make_tone(1.0), original_db))
    assert speech_level(made) == pytest.approx(level, abs=0.1)


@pytest.mark.parametrize("original", [None, silence(0, 1, RATE), silence(800, 1, RATE)])
def test_over_silence_speech_has_the_usual_level(original: Waveform | None) -> None:
    assert speech_level(levelled(make_tone(0.5), original)) == pytest.approx(SPEECH_DB, abs=0.1)


@pytest.mark.parametrize(
    "sound", [silence(0, 1, RATE), silence(100, 1, RATE), silence(4000, 1, RATE)]
)
def test_silence_has_no_speech_level(sound: Waveform) -> None:
    assert speech_level(sound) == -120


def test_silent_speech_is_not_blown_up() -> None:
    assert loudness(levelled(silence(4000, 1, RATE), None)) == -120
