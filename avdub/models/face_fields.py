"""Fields over the face square drawn from points: region fills, and flows between point sets.

Coordinates are in the unit square, x right and y down. Everything is differentiable.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

OUTER, INNER, JAW = slice(0, 20), slice(20, 40), slice(40, 57)
LINE = 0.015  # half width of a drawn jaw line, in the square
NEAR = 0.02  # points closer than this share their pull


def pixel_centres(size: int) -> Tensor:
    """(size × size, 2), row by row."""
    at = (torch.arange(size) + 0.5) / size
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack((x, y), 2).flatten(0, 1)


def fills(shapes: Tensor, size: int) -> Tensor:
    """Lip shapes (B, L, 2) → (B, 3, size, size): inside outer lips, inside inner lips, jaw line."""
    p = pixel_centres(size).to(shapes)
    outer = _winding(p, shapes[:, OUTER])
    inner = _winding(p, shapes[:, INNER])
    jaw = _line(p, shapes[:, JAW])
    return torch.unflatten(torch.stack((outer, inner, jaw), 1), 2, (size, size))


def interpolated_flow(wanted: Tensor, theirs: Tensor, size: int) -> Tensor:
    """Where to sample each exemplar so that its points land on the wanted ones.

    wanted (B, C, 2), theirs (B, K, C, 2) → (B, K, 2, size, size) in [-1, 1] sampling coordinates.
    Shepard's interpolation (1968): displacements weighted by inverse distance to the fourth.
    """
    p = pixel_centres(size).to(wanted)
    squared = (p[None, :, None] - wanted[:, None]).square().sum(3)  # (B, pixels, C)
    pull = (squared + NEAR**2).reciprocal().square()
    pull = pull / pull.sum(2, keepdim=True)
    moves = theirs - wanted[:, None]  # (B, K, C, 2)
    shift = torch.einsum("bpc,bkcx->bkxp", pull, moves)
    where = p.T[None, None] + shift
    return torch.unflatten(2 * where - 1, 3, (size, size))


def sample(images: Tensor, flow: Tensor) -> Tensor:
    """images (B, C, H, W) gathered at flow (B, 2, h, w) → (B, C, h, w)."""
    grid = flow.permute(0, 2, 3, 1).to(images.dtype)
    return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


def _winding(p: Tensor, polygon: Tensor) -> Tensor:
    """1 inside, 0 outside, by the angle the polygon (B, n, 2) turns around p (m, 2) → (B, m)."""
    a = polygon[:, None] - p[None, :, None]  # (B, m, n, 2)
    b = a.roll(-1, 2)
    cross = a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]
    dot = (a * b).sum(3)
    return (torch.atan2(cross, dot).sum(2) / (2 * torch.pi)).abs().clamp(0, 1)


def _line(p: Tensor, points: Tensor) -> Tensor:
    """A soft open line through (B, n, 2) at p (m, 2) → (B, m)."""
    start, end = points[:, None, :-1], points[:, None, 1:]
    along = end - start
    offset = p[None, :, None] - start
    t = ((offset * along).sum(3) / along.square().sum(3).clamp(min=1e-8)).clamp(0, 1)
    squared = (offset - t[..., None] * along).square().sum(3).amin(2)
    return torch.exp(-squared / (2 * LINE**2))
