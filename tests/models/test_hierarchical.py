from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from avdub.checkpoint import load_module, save_module
from avdub.latents import Latents
from avdub.models.hierarchical import Hierarchical, HierarchicalConfig, HierarchicalOutput
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.layers import fold_weight_norm
from tests.models.made import level, noise, shaken, size_of, without_gradient
from tests.tiny import STYLE, make_latents_to_speech

D, T = 16, 6
CONFIG = replace(LatentsToSpeechConfig.tiny(), hierarchical=HierarchicalConfig.tiny())


@pytest.fixture
def model() -> LatentsToSpeech:
    torch.manual_seed(0)
    model = LatentsToSpeech(CONFIG)
    shaken(model)
    return model.eval()


@pytest.fixture
def synthesizer(model: LatentsToSpeech) -> Hierarchical:
    assert isinstance(model.synthesizer, Hierarchical)
    return model.synthesizer


@pytest.fixture
def latents() -> Latents:
    return Latents(noise(T, D), 5 + 0.1 * noise(4 * T, seed=1))


def run(model: LatentsToSpeech, batch: int = 2, size: float = 1.0) -> Tensor:
    f0 = torch.where(noise(batch, 4 * T, seed=1) > 0, 5.0, 0.0)
    breath = size * noise(batch, *model.noise_shape(T), seed=3)
    return model(noise(batch, D, T), f0, noise(batch, STYLE, 1, seed=2), breath)


def reconstruct(
    synthesizer: Hierarchical, style: Tensor | None = None, batch: int = 2
) -> HierarchicalOutput:
    return synthesizer.reconstruct(
        noise(batch, D, T),
        torch.where(noise(batch, 4 * T, seed=1) > 0, 5.0, 0.0),
        noise(batch, STYLE, 1, seed=2) if style is None else style,
        noise(batch, 641, T, seed=3).abs(),
        noise(batch, 320 * T, seed=4) / 3,
        noise(2, batch, 8, T, seed=5),
    )


def test_a_step_becomes_320_samples(model: LatentsToSpeech) -> None:
    assert run(model).shape == (2, 320 * T)


def test_sound_stays_within_full_scale(model: LatentsToSpeech) -> None:
    shaken(model, size=1.0)
    assert run(model).abs().max() <= 1


def test_the_noise_is_that_of_z(model: LatentsToSpeech) -> None:
    assert model.noise_shape(9) == (8, 9)


def test_noise_matters(model: LatentsToSpeech) -> None:
    assert not torch.allclose(run(model), run(model, size=0), atol=1e-4)


def test_a_batch_changes_nothing(model: LatentsToSpeech) -> None:
    vec, f0 = noise(2, D, T), noise(2, 4 * T, seed=1)
    style, breath = noise(2, STYLE, 1, seed=2), noise(2, 8, T, seed=3)
    both = model(vec, f0, style, breath)
    alone = model(vec[1:], f0[1:], style[1:], breath[1:])
    torch.testing.assert_close(both[1:], alone, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("which", ["vec", "f0", "style"])
def test_everything_given_is_heard(model: LatentsToSpeech, which: str) -> None:
    given = {"vec": noise(1, D, T), "f0": noise(1, 4 * T), "style": noise(1, STYLE, 1)}
    changed = given | {which: -given[which]}
    one, other = (model(*values.values(), torch.zeros(1, 8, T)) for values in (given, changed))
    assert not torch.allclose(one, other, atol=1e-5)


def test_the_same_seed_sounds_the_same(model: LatentsToSpeech, latents: Latents) -> None:
    style = noise(1, STYLE, 1)
    once, again, other = (model.speak(latents, style, seed) for seed in (1, 1, 2))
    assert once.shape == (320 * T,)
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_four_pitch_values_a_step_are_needed(model: LatentsToSpeech) -> None:
    with pytest.raises(AssertionError, match="four F0 values"):
        model(noise(1, D, T), torch.zeros(1, T), noise(1, STYLE, 1), noise(1, 8, T))


def test_a_reconstruction_has_the_shapes_of_what_it_rebuilds(synthesizer: Hierarchical) -> None:
    out = reconstruct(synthesizer)
    assert out.wav.shape == (2, 320 * T)
    assert out.log_f0.shape == (2, 4 * T)
    assert out.prosody.shape == (2, 20, T)
    assert out.acoustic_kl.shape == out.semantic_kl.shape == ()


def test_equal_posteriors_are_at_no_distance(synthesizer: Hierarchical) -> None:
    """With a posterior that is the prior, no flow and the mean of z, KL is minus a half."""
    synthesizer.semantic_posterior.load_state_dict(synthesizer.semantic_prior.state_dict())
    for post in synthesizer.semantic_flow.post:
        torch.nn.init.zeros_(post.weight)
        torch.nn.init.zeros_(post.bias)
    flips = len(synthesizer.semantic_flow.post)
    assert flips % 2 == 0, "an even number of exchanges leaves every channel in its place"
    out = synthesizer.reconstruct(
        noise(1, D, T),
        torch.full((1, 4 * T), 5.0),
        noise(1, STYLE, 1),
        noise(1, 641, T).abs(),
        noise(1, 320 * T),
        torch.zeros(2, 1, 8, T),
    )
    assert float(out.semantic_kl.detach()) == pytest.approx(-0.5, abs=1e-6)


def test_every_parameter_learns(model: LatentsToSpeech, synthesizer: Hierarchical) -> None:
    mel, mask = noise(2, 80, 30), torch.ones(2, 1, 30)

    def loss() -> Tensor:
        out = reconstruct(synthesizer, model.voice(mel, mask))
        return size_of(out.wav, out.log_f0, out.prosody) + out.acoustic_kl + out.semantic_kl

    unmoved = without_gradient(model, loss)
    # null_style stands in for the voice, which the caller does; a bias of keys shifts all scores
    # of a query alike, which softmax forgets
    assert {n for n in unmoved if not n.endswith("conv_k.bias")} == {
        "synthesizer.null_style.weight"
    }


def test_the_nested_config_is_kept_and_every_bit_of_the_weights(
    model: LatentsToSpeech, tmp_path: Path
) -> None:
    save_module(tmp_path / "m.safetensors", model, model.config, dtype=None)
    loaded = load_module(tmp_path / "m.safetensors", LatentsToSpeech, LatentsToSpeechConfig)
    assert loaded.config == CONFIG
    assert torch.equal(run(loaded), run(model))


def test_without_a_hierarchical_config_none_is_loaded(tmp_path: Path) -> None:
    base = make_latents_to_speech()
    save_module(tmp_path / "m.safetensors", base, base.config)
    loaded = load_module(tmp_path / "m.safetensors", LatentsToSpeech, LatentsToSpeechConfig)
    assert loaded.config.hierarchical is None


def test_folded_weights_sound_the_same(model: LatentsToSpeech) -> None:
    before = run(model)
    fold_weight_norm(model)
    torch.testing.assert_close(run(model), before, atol=1e-6, rtol=1e-5)
    assert not [name for name in model.state_dict() if "parametrizations" in name]


def test_weights_from_before_there_were_two_synthesizers_load() -> None:
    """Their names lack the part `synthesizer.`."""
    base = make_latents_to_speech()
    old = {n.removeprefix("synthesizer."): v for n, v in shaken(base).state_dict().items()}
    assert "pre.weight" in old
    fresh = LatentsToSpeech(LatentsToSpeechConfig.tiny())
    fresh.load_state_dict(old)
    for name, value in base.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value)


def test_old_weights_load_within_another_module() -> None:
    base = make_latents_to_speech()
    old = {f"0.{n.removeprefix('synthesizer.')}": v for n, v in base.state_dict().items()}
    both = torch.nn.Sequential(LatentsToSpeech(LatentsToSpeechConfig.tiny()))
    both.load_state_dict(old)
    assert torch.equal(both[0].synthesizer.pre.weight, base.synthesizer.pre.weight)


def test_a_recorded_number(model: LatentsToSpeech, synthesizer: Hierarchical) -> None:
    out = reconstruct(synthesizer)
    numbers = [level(run(model)), level(out.wav), level(out.log_f0), level(out.prosody)]
    assert numbers == pytest.approx([0.291348, 0.290436, 0.193861, 0.544629], rel=1e-3)
