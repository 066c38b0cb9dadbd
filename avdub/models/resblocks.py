"""Generator blocks of HiFi-GAN and BigVGAN, used wherever features become finer in time.

Unlike elsewhere channels come last here, (B, T, C), which is a third faster on a CPU.
`AliasFreeSnake` computes BigVGAN's anti-aliased periodic activation (arXiv 2206.04658) exactly, but
its two resamplings as products with small banded matrices: several times faster than the grouped
convolutions they are defined by.
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
IN_CACHE = 1 << 17  # values worked on at a time


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
        """(B, T, C) → (B, T, C)."""
        size = x.shape[1]
        pull, half_inverse = 2 * self.alpha.exp(), 0.5 / (self.beta.exp() + 1e-9)
        n_blocks = -(-size // BLOCK)
        after = (n_blocks + 1) * BLOCK + HALF // 2 - size
        ends = (_held(x, 0, BLOCK + HALF // 2), x, _held(x, -1, after))
        x = torch.cat(ends, 1)  # a block too many on either side
        step = max(1, IN_CACHE // (BLOCK * x.shape[2]))
        made = []
        for first in range(0, n_blocks, step):
            n = min(step, n_blocks - first)
            fine = self.up @ _windows(x, first * BLOCK, BLOCK, self.up.shape[1], n + 2)
            fine = fine.flatten(1, 2)  # (B, 2 BLOCK (n + 2), C)
            # sin² a = (1 − cos 2a) / 2, whose constant passes the second filter unchanged
            fine = torch.addcmul(fine, torch.cos(fine * pull), half_inverse, value=-1)
            if first == 0:
                fine[:, : 2 * BLOCK] = fine[:, 2 * BLOCK : 2 * BLOCK + 1].clone()
            if first + n == n_blocks:
                last = 2 * (size - first * BLOCK + BLOCK)
                fine[:, last:] = fine[:, last - 1 : last].clone()
            start, width = 2 * BLOCK - HALF + 1, self.down.shape[1]
            made.append((self.down @ _windows(fine, start, 2 * BLOCK, width, n)).flatten(1, 2))
        return torch.cat(made, 1)[:, :size] + half_inverse


def _held(x: Tensor, at: int, n: int) -> Tensor:
    """One position of x (B, T, C), n times."""
    return x[:, at].unsqueeze(1).expand(-1, n, -1)


def _windows(x: Tensor, start: int, hop: int, width: int, n: int) -> Tensor:
    """n windows of x (B, T, C), one every `hop` from `start` on, uncopied → (B, n, width, C)."""
    batch, step, channel = x.stride()
    shape = (x.shape[0], n, width, x.shape[2])
    strides = (batch, hop * step, step, channel)
    return x.as_strided(shape, strides, x.storage_offset() + start * step)


@cache
def _resampling() -> tuple[Tensor, Tensor]:
    """Matrices of one block: T + 6 → 2T positions, and 2T + 10 → T."""
    with torch.inference_mode(False), torch.device("cpu"):  # others share them, wherever made
        taps = kaiser_sinc(TAPS, 0.25, 0.3)
        up = torch.zeros(2 * BLOCK, BLOCK + HALF)
        down = torch.zeros(BLOCK, 2 * BLOCK + TAPS - 2)
    for t in range(BLOCK):
        for k in range(HALF):
            up[2 * t, t + k] = 2 * taps[TAPS - 1 - 2 * k]
            up[2 * t + 1, t + k + 1] = 2 * taps[TAPS - 2 - 2 * k]
        down[t, 2 * t : 2 * t + TAPS] = taps
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


class RowConv(nn.Conv1d):
    """A convolution over time of (B, T, C): oneDNN is faster where channels come last."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) → (B, T', C')."""
        stride, padding, dilation = self.stride[0], int(self.padding[0]), self.dilation[0]
        picture, weight = x.transpose(1, 2).unsqueeze(2), self.weight.unsqueeze(2)
        made = F.conv2d(picture, weight, self.bias, (1, stride), (0, padding), (1, dilation))
        return made.squeeze(2).transpose(1, 2)


class RowConvTranspose(nn.ConvTranspose1d):
    """A transposed convolution over time of (B, T, C)."""

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        """(B, T, C) → (B, stride × T, C')."""
        stride, padding = self.stride[0], int(self.padding[0])
        picture, weight = x.transpose(1, 2).unsqueeze(2), self.weight.unsqueeze(2)
        made = F.conv_transpose2d(picture, weight, self.bias, (1, stride), (0, padding))
        return made.squeeze(2).transpose(1, 2)


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
        """(B, T, C) → (B, T, C)."""
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
        """(B, T, C) → (B, T, C)."""
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
            RowConvTranspose(channels, channels // 2, kernel, rate, (kernel - rate) // 2)
        )
        self.mean = ResidualMean(channels // 2, kernels, snake)

    def forward(self, x: Tensor, added: Tensor | None = None) -> Tensor:
        """(B, T, C) → (B, rate × T, C / 2); `added` joins before the blocks."""
        x = self.up(x if self.snake else F.leaky_relu(x, SLOPE))
        out: Tensor = self.mean(x if added is None else x + added)
        return out


def _conv(channels: int, kernel: int, dilation: int) -> nn.Module:
    padding = dilation * (kernel - 1) // 2
    conv = RowConv(channels, channels, kernel, padding=padding, dilation=dilation)
    normed: nn.Module = weight_norm(conv)
    return normed
