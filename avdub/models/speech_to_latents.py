"""SpeechToLatents: speech to the joint representation, a wav2vec 2.0 encoder.

The `base` family is a small w2v-BERT 2.0 (arXiv 2312.05187): wav2vec 2.0's encoder on log-mel
instead of raw samples, which learns many times faster on a CPU. Its last hidden state, standardised
per channel, is the latent sequence: 320 samples are one step.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel

from avdub.models.spectral import LogMel
from avdub.timeline import SAMPLES_PER_STEP, STEP_RATE

MELS, MELS_PER_STEP = 80, 2
MEL_MEAN, MEL_SPREAD = -6.0, 2.5  # natural-log mel of ordinary speech


@dataclass(frozen=True)
class SpeechToLatentsConfig:
    """Sizes of the conformer encoder."""

    channels: int = 256
    layers: int = 4
    heads: int = 4
    filter_channels: int = 768
    kernel: int = 15

    @classmethod
    def tiny(cls) -> "SpeechToLatentsConfig":
        return cls(16, 1, 2, 32, 3)


class SpeechToLatents(nn.Module):
    """16 kHz sound to latents; `mean` and `std` are set once, after training."""

    def __init__(self, config: SpeechToLatentsConfig) -> None:
        super().__init__()
        self.config = config
        self.log_mel = LogMel(MELS)
        self.encoder = Wav2Vec2BertModel(
            Wav2Vec2BertConfig(
                feature_projection_input_dim=MELS * MELS_PER_STEP,
                hidden_size=config.channels,
                num_hidden_layers=config.layers,
                num_attention_heads=config.heads,
                intermediate_size=config.filter_channels,
                conv_depthwise_kernel_size=config.kernel,
                position_embeddings_type="relative_key",
                layerdrop=0.0,
                mask_time_prob=0.0,
                apply_spec_augment=False,
                hidden_dropout=0.0,
                attention_dropout=0.0,
                activation_dropout=0.0,
                conformer_conv_dropout=0.0,
                feat_proj_dropout=0.0,
            )
        )
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("std", torch.ones(config.channels))
        self.mean: Tensor
        self.std: Tensor

    def forward(self, wav: Tensor) -> Tensor:
        """(B, S) → (B, S // 320, D)."""
        assert wav.ndim == 2, f"sound must be (B, S), got {tuple(wav.shape)}"
        steps = wav.shape[1] // SAMPLES_PER_STEP
        mel = stacked_mel(self.log_mel, wav[:, : steps * SAMPLES_PER_STEP])
        hidden: Tensor = self.encoder(input_features=mel).last_hidden_state  # (B, T, D)
        return (hidden - self.mean) / self.std

    @torch.inference_mode()
    def listen(self, wav: Tensor, window_s: int = 20, overlap_s: int = 2) -> Tensor:
        """(S,) of any length → (S // 320, D): windows overlap and are cut at their middles."""
        steps = len(wav) // SAMPLES_PER_STEP
        window, overlap = window_s * STEP_RATE, overlap_s * STEP_RATE
        parts, start = [], 0
        while True:
            end = min(start + window, steps)
            vec = self(wav[None, start * SAMPLES_PER_STEP : end * SAMPLES_PER_STEP])[0]
            first = 0 if start == 0 else overlap // 2
            last = len(vec) if end == steps else len(vec) - overlap // 2
            parts.append(vec[first:last])
            if end == steps:
                return torch.cat(parts)
            start = end - overlap


def stacked_mel(log_mel: LogMel, wav: Tensor) -> Tensor:
    """(B, 320T) → standardised log-mel (B, T, 160): two frames of 10 ms a step."""
    mel = F.pad(log_mel(wav)[..., 1:-1], (1, 0), mode="replicate")  # centres stay inside
    mel = (mel - MEL_MEAN) / MEL_SPREAD  # (B, 80, 2T)
    return torch.unflatten(mel, 2, (-1, MELS_PER_STEP)).permute(0, 2, 3, 1).flatten(2)
