"""LatentsToFace: latents and a few exemplar frames of the same person to a new mouth.

A lip-shape head turns latents into a pose-free lip shape, supervised explicitly. The generator
decides where pixels come from: for each exemplar a flow (interpolated between the contours, refined
by a network) and a soft selection, plus a small residual of light. All of these are low-resolution
fields, so the pixels can be gathered at the video's own resolution (`render`).
"""

from copy import deepcopy
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.face_fields import fills, interpolated_flow, mixed, sample, stretched
from avdub.models.layers import ChannelNorm
from avdub.models.placed import on_its_device
from avdub.timeline import STEP_RATE

LIPS, JAW = 57, 17  # points of a lip shape: 20 outer, 20 inner, 17 jaw
LIGHT = (0.299, 0.587, 0.114)  # of red, green and blue (ITU-R BT.601)


@dataclass(frozen=True)
class LatentsToFaceConfig:
    """Sizes; the generator works on squares of `size` pixels, flows on half of that. Without
    `light` what is gathered is painted as it is, and the residual waits to be learned further."""

    latents: int = 256
    lip_channels: int = 192
    lip_blocks: int = 4
    size: int = 96
    flow_channels: tuple[int, ...] = (24, 48, 96)
    paint_channels: tuple[int, ...] = (24, 48, 96, 128)
    light: bool = True

    @classmethod
    def tiny(cls) -> "LatentsToFaceConfig":
        return cls(16, 16, 1, 32, (8, 8), (8, 8))


class Exemplars(NamedTuple):
    """K frames of the person: images (E, K, 3, S, S) in 0–1, lip shapes (E, K, L, 2) and still mesh
    points (E, K, A, 2) in the unit square, E being B or, where all targets share them, 1; `banned`
    (B, K) is true for the frame being edited. `inner` (E, K, 1, S/2, S/2), the inside of their
    lips, may be drawn once for many frames."""

    images: Tensor
    shapes: Tensor
    still: Tensor
    banned: Tensor
    inner: Tensor | None = None


class Target(NamedTuple):
    """The frames to change: image (B, 3, S, S), mask (B, 1, S, S), wanted lip shape (B, L, 2),
    still mesh points (B, A, 2)."""

    image: Tensor
    mask: Tensor
    shape: Tensor
    still: Tensor


class Mouth(NamedTuple):
    """Flow (B, K, 2, S, S) in [-1, 1] sampling coordinates, weights (B, K, S, S) that add up to 1,
    residual light (B, 1, S, S); `image` (B, 3, S, S) is what they make at the model's own size."""

    flow: Tensor
    weights: Tensor
    residual: Tensor
    image: Tensor


class LipHead(nn.Module):
    """Latents to lip shapes relative to the person's rest shape."""

    def __init__(self, config: LatentsToFaceConfig) -> None:
        super().__init__()
        c = config.lip_channels
        self.pre = nn.Conv1d(config.latents, c, 5, padding=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv1d(c, c, 5, padding=2), nn.ReLU(), nn.Conv1d(c, c, 5, padding=2))
            for _ in range(config.lip_blocks)
        )
        self.norm = ChannelNorm(c)  # a mouth must not depend on the line's length
        self.lips = nn.Conv1d(c, 2 * LIPS, 1)

    def forward(self, vec: Tensor) -> Tensor:
        """(B, D, T) → (B, T, L, 2) in inter-ocular distances."""
        x = self.pre(vec)
        for block in self.blocks:
            x = x + block(F.relu(x))
        x = F.relu(self.norm(x))
        lips: Tensor = self.lips(x).transpose(1, 2)
        return 0.1 * torch.unflatten(lips, 2, (LIPS, 2))


class ConvBlock(nn.Module):
    """Two convolutions."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm = nn.GroupNorm(4, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H, W)."""
        h = self.norm(self.second(F.leaky_relu(self.first(x), 0.1, inplace=True)))
        return F.leaky_relu(h, 0.1, inplace=True)


class UNet(nn.Module):
    """Halves the picture between levels and comes back with skip connections."""

    def __init__(self, inputs: int, outputs: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        widths = (inputs, *channels)
        self.down = nn.ModuleList(ConvBlock(a, b) for a, b in zip(widths, channels, strict=False))
        self.up = nn.ModuleList(
            ConvBlock(a + b, a) for a, b in zip(channels[-2::-1], channels[:0:-1], strict=True)
        )
        self.out = nn.Conv2d(channels[0], outputs, 3, padding=1)
        nn.init.normal_(self.out.weight, 0, 1e-3)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) → (B, outputs, H, W)."""
        x = x.contiguous(memory_format=torch.channels_last)  # the faster layout on a CPU
        kept = []
        for i, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if i else x)
            kept.append(x)
        for block, skip in zip(self.up, kept[-2::-1], strict=True):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest")
            x = block(torch.cat((x, skip), 1))
        out: Tensor = self.out(x)
        return out


class LatentsToFace(nn.Module):
    """Talking-face generator by exemplar warping."""

    def __init__(self, config: LatentsToFaceConfig) -> None:
        super().__init__()
        self.config = config
        self.lips = LipHead(config)
        self.flow = UNet(13, 3, config.flow_channels)
        self.paint = UNet(10, 3, config.paint_channels)
        self.nearness = nn.Parameter(torch.tensor(8.0))
        self.register_buffer("light", torch.tensor(LIGHT)[:, None, None], persistent=False)
        self.light: Tensor

    def forward(self, target: Target, exemplars: Exemplars) -> Mouth:
        """One new mouth a target frame; see Mouth."""
        size = self.config.size
        assert target.image.shape[-1] == size, f"crops must be {size} pixels wide"
        hidden = target.image * (1 - target.mask)
        drawn = fills(target.shape, size)  # (B, 3, S, S)
        flow, weights = self._fields(target, hidden, drawn, exemplars)
        blend = mixed(_gathered(exemplars.images, flow), weights)  # (B, 3, S, S)
        residual = torch.zeros_like(blend[:, :1])
        if self.config.light:
            paint_input = torch.cat((blend, hidden, target.mask, drawn), 1)
            colours = 0.25 * torch.tanh(self.paint(paint_input).float())
            # the colours of few people are wrong on others: all that may be added is light
            residual = (colours * self.light).sum(1, keepdim=True)  # (B, 1, S, S)
        inside = target.mask * (blend + residual)
        return Mouth(flow, weights, residual, hidden + inside)

    def with_light(self, light: bool) -> "LatentsToFace":
        """A copy that adds a residual of light, or does not."""
        other = deepcopy(self)
        other.config = replace(self.config, light=light)
        return other

    def _fields(
        self, target: Target, hidden: Tensor, drawn: Tensor, exemplars: Exemplars
    ) -> tuple[Tensor, Tensor]:
        """Flow and selection, computed at half size."""
        size = self.config.size
        half = size // 2
        b, k = exemplars.banned.shape
        wanted = torch.cat((target.shape, target.still), 1)
        theirs = torch.cat((exemplars.shapes, exemplars.still), 2)
        base = interpolated_flow(wanted, theirs, half)  # (B, K, 2, S/2, S/2)
        inner = exemplars.inner
        if inner is None:
            inner = inner_lips(exemplars.shapes, half)
        small = F.avg_pool2d(exemplars.images.flatten(0, 1), 2)
        small = torch.unflatten(small, 0, exemplars.images.shape[:2])
        gathered = _gathered(torch.cat((small, inner), 2), base).flatten(0, 1)
        warped, their_fill = gathered[:, :3], gathered[:, 3:]
        ours = torch.cat((hidden, target.mask, drawn), 1)
        ours = F.avg_pool2d(ours, 2).repeat_interleave(k, 0)
        distance = (theirs - wanted[:, None])[:, :, :40].norm(dim=3).mean(2)  # (B, K)
        gap = _opening(exemplars.shapes) - _opening(target.shape)[:, None]
        facts = torch.stack((distance, gap), 2).flatten(0, 1)[..., None, None] * 10
        facts = facts.expand(-1, -1, half, half)
        out = self.flow(torch.cat((warped, ours, their_fill, facts), 1)).float()
        refined = base + 0.1 * torch.unflatten(torch.tanh(out[:, :2]), 0, (b, k))
        logits = torch.unflatten(out[:, 2], 0, (b, k)) * 4
        logits = logits - self.nearness * 10 * distance[..., None, None]
        logits = logits.masked_fill(exemplars.banned[..., None, None], -1e4)
        flow = torch.unflatten(_enlarged(refined.flatten(0, 1), size), 0, (b, k))
        return flow, _enlarged(logits, size).softmax(1)

    @on_its_device
    @torch.inference_mode()
    def lip_shapes(self, vec: Tensor, times: Tensor) -> Tensor:
        """vec (T, D) at times (N,) s → lips (N, L, 2) relative to rest."""
        shapes = at_times(self.lips(vec.T[None])[0].flatten(1), times)
        return torch.unflatten(shapes, 1, (LIPS, 2))


def at_times(rows: Tensor, times: Tensor) -> Tensor:
    """Linear interpolation of step rows (T, C) at times (N,) in seconds → (N, C)."""
    where = (times.to(torch.float64) * STEP_RATE - 0.5).clamp(0, len(rows) - 1)
    low = where.floor().long()
    high = (low + 1).clamp(max=len(rows) - 1)
    return torch.lerp(rows[low], rows[high], (where - low).to(rows.dtype)[:, None])


def inner_lips(shapes: Tensor, size: int) -> Tensor:
    """Inside of the lips of shapes (B, K, L, 2) → (B, K, 1, size, size)."""
    drawn = fills(shapes.flatten(0, 1), size)[:, 1:2]
    return torch.unflatten(drawn, 0, shapes.shape[:2])


def render(
    mouth: Mouth,
    exemplars: Tensor,
    size: int,
    part: tuple[int, int, int, int] | None = None,
    keep: int = 3,
) -> Tensor:
    """The mouth at any resolution: exemplars (E, K, 3, R, R) → (B, 3, size, size) in 0–1.

    `part`: only pixels x0, y0, x1, y1 of it → (B, 3, y1 - y0, x1 - x0). Only the `keep` exemplars
    a frame takes most from are gathered.
    """
    part = part or (0, 0, size, size)
    share = mouth.weights.mean((2, 3))  # (B, K)
    kept = share.topk(min(keep, share.shape[1]), 1).indices
    kept = torch.zeros_like(share).scatter_(1, kept, 1.0)
    weights = mouth.weights * kept[..., None, None]
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-6)
    light = stretched(mouth.residual, size, part)  # (B, 1, h, w)
    made = light.expand(-1, exemplars.shape[2], -1, -1)
    for k in range(share.shape[1]):
        users = kept[:, k].nonzero()[:, 0]
        if len(users):
            images = exemplars[:, k] if len(exemplars) == 1 else exemplars[users, k]
            pixels = sample(images, stretched(mouth.flow[users, k], size, part))
            weight = stretched(weights[users, k], size, part)[:, None]
            made = made.index_add(0, users, pixels * weight)
    return made.clamp(0, 1)


def _gathered(images: Tensor, flow: Tensor) -> Tensor:
    """Exemplars (E, K, C, h, w) at flow (B, K, 2, h, w) → (B, K, C, h, w)."""
    if len(images) == len(flow):
        made = sample(images.flatten(0, 1), flow.flatten(0, 1))
        return torch.unflatten(made, 0, flow.shape[:2])
    return torch.stack([sample(images[:, k], flow[:, k]) for k in range(flow.shape[1])], 1)


def _opening(shapes: Tensor) -> Tensor:
    """Inner-lip gap in the unit square: (..., L, 2) → (...)."""
    return (shapes[..., 25, 1] - shapes[..., 35, 1]).abs()


def _enlarged(x: Tensor, size: int) -> Tensor:
    if x.shape[-1] == size:
        return x
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)
