"""The full-size family's encoder: wav2vec 2.0 as HierSpeech++ hears with it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Wav2Vec2Config, Wav2Vec2ForPreTraining

from avdub.checkpoint import load_module, save_module
from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig
from avdub.models.speech_to_latents_names import from_hub, is_wav2vec2
from tests.models.made import level, noise, shaken, size_of, without_gradient

SMALL = SpeechToLatentsConfig(24, 7, 3, 40, 16, "wav2vec2", 3, 10)


@pytest.fixture
def model() -> SpeechToLatents:
    torch.manual_seed(1)
    return SpeechToLatents(SpeechToLatentsConfig.tiny_mms()).eval()


@pytest.fixture(scope="module")
def published() -> Wav2Vec2ForPreTraining:
    """A small model of the published kind, nine layers deep, with random weights everywhere."""
    torch.manual_seed(2)
    config = Wav2Vec2Config(
        hidden_size=24,
        num_hidden_layers=9,
        num_attention_heads=3,
        intermediate_size=40,
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=3,
        conv_dim=(10,) * 7,
        conv_bias=True,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        codevector_dim=8,
        proj_codevector_dim=8,
        num_codevectors_per_group=4,
    )
    model = Wav2Vec2ForPreTraining(config).eval()
    return shaken(model)  # type: ignore[return-value]


def loaded(state: dict[str, Tensor]) -> SpeechToLatents:
    made = SpeechToLatents(SMALL).eval()
    made.load_state_dict(from_hub(state))
    return made


def officially_filled(wav: Tensor) -> Tensor:
    """Zeros up to the next 1280 samples, always some, then 40 samples mirrored at both ends."""
    wav = F.pad(wav, (0, (wav.shape[1] // 1280 + 1) * 1280 - wav.shape[1]))
    return F.pad(wav[:, None], (40, 40), "reflect")[:, 0]


@torch.no_grad()
@pytest.mark.parametrize("n_samples", [3200, 5120, 6479, 16_000])
def test_latents_are_the_published_hidden_state_seven(
    published: Wav2Vec2ForPreTraining, n_samples: int
) -> None:
    wav = noise(2, n_samples)
    theirs = published(officially_filled(wav), output_hidden_states=True).hidden_states[7]
    ours = loaded(published.state_dict())(wav)
    torch.testing.assert_close(ours, theirs[:, : n_samples // 320], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_the_last_layers_state_is_another(published: Wav2Vec2ForPreTraining) -> None:
    """Or the comparison above could not fail."""
    wav = noise(1, 3200)
    states = published(officially_filled(wav), output_hidden_states=True).hidden_states
    ours = loaded(published.state_dict())(wav)
    assert all((ours - states[i][:, :10]).abs().max() > 0.1 for i in (6, 8, 9))


@torch.no_grad()
@pytest.mark.parametrize("n_samples", [0, 319, 320, 1279, 1280, 1281, 2559, 5120, 9999])
def test_filled_sound_gives_exactly_a_step_for_320_samples(
    model: SpeechToLatents, n_samples: int
) -> None:
    wav = noise(1, n_samples)
    filled = model._filled(wav)
    torch.testing.assert_close(filled, officially_filled(wav))
    assert model._heard(filled).shape == (1, 4 * (n_samples // 1280 + 1), 32)
    assert model(wav).shape == (1, n_samples // 320, 32)
    assert model.listen(wav[0]).shape == (n_samples // 320, 32)


@torch.no_grad()
@pytest.mark.parametrize("prefix", ["wav2vec2.", ""])
@pytest.mark.parametrize("is_old", [False, True])
def test_old_and_new_names_load_alike(
    published: Wav2Vec2ForPreTraining, prefix: str, is_old: bool
) -> None:
    state = {k.replace("wav2vec2.", prefix, 1): v for k, v in published.state_dict().items()}
    if is_old:
        for new, old in (("0", "g"), ("1", "v")):
            stem = f"{prefix}encoder.pos_conv_embed.conv."
            state[f"{stem}weight_{old}"] = state.pop(f"{stem}parametrizations.weight.original{new}")
    assert is_wav2vec2(state)
    wav = noise(1, 3200)
    torch.testing.assert_close(loaded(state)(wav), loaded(published.state_dict())(wav))


def test_only_seven_layers_are_taken(published: Wav2Vec2ForPreTraining) -> None:
    ours = from_hub(published.state_dict())
    assert {int(k.split(".")[3]) for k in ours if k.startswith("encoder.encoder.layers.")} == set(
        range(7)
    )
    assert not any("quantizer" in k or "project_" in k or "masked" in k for k in ours)
    assert not any(k.startswith("encoder.encoder.layer_norm") for k in ours)
    assert torch.equal(ours["mean"], torch.zeros(24))
    assert torch.equal(ours["std"], torch.ones(24))


@pytest.mark.parametrize(
    "name",
    [
        "encoder.layers.6.attention.q_proj.bias",
        "feature_projection.projection.bias",
        "feature_extractor.conv_layers.6.conv.weight",
        "encoder.pos_conv_embed.conv.parametrizations.weight.original1",
    ],
)
def test_a_missing_weight_is_an_error(published: Wav2Vec2ForPreTraining, name: str) -> None:
    state = published.state_dict()
    del state[f"wav2vec2.{name}"]
    with pytest.raises(RuntimeError, match="Missing key"):
        loaded(state)


def test_an_unknown_weight_of_a_layer_is_an_error(published: Wav2Vec2ForPreTraining) -> None:
    state = {**published.state_dict(), "wav2vec2.encoder.layers.0.adapter.weight": torch.ones(1)}
    with pytest.raises(RuntimeError, match="Unexpected key"):
        loaded(state)


def test_a_weight_of_another_shape_is_an_error(published: Wav2Vec2ForPreTraining) -> None:
    state = published.state_dict()
    name = "wav2vec2.encoder.layers.3.feed_forward.output_dense.weight"
    state[name] = state[name][:, :-1]
    with pytest.raises(RuntimeError, match="size mismatch"):
        loaded(state)


def test_other_models_are_not_taken_for_a_wav2vec2(published: Wav2Vec2ForPreTraining) -> None:
    names = set(published.state_dict())
    assert is_wav2vec2(names)
    group_norm = {n for n in names if "conv_layers.1.layer_norm" not in n}  # as the base model
    assert not is_wav2vec2(group_norm)
    assert not is_wav2vec2({n for n in names if "pos_conv_embed" not in n})
    small = SpeechToLatents(SpeechToLatentsConfig.tiny())
    assert not is_wav2vec2(small.state_dict())
    assert not is_wav2vec2([])


@torch.no_grad()
def test_a_batch_changes_nothing(model: SpeechToLatents) -> None:
    wav = noise(3, 4000)
    torch.testing.assert_close(model(wav)[1:2], model(wav[1:2]), atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_silence_that_fills_the_last_block_changes_nothing(model: SpeechToLatents) -> None:
    """Sounds of one batch may be filled with zeros up to the longest one's block."""
    wav = noise(1, 4000)
    filled = F.pad(wav, (0, 1000))  # both end in the block of 3840 to 5120
    torch.testing.assert_close(model(filled)[:, :12], model(wav), atol=1e-5, rtol=1e-5)


def test_every_parameter_learns(model: SpeechToLatents) -> None:
    shaken(model)
    unmoved = without_gradient(model, lambda: size_of(model(noise(2, 6400))))
    # a bias of the keys shifts all scores alike, which the softmax does not see
    assert {name for name in unmoved if not name.endswith("k_proj.bias")} == set()


def test_training_drops_and_masks_nothing(model: SpeechToLatents) -> None:
    wav = noise(1, 6400)
    torch.testing.assert_close(model.train()(wav), model.eval()(wav), atol=1e-5, rtol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("steps", [99, 100, 101, 149, 151, 277])
def test_long_sounds_have_a_latent_for_every_step(model: SpeechToLatents, steps: int) -> None:
    wav = noise(steps * 320 + 100)
    assert len(model.listen(wav, window_s=2, overlap_s=1)) == steps


@torch.no_grad()
def test_windows_hear_what_the_whole_hears(model: SpeechToLatents) -> None:
    """Without attention a step hears 4 neighbours at most, and no window is to be seen."""
    for layer in model.encoder.encoder.layers:
        layer.attention.out_proj.weight.zero_()
    wav = noise(300 * 320 + 77)
    pieces = model.listen(wav, window_s=2, overlap_s=1)
    torch.testing.assert_close(pieces, model(wav[None])[0], atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_windows_hardly_differ_from_the_whole(model: SpeechToLatents) -> None:
    wav = noise(300 * 320)
    pieces, whole = model.listen(wav, window_s=3, overlap_s=2), model(wav[None])[0]
    assert (pieces - whole).norm() < 0.05 * whole.norm()


def test_hidden_states_are_not_standardised(model: SpeechToLatents) -> None:
    assert torch.equal(model.mean, torch.zeros(32))
    assert torch.equal(model.std, torch.ones(32))


def test_the_official_size_is_mms_300m() -> None:
    config = SpeechToLatentsConfig.mms()
    assert (config.channels, config.layers, config.heads) == (1024, 7, 16)
    with torch.device("meta"):
        made = SpeechToLatents(config)
    assert sum(p.numel() for p in made.parameters()) == 101_299_840
    conv = made.encoder.encoder.pos_conv_embed.conv
    assert (conv.kernel_size, conv.groups) == ((128,), 16)


def test_saved_weights_give_the_same_latents(model: SpeechToLatents, tmp_path: Path) -> None:
    save_module(tmp_path / "m.safetensors", model, model.config)
    found = load_module(tmp_path / "m.safetensors", SpeechToLatents, SpeechToLatentsConfig)
    assert found.config == model.config
    torch.testing.assert_close(found(noise(1, 3200)), model(noise(1, 3200)), atol=0.02, rtol=0.02)


@torch.no_grad()
def test_a_recorded_number(model: SpeechToLatents) -> None:
    assert level(model(noise(1, 6400))) == pytest.approx(0.488049, rel=1e-3)


def test_a_flat_sound_is_refused(model: SpeechToLatents) -> None:
    with pytest.raises(AssertionError, match="sound must be"):
        model(noise(3200))
