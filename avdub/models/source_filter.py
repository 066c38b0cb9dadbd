"""SourceFilter: the base family's synthesizer, light enough for a CPU.

A band-limited pulse train at F0 (closed form) and white noise, each shaped by a log filter that the
network predicts 200 times a second (neural source-filter, Wang et al. 2019; filters in the STFT
domain).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.layers import ConvNeXt
from avdub.timeline import F0_PER_STEP, SAMPLE_RATE, SAMPLES_PER_STEP

SAMPLES_PER_F0 = SAMPLES_PER_STEP // F0_PER_STEP  # 80
FORMANT_BINS = 31  # about 1 kHz: peaks narrower than that are formants


class SourceFilter(nn.Module):
    """`slow` blocks run at 50 steps/s, `fast` ones at 200/s."""

    def __init__(
        self, latents: int, channels: int, style: int, blocks: tuple[int, int], n_fft: int
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        c = channels
        self.pre = nn.Conv1d(latents, c, 7, padding=3)
        self.slow = nn.ModuleList(ConvNeXt(c, style) for _ in range(blocks[0]))
        self.pitch = nn.Conv1d(2, c, 9, padding=4)
        self.fast = nn.ModuleList(ConvNeXt(c, style) for _ in range(blocks[1]))
        self.norm = nn.LayerNorm(c)
        n_bins = n_fft // 2 + 1
        self.filters = nn.Linear(c, 2 * n_bins)
        nn.init.normal_(self.filters.weight, 0, 0.01)
        nn.init.constant_(self.filters.bias, -2.0)
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        self.window: Tensor

    def noise_shape(self, steps: int) -> tuple[int, ...]:
        """Of the noise that `forward` needs for so many steps."""
        return (steps * SAMPLES_PER_STEP,)

    def forward(
        self, vec: Tensor, log_f0: Tensor, style: Tensor, noise: Tensor, sharpen: float = 0.0
    ) -> Tensor:
        """vec (B, D, T), log_f0 (B, 4T), style (B, G, 1), noise (B, 320T) → (B, 320T).

        `sharpen` raises the formants of both filters, see `sharpened`.
        """
        harmonic, breath = self.envelopes(vec, log_f0, style)
        if sharpen:
            harmonic, breath = sharpened(harmonic, sharpen), sharpened(breath, sharpen)
        pulses = pulse_train(log_f0)
        spectrum = self._stft(pulses) * harmonic + self._stft(noise) * breath
        return torch.istft(
            spectrum, self.n_fft, SAMPLES_PER_F0, window=self.window, length=noise.shape[1]
        )

    def envelopes(self, vec: Tensor, log_f0: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        """→ amplitude filters for pulses and noise, each (B, bins, 4T + 1)."""
        condition = style[..., 0]
        x = self.pre(vec)
        for block in self.slow:
            x = block(x, condition)
        x = F.interpolate(x, scale_factor=F0_PER_STEP, mode="linear")  # (B, C, 4T)
        is_voiced = (log_f0 > 0).to(x.dtype)
        f0_shape = torch.stack(((log_f0 - 5) * is_voiced, is_voiced), 1)  # (B, 2, 4T)
        x = x + self.pitch(f0_shape)
        for block in self.fast:
            x = block(x, condition)
        x = F.pad(x, (0, 1), mode="replicate")
        log_filters = self.filters(self.norm(x.transpose(1, 2))).float().transpose(1, 2)
        harmonic, breath = log_filters.clamp(-12, 6).exp().chunk(2, 1)
        return harmonic, breath

    def _stft(self, wav: Tensor) -> Tensor:
        return torch.stft(wav, self.n_fft, SAMPLES_PER_F0, window=self.window, return_complex=True)


def sharpened(envelope: Tensor, amount: float) -> Tensor:
    """An envelope (B, bins, T) whose peaks and valleys stand out `amount` more from its trend.

    A regression flattens formants; this post-filter (as in Chen & Gersho 1995, in the spectrum)
    gives them back without changing the timbre's slope.
    """
    log_envelope = envelope.transpose(1, 2).log()  # (B, T, bins)
    trend = F.avg_pool1d(log_envelope, FORMANT_BINS, 1, FORMANT_BINS // 2, count_include_pad=False)
    return torch.exp(trend + (1 + amount) * (log_envelope - trend)).transpose(1, 2)


def pulse_train(log_f0: Tensor) -> Tensor:
    """Band-limited pulses of unit power at F0, zero where unvoiced: (B, n) → (B, 80n).

    Closed form of sum(cos(k·phase), k = 1..K) with K the harmonics under Nyquist (Dirichlet
    kernel), scaled by sqrt(2 / K).
    """
    with torch.no_grad():
        is_voiced = log_f0 > 0
        held = _hold_voiced(log_f0.double(), is_voiced)
        hz = torch.expm1(held).clamp(min=30)
        hz = F.interpolate(hz[:, None], scale_factor=SAMPLES_PER_F0, mode="linear")[:, 0]
        gate = F.interpolate(
            is_voiced.double()[:, None], scale_factor=SAMPLES_PER_F0, mode="linear"
        )[:, 0]
        phase = 2 * torch.pi * torch.cumsum(hz / SAMPLE_RATE, 1)
        k = (SAMPLE_RATE / 2 / hz).floor()
        half = phase / 2
        below = torch.sin(half)
        near_zero = below.abs() < 1e-6
        kernel = torch.sin((k + 0.5) * phase) / torch.where(near_zero, 1.0, 2 * below) - 0.5
        kernel = torch.where(near_zero, k, kernel)
        return (kernel * torch.sqrt(2 / k) * gate).float()


def _hold_voiced(log_f0: Tensor, is_voiced: Tensor) -> Tensor:
    """Carry the last voiced value through unvoiced places (the first voiced one before any)."""
    index = torch.where(is_voiced, torch.arange(log_f0.shape[1])[None], -1).cummax(1).values
    first = is_voiced.float().argmax(1, keepdim=True)
    return log_f0.gather(1, torch.where(index < 0, first, index))
