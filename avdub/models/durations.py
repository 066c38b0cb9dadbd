"""How long each symbol lasts: a regression, or the stochastic predictor of VITS and HierSpeech++.

Both answer `steps` at inference and `loss` in training, from hidden (B, C, P), mask (B, 1, P) and
style (B, G, 1); durations are (B, P).
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.models.layers import ChannelNorm
from avdub.models.spline import N_PARAMETERS, spline

LAYERS, KERNEL = 3, 3  # of a depthwise stack
FLOWS = 4


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

    def steps(self, x: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """Expected steps (B, P), fractional."""
        return torch.expm1(self(x, mask, style).float()).clamp(min=0)

    def loss(
        self, x: Tensor, mask: Tensor, style: Tensor, durations: Tensor, noise: Tensor
    ) -> Tensor:
        """Smooth L1 of log(1 + steps), a symbol; the noise is not needed."""
        wanted = torch.log1p(durations.float())
        error = F.smooth_l1_loss(self(x, mask, style).float(), wanted, reduction="none", beta=0.2)
        return (error * mask[:, 0]).sum() / mask.sum()


class DepthwiseStack(nn.Module):
    """Dilated depthwise and pointwise convolutions with a residual (VITS's DDSConv)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise = nn.ModuleList(
            nn.Conv1d(channels, channels, KERNEL, 1, KERNEL**i, KERNEL**i, channels)
            for i in range(LAYERS)
        )
        self.pointwise = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(LAYERS))
        self.norms_1 = nn.ModuleList(ChannelNorm(channels) for _ in range(LAYERS))
        self.norms_2 = nn.ModuleList(ChannelNorm(channels) for _ in range(LAYERS))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, P) → (B, C, P)."""
        for depthwise, pointwise, norm_1, norm_2 in zip(
            self.depthwise, self.pointwise, self.norms_1, self.norms_2, strict=True
        ):
            h = F.gelu(norm_1(depthwise(x * mask)))
            x = x + F.gelu(norm_2(pointwise(h)))
        return x * mask


class Affine(nn.Module):
    """A scale and a shift for each of two channels."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(2, 1))
        self.log_scale = nn.Parameter(torch.zeros(2, 1))

    def forward(self, z: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, P) → the same, and the log determinant (B,)."""
        log_det = (self.log_scale * mask).sum((1, 2))
        return (self.shift + self.log_scale.exp() * z) * mask, log_det

    def inverse(self, z: Tensor, mask: Tensor) -> Tensor:
        return (z - self.shift) * torch.exp(-self.log_scale) * mask


class SplineCoupling(nn.Module):
    """One channel bends the other by a monotonic spline."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.pre = nn.Conv1d(1, channels, 1)
        self.stack = DepthwiseStack(channels)
        self.proj = nn.Conv1d(channels, N_PARAMETERS, 1)
        nn.init.zeros_(self.proj.weight)
        if self.proj.bias is not None:
            nn.init.zeros_(self.proj.bias)

    def forward(
        self, z: Tensor, mask: Tensor, condition: Tensor, inverse: bool = False
    ) -> tuple[Tensor, Tensor]:
        """z (B, 2, P), condition (B, C, P) → the same as z, and the log determinant (B,)."""
        kept, bent = z.chunk(2, 1)
        h = self.proj(self.stack(self.pre(kept) + condition, mask)) * mask
        shape = h.transpose(1, 2)  # (B, P, parameters)
        bent, log_slope = spline(bent[:, 0], shape, math.sqrt(self.channels), inverse)
        return torch.cat((kept, bent[:, None]), 1) * mask, (log_slope * mask[:, 0]).sum(1)


class SplineFlow(nn.Module):
    """An affine map, then couplings with their channels exchanged after each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.affine = Affine()
        self.couplings = nn.ModuleList(SplineCoupling(channels) for _ in range(FLOWS))

    def forward(self, z: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 2, P) → the same, and the log determinant (B,)."""
        z, total = self.affine(z, mask)
        for coupling in self.couplings:
            z, log_det = coupling(z, mask, condition)
            z, total = z.flip(1), total + log_det
        return z, total

    def inverse(self, z: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """Without the first coupling, which VITS leaves out: it bends only what is thrown away."""
        for coupling in reversed(self.couplings[1:]):
            z, _ = coupling(z.flip(1), mask, condition, inverse=True)
        out: Tensor = self.affine.inverse(z.flip(1), mask)
        return out


class StochasticDurationPredictor(nn.Module):
    """Durations as a distribution, by dequantisation and spline flows (VITS section 2.2.2)."""

    def __init__(self, channels: int, style: int) -> None:
        super().__init__()
        self.pre = nn.Conv1d(channels, channels, 1)
        self.cond = nn.Conv1d(style, channels, 1)
        self.stack = DepthwiseStack(channels)
        self.proj = nn.Conv1d(channels, channels, 1)
        self.flow = SplineFlow(channels)
        self.posterior_pre = nn.Conv1d(1, channels, 1)
        self.posterior_stack = DepthwiseStack(channels)
        self.posterior_proj = nn.Conv1d(channels, channels, 1)
        self.posterior_flow = SplineFlow(channels)

    def log_steps(self, x: Tensor, mask: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """noise (B, 2, P) → log of the steps (B, P)."""
        return self.flow.inverse(noise, mask, self._condition(x, mask, style))[:, 0]

    def steps(self, x: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """The most likely steps (B, P), whole: the official code rounds up, and so its lengths."""
        noise = x.new_zeros(x.shape[0], 2, x.shape[2])
        return torch.ceil(self.log_steps(x, mask, style, noise).float().exp()) * mask[:, 0]

    def loss(
        self, x: Tensor, mask: Tensor, style: Tensor, durations: Tensor, noise: Tensor
    ) -> Tensor:
        """Upper bound of the negative log likelihood, a symbol (VITS eq. 7); noise (B, 2, P)."""
        condition = self._condition(x, mask, style)
        w = durations[:, None].to(x.dtype)
        h = self.posterior_stack(self.posterior_pre(w), mask)
        h = self.posterior_proj(h) * mask
        noise = noise * mask
        z, log_det_q = self.posterior_flow(noise, mask, condition + h)
        z_u, z_1 = z.chunk(2, 1)
        log_det_q = log_det_q + ((F.logsigmoid(z_u) + F.logsigmoid(-z_u)) * mask).sum((1, 2))
        log_q = -_half_squares(noise, mask) - log_det_q
        z_0 = torch.log(((w - torch.sigmoid(z_u) * mask) * mask).clamp(min=1e-5)) * mask
        z, log_det = self.flow(torch.cat((z_0, z_1), 1), mask, condition)
        nll = _half_squares(z, mask) - log_det + z_0.sum((1, 2))
        bound: Tensor = (nll + log_q).sum() / mask.sum()
        return bound

    def _condition(self, x: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        out: Tensor = self.proj(self.stack(self.pre(x) + self.cond(style), mask)) * mask
        return out


def _half_squares(z: Tensor, mask: Tensor) -> Tensor:
    """Negative log density of a standard normal, summed → (B,)."""
    return (0.5 * (math.log(2 * math.pi) + z.square()) * mask).sum((1, 2))
