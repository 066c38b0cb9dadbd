"""VoiceEncoder: a voice sample's mel to a style vector that conditions text and speech models.

The mel style encoder of Meta-StyleSpeech (arXiv 2106.03153), which HierSpeech++ uses too.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.placed import on_its_device
from avdub.models.spectral import LogMel, PromptMel


@dataclass(frozen=True)
class VoiceEncoderConfig:
    """Sizes; `prompt_mel` hears HierSpeech++'s mel instead of ours."""

    mels: int = 80
    channels: int = 128
    style: int = 128
    kernel: int = 5
    heads: int = 2
    prompt_mel: bool = False

    @classmethod
    def tiny(cls) -> "VoiceEncoderConfig":
        return cls(80, 16, 8, 3, 1)

    @classmethod
    def hierspeechpp(cls) -> "VoiceEncoderConfig":
        return cls(80, 256, 256, 5, 2, prompt_mel=True)


class VoiceEncoder(nn.Module):
    """Log-mel of a voice sample to its style."""

    def __init__(self, config: VoiceEncoderConfig) -> None:
        super().__init__()
        self.config = config
        c = config.channels
        self.mel = PromptMel(config.mels) if config.prompt_mel else LogMel(config.mels)
        self.spectral = nn.ModuleList((nn.Conv1d(config.mels, c, 1), nn.Conv1d(c, c, 1)))
        self.temporal = nn.ModuleList(
            nn.Conv1d(c, 2 * c, config.kernel, padding=config.kernel // 2) for _ in range(2)
        )
        self.attention = nn.MultiheadAttention(c, config.heads, batch_first=True)
        self.out = nn.Linear(c, config.style)

    def forward(self, mel: Tensor, mask: Tensor) -> Tensor:
        """mel (B, mels, frames), mask (B, 1, frames) → (B, style, 1)."""
        assert mel.ndim == 3, f"mel must be (B, mels, frames), got {tuple(mel.shape)}"
        x = mel
        for layer in self.spectral:
            x = F.mish(layer(x))
        for layer in self.temporal:
            value, gate = layer(x * mask).chunk(2, 1)
            x = x + value * torch.sigmoid(gate)
        rows = (x * mask).transpose(1, 2)  # (B, frames, C)
        mixed, _ = self.attention(rows, rows, rows, mask[:, 0] == 0, need_weights=False)
        rows = (rows + mixed) * mask.transpose(1, 2)
        pooled = rows.sum(1) / mask.sum(2).clamp(min=1)  # (B, C)
        style: Tensor = self.out(pooled)[..., None]
        return style

    @on_its_device
    @torch.inference_mode()
    def listen(self, wav: Tensor) -> Tensor:
        """A voice sample (S,) at 16 kHz → its style (1, style, 1)."""
        mel = self.mel(wav[None])[..., :-1]
        style: Tensor = self(mel, torch.ones(1, 1, mel.shape[2]))
        return style
