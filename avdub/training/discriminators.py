"""Critics of made speech, and how a run trains one beside its model.

A spectral regression alone averages over what it cannot know, which sounds dull; a critic that
looks at patches of spectrograms asks for detail that real speech has. Training only: nothing of it
is shipped.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.spectral import Stft

RESOLUTIONS = ((1024, 160), (512, 80), (256, 40))
COMPRESSION = 0.3  # of magnitudes, so that what is soft counts too
SLOPE = 0.1


class SpectrumCritic(nn.Module):
    """Patches of one spectrogram: real or made (UnivNet, Jang et al. 2021, section 2.3)."""

    def __init__(self, n_fft: int, hop: int, channels: int) -> None:
        super().__init__()
        self.stft = Stft(n_fft, hop)
        widths = (1, channels, channels, channels, channels)
        strides = ((1, 1), (2, 1), (2, 1), (2, 1))
        self.convs = nn.ModuleList(
            nn.utils.parametrizations.weight_norm(nn.Conv2d(a, b, (9, 3), stride, padding=(4, 1)))
            for a, b, stride in zip(widths, widths[1:], strides, strict=False)
        )
        self.out = nn.utils.parametrizations.weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, wav: Tensor) -> tuple[Tensor, list[Tensor]]:
        """(B, S) → scores of patches (B, 1, bins, frames) and the features before them."""
        x = self.stft.magnitude(wav).clamp(min=1e-5).pow(COMPRESSION)[:, None]
        features = []
        for conv in self.convs:
            x = F.leaky_relu(conv(x), SLOPE)
            features.append(x)
        return self.out(x), features


class Critic(nn.Module):
    """Several resolutions at once."""

    def __init__(self, channels: int = 16) -> None:
        super().__init__()
        self.parts = nn.ModuleList(SpectrumCritic(n, hop, channels) for n, hop in RESOLUTIONS)

    def loss(self, real: Tensor, made: Tensor) -> Tensor:
        """What the critic gets wrong (least squares GAN); real and made (B, S)."""
        total = real.new_zeros(())
        for part in self.parts:
            says_real, says_made = part(real)[0].float(), part(made)[0].float()
            total = total + (says_real - 1).square().mean() + says_made.square().mean()
        return total / len(self.parts)

    def complaint(self, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """What the model is told: how unreal it sounds, and how far features are apart."""
        unreal, apart = real.new_zeros(()), real.new_zeros(())
        for part in self.parts:
            score, features = part(made)
            with torch.no_grad():
                wanted = part(real)[1]
            unreal = unreal + (score.float() - 1).square().mean()
            distances = [
                (a - b).float().abs().mean() / b.float().abs().mean().clamp(min=1e-3)
                for a, b in zip(features, wanted, strict=True)
            ]
            apart = apart + torch.stack(distances).mean()
        return unreal / len(self.parts), apart / len(self.parts)


class Rival:
    """A critic with its own optimiser; a run saves and resumes it with the model."""

    def __init__(self, critic: Critic, learning_rate: float) -> None:
        self.critic = critic
        self.optimizer = torch.optim.AdamW(critic.parameters(), learning_rate, betas=(0.8, 0.99))

    def improve(self, real: Tensor, made: Tensor) -> Tensor:
        """One step of the critic → its loss. Leaves no gradients behind."""
        loss = self.critic.loss(real, made.detach())
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.detach()

    def judge(self, real: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
        """`complaint`, whose gradients reach only what made the sound."""
        self.critic.requires_grad_(False)
        try:
            return self.critic.complaint(real, made)
        finally:
            self.critic.requires_grad_(True)

    def state_dict(self) -> dict[str, Any]:
        return {"critic": self.critic.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.critic.load_state_dict(state["critic"])
        self.optimizer.load_state_dict(state["optimizer"])
