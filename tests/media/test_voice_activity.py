"""Speech against everything else; the speech is the teacher's, made here."""

import tracemalloc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from avdub.checkpoint import base_folder
from avdub.errors import WeightsError
from avdub.media.audio import read_sound
from avdub.media.voice_activity import (
    BLOCK_S,
    WINDOW,
    WINDOW_S,
    VoiceActivity,
    hear,
    speech_probability,
    voiced_spans,
)
from avdub.media.waveform import Waveform, gain, join, resample, silence
from tests.make import make_tone

VAD = base_folder() / "speech" / "silero_vad.onnx"
CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
TEXTS = (
    "The ferry leaves at six, and nobody on the island wants to miss it.",
    "My brother has sold his old boat and bought a small house near the harbour.",
    "Tomorrow morning we will walk along the river until we reach the stone bridge.",
)


@cache
def make_speech(n: int = 0) -> Waveform:
    """One of three sentences of 4 to 5 s, at 16 kHz."""
    from hibari import Hibari

    samples = np.asarray(Hibari()(TEXTS[n]), np.float32)
    return resample(Waveform(samples[:, None], 24_000), 16_000)


def make_noise(seconds: float, level: float = 0.1, channels: int = 1) -> Waveform:
    shape = (round(seconds * 16_000), channels)
    return Waveform(np.random.default_rng(0).normal(0, level, shape).astype(np.float32), 16_000)


def make_chords(seconds: float) -> Waveform:
    """Plucked triads with five harmonics, two a second."""
    generator = np.random.default_rng(1)
    time = np.arange(8000)[:, None] / 16_000
    parts = []
    for _ in range(round(2 * seconds)):
        root = 110 * 2 ** (generator.integers(0, 24) / 12)
        pitches = (root * np.array([[1], [1.26], [1.5]]) * np.arange(1, 6)).ravel()
        strengths = np.tile(0.1 / np.arange(1, 6), 3)
        parts.append((np.sin(2 * np.pi * time * pitches) * strengths * np.exp(-4 * time)).sum(1))
    return Waveform(np.concatenate(parts).astype(np.float32)[:, None], 16_000)


def blocks_of(sound: Waveform) -> Iterator[Waveform]:
    size = BLOCK_S * sound.rate
    for start in range(0, len(sound), size):
        yield Waveform(sound.samples[start : start + size], sound.rate)


@pytest.mark.parametrize("n", range(len(TEXTS)))
def test_a_sentence_is_speech(n: int) -> None:
    assert (speech_probability(make_speech(n), VAD) > 0.5).mean() > 0.65


@pytest.mark.parametrize(
    "make",
    [lambda s: silence(round(s * 16_000), 1, 16_000), make_noise, make_tone, make_chords],
    ids=["silence", "noise", "tone", "chords"],
)
def test_what_is_no_speech_has_no_voiced_span(make: Callable[[float], Waveform]) -> None:
    assert voiced_spans(speech_probability(make(8.0), VAD)) == []


def test_a_sentence_is_found_where_it_lies() -> None:
    speech, gap = make_speech(), silence(32_000, 1, 16_000)
    loud = np.flatnonzero(np.abs(speech.samples[:, 0]) > 0.02) / 16_000
    found = voiced_spans(speech_probability(join([gap, speech, gap]), VAD))
    assert found[0][0] == pytest.approx(2 + loud[0], abs=0.15)
    assert found[-1][1] == pytest.approx(2 + loud[-1], abs=0.25)


def test_how_the_sound_is_cut_into_blocks_changes_nothing() -> None:
    sound = make_speech().samples[:, 0]
    activity = VoiceActivity(VAD)
    pieces = [activity.feed(piece) for piece in np.split(sound, [100, 611, 700, 30_000, 30_001])]
    whole = speech_probability(make_speech(), VAD)
    assert np.concatenate([*pieces, activity.finish()]) == pytest.approx(whole, abs=1e-5)


def test_a_finished_sound_does_not_colour_the_next() -> None:
    activity = VoiceActivity(VAD)
    quiet = np.zeros(10 * WINDOW, np.float32)
    first = activity.feed(quiet)
    activity.feed(make_speech().samples[: 40 * WINDOW, 0])
    activity.finish()
    assert activity.feed(quiet) == pytest.approx(first)


@pytest.mark.parametrize(("n_samples", "n_windows"), [(0, 0), (1, 1), (512, 1), (513, 2)])
def test_every_begun_window_has_a_probability(n_samples: int, n_windows: int) -> None:
    assert len(speech_probability(silence(n_samples, 1, 16_000), VAD)) == n_windows


def test_a_stretch_lasts_while_the_probability_stays_above_the_lower_threshold() -> None:
    sure, maybe, no = [0.9] * 10, [0.4] * 10, [0.1] * 10
    assert voiced_spans([*no, *sure, *maybe, *no]) == [(10 * WINDOW_S, 30 * WINDOW_S)]


def test_what_never_passes_the_upper_threshold_is_no_speech() -> None:
    assert voiced_spans([0.45] * 100) == []


def test_short_gaps_are_filled_and_long_ones_kept() -> None:
    sure = [0.9] * 10
    assert len(voiced_spans([*sure, 0.1, 0.1, *sure])) == 1
    assert len(voiced_spans([*sure, 0.1, 0.1, 0.1, 0.1, *sure])) == 2


def test_a_click_is_no_speech() -> None:
    assert voiced_spans([0.1, 0.9, 0.9, 0.9, 0.1]) == []


def test_a_missing_network_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no voice activity network at .*gone\.onnx"):
        VoiceActivity(tmp_path / "gone.onnx")


def test_a_damaged_network_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.onnx").write_bytes(VAD.read_bytes()[:1000])
    with pytest.raises(WeightsError, match=r"cannot load .*bad\.onnx"):
        VoiceActivity(tmp_path / "bad.onnx")


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_sound_of_any_rate_is_heard(rate: int) -> None:
    sound = resample(join([make_speech(n) for n in (0, 1, 2, 0, 1)]), rate)
    heard = hear(blocks_of(sound), VAD)
    assert heard.seconds == pytest.approx(sound.seconds)
    assert len(heard.probability) == np.ceil(sound.seconds / WINDOW_S)
    assert len(heard.level_db) == len(heard.clipped) == len(heard.probability)
    assert (heard.probability > 0.5).mean() > 0.6


def test_soft_speech_is_raised_before_it_is_heard() -> None:
    soft = gain(make_speech(), -55)
    assert (speech_probability(soft, VAD) > 0.5).mean() < 0.2
    assert (hear([soft], VAD).probability > 0.5).mean() > 0.5


def test_the_network_skips_blocks_far_from_the_spans() -> None:
    block = join([make_speech(n) for n in (0, 1, 2, 0)])
    block = Waveform(block.samples[: BLOCK_S * 16_000], 16_000)
    heard = hear([block, block, block], VAD, [(40.0, 41.0)])
    n = BLOCK_S * 16_000 // WINDOW
    assert heard.probability[:n].max() == 0
    assert heard.probability[2 * n :].mean() > 0.5
    assert heard.level_db[:n] == pytest.approx(heard.level_db[2 * n :])


def test_clipping_is_seen_where_it_is_and_in_any_channel() -> None:
    left, right = make_speech().samples[:64_000], make_speech().samples[:64_000].copy()
    right[32_000:] = np.clip(20 * right[32_000:], -1, 1)
    heard = hear([Waveform(np.hstack([left, right]), 16_000)], VAD)
    assert not heard.clipped[:62].any()
    assert heard.clipped[63:].mean() > 0.3


def test_contrast_is_the_level_over_the_background() -> None:
    speech = make_speech()
    contrasts = []
    for level in (0.001, 0.01):
        noise = make_noise(3 + speech.seconds, level)
        samples = noise.samples.copy()
        samples[32_000 : 32_000 + len(speech)] += speech.samples
        heard = hear([Waveform(samples, 16_000)], VAD)
        (start, end), *_ = voiced_spans(heard.probability)
        contrasts.append(heard.contrast_db(round(start / WINDOW_S), round(end / WINDOW_S)))
    assert contrasts[0] - contrasts[1] == pytest.approx(20, abs=2)


def test_the_louder_side_is_the_background() -> None:
    speech = Waveform(make_speech().samples[6000:], 16_000)  # from its first sound on
    noisy = make_noise(speech.seconds + 2, 0.01).samples.copy()
    noisy[: len(speech)] += speech.samples
    heard = hear([join([silence(32_000, 1, 16_000), Waveform(noisy, 16_000)])], VAD)
    (start, end), *_ = voiced_spans(heard.probability, min_gap_s=1.0)
    assert 10 < heard.contrast_db(round(start / WINDOW_S), round(end / WINDOW_S)) < 25


def test_hours_of_sound_are_heard_in_little_memory() -> None:
    block = make_noise(BLOCK_S)
    tracemalloc.start()
    try:
        heard = hear((Waveform(block.samples.copy(), 16_000) for _ in range(450)), VAD, [])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert heard.seconds == 2 * 3600
    assert peak < 20 << 20


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the clips in ../shared/data/clips")
@pytest.mark.parametrize(
    ("name", "least_s", "most_s"),
    [("address_450x450_25fps_20s.mp4", 13, 17), ("webcam_1080x720_30fps_10s.mp4", 3.5, 5)],
)
def test_speech_and_pauses_of_real_clips_are_told_apart(
    name: str, least_s: float, most_s: float
) -> None:
    heard = hear(blocks_of(read_sound(CLIPS / name)), VAD)
    assert least_s < sum(end - start for start, end in voiced_spans(heard.probability)) < most_s
