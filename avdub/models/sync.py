"""SyncExpert: whether a mouth and a sound belong together in time.

Latents and lip shapes are each brought to one embedding a step; where they agree, the mouth is in
time. Trained contrastively against the same clip at other shifts (after SyncNet, Chung & Zisserman
2016, with lip shapes for pixels).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.latents_to_face import LIPS
from avdub.models.layers import ChannelNorm
from avdub.models.placed import on_its_device

STILL = 0.01  # inter-ocular distances: lips that move less are not enlarged to full size
SHARPNESS = 12.0  # of agreements at first


@dataclass(frozen=True)
class SyncExpertConfig:
    """Sizes; `reach` is the largest shift told, in steps."""

    latents: int = 256
    channels: int = 128
    blocks: int = 4
    embedding: int = 64
    reach: int = 20

    @classmethod
    def tiny(cls) -> "SyncExpertConfig":
        return cls(16, 8, 1, 8, 5)


class Tower(nn.Module):
    """A sequence to unit embeddings."""

    def __init__(self, inputs: int, config: SyncExpertConfig) -> None:
        super().__init__()
        c = config.channels
        self.pre = nn.Conv1d(inputs, c, 1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                ChannelNorm(c),
                nn.Conv1d(c, 2 * c, 5, padding=2),
                nn.GELU(),
                nn.Conv1d(2 * c, c, 1),
            )
            for _ in range(config.blocks)
        )
        self.out = nn.Conv1d(c, config.embedding, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, T) → (B, E, T) of unit length."""
        x = self.pre(x)
        for block in self.blocks:
            x = x + block(x)
        return F.normalize(self.out(x).float(), dim=1)


class SyncExpert(nn.Module):
    """Tells by how much a sound lies off its mouth."""

    def __init__(self, config: SyncExpertConfig) -> None:
        super().__init__()
        self.config = config
        self.hears = Tower(config.latents, config)
        self.sees = Tower(2 * 2 * LIPS, config)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())

    def forward(self, vec: Tensor, lips: Tensor) -> Tensor:
        """vec (B, D, T + 2 reach), lips (B, T, L, 2) relative to any rest, one shape a step →
        logits (B, 2 reach + 1): entry s says that the lips' first step is vec's step s."""
        steps, reach = lips.shape[1], self.config.reach
        assert vec.shape[2] == steps + 2 * reach, "vec must reach further than the lips both ways"
        heard = self.hears(vec).unfold(2, steps, 1)  # (B, E, 2 reach + 1, T)
        seen = self.sees(movement(lips))  # (B, E, T)
        return torch.einsum("best,bet->bs", heard, seen) / steps * self.sharpness.exp()

    @on_its_device
    @torch.inference_mode()
    def shift(self, vec: Tensor, lips: Tensor) -> tuple[Tensor, Tensor]:
        """→ steps by which the sound comes late (B,), between steps by a parabola, and how much
        surer the best shift is than the mean one (B,)."""
        logits = self(vec, lips)
        best = logits.argmax(1).clamp(1, logits.shape[1] - 2)
        left, peak, right = (logits.gather(1, (best + d)[:, None])[:, 0] for d in (-1, 0, 1))
        bend = (left - 2 * peak + right).clamp(max=-1e-6)
        offset = (0.5 * (left - right) / bend).clamp(-0.5, 0.5)
        return best + offset - self.config.reach, peak - logits.mean(1)


def movement(lips: Tensor) -> Tensor:
    """Lip shapes (B, T, L, 2) → position and speed (B, 4L, T), whatever the person's rest and size
    of movement."""
    flat = lips.flatten(2).transpose(1, 2)  # (B, 2L, T)
    flat = flat - flat.mean(2, keepdim=True)
    flat = flat / (flat.square().mean((1, 2), keepdim=True).sqrt() + STILL)
    speed = F.pad(flat.diff(dim=2), (1, 0))
    return torch.cat((flat, 4 * speed), 1)
