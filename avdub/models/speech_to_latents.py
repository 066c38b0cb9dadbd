"""SpeechToLatents: speech to the joint representation, a wav2vec 2.0 encoder.

The `base` family is a small w2v-BERT 2.0 (arXiv 2312.05187): wav2vec 2.0's encoder on log-mel
instead of raw samples, which learns many times faster on a CPU. Its last hidden state, standardised
per channel, is the latent sequence: 320 samples are one step. The `hierspeechpp` family is wav2vec
2.0 itself, as MMS and XLS-R have it, up to the layer that HierSpeech++ (arXiv 2311.12454) uses.
"""

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import Wav2Vec2BertConfig, Wav2Vec2BertModel, Wav2Vec2Config, Wav2Vec2Model

from avdub.models.placed import on_its_device
from avdub.models.spectral import LogMel
from avdub.timeline import SAMPLES_PER_STEP, STEP_RATE

MELS, MELS_PER_STEP = 80, 2
MEL_MEAN, MEL_SPREAD = -6.0, 2.5  # natural-log mel of ordinary speech
BLOCK, EDGE = 1280, 40  # wav2vec 2.0: sound is filled up to blocks, and mirrored at both ends
NO_DROPOUT = {
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "activation_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "layerdrop": 0.0,
    "apply_spec_augment": False,
    "mask_time_prob": 0.0,
    "mask_feature_prob": 0.0,
}


@dataclass(frozen=True)
class SpeechToLatentsConfig:
    """Sizes of the encoder; `kernel` is its depthwise convolution's (w2v-BERT) or that of its
    convolutional positions (wav2vec 2.0), which alone has `groups` and `conv_channels`."""

    channels: int = 256
    layers: int = 4
    heads: int = 4
    filter_channels: int = 768
    kernel: int = 15
    encoder: Literal["w2v-bert", "wav2vec2"] = "w2v-bert"
    groups: int = 16
    conv_channels: int = 512

    @classmethod
    def tiny(cls) -> "SpeechToLatentsConfig":
        return cls(16, 1, 2, 32, 3)

    @classmethod
    def mms(cls) -> "SpeechToLatentsConfig":
        """The first 7 of 24 layers of facebook/mms-300m and facebook/wav2vec2-xls-r-300m."""
        return cls(1024, 7, 16, 4096, 128, "wav2vec2")

    @classmethod
    def tiny_mms(cls) -> "SpeechToLatentsConfig":
        return cls(32, 2, 2, 48, 8, "wav2vec2", 4, 12)


class SpeechToLatents(nn.Module):
    """16 kHz sound to latents; `mean` and `std` are set once, after training (wav2vec 2.0 keeps
    0 and 1: HierSpeech++ takes its hidden states as they are)."""

    def __init__(self, config: SpeechToLatentsConfig) -> None:
        super().__init__()
        self.config = config
        self.hears_samples = config.encoder == "wav2vec2"
        self.log_mel = LogMel(MELS)
        self.encoder = _wav2vec2(config) if self.hears_samples else _w2v_bert(config)
        self.register_buffer("mean", torch.zeros(config.channels))
        self.register_buffer("std", torch.ones(config.channels))
        self.mean: Tensor
        self.std: Tensor

    def forward(self, wav: Tensor) -> Tensor:
        """(B, S) → (B, S // 320, D)."""
        assert wav.ndim == 2, f"sound must be (B, S), got {tuple(wav.shape)}"
        filled = self._filled(wav)
        return self._heard(filled)[:, : wav.shape[1] // SAMPLES_PER_STEP]

    @on_its_device
    @torch.inference_mode()
    def listen(self, wav: Tensor, window_s: int = 20, overlap_s: int = 2) -> Tensor:
        """(S,) of any length → (S // 320, D): windows overlap and are cut at their middles."""
        filled = self._filled(wav[None])
        beyond = 2 * EDGE if self.hears_samples else 0  # a step hears a little beyond its samples
        steps = (filled.shape[1] - beyond) // SAMPLES_PER_STEP
        window, overlap = window_s * STEP_RATE, overlap_s * STEP_RATE
        parts, start = [], 0
        while True:
            end = min(start + window, steps)
            samples = slice(start * SAMPLES_PER_STEP, end * SAMPLES_PER_STEP + beyond)
            vec = self._heard(filled[:, samples])[0]
            first = 0 if start == 0 else overlap // 2
            last = len(vec) if end == steps else len(vec) - overlap // 2
            parts.append(vec[first:last])
            if end == steps:
                return torch.cat(parts)[: len(wav) // SAMPLES_PER_STEP]
            start = end - overlap

    def _filled(self, wav: Tensor) -> Tensor:
        """(B, S) → whole steps; for wav2vec 2.0 whole blocks and mirrored ends, as HierSpeech++."""
        n_samples = wav.shape[1]
        if not self.hears_samples:
            return wav[:, : n_samples // SAMPLES_PER_STEP * SAMPLES_PER_STEP]
        wav = F.pad(wav, (0, BLOCK - n_samples % BLOCK))  # a whole block where none is missing
        return F.pad(wav, (EDGE, EDGE), mode="reflect")

    def _heard(self, filled: Tensor) -> Tensor:
        """(B, 320T), or (B, 320T + 80) for wav2vec 2.0 → (B, T, D)."""
        if self.hears_samples:
            hidden: Tensor = self.encoder(filled).last_hidden_state
        else:
            mel = stacked_mel(self.log_mel, filled)
            hidden = self.encoder(input_features=mel).last_hidden_state
        return (hidden - self.mean) / self.std


def _w2v_bert(config: SpeechToLatentsConfig) -> Any:
    return Wav2Vec2BertModel(
        Wav2Vec2BertConfig(
            feature_projection_input_dim=MELS * MELS_PER_STEP,
            hidden_size=config.channels,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.filter_channels,
            conv_depthwise_kernel_size=config.kernel,
            position_embeddings_type="relative_key",
            conformer_conv_dropout=0.0,
            **NO_DROPOUT,
        )
    )


def _wav2vec2(config: SpeechToLatentsConfig) -> Any:
    """A shortened encoder: its output is the longer one's hidden state after `layers` layers."""
    encoder = Wav2Vec2Model(
        Wav2Vec2Config(
            hidden_size=config.channels,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.filter_channels,
            num_conv_pos_embeddings=config.kernel,
            num_conv_pos_embedding_groups=config.groups,
            conv_dim=(config.conv_channels,) * 7,
            conv_bias=True,
            feat_extract_norm="layer",
            do_stable_layer_norm=True,
            **NO_DROPOUT,
        )
    )
    encoder.encoder.layer_norm = nn.Identity()  # hidden states are taken before the last norm
    return encoder


def stacked_mel(log_mel: LogMel, wav: Tensor) -> Tensor:
    """(B, 320T) → standardised log-mel (B, T, 160): two frames of 10 ms a step."""
    mel = F.pad(log_mel(wav)[..., 1:-1], (1, 0), mode="replicate")  # centres stay inside
    mel = (mel - MEL_MEAN) / MEL_SPREAD  # (B, 80, 2T)
    return torch.unflatten(mel, 2, (-1, MELS_PER_STEP)).permute(0, 2, 3, 1).flatten(2)
