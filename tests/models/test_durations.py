import pytest
import torch
from torch import Tensor, nn

from avdub.models.durations import DurationPredictor, SplineFlow, StochasticDurationPredictor
from avdub.models.layers import length_mask
from tests.models.made import noise, shaken, size_of, without_gradient

C, P, STYLE = 8, 7, 4
N = torch.tensor([P, 4])
DURATIONS = torch.tensor([[2, 3, 4, 1, 5, 3, 9], [3, 4, 2, 1, 0, 0, 0]])


@pytest.fixture
def x() -> Tensor:
    return noise(2, C, P)


@pytest.fixture
def mask() -> Tensor:
    return length_mask(N, P)


@pytest.fixture
def style() -> Tensor:
    return noise(2, STYLE, 1, seed=1)


@pytest.fixture
def stochastic() -> StochasticDurationPredictor:
    predictor = StochasticDurationPredictor(C, STYLE)
    shaken(predictor)
    return predictor


@pytest.fixture
def flow() -> SplineFlow:
    flow = SplineFlow(C)
    shaken(flow, size=0.3)
    return flow.double()


@pytest.fixture
def regression() -> DurationPredictor:
    predictor = DurationPredictor(C, STYLE)
    shaken(predictor)
    return predictor


def test_the_inverse_flow_undoes_the_flow_in_the_channel_that_is_used(flow: SplineFlow) -> None:
    """It leaves out the first coupling, which bends the other channel alone."""
    mask, condition = length_mask(N, P).double(), noise(2, C, P, seed=2).double()
    z = noise(2, 2, P).double() * mask
    made, _ = flow(z, mask, condition)
    back = flow.inverse(made, mask, condition)
    torch.testing.assert_close(back[:, 0], z[:, 0], atol=1e-6, rtol=0)
    assert not torch.allclose(back[:, 1], z[:, 1], atol=1e-3)
    assert not torch.allclose(made[:, 0], z[:, 0], atol=0.1)


def test_the_log_determinant_is_that_of_the_jacobian(flow: SplineFlow) -> None:
    mask, condition = torch.ones(1, 1, 3).double(), noise(1, C, 3, seed=2).double()
    z = noise(6).double()

    def flat(z: Tensor) -> Tensor:
        return flow(z.view(1, 2, 3), mask, condition)[0].flatten()

    jacobian = torch.autograd.functional.jacobian(flat, z)
    _, log_det = flow(z.view(1, 2, 3), mask, condition)
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(jacobian).logabsdet)


def test_stochastic_steps_are_whole_and_positive(
    stochastic: StochasticDurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    steps = stochastic.steps(x, mask, style)
    assert steps.shape == (2, P)
    assert torch.equal(steps, steps.round())
    assert (steps > 0).tolist() == (mask[:, 0] > 0).tolist()


def test_steps_are_rounded_up(
    stochastic: StochasticDurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    exact = stochastic.log_steps(x, mask, style, torch.zeros(2, 2, P)).exp()
    over = (stochastic.steps(x, mask, style) - exact)[mask[:, 0] > 0]
    assert ((over >= 0) & (over < 1)).all()
    assert (over > 0.5).any()


def test_noise_makes_other_durations(
    stochastic: StochasticDurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    one, other = (stochastic.log_steps(x, mask, style, noise(2, 2, P, seed=s)) for s in (1, 2))
    assert not torch.allclose(one, other, atol=0.1)


def test_padding_changes_no_stochastic_duration(
    stochastic: StochasticDurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    z = noise(2, 2, P, seed=3)
    both = stochastic.log_steps(x, mask, style, z)
    alone = stochastic.log_steps(x[1:, :, :4], torch.ones(1, 1, 4), style[1:], z[1:, :, :4])
    torch.testing.assert_close(both[1:, :4], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", [DurationPredictor, StochasticDurationPredictor])
def test_the_loss_of_a_batch_is_that_of_its_rows(
    kind: type[DurationPredictor], x: Tensor, mask: Tensor, style: Tensor
) -> None:
    predictor, z = kind(C, STYLE), noise(2, 2, P, seed=3)
    shaken(predictor)
    both = predictor.loss(x, mask, style, DURATIONS, z)
    first, second = (
        predictor.loss(
            x[i : i + 1, :, :n],
            torch.ones(1, 1, n),
            style[i : i + 1],
            DURATIONS[i : i + 1, :n],
            z[i : i + 1, :, :n],
        )
        for i, n in enumerate((7, 4))
    )
    torch.testing.assert_close(both, (7 * first + 4 * second) / 11, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("longest", [1, 20, 500])
def test_the_stochastic_loss_is_finite(
    stochastic: StochasticDurationPredictor, x: Tensor, mask: Tensor, style: Tensor, longest: int
) -> None:
    durations = (longest * mask[:, 0]).long()
    loss = stochastic.loss(x, mask, style, durations, 3 * noise(2, 2, P, seed=3))
    assert loss.ndim == 0
    assert torch.isfinite(loss)


def test_every_stochastic_parameter_learns(
    stochastic: StochasticDurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    def loss() -> Tensor:
        return stochastic.loss(x, mask, style, DURATIONS, noise(2, 2, P, seed=3))

    assert without_gradient(stochastic, loss) == set()


@pytest.mark.slow
def test_the_stochastic_predictor_learns_a_duration() -> None:
    predictor, mask = StochasticDurationPredictor(C, STYLE), torch.ones(4, 1, P)
    durations = torch.tensor([2, 3, 4, 1, 5, 3, 9]).expand(4, P)
    x, style = noise(1, C, P).expand(4, -1, -1), torch.zeros(4, STYLE, 1)
    optimiser = torch.optim.Adam(predictor.parameters(), 1e-2)
    for step in range(60):
        loss = predictor.loss(x, mask, style, durations, noise(4, 2, P, seed=step))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    error = (predictor.steps(x, mask, style)[0] - durations[0]).abs()
    assert error.max() <= 1


def test_perfect_durations_cost_nothing(
    regression: DurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    nn.init.zeros_(regression.out.weight)
    nn.init.constant_(regression.out.bias, 1.3862944)  # log(1 + 3)
    threes, fours = torch.full((2, P), 3), torch.full((2, P), 4)
    unused = torch.zeros(2, 2, P)
    assert regression.loss(x, mask, style, threes, unused).abs() < 1e-10
    assert regression.loss(x, mask, style, fours, unused) > 0.05
    assert regression.steps(x, mask, style)[0].tolist() == pytest.approx([3] * P, rel=1e-5)


def test_padding_changes_no_regressed_duration(
    regression: DurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    both = regression.steps(x, mask, style)
    alone = regression.steps(x[1:, :, :4], torch.ones(1, 1, 4), style[1:])
    torch.testing.assert_close(both[1:, :4], alone, atol=1e-5, rtol=1e-5)
    assert not both[1, 4:].any()


def test_every_regression_parameter_learns(
    regression: DurationPredictor, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    unmoved = without_gradient(regression, lambda: size_of(regression(x, mask, style)))
    assert unmoved == set()
