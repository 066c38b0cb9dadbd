"""STFT and mel as modules: one definition for models, losses and measures."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def mel_filters(n_mels: int, n_fft: int, rate: int, f_min: float, f_max: float) -> Tensor:
    """Slaney-normalised triangular filters on the Slaney mel scale → (n_mels, n_fft // 2 + 1)."""
    points = torch.linspace(_to_mel(f_min), _to_mel(f_max), n_mels + 2, dtype=torch.float64)
    hz = _to_hz(points)
    bins = torch.linspace(0, rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    return (_triangles(hz, bins) * (2 / (hz[2:] - hz[:-2]))[:, None]).float()


def _triangles(hz: Tensor, bins: Tensor) -> Tensor:
    """Triangles of unit height between neighbours of `hz` (n + 2,), at `bins` → (n, bins)."""
    rising = (bins[None] - hz[:-2, None]) / (hz[1:-1] - hz[:-2])[:, None]
    falling = (hz[2:, None] - bins[None]) / (hz[2:] - hz[1:-1])[:, None]
    return torch.minimum(rising, falling).clamp(min=0)


def _to_mel(hz: float) -> float:
    return hz / (200 / 3) if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def _to_hz(mel: Tensor) -> Tensor:
    linear = mel * (200 / 3)
    return torch.where(mel < 15, linear, 1000 * torch.exp(math.log(6.4) / 27 * (mel - 15)))


class Stft(nn.Module):
    """Hann STFT; `centred` pads by reflection so that frame i is centred on sample i × hop."""

    def __init__(self, n_fft: int, hop: int, win: int | None = None, centred: bool = True) -> None:
        super().__init__()
        self.n_fft, self.hop, self.win, self.centred = n_fft, hop, win or n_fft, centred
        self.register_buffer("window", torch.hann_window(self.win), persistent=False)
        self.window: Tensor

    def forward(self, wav: Tensor) -> Tensor:
        """(B, S) → complex (B, n_fft // 2 + 1, frames)."""
        if not self.centred:
            edge = (self.n_fft - self.hop) // 2
            wav = F.pad(wav[:, None], (edge, edge), mode="reflect")[:, 0]
        return torch.stft(
            wav.float(),
            self.n_fft,
            self.hop,
            self.win,
            self.window,
            center=self.centred,
            return_complex=True,
        )

    def magnitude(self, wav: Tensor) -> Tensor:
        """(B, S) → (B, n_fft // 2 + 1, frames)."""
        spec = self(wav)
        return torch.sqrt(spec.real.square() + spec.imag.square() + 1e-9)


class LogMel(nn.Module):
    """Natural-log mel spectrogram, floor 1e-5: 80 bands at 100 frames/s by default."""

    def __init__(
        self, n_mels: int = 80, n_fft: int = 640, hop: int = 160, rate: int = 16_000
    ) -> None:
        super().__init__()
        self.stft = Stft(n_fft, hop)
        self.register_buffer("mel", mel_filters(n_mels, n_fft, rate, 0, rate / 2), persistent=False)
        self.mel: Tensor

    def forward(self, wav: Tensor) -> Tensor:
        """(B, S) → (B, n_mels, S // hop + 1)."""
        return torch.log((self.mel @ self.stft.magnitude(wav)).clamp(min=1e-5))


class PromptMel(nn.Module):
    """The mel that HierSpeech++ hears of a voice: log(power + 0.001), HTK scale, 50 frames/s."""

    def __init__(self, n_mels: int = 80, n_fft: int = 1280, rate: int = 16_000) -> None:
        super().__init__()
        self.stft = Stft(n_fft, n_fft // 4)
        self.register_buffer("mel", htk_filters(n_mels, n_fft, rate), persistent=False)
        self.mel: Tensor

    def forward(self, wav: Tensor) -> Tensor:
        """(B, S) → (B, n_mels, S // 320 + 1)."""
        spec = self.stft(wav)
        return torch.log(self.mel @ (spec.real.square() + spec.imag.square()) + 0.001)


def htk_filters(n_mels: int, n_fft: int, rate: int) -> Tensor:
    """Triangular filters of unit height on the HTK mel scale → (n_mels, n_fft // 2 + 1)."""
    top = 2595 * math.log10(1 + rate / 2 / 700)
    hz = 700 * (10 ** (torch.linspace(0, top, n_mels + 2, dtype=torch.float64) / 2595) - 1)
    bins = torch.linspace(0, rate / 2, n_fft // 2 + 1, dtype=torch.float64)
    return _triangles(hz, bins).float()
