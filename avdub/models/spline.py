"""A monotonic rational-quadratic spline with straight tails (Durkan et al. 2019, neural spline
flows), for the stochastic durations."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

BINS = 10
N_PARAMETERS = 3 * BINS - 1  # widths, heights, inner slopes
TAIL = 5.0  # beyond ± this the map is the identity
LEAST_BIN, LEAST_SLOPE = 1e-3, 1e-3
ONE = math.log(math.expm1(1 - LEAST_SLOPE))  # softplus of it, plus LEAST_SLOPE, is 1


def spline(x: Tensor, shape: Tensor, scale: float, inverse: bool) -> tuple[Tensor, Tensor]:
    """x (…), shape (…, 29) → the bent x and the log of the slope there.

    `scale` divides the raw widths and heights. `inverse` solves for x instead.
    """
    widths, heights, slopes = torch.tensor_split(shape, (BINS, 2 * BINS), -1)
    at_x, at_y = _knots(widths / scale), _knots(heights / scale)  # (…, 11)
    slopes = LEAST_SLOPE + F.softplus(F.pad(slopes, (1, 1), value=ONE))  # (…, 11)
    inside = x.abs() <= TAIL
    held = x.clamp(-TAIL, TAIL)[..., None]
    known = at_y if inverse else at_x
    bin_ = (torch.searchsorted(known.contiguous(), held, right=True) - 1).clamp(0, BINS - 1)

    def pick(values: Tensor) -> Tensor:
        return values.gather(-1, bin_)[..., 0]

    x0, y0, d0, d1 = pick(at_x), pick(at_y), pick(slopes), pick(slopes[..., 1:])
    width, height = pick(at_x[..., 1:]) - x0, pick(at_y[..., 1:]) - y0
    mean = height / width
    if inverse:
        t = _solve(held[..., 0] - y0, height, mean, d0, d1)
        out = x0 + t * width
    else:
        t = (held[..., 0] - x0) / width
        out = y0 + height * (mean * t * t + d0 * t * (1 - t)) / _bottom(t, mean, d0, d1)
    slope = mean.square() * (d1 * t * t + 2 * mean * t * (1 - t) + d0 * (1 - t).square())
    log_slope = slope.log() - 2 * _bottom(t, mean, d0, d1).log()
    log_slope = -log_slope if inverse else log_slope
    return torch.where(inside, out, x), torch.where(inside, log_slope, 0.0)


def _bottom(t: Tensor, mean: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    return mean + (d0 + d1 - 2 * mean) * t * (1 - t)


def _solve(rise: Tensor, height: Tensor, mean: Tensor, d0: Tensor, d1: Tensor) -> Tensor:
    """Where in its bin (0…1) the spline has risen by `rise` (eq. 6 to 8)."""
    bend = rise * (d0 + d1 - 2 * mean)
    a, b, c = bend + height * (mean - d0), height * d0 - bend, -mean * rise
    root = (b.square() - 4 * a * c).clamp(min=0).sqrt()
    return 2 * c / (-b - root)


def _knots(raw: Tensor) -> Tensor:
    """Bin sizes before the softmax (…, 10) → their edges from -TAIL to TAIL (…, 11)."""
    sizes = LEAST_BIN + (1 - LEAST_BIN * BINS) * raw.softmax(-1)
    edges = F.pad(sizes.cumsum(-1), (1, 0)) * 2 * TAIL - TAIL
    return torch.cat((edges[..., :-1], torch.full_like(edges[..., -1:], TAIL)), -1)
