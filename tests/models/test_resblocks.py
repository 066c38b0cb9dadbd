import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from avdub.models import resblocks
from avdub.models.hierarchical import HierarchicalConfig
from avdub.models.resblocks import (
    IN_CACHE,
    AliasFreeSnake,
    ResidualBlock,
    ResidualMean,
    Upsampling,
    kaiser_sinc,
)
from tests.models.made import noise, shaken, size_of, without_gradient

# half of the symmetric filter in the published checkpoints
RISING = (0.0020289647, 0.0093894657, -0.0255434588, -0.0576573834, 0.1285725832, 0.4432097971)
CONFIG = HierarchicalConfig()


def defined(rows: Tensor, alpha: Tensor, beta: Tensor) -> Tensor:
    """BigVGAN's activation of (B, T, C), as it is defined (for (B, C, T))."""
    x, c = rows.transpose(1, 2), rows.shape[2]
    taps = torch.tensor([*RISING, *RISING[::-1]], dtype=x.dtype).expand(c, 1, -1)
    fine = F.pad(x, (5, 5), mode="replicate")
    fine = F.conv_transpose1d(fine, 2 * taps, stride=2, groups=c)[..., 15:-15]
    a, b = alpha.exp()[:, None], beta.exp()[:, None]
    fine = fine + torch.sin(a * fine) ** 2 / (b + 1e-9)
    made = F.conv1d(F.pad(fine, (5, 6), mode="replicate"), taps, stride=2, groups=c)
    return made.transpose(1, 2)


def make_snake(channels: int, seed: int = 1) -> AliasFreeSnake:
    snake = AliasFreeSnake(channels)
    shaken(snake, seed, size=0.5)
    return snake


@given(st.integers(1, 200), st.integers(1, 3), st.integers(1, 2), st.integers(0, 99))
def test_the_snake_is_what_it_is_defined_as(
    size: int, channels: int, batch: int, seed: int
) -> None:
    snake = make_snake(channels, seed)
    x = 2 * noise(batch, size, channels, seed=seed)
    wanted = defined(x, snake.alpha, snake.beta)
    torch.testing.assert_close(snake(x), wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [IN_CACHE // 4 + 3, IN_CACHE + 3])
def test_a_long_sound_is_bent_in_parts_without_seams(size: int) -> None:
    snake, x = make_snake(3), noise(2, size, 3)
    wanted = defined(x, snake.alpha, snake.beta)
    torch.testing.assert_close(snake(x), wanted, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("size", [1, 7, 16, 50])
def test_the_snake_has_the_gradients_of_its_definition(size: int) -> None:
    snake = make_snake(2).double()
    x = noise(2, size, 2).double().requires_grad_()
    inputs = (x, snake.alpha, snake.beta)
    ours = torch.autograd.grad(size_of(snake(x)), inputs)
    theirs = torch.autograd.grad(size_of(defined(*inputs)), inputs)
    for a, b in zip(ours, theirs, strict=True):
        assert b.abs().max() > 0
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


def test_a_snake_made_anywhere_leaves_later_ones_trainable() -> None:
    """The resampling matrices are kept: where the first was made must not show."""
    resblocks._resampling.cache_clear()
    with torch.inference_mode(), torch.device("meta"):
        AliasFreeSnake(1)
    out = AliasFreeSnake(1)(torch.zeros(1, 5, 1, requires_grad=True))
    out.sum().backward()
    assert out.device.type == "cpu"


@pytest.mark.parametrize(("taps", "cutoff", "half_width"), [(12, 0.25, 0.3), (8, 0.1, 0.05)])
def test_the_filter_is_symmetric_with_unit_sum(taps: int, cutoff: float, half_width: float) -> None:
    made = kaiser_sinc(taps, cutoff, half_width)
    assert made.shape == (taps,)
    torch.testing.assert_close(made, made.flip(0))
    assert float(made.sum()) == pytest.approx(1, abs=1e-6)


def test_the_filter_is_that_of_the_published_weights() -> None:
    wanted = torch.tensor([*RISING, *RISING[::-1]])
    torch.testing.assert_close(kaiser_sinc(12, 0.25, 0.3), wanted, atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("rate", "kernel"), [*zip(CONFIG.rates, CONFIG.rate_kernels, strict=True), (3, 9)]
)
@pytest.mark.parametrize("snake", [True, False])
def test_upsampling_multiplies_the_length_by_its_rate(rate: int, kernel: int, snake: bool) -> None:
    stage = Upsampling(8, rate, kernel, (3, 5), snake)
    assert stage(noise(2, 7, 8)).shape == (2, 7 * rate, 4)


def test_what_is_added_joins_before_the_blocks() -> None:
    stage = Upsampling(8, 2, 4, (3,), snake=True)
    x, added = noise(1, 5, 8), noise(1, 10, 4, seed=1)
    torch.testing.assert_close(stage(x, added), stage.mean(stage.up(x) + added))


def test_a_residual_mean_is_the_mean_of_its_blocks() -> None:
    mean, x = ResidualMean(4, (3, 7, 11), snake=True), noise(2, 20, 4)
    wanted = torch.stack([block(x) for block in mean.blocks]).mean(0)
    torch.testing.assert_close(mean(x), wanted)


@pytest.mark.parametrize("kernel", [3, 7, 11])
def test_a_residual_block_keeps_the_length_of_what_it_adds_to(kernel: int) -> None:
    block, x = ResidualBlock(4, kernel, snake=True), noise(2, 9, 4)
    assert block(x).shape == x.shape
    for plain in block.plain:
        torch.nn.init.zeros_(plain.parametrizations.weight.original0)
        torch.nn.init.zeros_(plain.bias)
    assert torch.equal(block(x), x)


@pytest.mark.parametrize("snake", [True, False])
def test_every_parameter_of_an_upsampling_learns(snake: bool) -> None:
    stage = Upsampling(8, 2, 4, (3, 5), snake)
    shaken(stage)
    assert without_gradient(stage, lambda: size_of(stage(noise(2, 9, 8)))) == set()
