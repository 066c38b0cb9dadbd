import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from avdub.models.face_fields import fills, interpolated_flow, mixed, sample, stretched
from tests.models.made import noise

SIZE = 32


def ring(centre: tuple[float, float], width: float, height: float, n: int) -> Tensor:
    """(n, 2): an ellipse's outline."""
    angle = 2 * math.pi * torch.arange(n) / n
    return torch.tensor(centre) + torch.stack(
        (width * torch.cos(angle), height * torch.sin(angle)), 1
    )


def lip_shape(gap: float = 0.08) -> Tensor:
    """(57, 2): lips in the middle of the square, open by `gap`, with a jaw below."""
    jaw = torch.stack((torch.linspace(0.2, 0.8, 17), torch.full((17,), 0.85)), 1)
    outer = ring((0.5, 0.5), 0.25, 0.1 + gap, 20)
    return torch.cat((outer, ring((0.5, 0.5), 0.2, gap, 20), jaw))


def test_fills_are_one_inside_and_zero_outside() -> None:
    outer, inner, _ = fills(lip_shape()[None], SIZE)[0]
    middle, corner = SIZE // 2, 2
    assert outer[middle, middle] == pytest.approx(1, abs=1e-4)
    assert inner[middle, middle] == pytest.approx(1, abs=1e-4)
    assert outer[corner, corner] == pytest.approx(0, abs=1e-4)


def test_an_area_is_filled_in_proportion() -> None:
    inner = fills(lip_shape(0.1)[None], 128)[0, 1]
    # a polygon of 20 points holds a little less than its ellipse
    assert float(inner.mean()) == pytest.approx(math.pi * 0.2 * 0.1, rel=0.04)


def test_the_inside_does_not_depend_on_the_direction_of_the_outline() -> None:
    shape = lip_shape()
    turned = torch.cat((shape[:20].flip(0), shape[20:40].flip(0), shape[40:]))
    torch.testing.assert_close(
        fills(shape[None], SIZE)[:, :2], fills(turned[None], SIZE)[:, :2], atol=1e-4, rtol=0
    )


def test_the_jaw_is_a_line_through_its_points() -> None:
    jaw = fills(lip_shape()[None], 64)[0, 2]
    assert jaw[54, 32] > 0.8
    assert jaw[30, 32] < 0.01


def test_fills_pass_gradients_to_the_shape() -> None:
    """The winding number is flat, but the jaw line moves with its points."""
    shape = lip_shape()[None].requires_grad_()
    (fills(shape, SIZE) * noise(1, 3, SIZE, SIZE)).sum().backward()
    assert shape.grad is not None
    assert torch.isfinite(shape.grad).all()
    assert shape.grad[:, 40:].abs().max() > 0


def test_a_closed_mouth_stays_finite() -> None:
    assert torch.isfinite(fills(lip_shape(0.0)[None], SIZE)).all()


@given(st.integers(0, 9))
def test_the_flow_hits_its_control_points(seed: int) -> None:
    rng = torch.Generator().manual_seed(seed)
    at = torch.tensor([[4, 4], [27, 5], [15, 16], [5, 28], [28, 27]])  # x, y in pixels
    wanted = ((at + 0.5) / SIZE)[None]
    theirs = wanted[:, None] + 0.1 * torch.randn(1, 2, 5, 2, generator=rng)
    flow = interpolated_flow(wanted, theirs, SIZE)
    assert flow.shape == (1, 2, 2, SIZE, SIZE)
    found = flow[0, :, :, at[:, 1], at[:, 0]].transpose(1, 2)
    torch.testing.assert_close((found + 1) / 2, theirs[0], atol=2e-3, rtol=0)


def test_equal_points_leave_everything_in_place() -> None:
    points = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(0))
    flow = interpolated_flow(points, points[:, None], SIZE)
    images = noise(1, 3, SIZE, SIZE)
    torch.testing.assert_close(sample(images, flow[:, 0]), images, atol=1e-4, rtol=0)


def test_points_moved_alike_move_the_whole_picture() -> None:
    points = torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(0))
    flow = interpolated_flow(points, points[:, None] + 2 / SIZE, SIZE)
    images = noise(1, 1, SIZE, SIZE)
    moved = sample(images, flow[:, 0])
    torch.testing.assert_close(moved[..., :-2, :-2], images[..., 2:, 2:], atol=1e-3, rtol=0)


def test_outside_the_picture_its_border_repeats() -> None:
    images = torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    flow = torch.full((1, 2, 2, 2), 5.0)
    assert sample(images, flow).unique().tolist() == [3.0]


def test_one_picture_gathered_at_many_flows_is_as_if_repeated() -> None:
    image, flows = noise(1, 3, 20, 30), noise(4, 2, 7, 9)
    made = sample(image, flows)
    torch.testing.assert_close(made, sample(image.expand(4, 3, 20, 30), flows))


@pytest.mark.parametrize("size", [31, 40, 97])
def test_a_stretched_part_is_the_part_of_the_whole_enlarged(size: int) -> None:
    fields = noise(2, 3, 16, 16)
    whole = torch.nn.functional.interpolate(fields, size=(size, size), mode="bilinear")
    made = stretched(fields, size, (4, 0, 25, size))
    torch.testing.assert_close(made, whole[..., 4:25], atol=2e-5, rtol=0)


def test_mixing_weighs_and_adds_up() -> None:
    parts, weights = noise(2, 3, 4, 5, 5), noise(2, 3, 5, 5, seed=2)
    wanted = torch.einsum("bkchw,bkhw->bchw", parts, weights)
    torch.testing.assert_close(mixed(parts, weights), wanted)


@given(st.integers(0, 99))
def test_a_pixel_is_inside_where_the_outline_turns_around_its_centre(seed: int) -> None:
    """Also of outlines that cross themselves or leave the square."""
    rng = torch.Generator().manual_seed(seed)
    shape = torch.rand(1, 57, 2, generator=rng) * 1.4 - 0.2
    at = (torch.arange(SIZE) + 0.5) / SIZE
    y, x = torch.meshgrid(at, at, indexing="ij")
    to = shape[0, :20, None, None] - torch.stack((x, y), 2)  # (n, size, size, 2)
    angle = torch.atan2(to[..., 1], to[..., 0]).double()
    turned = angle.roll(-1, 0) - angle
    turned = torch.remainder(turned + math.pi, 2 * math.pi) - math.pi
    wanted = (turned.sum(0) / (2 * math.pi)).round() != 0
    assert torch.equal(fills(shape, SIZE)[0, 0] > 0.5, wanted)
