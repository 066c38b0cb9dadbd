"""SpeechSR: 16 kHz speech to 24 or 48 kHz (HierSpeech++ section 3.4)."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from avdub.models.placed import on_its_device
from avdub.models.resblocks import AliasFreeSnake, ResidualMean, RowConv
from avdub.timeline import SAMPLE_RATE

# Interpolation counts in float32: the longer a window, the coarser. The overlap in input samples is
# more than the network reaches.
WINDOW_S, OVERLAP = 2, 400


@dataclass(frozen=True)
class SpeechSRConfig:
    """`rate` is the output's."""

    rate: int = 48_000
    channels: int = 32
    kernels: tuple[int, ...] = (3, 7, 11)

    @classmethod
    def tiny(cls) -> "SpeechSRConfig":
        return cls(24_000, 4, (3,))


class SpeechSR(nn.Module):
    """Linear interpolation, then alias-free residual blocks that add the upper band."""

    def __init__(self, config: SpeechSRConfig) -> None:
        super().__init__()
        self.config = config
        self.pre = weight_norm(nn.Conv1d(1, config.channels, 7, padding=3))
        self.mean = ResidualMean(config.channels, config.kernels, snake=True)
        self.snake = AliasFreeSnake(config.channels)
        self.post = RowConv(config.channels, 1, 7, padding=3, bias=False)

    def forward(self, wav: Tensor) -> Tensor:
        """(B, S) at 16 kHz → (B, S × rate / 16,000)."""
        assert wav.ndim == 2, f"sound must be (B, S), got {tuple(wav.shape)}"
        size = wav.shape[1] * self.config.rate // SAMPLE_RATE
        x = F.interpolate(self.pre(wav[:, None]), size, mode="linear")  # (B, C, S')
        x = x.transpose(1, 2).contiguous()  # (B, S', C)
        out: Tensor = torch.tanh(self.post(self.snake(self.mean(x))))
        return out[..., 0]

    @on_its_device
    @torch.inference_mode()
    def enhance(self, wav: Tensor) -> Tensor:
        """(S,) of any length → (S × rate / 16,000,), in windows so that memory stays flat."""
        window, rate = WINDOW_S * SAMPLE_RATE, self.config.rate
        parts = []
        for start in range(0, len(wav), window):
            first = max(0, start - OVERLAP)
            made = self(wav[None, first : start + window + OVERLAP])[0]
            lead = (start - first) * rate // SAMPLE_RATE
            parts.append(made[lead : lead + min(window, len(wav) - start) * rate // SAMPLE_RATE])
        return torch.cat(parts) if parts else wav
