"""Generator blocks of HiFi-GAN and BigVGAN, used wherever features become finer in time.

`AliasFreeSnake` computes BigVGAN's anti-aliased periodic activation (arXiv 2206.04658) exactly, but
its two resamplings as products with small banded matrices: many times faster on a CPU than the
grouped convolutions they are defined by.
"""

import math
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

DILATIONS = (1, 3, 5)
SLOPE = 0.1  # of the leaky ReLU (HiFi-GAN)
TAPS = 12  # of the filters that change the rate by two
HALF = TAPS // 2
BLOCK = 16  # positions resampled by one row of a matrix product
IN_CACHE = 1 << 16  # values worked on at a time


class AliasFreeSnake(nn.Module):
    """x + sin²(αx) / β at twice the rate, so that its new harmonics do not alias.

    `alpha` and `beta` are logarithms, one of each a channel.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        up, down = _resampling()
        self.register_buffer("up", up, persistent=False)
        self.register_buffer("down", down, persistent=False)
        self.up: Tensor
        self.down: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        rows = x.flatten(0, 1)
        pull = (2 * self.alpha.exp()).repeat(x.shape[0])[:, None]
        half_inverse = (0.5 / (self.beta.exp() + 1e-9)).repeat(x.shape[0])[:, None]
        step = max(1, IN_CACHE // x.shape[2])
        made = [
            self._bend(*(values[i : i + step] for values in (rows, pull, half_inverse)))
            for i in range(0, len(rows), step)
        ]
        return torch.cat(made).view_as(x)

    def _bend(self, x: Tensor, pull: Tensor, half_inverse: Tensor) -> Tensor:
        """A few channels (C, T): sin² a = (1 − cos 2a) / 2, whose constant passes the filter."""
        size = x.shape[1]
        fine = _windows(x, HALF // 2, BLOCK, self.up.shape[0]) @ self.up
        fine = fine.view(len(x), -1)
        fine = torch.addcmul(fine, torch.cos(fine * pull), half_inverse, value=-1)
        coarse = _windows(fine[:, : 2 * size], HALF - 1, 2 * BLOCK, self.down.shape[0]) @ self.down
        return coarse.view(len(x), -1)[:, :size] + half_inverse


def _windows(x: Tensor, before: int, hop: int, width: int) -> Tensor:
    """Windows of x (C, S), the first from -`before`, → (·, width); its ends go on beyond it."""
    n_windows = -(-x.shape[1] // hop)
    after = n_windows * hop + width - hop - before - x.shape[1]
    ends = (x[:, :1].expand(-1, before), x, x[:, -1:].expand(-1, after))
    return torch.cat(ends, 1).unfold(1, width, hop).reshape(-1, width)


@cache
def _resampling() -> tuple[Tensor, Tensor]:
    """Matrices of one block: T + 6 → 2T positions, and 2T + 10 → T."""
    with torch.inference_mode(False), torch.device("cpu"):  # others share them, wherever made
        taps = kaiser_sinc(TAPS, 0.25, 0.3)
        up = torch.zeros(BLOCK + HALF, 2 * BLOCK)
        down = torch.zeros(2 * BLOCK + TAPS - 2, BLOCK)
    for t in range(BLOCK):
        for k in range(HALF):
            up[t + k, 2 * t] = 2 * taps[TAPS - 1 - 2 * k]
            up[t + k + 1, 2 * t + 1] = 2 * taps[TAPS - 2 - 2 * k]
        down[2 * t : 2 * t + TAPS, t] = taps
    return up, down


def kaiser_sinc(taps: int, cutoff: float, half_width: float) -> Tensor:
    """Low-pass filter of unit sum: `cutoff` and `half_width` of its slope in cycles a sample."""
    attenuation = 2.285 * (taps // 2 - 1) * math.pi * 4 * half_width + 7.95  # dB (Kaiser 1974)
    if attenuation > 50:
        beta = 0.1102 * (attenuation - 8.7)
    else:
        beta = 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)
    at = torch.arange(taps) - (taps - 1) / 2
    window = torch.kaiser_window(taps, periodic=False, beta=beta)
    filtered = window * torch.sinc(2 * cutoff * at)
    return filtered / filtered.sum()


class ResidualBlock(nn.Module):
    """Three residual pairs of convolutions, the first of each dilated (HiFi-GAN's ResBlock1)."""

    def __init__(self, channels: int, kernel: int, snake: bool) -> None:
        super().__init__()
        self.dilated = nn.ModuleList(_conv(channels, kernel, d) for d in DILATIONS)
        self.plain = nn.ModuleList(_conv(channels, kernel, 1) for _ in DILATIONS)
        self.before_dilated, self.before_plain = (
            nn.ModuleList(
                AliasFreeSnake(channels) if snake else nn.LeakyReLU(SLOPE) for _ in DILATIONS
            )
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        for first, dilated, second, plain in zip(
            self.before_dilated, self.dilated, self.before_plain, self.plain, strict=True
        ):
            x = x + plain(second(dilated(first(x))))
        return x


class ResidualMean(nn.Module):
    """The mean of residual blocks with different kernels."""

    def __init__(self, channels: int, kernels: Sequence[int], snake: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(ResidualBlock(channels, k, snake) for k in kernels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        out: Tensor = self.blocks[0](x)
        for block in self.blocks[1:]:
            out = out + block(x)
        return out / len(self.blocks)


class Upsampling(nn.Module):
    """A transposed convolution to `rate` times the positions and half the channels, then blocks."""

    def __init__(
        self, channels: int, rate: int, kernel: int, kernels: Sequence[int], snake: bool
    ) -> None:
        super().__init__()
        self.snake = snake
        self.up = weight_norm(
            nn.ConvTranspose1d(channels, channels // 2, kernel, rate, (kernel - rate) // 2)
        )
        self.mean = ResidualMean(channels // 2, kernels, snake)

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """(B, C, T) → (B, C / 2, rate × T); `added` joins before the blocks."""
        x = self.up(x if self.snake else F.leaky_relu(x, SLOPE))
        out: Tensor = self.mean(x if added is None else x + added)
        return out


def _conv(channels: int, kernel: int, dilation: int) -> nn.Module:
    padding = dilation * (kernel - 1) // 2
    conv = nn.Conv1d(channels, channels, kernel, padding=padding, dilation=dilation)
    normed: nn.Module = weight_norm(conv)
    return normed
