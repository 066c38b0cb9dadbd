from pathlib import Path

import pytest
import torch

from avdub.checkpoint import load_module, save_module
from avdub.models.spectral import LogMel
from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig, stacked_mel
from tests.models.made import level, noise, shaken, size_of, without_gradient
from tests.tiny import make_speech_to_latents


@pytest.fixture
def model() -> SpeechToLatents:
    return make_speech_to_latents()


@pytest.mark.parametrize(("n_samples", "steps"), [(3200, 10), (3519, 10), (6400, 20)])
def test_320_samples_are_one_step(model: SpeechToLatents, n_samples: int, steps: int) -> None:
    assert model(noise(2, n_samples)).shape == (2, steps, model.config.channels)


def test_the_same_sound_gives_the_same_latents(model: SpeechToLatents) -> None:
    assert torch.equal(model(noise(1, 3200)), make_speech_to_latents()(noise(1, 3200)))


def test_a_batch_changes_nothing(model: SpeechToLatents) -> None:
    wav = noise(3, 3200)
    torch.testing.assert_close(model(wav)[1:2], model(wav[1:2]), atol=1e-5, rtol=1e-5)


def test_latents_are_standardised_by_mean_and_std(model: SpeechToLatents) -> None:
    raw = model(noise(1, 3200))
    model.mean.fill_(2.0)
    model.std.fill_(4.0)
    torch.testing.assert_close(model(noise(1, 3200)), (raw - 2) / 4)


def test_short_sounds_are_heard_in_one_go(model: SpeechToLatents) -> None:
    wav = noise(16_000)
    torch.testing.assert_close(model.listen(wav), model(wav[None])[0])


@pytest.mark.parametrize("steps", [99, 100, 101, 149, 150, 151, 277])
def test_long_sounds_have_a_latent_for_every_step(model: SpeechToLatents, steps: int) -> None:
    wav = noise(steps * 320 + 100)
    assert len(model.listen(wav, window_s=2, overlap_s=1)) == steps


def test_windows_meet_without_a_seam() -> None:
    """What only looks at its own step must not notice the windows."""
    model = make_speech_to_latents()
    wav = noise(300 * 320)

    def own_step(input_features: torch.Tensor) -> object:
        return type("Out", (), {"last_hidden_state": input_features[..., :16]})

    model.encoder.forward = own_step  # type: ignore[assignment]
    whole = model(wav[None])[0]
    pieces = model.listen(wav, window_s=2, overlap_s=1)
    torch.testing.assert_close(pieces, whole, atol=1e-4, rtol=1e-4)


def test_two_mel_frames_make_a_step() -> None:
    mel = stacked_mel(LogMel(), noise(1, 3200))
    assert mel.shape == (1, 10, 160)


def test_a_click_lands_in_its_own_step() -> None:
    wav = torch.zeros(1, 3200)
    wav[0, 6 * 320 + 160] = 1
    assert stacked_mel(LogMel(), wav)[0].sum(1).argmax() == 6


def test_every_parameter_learns(model: SpeechToLatents) -> None:
    shaken(model)
    unmoved = without_gradient(model, lambda: size_of(model(noise(2, 6400))))
    # a bias of the keys shifts all scores alike, which the softmax does not see
    assert {name for name in unmoved if not name.endswith("linear_k.bias")} == set()


def test_saved_weights_give_the_same_latents_within_float16(
    model: SpeechToLatents, tmp_path: Path
) -> None:
    save_module(tmp_path / "m.safetensors", model, model.config)
    loaded = load_module(tmp_path / "m.safetensors", SpeechToLatents, SpeechToLatentsConfig)
    torch.testing.assert_close(loaded(noise(1, 3200)), model(noise(1, 3200)), atol=0.02, rtol=0.02)


def test_a_recorded_number(model: SpeechToLatents) -> None:
    assert level(model(noise(1, 6400))) == pytest.approx(0.809957, rel=1e-3)


def test_a_flat_sound_is_refused(model: SpeechToLatents) -> None:
    with pytest.raises(AssertionError, match="sound must be"):
        model(noise(3200))
