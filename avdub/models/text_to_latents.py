"""TextToLatents: text and a voice to the joint representation (HierSpeech++ section 3.2, TTV).

A conditional VAE: text encoder → prior, posterior of the true latents, coupling flow between them,
latent decoder, pitch predictor, durations. `forward` is for training and also decodes from the
prior mean, so that the path of inference itself is trained; `predict` is inference.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.latents import Latents
from avdub.models.durations import DurationPredictor, StochasticDurationPredictor
from avdub.models.layers import CouplingFlow, RelativeEncoder, WaveNet, length_mask
from avdub.models.pitch_predictor import PitchPredictor, UpsamplingPitchPredictor
from avdub.models.placed import on_its_device
from avdub.models.voice import VoiceEncoder, VoiceEncoderConfig
from avdub.text import SYMBOLS

LOWEST_LOG_F0 = 4.007  # log 55 Hz; below is unvoiced (HierSpeech++ inference)


@dataclass(frozen=True)
class TextToLatentsConfig:
    """Sizes; `channels` of z and of the text encoder, `latents` is D. `front_end` names how the
    symbols were made from text (avdub.text)."""

    symbols: int = len(SYMBOLS)
    latents: int = 256
    channels: int = 160
    filter_channels: int = 448
    heads: int = 2
    text_layers: int = 4
    posterior_layers: int = 4
    decoder_layers: int = 6
    flows: int = 2
    flow_blocks: int = 1
    voice: VoiceEncoderConfig = field(default_factory=VoiceEncoderConfig)
    text_kernel: int = 3
    decoder_channels: int = 0  # 0: as `channels`
    condition_expand: int = 2  # hidden width of the flow's condition over `channels`
    stochastic_durations: bool = False
    upsampling_pitch: bool = False
    classify_symbols: bool = False  # a CTC head on z, for training only
    front_end: str = "base"
    noise: float = 0.2  # of the prior, at inference

    @classmethod
    def tiny(cls) -> "TextToLatentsConfig":
        return cls(len(SYMBOLS), 16, 16, 32, 2, 1, 1, 1, 2, 1, VoiceEncoderConfig.tiny())

    @classmethod
    def hierspeechpp(cls) -> "TextToLatentsConfig":
        """The published TTV, 108.5 M parameters."""
        return cls(
            symbols=178,
            latents=1024,
            channels=256,
            filter_channels=1024,
            heads=4,
            text_layers=6,
            posterior_layers=16,
            decoder_layers=8,
            flows=4,
            flow_blocks=3,
            voice=VoiceEncoderConfig.hierspeechpp(),
            text_kernel=9,
            decoder_channels=512,
            condition_expand=4,
            stochastic_durations=True,
            upsampling_pitch=True,
            classify_symbols=True,
            front_end="hierspeechpp",
            noise=0.333,
        )


class TextToLatentsOutput(NamedTuple):
    """Training results; frames of z are masked by `mask` (B, 1, T)."""

    posterior_vec: Tensor  # (B, D, T) decoded from a posterior sample
    prior_vec: Tensor | None  # (B, D, T) decoded from the prior mean
    log_f0: Tensor  # (B, 4T) from the prior path, or from true latents where it is left out
    duration: Tensor  # (), what the durations cost their predictor
    kl: Tensor  # ()
    mask: Tensor
    symbol_logits: Tensor | None  # (B, symbols, T) from a posterior sample


class TextEncoder(nn.Module):
    """Symbols to a hidden sequence and the prior's mean and log deviation."""

    def __init__(self, config: TextToLatentsConfig) -> None:
        super().__init__()
        c = config.channels
        self.emb = nn.Embedding(config.symbols, c)
        nn.init.normal_(self.emb.weight, 0, c**-0.5)
        self.cond = nn.Conv1d(config.voice.style, c, 1)
        half = max(1, config.text_layers // 2)
        sizes = (c, config.filter_channels, config.heads, half, config.text_kernel)
        self.encoder = RelativeEncoder(*sizes)
        self.encoder2 = RelativeEncoder(*sizes)
        self.proj = nn.Conv1d(c, 2 * c, 1)

    def forward(self, tokens: Tensor, mask: Tensor, style: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """tokens (B, P) → hidden, mean, log deviation, each (B, C, P)."""
        x = self.emb(tokens).transpose(1, 2) * self.emb.embedding_dim**0.5  # (B, C, P)
        x = self.encoder(x, mask)
        x = self.encoder2(x + self.cond(style), mask)
        mean, log_std = (self.proj(x) * mask).chunk(2, 1)
        return x, mean, log_std


class TextToLatents(nn.Module):
    """Text-to-Vec."""

    def __init__(self, config: TextToLatentsConfig) -> None:
        super().__init__()
        self.config = config
        c, style = config.channels, config.voice.style
        wide = config.decoder_channels or c
        self.voice = VoiceEncoder(config.voice)
        self.text = TextEncoder(config)
        self.posterior_pre = nn.Conv1d(config.latents, c, 1)
        self.posterior = WaveNet(c, 5, config.posterior_layers, style)
        self.posterior_proj = nn.Conv1d(c, 2 * c, 1)
        self.flow = CouplingFlow(
            c, config.heads, config.flows, config.flow_blocks, style, config.condition_expand
        )
        self.decoder_pre = nn.Conv1d(c, wide, 1)
        self.decoder = WaveNet(wide, 5, config.decoder_layers, style)
        self.decoder_proj = nn.Conv1d(wide, config.latents, 1)
        pitch = UpsamplingPitchPredictor if config.upsampling_pitch else PitchPredictor
        self.pitch = pitch(config.latents, c, style)
        durations = (
            StochasticDurationPredictor if config.stochastic_durations else DurationPredictor
        )
        self.durations = durations(c, style)
        if config.classify_symbols:
            self.classifier = nn.Conv1d(c, config.symbols, 1, bias=False)

    def forward(
        self,
        tokens: Tensor,
        n_tokens: Tensor,
        durations: Tensor,
        vec: Tensor,
        style: Tensor,
        noise: tuple[Tensor, Tensor],
        with_prior: bool = True,
    ) -> TextToLatentsOutput:
        """tokens and durations (B, P), vec (B, D, T), style (B, G, 1), noise (B, C, T) of z and
        (B, 2, P) of the durations."""
        assert tokens.shape == durations.shape, "every symbol needs a duration"
        token_mask = length_mask(n_tokens, tokens.shape[1])
        mask = length_mask(durations.sum(1), vec.shape[2])
        hidden, mean, log_std = self.text(tokens, token_mask, style)
        duration = self.durations.loss(
            hidden.detach(), token_mask, style.detach(), durations, noise[1]
        )
        path = alignment(durations, vec.shape[2])  # (B, P, T)
        mean, log_std = mean @ path, log_std @ path
        post_mean, post_log_std = self.encode(vec, mask, style)
        z = (post_mean + noise[0] * torch.exp(post_log_std)) * mask
        z_prior = self.flow(z, mask, style).float()
        kl = _kl(z_prior, post_log_std, mean.float(), log_std.float(), mask)
        prior_vec, heard, z_heard = None, vec, z
        if with_prior:
            z_heard = self.flow(mean * mask, mask, style, reverse=True)
            prior_vec = heard = self.decode(z_heard, mask, style)
        log_f0 = self.pitch(heard, z_heard, mask, style)
        posterior_vec = self.decode(z, mask, style)
        logits = self.classifier(z) if self.config.classify_symbols else None
        return TextToLatentsOutput(posterior_vec, prior_vec, log_f0, duration, kl, mask, logits)

    def encode(self, vec: Tensor, mask: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """True latents (B, D, T) → the posterior's mean and log deviation, each (B, C, T)."""
        hidden = self.posterior(self.posterior_pre(vec) * mask, mask, style)
        mean, log_std = (self.posterior_proj(hidden) * mask).float().chunk(2, 1)
        return mean, log_std

    def teacher_forced(
        self, tokens: Tensor, n_tokens: Tensor, durations: Tensor, style: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Inference at given durations (B, P), for stage 2 → vec (B, D, T), log_f0 (B, 4T)."""
        token_mask = length_mask(n_tokens, tokens.shape[1])
        steps = int(durations.sum(1).max())
        mask = length_mask(durations.sum(1), steps)
        _, mean, _ = self.text(tokens, token_mask, style)
        z = self.flow(mean @ alignment(durations, steps) * mask, mask, style, reverse=True)
        vec = self.decode(z, mask, style)
        return vec, self.pitch(vec, z, mask, style)

    def decode(self, z: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """z (B, C, T) → vec (B, D, T)."""
        h = self.decoder(self.decoder_pre(z) * mask, mask, style)
        out: Tensor = self.decoder_proj(h) * mask
        return out

    @on_its_device
    @torch.inference_mode()
    def predict_durations(self, tokens: Tensor, style: Tensor) -> Tensor:
        """tokens (P,) → expected steps of each symbol (P,), fractional or whole."""
        mask = torch.ones(1, 1, len(tokens))
        hidden, _, _ = self.text(tokens[None], mask, style)
        steps: Tensor = self.durations.steps(hidden, mask, style)[0]
        return steps

    @on_its_device
    @torch.inference_mode()
    def predict(
        self, tokens: Tensor, durations: Tensor, style: Tensor, noise: float, seed: int
    ) -> Latents:
        """tokens (P,), whole durations (P,) → Latents of durations.sum() steps. Same seed, same."""
        steps = int(durations.sum())
        mask = torch.ones(1, 1, len(tokens))
        _, mean, log_std = self.text(tokens[None], mask, style)
        path = alignment(durations[None], steps)
        mean, log_std = mean @ path, log_std @ path
        generator = torch.Generator().manual_seed(seed)
        sample = torch.randn(mean.shape, generator=generator, device="cpu").to(mean.device)
        z_prior = mean + noise * sample * torch.exp(log_std)
        mask = torch.ones(1, 1, steps)
        z = self.flow(z_prior, mask, style, reverse=True)
        vec = self.decode(z, mask, style)
        f0 = self.pitch(vec, z, mask, style)[0]
        return Latents(vec[0].T.contiguous(), torch.where(f0 < LOWEST_LOG_F0, 0.0, f0))


def alignment(durations: Tensor, steps: int) -> Tensor:
    """Whole durations (B, P) → hard monotonic path (B, P, steps)."""
    ends = durations.cumsum(1)
    at = torch.arange(steps, device=durations.device)[None, None]
    inside = (at < ends[..., None]) & (at >= (ends - durations)[..., None])
    return inside.float()


def _kl(z: Tensor, post_log_std: Tensor, mean: Tensor, log_std: Tensor, mask: Tensor) -> Tensor:
    """KL of the posterior against the flowed prior, a nat a channel and step (VITS eq. 4)."""
    kl = log_std - post_log_std - 0.5 + 0.5 * (z - mean).square() * torch.exp(-2 * log_std)
    return (kl * mask).sum() / (mask.sum() * z.shape[1])


def normalised_error(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error over the positions of `mask`; (B, C, T) each."""
    error = F.l1_loss(predicted.float(), target, reduction="none") * mask
    return error.sum() / (mask.sum() * target.shape[1])
