"""Fields over the face square drawn from points: region fills, and flows between point sets.

Coordinates are in the unit square, x right and y down. What depends smoothly on points is
differentiable; the inside of a region is flat.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

OUTER, INNER, JAW = slice(0, 20), slice(20, 40), slice(40, 57)
LINE = 0.015  # half width of a drawn jaw line, in the square
NEAR = 0.02  # points closer than this share their pull


def fills(shapes: Tensor, size: int) -> Tensor:
    """Lip shapes (B, L, 2) → (B, 3, size, size): inside outer lips, inside inner lips, jaw line."""
    outer = _inside(shapes[:, OUTER], size)
    inner = _inside(shapes[:, INNER], size)
    return torch.stack((outer, inner, _line(shapes[:, JAW], size)), 1)


def interpolated_flow(wanted: Tensor, theirs: Tensor, size: int) -> Tensor:
    """Where to sample each exemplar so that its points land on the wanted ones.

    wanted (B, C, 2), theirs (B, K, C, 2) → (B, K, 2, size, size) in [-1, 1] sampling coordinates.
    Shepard's interpolation (1968): displacements weighted by inverse distance to the fourth.
    """
    at = _centres(wanted, size)
    aside, down = (wanted[..., None] - at).square().unbind(2)  # (B, C, size) each
    squared = down[..., None] + aside[..., None, :]  # (B, C, size, size)
    pull = (squared + NEAR**2).reciprocal().square()
    pull = (pull / pull.sum(1, keepdim=True)).flatten(2)
    moves = (theirs - wanted[:, None]).transpose(2, 3).flatten(1, 2)  # (B, K·2, C)
    shift = torch.unflatten(moves @ pull, 1, (theirs.shape[1], 2))
    shift = torch.unflatten(shift, 3, (size, size))
    still = torch.stack((at.expand(size, size), at[:, None].expand(size, size)))
    return 2 * (still + shift) - 1


def sample(images: Tensor, flow: Tensor) -> Tensor:
    """images (B, C, H, W) gathered at flow (B, 2, h, w) → (B, C, h, w).

    One image for all flows may be given as (1, C, H, W).
    """
    grid = flow.permute(0, 2, 3, 1).to(images.dtype)
    if len(images) == len(flow):
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    # flows below one another: the picture need not be repeated
    made = F.grid_sample(
        images, grid.flatten(0, 1)[None], padding_mode="border", align_corners=False
    )
    return torch.unflatten(made[0], 1, flow.shape[::2][:2]).transpose(0, 1)


def mixed(parts: Tensor, weights: Tensor) -> Tensor:
    """(B, K, C, H, W) weighed with (B, K, H, W) and added up → (B, C, H, W)."""
    total = parts[:, 0] * weights[:, 0, None]
    for k in range(1, parts.shape[1]):
        total = torch.addcmul(total, parts[:, k], weights[:, k, None])
    return total


def stretched(fields: Tensor, size: int, part: tuple[int, int, int, int]) -> Tensor:
    """Fields (..., S, S) enlarged to `size`, of which `part` is x0, y0, x1, y1 → (..., h, w).

    Bilinear, the edge repeats: what `F.interpolate` gives, without what lies outside the part.
    """
    x0, y0, x1, y1 = part
    rows, columns = (
        _hats(fields, size, low, high) for low, high in ((y0, y1), (x0, x1))
    )  # (h, S), (w, S)
    return rows @ (fields @ columns.T)


def _hats(fields: Tensor, size: int, low: int, high: int) -> Tensor:
    """How much of each of S pixels the pixels low to high of `size` hold (high - low, S)."""
    n = fields.shape[-1]
    at = (torch.arange(low, high, device=fields.device) + 0.5) * (n / size) - 0.5
    own = torch.arange(n, device=fields.device)
    return (1 - (at.clamp(0, n - 1)[:, None] - own).abs()).clamp(min=0).to(fields.dtype)


def _centres(like: Tensor, size: int) -> Tensor:
    """Centres of pixels along one side (size,)."""
    at = (torch.arange(size, device=like.device) + 0.5) / size
    return at.to(like.dtype)


def _inside(polygon: Tensor, size: int) -> Tensor:
    """1 where polygons (B, n, 2) wind around a pixel's centre, else 0 → (B, size, size).

    Each row counts the edges that cross it to the left of a pixel, up as 1 and down as -1.
    """
    start = polygon.detach()
    end = start.roll(-1, 1)
    y = _centres(start, size)[:, None]
    (x0, y0), (x1, y1) = (each[:, None].unbind(3) for each in (start, end))  # (B, 1, n) each
    turns = ((y0 <= y) & (y < y1)).int() - ((y1 <= y) & (y < y0)).int()  # (B, size, n)
    rise = torch.where(y0 == y1, 1, y1 - y0)
    cross = x0 + (y - y0) / rise * (x1 - x0)
    column = (cross * size - 0.5).ceil().clamp(0, size).long()
    crossed = turns.new_zeros(len(start), size, size + 1).scatter_add_(2, column, turns)
    return (crossed.cumsum(2)[..., :size] != 0).to(polygon.dtype)


def _line(points: Tensor, size: int) -> Tensor:
    """A soft open line through (B, n, 2) → (B, size, size)."""
    at = _centres(points, size)
    start = points[:, :-1]
    along = points[:, 1:] - start
    aside, down = (at - start[..., None]).unbind(2)  # (B, n - 1, size) each
    right, below = (along / along.square().sum(2, keepdim=True).clamp(min=1e-8))[..., None].unbind(
        2
    )
    t = (down * below)[..., None] + (aside * right)[..., None, :]
    t = t.clamp(0, 1)  # (B, n - 1, size, size)
    x, y = along[..., None, None].unbind(2)
    squared = (aside[..., None, :] - t * x).square() + (down[..., None] - t * y).square()
    return torch.exp(-squared.amin(1) / (2 * LINE**2))
