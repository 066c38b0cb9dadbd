import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from avdub.models.spline import N_PARAMETERS, spline
from tests.models.made import noise

AT = torch.linspace(-7, 7, 1001, dtype=torch.float64)


def make_shape(seed: int, size: float) -> Tensor:
    """One random curve for all places."""
    return size * noise(N_PARAMETERS, seed=seed).double().expand(len(AT), -1)


seeds, sizes, scales = st.integers(0, 10_000), st.floats(0, 5), st.floats(1, 16)


@given(seeds, sizes, scales)
def test_the_inverse_undoes_the_spline(seed: int, size: float, scale: float) -> None:
    shape = make_shape(seed, size)
    bent, log_slope = spline(AT, shape, scale, inverse=False)
    back, log_slope_back = spline(bent, shape, scale, inverse=True)
    torch.testing.assert_close(back, AT, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_slope_back, -log_slope, atol=1e-3, rtol=1e-3)


@given(seeds, sizes, scales, st.booleans())
def test_the_spline_always_rises(seed: int, size: float, scale: float, inverse: bool) -> None:
    bent, _ = spline(AT, make_shape(seed, size), scale, inverse)
    assert (bent.diff() > 0).all()


@given(seeds, sizes, st.booleans())
def test_beyond_five_everything_stays_in_place(seed: int, size: float, inverse: bool) -> None:
    shape = make_shape(seed, size)
    bent, log_slope = spline(AT, shape, 1, inverse)
    outside = AT.abs() > 5
    assert torch.equal(bent[outside], AT[outside])
    assert not log_slope[outside].any()
    assert not torch.equal(bent[~outside], AT[~outside])


def test_the_spline_meets_its_straight_tails() -> None:
    ends = torch.tensor([-5.0, 5.0])
    bent, log_slope = spline(ends, 3 * noise(2, N_PARAMETERS), 1, inverse=False)
    torch.testing.assert_close(bent, ends)
    torch.testing.assert_close(log_slope, torch.zeros(2), atol=1e-3, rtol=0)


@given(seeds, st.floats(0, 3), st.booleans())
def test_the_log_slope_is_that_of_the_curve(seed: int, size: float, inverse: bool) -> None:
    x = AT.clone().requires_grad_()
    bent, log_slope = spline(x, make_shape(seed, size), 2, inverse)
    (slope,) = torch.autograd.grad(bent.sum(), x)
    torch.testing.assert_close(log_slope.exp(), slope, atol=1e-6, rtol=1e-5)


def test_bins_of_one_size_and_slopes_of_one_bend_nothing() -> None:
    """softplus(0.53974) + 0.001 is 1."""
    shape = torch.zeros(len(AT), N_PARAMETERS, dtype=torch.float64)
    shape[:, 20:] = 0.5397426
    bent, log_slope = spline(AT, shape, 1, inverse=False)
    torch.testing.assert_close(bent, AT, atol=1e-6, rtol=0)
    torch.testing.assert_close(log_slope, torch.zeros_like(AT), atol=1e-5, rtol=0)


def test_the_scale_divides_sizes_but_not_slopes() -> None:
    shape = noise(len(AT), N_PARAMETERS).double()
    scaled = torch.cat((4 * shape[:, :20], shape[:, 20:]), 1)
    ours, wanted = spline(AT, scaled, 4, False)[0], spline(AT, shape, 1, False)[0]
    torch.testing.assert_close(ours, wanted)


@pytest.mark.parametrize("inverse", [True, False])
def test_the_shape_learns_everywhere(inverse: bool) -> None:
    shape = noise(N_PARAMETERS).double().requires_grad_()
    bent, _ = spline(AT, shape.expand(len(AT), -1), 1, inverse)
    (gradient,) = torch.autograd.grad(bent.sum(), shape)
    assert (gradient.abs() > 0).all()
