from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from avdub.checkpoint import load_module, save_module
from avdub.models.text_to_latents import (
    LOWEST_LOG_F0,
    TextToLatents,
    TextToLatentsConfig,
    TextToLatentsOutput,
    alignment,
    normalised_error,
)
from avdub.text import SYMBOLS
from tests.models.made import level, noise, shaken, size_of, without_gradient
from tests.tiny import STEPS_A_SYMBOL, STYLE, make_text_to_latents

TOKENS = torch.tensor([[1, 5, 9, 40, 7, 1], [1, 8, 30, 1, 0, 0]])
N_TOKENS = torch.tensor([6, 4])
DURATIONS = torch.tensor([[2, 3, 4, 1, 5, 3], [3, 4, 2, 1, 0, 0]])
STEPS = 18


@pytest.fixture
def model() -> TextToLatents:
    return make_text_to_latents()


@pytest.fixture
def style() -> Tensor:
    return noise(2, STYLE, 1, seed=1)


def run(model: TextToLatents, style: Tensor, rows: slice = slice(None)) -> TextToLatentsOutput:
    """A teacher-forced batch of the rows, without needless padding."""
    n, steps = int(N_TOKENS[rows].max()), int(DURATIONS[rows].sum(1).max())
    width, channels = model.config.latents, model.config.channels
    return model(
        TOKENS[rows, :n],
        N_TOKENS[rows],
        DURATIONS[rows, :n],
        noise(2, width, STEPS, seed=2)[rows, :, :steps],
        style[rows],
        (noise(2, channels, STEPS, seed=3)[rows, :, :steps], noise(2, 2, 6, seed=4)[rows, :, :n]),
    )


def test_shapes_follow_the_config(model: TextToLatents, style: Tensor) -> None:
    out, width = run(model, style), model.config.latents
    assert out.posterior_vec.shape == out.prior_vec.shape == (2, width, STEPS)
    assert out.log_f0.shape == (2, 4 * STEPS)
    assert out.duration.ndim == 0
    assert out.mask.sum(2).tolist() == [[18], [10]]
    assert out.kl.ndim == 0


def test_padding_a_batch_changes_nothing(model: TextToLatents, style: Tensor) -> None:
    shaken(model)
    both, alone = run(model, style), run(model, style, slice(1, 2))
    for name in ("posterior_vec", "prior_vec"):
        a, b = getattr(both, name)[1:, :, :10], getattr(alone, name)
        torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(both.log_f0[1:, :40], alone.log_f0, atol=1e-4, rtol=1e-4)


def test_every_parameter_learns(model: TextToLatents) -> None:
    shaken(model)
    mel, mask = noise(2, 80, 30), torch.ones(2, 1, 30)

    def loss() -> Tensor:
        out = run(model, model.voice(mel, mask))
        return size_of(out.posterior_vec, out.prior_vec, out.log_f0) + out.kl + out.duration

    unmoved = without_gradient(model, loss)
    assert {name for name in unmoved if not name.endswith("conv_k.bias")} == set()


def test_durations_do_not_bend_the_text_encoder(model: TextToLatents, style: Tensor) -> None:
    unmoved = without_gradient(model, lambda: run(model, style).duration)
    assert "text.emb.weight" in unmoved


def test_predicted_durations_are_steps_of_each_symbol(model: TextToLatents, style: Tensor) -> None:
    durations = model.predict_durations(TOKENS[0], style[:1])
    assert durations.shape == (6,)
    assert (durations >= 0).all()
    assert abs(float(durations.mean()) - STEPS_A_SYMBOL) < 1


def test_a_prediction_lasts_as_long_as_its_durations(model: TextToLatents, style: Tensor) -> None:
    latents = model.predict(TOKENS[0], DURATIONS[0], style[:1], 0.3, seed=0)
    assert latents.vec.shape == (STEPS, model.config.latents)
    assert latents.f0.shape == (4 * STEPS,)


def test_predicted_pitch_is_voiced_or_zero(model: TextToLatents, style: Tensor) -> None:
    shaken(model, size=0.3)
    f0 = model.predict(TOKENS[0], DURATIONS[0] * 9, style[:1], 1.0, seed=0).f0
    assert ((f0 == 0) | (f0 >= LOWEST_LOG_F0)).all()


def test_the_same_seed_says_the_same(model: TextToLatents, style: Tensor) -> None:
    once, again, other = (
        model.predict(TOKENS[0], DURATIONS[0], style[:1], 0.3, seed) for seed in (1, 1, 2)
    )
    assert torch.equal(once.vec, again.vec)
    assert not torch.equal(once.vec, other.vec)


def test_without_noise_prediction_is_teacher_forcing(model: TextToLatents, style: Tensor) -> None:
    shaken(model)
    predicted = model.predict(TOKENS[0], DURATIONS[0], style[:1], 0.0, seed=0)
    vec, _ = model.teacher_forced(TOKENS[:1], N_TOKENS[:1], DURATIONS[:1], style[:1])
    torch.testing.assert_close(predicted.vec, vec[0].T, atol=1e-5, rtol=1e-5)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=12).filter(any))
def test_every_step_belongs_to_one_symbol_in_order(durations: list[int]) -> None:
    steps = sum(durations)
    path = alignment(torch.tensor([durations]), steps)[0]
    assert path.sum(1).tolist() == durations
    assert path.sum(0).tolist() == [1] * steps
    owners = path.argmax(0)
    assert (owners.diff() >= 0).all()


def test_errors_count_only_where_the_mask_is() -> None:
    mask = torch.tensor([[[1.0, 0.0]]])
    error = normalised_error(torch.ones(1, 3, 2), torch.zeros(1, 3, 2), mask)
    assert float(error) == 1.0


def test_there_is_an_embedding_for_every_symbol(model: TextToLatents) -> None:
    assert model.text.emb.num_embeddings == len(SYMBOLS)


def test_saved_weights_say_the_same_within_float16(
    model: TextToLatents, style: Tensor, tmp_path: Path
) -> None:
    save_module(tmp_path / "m.safetensors", model, model.config)
    loaded = load_module(tmp_path / "m.safetensors", TextToLatents, TextToLatentsConfig)
    assert loaded.config == model.config
    a, b = (m.predict(TOKENS[0], DURATIONS[0], style[:1], 0.3, 0).vec for m in (model, loaded))
    torch.testing.assert_close(a, b, atol=0.01, rtol=0.01)


def test_a_recorded_number(model: TextToLatents, style: Tensor) -> None:
    shaken(model)
    out = run(model, style)
    numbers = [level(out.prior_vec), level(out.log_f0), float(out.kl.detach())]
    assert numbers == pytest.approx([0.186862, 1.030062, 1.997990], rel=1e-3)
