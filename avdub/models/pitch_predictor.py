"""Latents to log-F0 at four values a step: by WaveNet, or as HierSpeech++'s TTV does it."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.layers import WaveNet
from avdub.models.resblocks import Upsampling
from avdub.timeline import F0_PER_STEP

KERNELS = (3, 5, 7)


class PitchPredictor(nn.Module):
    """From latents and the z they were decoded from."""

    def __init__(self, latents: int, channels: int, style: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(latents + channels, channels, 7, padding=3)
        self.body = WaveNet(channels, 5, 3, style)
        fine = max(1, channels // 2)
        self.up = nn.Conv1d(channels, fine * F0_PER_STEP, 1)
        self.fine = nn.Conv1d(fine, fine, 9, padding=4)
        self.out = nn.Conv1d(fine, 1, 9, padding=4)

    def forward(self, vec: Tensor, z: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """vec (B, D, T), z (B, C, T) → (B, 4T)."""
        h = self.body(self.pre(torch.cat((vec, z), 1)) * mask, mask, style)
        h = self.up(h).unflatten(1, (-1, F0_PER_STEP)).transpose(2, 3).flatten(2)  # (B, C, 4T)
        fine_mask = mask.repeat_interleave(F0_PER_STEP, 2)
        h = h * fine_mask
        h = (h + torch.relu(self.fine(h))) * fine_mask
        out: Tensor = self.out(torch.relu(h))
        return 5 * out[:, 0]


class UpsamplingPitchPredictor(nn.Module):
    """From latents alone, by two upsamplings (HierSpeech++ section 3.2)."""

    def __init__(self, latents: int, channels: int, style: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(latents, channels, 7, padding=3)
        self.cond = nn.Conv1d(style, channels, 1)
        self.stages = nn.ModuleList(
            Upsampling(c, 2, 4, KERNELS, snake=False) for c in (channels, channels // 2)
        )
        self.post = nn.Conv1d(channels // 4, 1, 7, padding=3, bias=False)

    def forward(self, vec: Tensor, z: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """vec (B, D, T) → (B, 4T); z is not looked at. Teaches neither latents nor style."""
        x = self.pre(vec.detach()) + self.cond(style.detach())
        x = x.transpose(1, 2).contiguous()  # (B, T, C)
        for stage in self.stages:
            x = stage(x)
        x = x.transpose(1, 2)  # (B, C, 4T)
        out: Tensor = self.post(F.leaky_relu(x)) * mask.repeat_interleave(F0_PER_STEP, 2)
        return out[:, 0]
