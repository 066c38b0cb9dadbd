"""Hierarchical: HierSpeech++'s speech synthesizer (arXiv 2311.12454 section 3.3).

A hierarchical conditional VAE. Inference goes latents and F0 → semantic prior → semantic flow →
acoustic flow → source network → generator. Training also needs the semantic posterior, the
dual-audio acoustic posterior and the prosody decoder.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm

from avdub.models.layers import CouplingFlow, RelativeEncoder, WaveNet
from avdub.models.resblocks import SLOPE, AliasFreeSnake, ResidualMean, RowConv, Upsampling
from avdub.timeline import F0_PER_STEP

NOISE = 0.333  # of the semantic prior (HierSpeech++ inference)
SOURCE_KERNELS = (3, 5, 7)
DOWNSAMPLING = ((8, 17), (5, 10), (4, 8), (2, 4))  # rate and kernel; together 320
WAVE_CHANNELS = (16, 32, 64, 128)


@dataclass(frozen=True)
class HierarchicalConfig:
    """Sizes; `generator_channels` halve at each of `rates`, which multiply to 320."""

    channels: int = 192
    filter_channels: int = 768
    heads: int = 2
    layers: int = 8
    posterior_layers: int = 16
    flows: int = 4
    flow_blocks: int = 3
    prosody_layers: int = 2
    prosody: int = 20
    spectrum: int = 641
    generator_channels: int = 512
    rates: tuple[int, ...] = (4, 5, 4, 2, 2)
    rate_kernels: tuple[int, ...] = (8, 11, 8, 4, 4)
    kernels: tuple[int, ...] = (3, 7, 11)

    @classmethod
    def tiny(cls) -> "HierarchicalConfig":
        return cls(8, 16, 2, 1, 2, 2, 1, 1, 20, 641, 32, kernels=(3,))


class HierarchicalOutput(NamedTuple):
    """Training results: sound (B, 320T) from the acoustic posterior, F0 (B, 4T), prosody
    (B, 20, T), and the two KL terms."""

    wav: Tensor
    log_f0: Tensor
    prosody: Tensor
    acoustic_kl: Tensor
    semantic_kl: Tensor


class Hierarchical(nn.Module):
    """Made for latents of `latents` channels and voices of `style` values."""

    def __init__(self, latents: int, style: int, config: HierarchicalConfig) -> None:
        super().__init__()
        self.config = c = config
        flow = (c.channels, c.heads, c.flows, c.flow_blocks, style, 4)
        self.semantic_prior = SemanticEncoder(latents, style, c)
        self.semantic_flow = CouplingFlow(*flow)
        self.semantic_posterior = SemanticEncoder(latents, style, c)
        self.acoustic_flow = CouplingFlow(*flow)
        self.acoustic_posterior = DualAudioEncoder(style, c)
        self.prosody = ProsodyDecoder(style, c)
        self.source = SourceNetwork(style, c)
        self.generator = Generator(style, c)
        self.null_style = nn.Embedding(1, style)  # for classifier-free guidance
        nn.init.normal_(self.null_style.weight, 0, style**-0.5)

    def forward(self, vec: Tensor, log_f0: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """vec (B, D, T), log_f0 (B, 4T), style (B, G, 1), noise (B, C, T) → (B, 320T)."""
        mask = torch.ones_like(vec[:, :1])
        mean, log_std = self.semantic_prior(vec, log_f0, mask, style)
        z = mean + NOISE * noise * log_std.exp()
        z = self.semantic_flow(z, mask, style, reverse=True)
        z = self.acoustic_flow(z, mask, style, reverse=True)
        excitation, _ = self.source(z, style)
        wav: Tensor = self.generator(z, excitation, style)
        return wav

    def noise_shape(self, steps: int) -> tuple[int, ...]:
        """Of the noise that `forward` needs for so many steps."""
        return (self.config.channels, steps)

    def reconstruct(
        self, vec: Tensor, log_f0: Tensor, style: Tensor, spec: Tensor, wav: Tensor, noise: Tensor
    ) -> HierarchicalOutput:
        """For training: spec (B, 641, T) and wav (B, 320T) are real, noise is (2, B, C, T)."""
        mask = torch.ones_like(vec[:, :1])
        prior = self.semantic_prior(vec, log_f0, mask, style)
        semantic = self.semantic_posterior(vec, log_f0, mask, style)
        acoustic = self.acoustic_posterior(spec, wav, mask, style)
        z_s = semantic[0] + noise[0] * semantic[1].exp()
        z_a = acoustic[0] + noise[1] * acoustic[1].exp()
        semantic_kl = _kl(self.semantic_flow(z_s, mask, style), semantic[1], *prior)
        acoustic_kl = _kl(self.acoustic_flow(z_a, mask, style), acoustic[1], *semantic)
        excitation, f0 = self.source(z_a, style)
        made = self.generator(z_a, excitation, style)
        prosody = self.prosody(z_a, mask, style)
        return HierarchicalOutput(made, f0, prosody, acoustic_kl, semantic_kl)


class SemanticEncoder(nn.Module):
    """Latents and F0 to the mean and log deviation of z, on paths of their own (eq. 5)."""

    def __init__(self, latents: int, style: int, config: HierarchicalConfig) -> None:
        super().__init__()
        c, layers = config.channels, config.layers
        self.pre_latents = nn.Conv1d(latents, c, 1)
        self.pre_pitch = nn.Conv1d(1, c, 9, F0_PER_STEP, padding=4)
        self.latents = WaveNet(c, 5, layers, style)
        self.pitch = WaveNet(c, 5, layers, style)
        self.both = WaveNet(c, 5, layers, style)
        self.proj = nn.Conv1d(c, 2 * c, 1)

    def forward(
        self, vec: Tensor, log_f0: Tensor, mask: Tensor, style: Tensor
    ) -> tuple[Tensor, Tensor]:
        """vec (B, D, T), log_f0 (B, 4T) → mean and log deviation, each (B, C, T)."""
        x = self.latents(self.pre_latents(vec) * mask, mask, style)
        x = x + self.pitch(self.pre_pitch(log_f0[:, None]) * mask, mask, style)
        mean, log_std = (self.proj(self.both(x, mask, style)) * mask).chunk(2, 1)
        return mean, log_std


class DualAudioEncoder(nn.Module):
    """The linear spectrum and the sound itself to the acoustic posterior (eq. 3)."""

    def __init__(self, style: int, config: HierarchicalConfig) -> None:
        super().__init__()
        c = config.channels
        self.pre = nn.Conv1d(config.spectrum, c, 1)
        self.spectrum = WaveNet(c, 5, config.posterior_layers, style)
        self.wave_pre = nn.Conv1d(1, WAVE_CHANNELS[0], 7, padding=3)
        widths = (*WAVE_CHANNELS, c)
        self.downs = nn.ModuleList(
            weight_norm(RowConv(a, b, kernel, rate, (kernel - 1) // 2))
            for a, b, (rate, kernel) in zip(widths[:-1], widths[1:], DOWNSAMPLING, strict=True)
        )
        self.means = nn.ModuleList(
            ResidualMean(width, config.kernels, snake=True) for width in widths[1:]
        )
        self.snake = AliasFreeSnake(c)
        self.wave_post = nn.Conv1d(c, c, 7, padding=3)
        self.proj = nn.Conv1d(2 * c, 2 * c, 1)

    def forward(
        self, spec: Tensor, wav: Tensor, mask: Tensor, style: Tensor
    ) -> tuple[Tensor, Tensor]:
        """spec (B, 641, T), wav (B, 320T) → mean and log deviation, each (B, C, T)."""
        heard = self.wave_pre(wav[:, None]).transpose(1, 2).contiguous()  # (B, 320T, C)
        for down, blocks in zip(self.downs, self.means, strict=True):
            heard = blocks(down(heard))
        heard = self.snake(heard).transpose(1, 2)  # (B, C, T)
        heard = self.wave_post(heard) * mask
        seen = self.spectrum(self.pre(spec) * mask, mask, style)
        mean, log_std = (self.proj(torch.cat((seen, heard), 1)) * mask).chunk(2, 1)
        return mean, log_std


class ProsodyDecoder(nn.Module):
    """z to the 20 lowest mel bands, so that it keeps the prosody."""

    def __init__(self, style: int, config: HierarchicalConfig) -> None:
        super().__init__()
        c = config.channels
        self.pre = nn.Conv1d(c, c, 3, padding=1)
        self.cond = nn.Conv1d(style, c, 1)
        self.encoder = RelativeEncoder(
            c, config.filter_channels, config.heads, config.prosody_layers, 5
        )
        self.proj = nn.Conv1d(c, config.prosody, 1, bias=False)

    def forward(self, z: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """(B, C, T) → (B, 20, T)."""
        x = self.encoder(self.pre(z * mask) + self.cond(style), mask)
        out: Tensor = self.proj(x) * mask
        return out


class SourceNetwork(nn.Module):
    """z to an excitation at 200/s, of which one projection is log-F0."""

    def __init__(self, style: int, config: HierarchicalConfig) -> None:
        super().__init__()
        wide = config.generator_channels // 2
        self.pre = weight_norm(nn.Conv1d(config.channels, wide, 7, padding=3))
        self.cond = nn.Conv1d(style, wide, 1)
        self.stages = nn.ModuleList(
            Upsampling(c, 2, 4, SOURCE_KERNELS, snake=True) for c in (wide, wide // 2)
        )
        self.snake = AliasFreeSnake(wide // 4)
        self.post = RowConv(wide // 4, 1, 7, padding=3, bias=False)

    def forward(self, z: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, T) → excitation (B, 4T, E), log_f0 (B, 4T)."""
        x = (self.pre(z) + self.cond(style)).transpose(1, 2).contiguous()  # (B, T, C)
        for stage in self.stages:
            x = stage(x)
        x = self.snake(x)
        return x, self.post(x)[..., 0]


class Generator(nn.Module):
    """z and an excitation to sound, by BigVGAN's alias-free upsampling."""

    def __init__(self, style: int, config: HierarchicalConfig) -> None:
        super().__init__()
        wide = config.generator_channels
        excitation = wide // 8
        self.pre = weight_norm(nn.Conv1d(config.channels, wide, 7, padding=3))
        self.cond = nn.Conv1d(style, wide, 1)
        self.down = ExcitationEncoder(excitation, wide)
        self.proj = RowConv(excitation, wide // 2, 7, padding=3)
        self.stages = nn.ModuleList(
            Upsampling(wide >> i, rate, kernel, config.kernels, snake=True)
            for i, (rate, kernel) in enumerate(zip(config.rates, config.rate_kernels, strict=True))
        )
        last = wide >> len(config.rates)
        self.snake = AliasFreeSnake(last)
        self.post = RowConv(last, 1, 7, padding=3, bias=False)

    def forward(self, z: Tensor, excitation: Tensor, style: Tensor) -> Tensor:
        """z (B, C, T), excitation (B, 4T, E) → (B, 320T)."""
        x = self.pre(z) + self.down(excitation.transpose(1, 2)) + self.cond(style)
        x = x.transpose(1, 2).contiguous()  # (B, T, C)
        for i, stage in enumerate(self.stages):
            x = stage(x, self.proj(excitation) if i == 0 else None)
        out: Tensor = torch.tanh(self.post(self.snake(x)))
        return out[..., 0]


class ExcitationEncoder(nn.Module):
    """The excitation at the latents' own rate, with a residual (HierSpeech++'s DBlock)."""

    def __init__(self, excitation: int, channels: int) -> None:
        super().__init__()
        self.skip = weight_norm(nn.Conv1d(excitation, channels, 1))
        self.convs = nn.ModuleList(
            weight_norm(nn.Conv1d(a, channels, 3, padding=d, dilation=d))
            for a, d in ((excitation, 1), (channels, 2), (channels, 4))
        )

    def forward(self, excitation: Tensor) -> Tensor:
        """(B, E, 4T) → (B, C, T)."""
        x = excitation[..., ::F0_PER_STEP]
        skip: Tensor = self.skip(x)
        for conv in self.convs:
            x = conv(F.leaky_relu(x, SLOPE))
        return skip + x


def _kl(z: Tensor, log_std_q: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """KL of a posterior whose flowed sample is z against a prior, a nat a channel and step."""
    kl = log_std - log_std_q - 0.5 + 0.5 * (z - mean).square() * torch.exp(-2 * log_std)
    return kl.mean()
