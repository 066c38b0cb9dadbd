import pytest
import torch
from torch import Tensor
from torch.nn.utils import parametrize

from avdub.models.layers import (
    ChannelNorm,
    ConvNeXt,
    CouplingFlow,
    DiTBlock,
    RelativeAttention,
    RelativeEncoder,
    WaveNet,
    fold_weight_norm,
    length_mask,
)
from tests.models.made import noise, shaken, size_of, without_gradient

C, T, STYLE = 8, 12, 4
LENGTHS = torch.tensor([T, 7])


@pytest.fixture
def x() -> Tensor:
    return noise(2, C, T)


@pytest.fixture
def mask() -> Tensor:
    return length_mask(LENGTHS, T)


@pytest.fixture
def style() -> Tensor:
    return noise(2, STYLE, 1, seed=1)


@pytest.fixture
def flow() -> CouplingFlow:
    flow = CouplingFlow(C, 2, 3, 1, STYLE)
    shaken(flow)
    return flow


def test_a_length_mask_is_one_where_positions_exist() -> None:
    assert length_mask(torch.tensor([2, 0]), 3).tolist() == [[[1, 1, 0]], [[0, 0, 0]]]


def test_channel_norm_works_on_each_position_alone(x: Tensor) -> None:
    out = ChannelNorm(C)(x)
    torch.testing.assert_close(out.mean(1), torch.zeros(2, T), atol=1e-5, rtol=0)
    torch.testing.assert_close(out[:, :, 3:4], ChannelNorm(C)(x[:, :, 3:4]))


def test_wavenet_is_not_changed_by_padding(x: Tensor, mask: Tensor, style: Tensor) -> None:
    net = WaveNet(C, 3, 2, STYLE)
    out = net(x * mask, mask, style)
    alone = net(x[1:, :, :7], torch.ones(1, 1, 7), style[1:])
    torch.testing.assert_close(out[1:, :, :7], alone, atol=1e-5, rtol=1e-5)
    assert not out[1, :, 7:].any()


def test_wavenet_hears_its_condition(x: Tensor, mask: Tensor, style: Tensor) -> None:
    net = WaveNet(C, 3, 2, STYLE)
    assert not torch.allclose(net(x, mask, style), net(x, mask, 2 * style))


def test_masked_positions_are_not_attended_to(x: Tensor, mask: Tensor) -> None:
    attention = RelativeAttention(C, 2)
    changed = torch.where(mask > 0, x, x + 10)
    out, other = attention(x, mask), attention(changed, mask)
    torch.testing.assert_close(out[1, :, :7], other[1, :, :7])


def test_attention_is_not_changed_by_padding(x: Tensor, mask: Tensor) -> None:
    attention = RelativeAttention(C, 2)
    alone = attention(x[1:, :, :7], torch.ones(1, 1, 7))
    torch.testing.assert_close(attention(x, mask)[1:, :, :7], alone, atol=1e-5, rtol=1e-5)


def test_attention_tells_near_positions_apart() -> None:
    attention = RelativeAttention(C, 2, window=2)
    same = noise(1, C, 1).expand(1, C, T).contiguous()
    out = attention(same, torch.ones(1, 1, T))[0]
    torch.testing.assert_close(out[:, 5], out[:, 6])  # both see the whole window
    assert not torch.allclose(out[:, 0], out[:, 5])  # the first one sees half of it


def test_the_encoder_is_not_changed_by_padding(x: Tensor, mask: Tensor) -> None:
    encoder = RelativeEncoder(C, 16, 2, 2, 3)
    alone = encoder(x[1:, :, :7], torch.ones(1, 1, 7))
    out = encoder(x, mask)
    torch.testing.assert_close(out[1:, :, :7], alone, atol=1e-5, rtol=1e-5)
    assert not out[1, :, 7:].any()


def test_a_fresh_dit_block_passes_everything_on(x: Tensor, mask: Tensor) -> None:
    block = DiTBlock(C, 2, 16)
    torch.testing.assert_close(block(x, mask, noise(2, C)), x * mask)


def test_a_dit_block_is_not_changed_by_padding(x: Tensor, mask: Tensor) -> None:
    block = shaken(DiTBlock(C, 2, 16))
    condition = noise(2, C, seed=3)
    alone = block(x[1:, :, :7], torch.ones(1, 1, 7), condition[1:])
    out = block(x, mask, condition)
    torch.testing.assert_close(out[1:, :, :7], alone, atol=1e-5, rtol=1e-5)


def test_the_flow_is_undone_by_its_reverse(
    flow: CouplingFlow, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    z = flow(x, mask, style)
    assert not torch.allclose(z, x, atol=0.05)
    torch.testing.assert_close(flow(z, mask, style, reverse=True), x, atol=1e-5, rtol=1e-5)


def test_the_flow_keeps_volumes(flow: CouplingFlow, style: Tensor) -> None:
    """Mean-only couplings have a Jacobian of determinant ±1, which the KL relies on."""
    mask = torch.ones(1, 1, 2)

    def flat(x: Tensor) -> Tensor:
        return flow(x.view(1, C, 2), mask, style[:1]).flatten()

    jacobian = torch.autograd.functional.jacobian(flat, noise(2 * C))
    torch.testing.assert_close(
        torch.linalg.det(jacobian).abs(), torch.tensor(1.0), atol=1e-4, rtol=0
    )


def test_the_flow_is_not_changed_by_padding(
    flow: CouplingFlow, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    alone = flow(x[1:, :, :7], torch.ones(1, 1, 7), style[1:])
    torch.testing.assert_close(flow(x, mask, style)[1:, :, :7], alone, atol=1e-5, rtol=1e-5)


def test_every_flow_parameter_learns(
    flow: CouplingFlow, x: Tensor, mask: Tensor, style: Tensor
) -> None:
    assert without_gradient(flow, lambda: size_of(flow(x, mask, style))) == set()


def test_convnext_keeps_the_shape_and_hears_its_style(x: Tensor) -> None:
    block = ConvNeXt(C, STYLE)
    style = noise(2, STYLE, seed=1)
    assert block(x, style).shape == x.shape
    assert not torch.allclose(block(x, style), block(x, -style))


def test_folding_weight_norm_changes_no_output(x: Tensor, mask: Tensor, style: Tensor) -> None:
    net = WaveNet(C, 3, 2, STYLE)
    shaken(net)
    before = net(x, mask, style)
    fold_weight_norm(net)
    torch.testing.assert_close(net(x, mask, style), before, atol=1e-6, rtol=1e-5)


def test_folded_weights_are_plain_parameters() -> None:
    net = WaveNet(C, 3, 2, STYLE)
    assert any(parametrize.is_parametrized(part) for part in net.modules())
    fold_weight_norm(net)
    assert not any(parametrize.is_parametrized(part) for part in net.modules())
    assert isinstance(net.cond_layer.weight, torch.nn.Parameter)


def test_folding_twice_is_folding_once() -> None:
    net = WaveNet(C, 3, 2, STYLE)
    fold_weight_norm(net)
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    fold_weight_norm(net)
    assert {n: v.tolist() for n, v in net.state_dict().items()} == {
        n: v.tolist() for n, v in weights.items()
    }


@pytest.mark.parametrize("expand", [2, 4])
def test_the_condition_of_a_flow_is_as_wide_as_asked(
    x: Tensor, mask: Tensor, style: Tensor, expand: int
) -> None:
    flow = CouplingFlow(C, 2, 2, 1, STYLE, expand)
    shaken(flow)
    assert flow.to_hidden.weight.shape == (C, expand * C)
    z = flow(x, mask, style)
    torch.testing.assert_close(flow(z, mask, style, reverse=True), x, atol=1e-5, rtol=1e-5)
