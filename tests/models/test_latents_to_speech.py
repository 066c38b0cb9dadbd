from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from avdub.checkpoint import load_module, save_module
from avdub.latents import Latents
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.source_filter import SourceFilter, pulse_train, sharpened
from tests.models.made import level, noise, shaken, size_of, without_gradient
from tests.tiny import STYLE, make_latents_to_speech

T = 12


@pytest.fixture
def model() -> LatentsToSpeech:
    return make_latents_to_speech()


def log_f0(hz: float, n: int) -> Tensor:
    return torch.full((1, n), hz).log1p()


def run(model: LatentsToSpeech, batch: int = 2) -> Tensor:
    vec = noise(batch, model.config.latents, T)
    f0 = torch.where(noise(batch, 4 * T, seed=1) > 0, 5.0, 0.0)
    return model(vec, f0, noise(batch, STYLE, 1, seed=2), noise(batch, 320 * T, seed=3))


def test_a_step_becomes_320_samples(model: LatentsToSpeech) -> None:
    assert run(model).shape == (2, 320 * T)


def test_a_batch_changes_nothing(model: LatentsToSpeech) -> None:
    vec, f0 = noise(2, 16, T), log_f0(150, 4 * T).expand(2, -1)
    style, breath = noise(2, STYLE, 1), noise(2, 320 * T)
    both = model(vec, f0, style, breath)
    torch.testing.assert_close(both[1:], model(vec[1:], f0[1:], style[1:], breath[1:]))


def test_four_pitch_values_a_step_are_needed(model: LatentsToSpeech) -> None:
    with pytest.raises(AssertionError, match="four F0 values"):
        model(noise(1, 16, T), torch.zeros(1, T), noise(1, STYLE, 1), noise(1, 320 * T))


def test_the_same_seed_sounds_the_same(model: LatentsToSpeech) -> None:
    latents = Latents(noise(T, 16), log_f0(150, 4 * T)[0])
    style = noise(1, STYLE, 1)
    once, again, other = (model.speak(latents, style, seed) for seed in (1, 1, 2))
    assert once.shape == (320 * T,)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_speech_is_as_loud_in_the_middle_as_near_the_ends(model: LatentsToSpeech) -> None:
    """Overlapping windows add up to one everywhere."""
    latents = Latents(noise(1, 16).expand(60, 16), torch.zeros(240))
    power = model.speak(latents, noise(1, STYLE, 1), 0).square()
    torch.testing.assert_close(power[2000:4000].mean(), power[9000:11000].mean(), rtol=0.2, atol=0)


@given(st.floats(60, 500))
def test_pulses_have_unit_power(hz: float) -> None:
    pulses = pulse_train(log_f0(hz, 400))[0, 80:-80]
    assert float(pulses.square().mean()) == pytest.approx(1, rel=0.05)


@pytest.mark.parametrize("period", [40, 64, 100, 160])
def test_pulses_repeat_with_the_asked_period(period: int) -> None:
    pulses = pulse_train(log_f0(16_000 / period, 100))[0, 400:-400]
    a, b = pulses[:-period], pulses[period:]
    assert float((a * b).mean() / (a.square().mean() * b.square().mean()).sqrt()) > 0.99
    half = period // 2
    assert float((pulses[:-half] * pulses[half:]).mean()) < 0.2


def test_pulses_hold_nothing_but_harmonics() -> None:
    """Had the train aliased, power would lie between the multiples of 500 Hz."""
    spectrum = torch.fft.rfft(pulse_train(log_f0(500, 400))[0, 8000:24_000]).abs()
    harmonics = spectrum[500::500]  # 1 Hz a bin
    power = spectrum.square().sum()
    assert float(harmonics.square().sum() / power) > 0.99


def test_pulses_are_silent_where_unvoiced() -> None:
    f0 = torch.cat([log_f0(300, 20), torch.zeros(1, 20), log_f0(400, 20)], 1)
    pulses = pulse_train(f0)[0].unflatten(0, (60, 80)).square().mean(1)
    assert not pulses[21:39].any()
    assert (pulses[:19] > 0.1).all()


def test_silence_has_no_pulses() -> None:
    assert not pulse_train(torch.zeros(2, 10)).any()


def test_pitch_drives_the_sound(model: LatentsToSpeech) -> None:
    vec, style, breath = noise(1, 16, T), noise(1, STYLE, 1), torch.zeros(1, 320 * T)
    assert not model(vec, torch.zeros(1, 4 * T), style, breath).any()
    assert model(vec, log_f0(150, 4 * T), style, breath).abs().max() > 1e-3


def test_filters_are_positive_and_bounded(model: LatentsToSpeech) -> None:
    shaken(model, size=3.0)
    assert isinstance(model.synthesizer, SourceFilter)
    bands = model.synthesizer.envelopes(noise(1, 16, T), log_f0(150, 4 * T), noise(1, STYLE, 1))
    for filters in bands:
        assert filters.shape == (1, 257, 4 * T + 1)
        assert (filters > 0).all()
        assert torch.isfinite(filters).all()


def test_sharpening_raises_a_peak_and_keeps_the_slope() -> None:
    bins = torch.linspace(0, 1, 257)
    slope = torch.exp(-2 * bins)[None, :, None].expand(1, -1, 3)
    torch.testing.assert_close(sharpened(slope, 0.4)[:, 20:-20], slope[:, 20:-20])
    formant = slope * torch.exp(torch.exp(-(((bins - 0.5) / 0.02) ** 2)))[None, :, None]
    assert sharpened(formant, 0.4)[0, 128, 0] > 1.2 * formant[0, 128, 0]


def test_the_config_says_how_sharp_speech_is_spoken() -> None:
    plain, sharp = (
        make_latents_to_speech(),
        LatentsToSpeech(replace(LatentsToSpeechConfig.tiny(), sharpen=0.5)),
    )
    sharp.load_state_dict(plain.state_dict())
    latents, style = Latents(noise(T, 16), log_f0(150, 4 * T)[0]), noise(1, STYLE, 1)
    assert not torch.allclose(plain.speak(latents, style, 0), sharp.speak(latents, style, 0))
    vec, f0 = latents.vec.T[None], latents.f0[None]
    breath = noise(1, 320 * T)
    assert torch.equal(plain(vec, f0, style, breath), sharp(vec, f0, style, breath))


def test_every_parameter_learns(model: LatentsToSpeech) -> None:
    shaken(model)
    mel, mask = noise(2, 80, 30), torch.ones(2, 1, 30)

    def loss() -> Tensor:
        style = model.voice(mel, mask)
        f0 = torch.where(noise(2, 4 * T, seed=1) > 0, 5.0, 0.0)
        return size_of(model(noise(2, 16, T), f0, style, noise(2, 320 * T)))

    assert without_gradient(model, loss) == set()


def test_saved_weights_sound_the_same_within_float16(
    model: LatentsToSpeech, tmp_path: Path
) -> None:
    save_module(tmp_path / "m.safetensors", model, model.config)
    loaded = load_module(tmp_path / "m.safetensors", LatentsToSpeech, LatentsToSpeechConfig)
    torch.testing.assert_close(run(loaded), run(model), atol=0.01, rtol=0.01)


def test_a_recorded_number(model: LatentsToSpeech) -> None:
    assert level(run(model)) == pytest.approx(0.115235, rel=1e-3)
