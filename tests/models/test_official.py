import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from avdub.latents import Latents
from avdub.models.official import (
    DIRECTION,
    GAIN,
    OfficialMismatch,
    build,
    convert,
    from_official,
    official_names,
    pairs,
    recognise,
)
from avdub.models.pitch_predictor import UpsamplingPitchPredictor
from avdub.models.speech_to_latents_names import SIGNS
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig, TextToLatentsOutput
from tests.models.made import level, noise, shaken, size_of, without_gradient
from tests.tiny import STYLE

SHARED = Path(__file__).parents[3] / "shared" / "hierspeechpp"
SMALL = "speech_sr_24k"
POST, SNAKE = "dec.conv_post.weight", "dec.activation_post.act.alpha"
BLOCK = "dec.resblocks.1.convs1.2."
State = dict[str, Tensor]


def table(kind: str) -> list[tuple[str, str]]:
    return sorted(pairs(kind), key=lambda pair: -len(pair[0]))


def full_size(kind: str) -> nn.Module:
    """Without its memory."""
    with torch.device("meta"):
        return build(kind)


@pytest.fixture
def official() -> State:
    """An official SpeechSR state dict with old weight norm, made up."""
    torch.manual_seed(3)
    ours = shaken(build(SMALL)).state_dict()
    return {official_names(name, table(SMALL))[0]: value for name, value in ours.items()}


def renamed(state: State) -> State:
    """With the newer PyTorch's names of weight norm."""
    return {
        n.replace("weight_g", GAIN).replace("weight_v", DIRECTION): value
        for n, value in state.items()
    }


def folded(state: State) -> State:
    """Without weight norm: gain and direction multiplied."""
    out = {n: value for n, value in state.items() if not n.endswith(("weight_g", "weight_v"))}
    for name, gain in state.items():
        if name.endswith("weight_g"):
            direction = state[name.removesuffix("_g") + "_v"]
            length = direction.flatten(1).norm(dim=1)[:, None, None]
            out[name.removesuffix("_g")] = gain * direction / length
    return out


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["w2v_decoder.proj.weight", "dp.pre.weight"], "text_to_latents"),
        (["enc_p_l.pre_source.weight", "dec.conv_post.weight"], "latents_to_speech"),
        (["dec.resblocks.0.convs1.0.bias", "dec.conv_post.weight"], "speech_sr"),
        ([*SIGNS, "encoder.pos_conv_embed.conv.weight_g"], "speech_to_latents"),
        (["conv1.weight", "fc.bias"], None),
        ([], None),
    ],
)
def test_a_state_dict_is_known_by_its_names(names: list[str], kind: str | None) -> None:
    assert recognise(names) == kind


def test_a_synthesizer_is_not_taken_for_its_last_part() -> None:
    """It holds a `dec.` of the same layout as SpeechSR."""
    names = {"dec.resblocks.0.convs1.0.bias", "enc_p_l.pre_source.weight"}
    assert recognise(names) == "latents_to_speech"


def test_official_weights_are_converted(official: State) -> None:
    state = convert(SMALL, official).state_dict()
    assert torch.equal(state["post.weight"], official[POST])
    assert torch.equal(state["snake.alpha"], official[SNAKE])
    assert torch.equal(state[f"mean.blocks.1.dilated.2.{GAIN}"], official[f"{BLOCK}weight_g"])
    assert torch.equal(state["mean.blocks.1.dilated.2.bias"], official[f"{BLOCK}bias"])


@pytest.mark.parametrize("spell", [renamed, folded])
def test_any_spelling_of_weight_norm_sounds_the_same(official: State, spell: Any) -> None:
    spelled, wav = spell(official), noise(1, 400)
    assert spelled.keys() != official.keys()
    wanted = convert(SMALL, official)(wav)
    torch.testing.assert_close(convert(SMALL, spelled)(wav), wanted, atol=1e-5, rtol=1e-4)


def test_converted_weights_are_for_use_not_training(official: State) -> None:
    assert not convert(SMALL, official).training


def test_buffers_of_resamplers_are_not_read(official: State) -> None:
    more = official | {"dec.activation_post.upsample.filter": torch.full((1, 1, 12), torch.nan)}
    assert torch.isfinite(convert(SMALL, more)(noise(1, 400))).all()


def test_what_is_missing_is_named(official: State) -> None:
    del official[POST], official[SNAKE]
    with pytest.raises(OfficialMismatch, match="2 missing, 0 extra, 0 misshapen") as caught:
        convert(SMALL, official)
    assert set(caught.value.missing) == {POST, SNAKE}


def test_what_is_too_many_is_named(official: State) -> None:
    with pytest.raises(OfficialMismatch, match="0 missing, 1 extra, 0 misshapen") as caught:
        convert(SMALL, official | {"dec.cond.weight": torch.zeros(3)})
    assert caught.value.extra == ["dec.cond.weight"]


def test_what_has_another_shape_is_named_with_both_shapes(official: State) -> None:
    with pytest.raises(OfficialMismatch, match="0 missing, 0 extra, 1 misshapen") as caught:
        convert(SMALL, official | {POST: torch.zeros(1, 16, 7)})
    assert caught.value.misshapen == ["dec.conv_post.weight: (1, 16, 7) instead of (1, 32, 7)"]


def test_three_matrices_of_attention_are_joined() -> None:
    names = official_names("voice.attention.in_proj_weight", table("text_to_latents"))
    assert names == tuple(f"emb_g.slf_attn.conv_{c}.weight" for c in "qkv")


def test_a_name_that_is_not_ours_has_none_of_theirs() -> None:
    with pytest.raises(KeyError):
        official_names("nothing.weight", table(SMALL))


@pytest.mark.parametrize("kind", ["text_to_latents", "latents_to_speech"])
def test_every_parameter_has_an_official_name_of_its_own(kind: str) -> None:
    names = [
        theirs
        for ours in full_size(kind).state_dict()
        for theirs in official_names(ours, table(kind))
    ]
    assert len(names) == len(set(names))


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/hierspeechpp")
@pytest.mark.parametrize(
    ("kind", "file", "n_tensors"),
    [
        ("text_to_latents", "ttv_layout.json", 835),
        ("latents_to_speech", "synthesizer_layout.json", 1820),
    ],
)
def test_the_published_layout_fits_whole(kind: str, file: str, n_tensors: int) -> None:
    shapes = json.loads((SHARED / file).read_text(encoding="utf-8"))["tensors"]
    state = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    module = full_size(kind)
    ours = from_official(kind, module, state)
    names = {theirs for name in ours for theirs in official_names(name, table(kind))}
    assert names == set(shapes)
    assert len(names) == n_tensors
    assert sum(v.numel() for v in ours.values()) == sum(v.numel() for v in state.values())
    assert {n: v.shape for n, v in ours.items()} == {
        n: v.shape for n, v in module.state_dict().items()
    }


# The parts of TextToLatents that only the published weights have, at tiny size.

TOKENS = torch.tensor([[1, 5, 9, 40, 7, 1], [1, 8, 30, 1, 0, 0]])
N_TOKENS = torch.tensor([6, 4])
DURATIONS = torch.tensor([[2, 3, 4, 1, 5, 3], [3, 4, 2, 1, 0, 0]])
STEPS = 18


@pytest.fixture
def tts() -> TextToLatents:
    torch.manual_seed(0)
    config = replace(
        TextToLatentsConfig.tiny(),
        text_kernel=9,
        decoder_channels=24,
        condition_expand=4,
        stochastic_durations=True,
        upsampling_pitch=True,
        classify_symbols=True,
    )
    model = TextToLatents(config)
    shaken(model)
    return model.eval()


def run(model: TextToLatents, style: Tensor) -> TextToLatentsOutput:
    vec, z = noise(2, 16, STEPS, seed=2), noise(2, 16, STEPS, seed=3)
    return model(TOKENS, N_TOKENS, DURATIONS, vec, style, (z, noise(2, 2, 6, seed=4)))


def test_shapes_follow_the_official_switches(tts: TextToLatents) -> None:
    out = run(tts, noise(2, STYLE, 1))
    assert out.posterior_vec.shape == out.prior_vec.shape == (2, 16, STEPS)
    assert out.log_f0.shape == (2, 4 * STEPS)
    assert out.duration.shape == out.kl.shape == ()
    assert out.symbol_logits is not None
    assert out.symbol_logits.shape == (2, tts.config.symbols, STEPS)
    assert tts.decoder_pre.weight.shape == (24, 16, 1)
    assert tts.flow.to_hidden.weight.shape == (16, 64)
    assert tts.text.encoder.ffn_1[0].weight.shape == (32, 16, 9)


def test_every_parameter_of_the_official_switches_learns(tts: TextToLatents) -> None:
    mel, mask = noise(2, 80, 30), torch.ones(2, 1, 30)

    def loss() -> Tensor:
        out = run(tts, tts.voice(mel, mask))
        assert out.symbol_logits is not None
        heard = size_of(out.posterior_vec, out.prior_vec, out.log_f0, out.symbol_logits)
        return heard + out.kl + out.duration

    unmoved = without_gradient(tts, loss)
    # a bias of keys shifts all scores of a query alike, which softmax forgets
    assert {name for name in unmoved if not name.endswith("conv_k.bias")} == set()


def say(model: TextToLatents, seed: int) -> Latents:
    style = noise(1, STYLE, 1)
    durations = model.predict_durations(TOKENS[0], style).long()
    return model.predict(TOKENS[0], durations, style, 0.333, seed)


def test_the_same_seed_says_the_same_with_stochastic_durations(tts: TextToLatents) -> None:
    once, again, other = (say(tts, seed) for seed in (1, 1, 2))
    assert torch.equal(once.vec, again.vec)
    assert torch.equal(once.f0, again.f0)
    assert len(once) == len(other)
    assert not torch.equal(once.vec, other.vec)


def test_stochastic_durations_are_whole_steps(tts: TextToLatents) -> None:
    durations = tts.predict_durations(TOKENS[0], noise(1, STYLE, 1))
    assert durations.shape == (6,)
    assert (durations >= 1).all()
    assert torch.equal(durations, durations.round())


def test_the_official_switches_have_a_recorded_number(tts: TextToLatents) -> None:
    out = run(tts, noise(2, STYLE, 1))
    assert out.symbol_logits is not None
    numbers = [level(out.prior_vec), level(out.log_f0), level(out.symbol_logits)]
    numbers += [float(out.kl.detach()), float(out.duration.detach())]
    assert numbers == pytest.approx([0.206348, 0.258544, 0.469586, 1.576552, 2.393922], rel=1e-3)


def test_upsampled_pitch_teaches_neither_latents_nor_style() -> None:
    pitch = UpsamplingPitchPredictor(16, 8, STYLE)
    vec, style = noise(1, 16, 5).requires_grad_(), noise(1, STYLE, 1).requires_grad_()
    out = pitch(vec, noise(1, 8, 5), torch.ones(1, 1, 5), style)
    assert out.shape == (1, 20)
    out.sum().backward()
    assert vec.grad is None
    assert style.grad is None


def test_upsampled_pitch_does_not_look_at_z() -> None:
    pitch = UpsamplingPitchPredictor(16, 8, STYLE)
    given = (torch.ones(1, 1, 5), noise(1, STYLE, 1))
    vec = noise(1, 16, 5)
    one, other = (pitch(vec, noise(1, 8, 5, seed=seed), *given) for seed in (1, 2))
    assert torch.equal(one, other)
