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
from avdub.models.layers import ChannelNorm, CouplingFlow, RelativeEncoder, WaveNet, length_mask
from avdub.models.voice import VoiceEncoder, VoiceEncoderConfig
from avdub.text import SYMBOLS
from avdub.timeline import F0_PER_STEP

LOWEST_LOG_F0 = 4.007  # log 55 Hz; below is unvoiced (HierSpeech++ inference)


@dataclass(frozen=True)
class TextToLatentsConfig:
    """Sizes; `channels` of z and of the text encoder, `latents` is D."""

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

    @classmethod
    def tiny(cls) -> "TextToLatentsConfig":
        return cls(len(SYMBOLS), 16, 16, 32, 2, 1, 1, 1, 2, 1, VoiceEncoderConfig.tiny())


class TextToLatentsOutput(NamedTuple):
    """Training results; frames of z are masked by `mask` (B, 1, T)."""

    posterior_vec: Tensor  # (B, D, T) decoded from a posterior sample
    prior_vec: Tensor  # (B, D, T) decoded from the prior mean
    log_f0: Tensor  # (B, 4T) from the prior path
    log_durations: Tensor  # (B, P)
    kl: Tensor  # ()
    mask: Tensor


class TextEncoder(nn.Module):
    """Symbols to a hidden sequence and the prior's mean and log deviation."""

    def __init__(self, config: TextToLatentsConfig) -> None:
        super().__init__()
        c = config.channels
        self.emb = nn.Embedding(config.symbols, c)
        nn.init.normal_(self.emb.weight, 0, c**-0.5)
        self.cond = nn.Conv1d(config.voice.style, c, 1)
        half = max(1, config.text_layers // 2)
        sizes = (c, config.filter_channels, config.heads, half, 3)
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


class DurationPredictor(nn.Module):
    """log(1 + steps) of each symbol (FastSpeech's predictor, conditioned on style)."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.cond = nn.Conv1d(style, channels, 1)
        self.convs = nn.ModuleList(nn.Conv1d(channels, channels, 5, padding=2) for _ in range(3))
        self.norms = nn.ModuleList(ChannelNorm(channels) for _ in range(3))
        self.out = nn.Conv1d(channels, 1, 1)

    def forward(self, x: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """(B, C, P) → (B, P)."""
        x = x + self.cond(style)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = x + norm(torch.relu(conv(x * mask)))
        out: Tensor = self.out(x) * mask
        return out[:, 0]


class PitchPredictor(nn.Module):
    """Latents and z to log-F0 at four values a step."""

    def __init__(self, inputs: int, channels: int, style: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(inputs, channels, 7, padding=3)
        self.body = WaveNet(channels, 5, 3, style)
        fine = max(1, channels // 2)
        self.up = nn.Conv1d(channels, fine * F0_PER_STEP, 1)
        self.fine = nn.Conv1d(fine, fine, 9, padding=4)
        self.out = nn.Conv1d(fine, 1, 9, padding=4)

    def forward(self, x: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """(B, inputs, T) → (B, 4T)."""
        h = self.body(self.pre(x) * mask, mask, style)
        h = self.up(h).unflatten(1, (-1, F0_PER_STEP)).transpose(2, 3).flatten(2)  # (B, C, 4T)
        fine_mask = mask.repeat_interleave(F0_PER_STEP, 2)
        h = h * fine_mask
        h = (h + torch.relu(self.fine(h))) * fine_mask
        out: Tensor = self.out(torch.relu(h))
        return 5 * out[:, 0]


class TextToLatents(nn.Module):
    """Text-to-Vec."""

    def __init__(self, config: TextToLatentsConfig) -> None:
        super().__init__()
        self.config = config
        c, style = config.channels, config.voice.style
        self.voice = VoiceEncoder(config.voice)
        self.text = TextEncoder(config)
        self.posterior_pre = nn.Conv1d(config.latents, c, 1)
        self.posterior = WaveNet(c, 5, config.posterior_layers, style)
        self.posterior_proj = nn.Conv1d(c, 2 * c, 1)
        self.flow = CouplingFlow(c, c, config.heads, config.flows, config.flow_blocks, style)
        self.decoder_pre = nn.Conv1d(c, c, 1)
        self.decoder = WaveNet(c, 5, config.decoder_layers, style)
        self.decoder_proj = nn.Conv1d(c, config.latents, 1)
        self.pitch = PitchPredictor(config.latents + c, c, style)
        self.durations = DurationPredictor(c, style)

    def forward(
        self,
        tokens: Tensor,
        n_tokens: Tensor,
        durations: Tensor,
        vec: Tensor,
        style: Tensor,
        noise: Tensor,
    ) -> TextToLatentsOutput:
        """tokens and durations (B, P), vec (B, D, T), style (B, G, 1), noise (B, C, T)."""
        assert tokens.shape == durations.shape, "every symbol needs a duration"
        token_mask = length_mask(n_tokens, tokens.shape[1])
        mask = length_mask(durations.sum(1), vec.shape[2])
        hidden, mean, log_std = self.text(tokens, token_mask, style)
        log_durations = self.durations(hidden.detach(), token_mask, style.detach())
        path = alignment(durations, vec.shape[2])  # (B, P, T)
        mean, log_std = mean @ path, log_std @ path
        post = self.posterior(self.posterior_pre(vec) * mask, mask, style)
        post_mean, post_log_std = self.posterior_proj(post).float().chunk(2, 1)
        z = (post_mean + noise * torch.exp(post_log_std)) * mask
        z_prior = self.flow(z, mask, style).float()
        kl = _kl(z_prior, post_log_std, mean.float(), log_std.float(), mask)
        z_mean = self.flow(mean * mask, mask, style, reverse=True)
        prior_vec = self.decode(z_mean, mask, style)
        log_f0 = self.pitch(torch.cat((prior_vec, z_mean), 1), mask, style)
        posterior_vec = self.decode(z, mask, style)
        return TextToLatentsOutput(posterior_vec, prior_vec, log_f0, log_durations, kl, mask)

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
        return vec, self.pitch(torch.cat((vec, z), 1), mask, style)

    def decode(self, z: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """z (B, C, T) → vec (B, D, T)."""
        h = self.decoder(self.decoder_pre(z) * mask, mask, style)
        out: Tensor = self.decoder_proj(h) * mask
        return out

    @torch.inference_mode()
    def predict_durations(self, tokens: Tensor, style: Tensor) -> Tensor:
        """tokens (P,) → expected steps of each symbol (P,), fractional."""
        mask = torch.ones(1, 1, len(tokens))
        hidden, _, _ = self.text(tokens[None], mask, style)
        return torch.expm1(self.durations(hidden, mask, style)[0].float()).clamp(min=0)

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
        sample = torch.randn(mean.shape, generator=generator)
        z_prior = mean + noise * sample * torch.exp(log_std)
        mask = torch.ones(1, 1, steps)
        z = self.flow(z_prior, mask, style, reverse=True)
        vec = self.decode(z, mask, style)
        f0 = self.pitch(torch.cat((vec, z), 1), mask, style)[0]
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
