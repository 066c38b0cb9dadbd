"""Losses shared by recipes. Each returns a scalar mean; weights live in the recipes."""

import torch
from torch import Tensor, nn

from avdub.models.spectral import LogMel, Stft

RESOLUTIONS = ((256, 50), (512, 120), (1024, 240), (2048, 480), (128, 32))


class SpectralLoss(nn.Module):
    """Multi-resolution log-magnitude L1 and spectral convergence (Parallel WaveGAN, eq. 3–5)."""

    def __init__(self) -> None:
        super().__init__()
        self.stfts = nn.ModuleList(Stft(n_fft, hop) for n_fft, hop in RESOLUTIONS)
        self.mel = LogMel()

    def forward(self, made: Tensor, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """made, real (B, S) → log-magnitude, convergence and log-mel losses."""
        log_loss, convergence = made.new_zeros(()), made.new_zeros(())
        for stft in self.stfts:
            assert isinstance(stft, Stft)
            a, b = stft.magnitude(made), stft.magnitude(real)
            log_loss = log_loss + (torch.log(a + 1e-4) - torch.log(b + 1e-4)).abs().mean()
            distance = torch.linalg.vector_norm(a - b, dim=(1, 2))
            size = torch.linalg.vector_norm(b, dim=(1, 2)).clamp(min=1e-2)
            convergence = convergence + (distance / size).mean()
        mel = (self.mel(made) - self.mel(real)).abs().mean()
        return log_loss / len(self.stfts), convergence / len(self.stfts), mel
