"""Blocks used by at least two of the models: WaveNet, relative attention, coupling flow, ConvNeXt.

Masks are (B, 1, T) with 1 where a position exists. All stacks are (B, C, T) unless said.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import weight_norm


def length_mask(lengths: Tensor, size: int) -> Tensor:
    """(B,) → (B, 1, size) float."""
    return (torch.arange(size, device=lengths.device)[None] < lengths[:, None])[:, None].float()


def fold_weight_norm(module: nn.Module) -> None:
    """Replace normalised weights by their products: faster, and no longer trainable as before."""
    for part in module.modules():
        if parametrize.is_parametrized(part, "weight"):
            parametrize.remove_parametrizations(part, "weight")


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, T)."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        return F.layer_norm(x, self.gamma.shape, self.gamma, self.beta, self.eps).transpose(1, 2)


class WaveNet(nn.Module):
    """Gated residual convolutions with a global condition (van den Oord et al. 2016; VITS)."""

    def __init__(self, channels: int, kernel: int, layers: int, condition: int) -> None:
        super().__init__()
        self.channels, self.layers = channels, layers
        self.cond_layer = weight_norm(nn.Conv1d(condition, 2 * channels * layers, 1))
        self.in_layers = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, 2 * channels, kernel, padding=kernel // 2))
            for _ in range(layers)
        )
        self.res_skip_layers = nn.ModuleList(
            weight_norm(nn.Conv1d(channels, channels * (2 if i < layers - 1 else 1), 1))
            for i in range(layers)
        )

    def forward(self, x: Tensor, mask: Tensor, style: Tensor) -> Tensor:
        """x (B, C, T), style (B, G, 1) → (B, C, T)."""
        out = torch.zeros_like(x)
        conditions = self.cond_layer(style).chunk(self.layers, 1)
        for conv, mix, condition in zip(
            self.in_layers, self.res_skip_layers, conditions, strict=True
        ):
            a, b = (conv(x) + condition).chunk(2, 1)
            h = mix(torch.tanh(a) * torch.sigmoid(b))
            if h.shape[1] == self.channels:
                last: Tensor = (out + h) * mask
                return last
            x = (x + h[:, : self.channels]) * mask
            out = out + h[:, self.channels :]
        return out * mask


class RelativeAttention(nn.Module):
    """Multi-head self-attention with learned relative positions in a window (Shaw et al. 2018)."""

    def __init__(self, channels: int, heads: int, window: int = 4) -> None:
        super().__init__()
        self.heads, self.window, self.size = heads, window, channels // heads
        self.conv_q = nn.Conv1d(channels, channels, 1)
        self.conv_k = nn.Conv1d(channels, channels, 1)
        self.conv_v = nn.Conv1d(channels, channels, 1)
        self.conv_o = nn.Conv1d(channels, channels, 1)
        scale = self.size**-0.5
        self.emb_rel_k = nn.Parameter(torch.randn(1, 2 * window + 1, self.size) * scale)
        self.emb_rel_v = nn.Parameter(torch.randn(1, 2 * window + 1, self.size) * scale)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        q, k, v = (
            conv(x).unflatten(1, (self.heads, self.size)).transpose(2, 3)  # (B, heads, T, size)
            for conv in (self.conv_q, self.conv_k, self.conv_v)
        )
        t = x.shape[2]
        offset = torch.arange(t, device=x.device)[None] - torch.arange(t, device=x.device)[:, None]
        is_near = offset.abs() <= self.window
        index = offset.clamp(-self.window, self.window) + self.window
        q = q * self.size**-0.5
        near_scores = (q @ self.emb_rel_k[0].T).gather(
            3, index.expand(*q.shape[:2], t, t)
        )  # (B, heads, T, T)
        scores = q @ k.transpose(2, 3) + near_scores * is_near
        scores = scores.masked_fill(mask[:, None] == 0, -1e4)
        weights = scores.float().softmax(3).to(v.dtype)
        near = torch.zeros(*weights.shape[:3], 2 * self.window + 1, dtype=v.dtype, device=v.device)
        near.scatter_add_(3, index.expand_as(weights), weights * is_near)
        mixed = weights @ v + near @ self.emb_rel_v[0].to(v.dtype)
        out: Tensor = self.conv_o(mixed.transpose(2, 3).flatten(1, 2))
        return out


class RelativeEncoder(nn.Module):
    """Post-norm transformer with relative attention and a convolutional feed-forward (VITS)."""

    def __init__(self, channels: int, filters: int, heads: int, layers: int, kernel: int) -> None:
        super().__init__()
        self.attn_layers = nn.ModuleList(RelativeAttention(channels, heads) for _ in range(layers))
        self.norm_layers_1 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))
        self.ffn_1 = nn.ModuleList(
            nn.Conv1d(channels, filters, kernel, padding=kernel // 2) for _ in range(layers)
        )
        self.ffn_2 = nn.ModuleList(
            nn.Conv1d(filters, channels, kernel, padding=kernel // 2) for _ in range(layers)
        )
        self.norm_layers_2 = nn.ModuleList(ChannelNorm(channels) for _ in range(layers))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) → (B, C, T)."""
        x = x * mask
        for i, attention in enumerate(self.attn_layers):
            x = self.norm_layers_1[i](x + attention(x, mask))
            h = torch.relu(self.ffn_1[i](x * mask))
            x = self.norm_layers_2[i](x + self.ffn_2[i](h * mask) * mask)
        return x * mask


class DiTBlock(nn.Module):
    """Attention and convolution modulated by a condition, zero at first (Peebles & Xie 2022)."""

    def __init__(self, channels: int, heads: int, filters: int, kernel: int = 5) -> None:
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(channels, elementwise_affine=False, eps=1e-6)
        self.norm2 = nn.LayerNorm(channels, elementwise_affine=False, eps=1e-6)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.fc1 = nn.Conv1d(channels, filters, kernel, padding=kernel // 2)
        self.fc2 = nn.Conv1d(filters, channels, 1)
        self.modulation = nn.Linear(channels, 6 * channels)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """x (B, C, T), condition (B, C) → (B, C, T)."""
        modulation = self.modulation(F.silu(condition))[:, None]  # (B, 1, 6C)
        shift_a, scale_a, gate_a, shift_b, scale_b, gate_b = modulation.chunk(6, 2)
        x, row_mask = x.transpose(1, 2), mask.transpose(1, 2)  # (B, T, C)
        h = self.norm1(x) * (1 + scale_a) + shift_a
        q, k, v = (
            t.unflatten(2, (self.heads, -1)).transpose(1, 2) for t in self.qkv(h).chunk(3, 2)
        )
        bias = (mask[:, None] - 1) * 1e4
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias.to(q.dtype))
        x = x + gate_a * self.proj(mixed.transpose(1, 2).flatten(2)) * row_mask
        h = ((self.norm2(x) * (1 + scale_b) + shift_b) * row_mask).transpose(1, 2)
        h = self.fc2(F.gelu(self.fc1(h), approximate="tanh") * mask)  # (B, C, T)
        out: Tensor = (x.transpose(1, 2) + gate_b.transpose(1, 2) * h) * mask
        return out


class CouplingFlow(nn.Module):
    """Mean-only affine couplings with DiT blocks; channels are reversed between them (eq. 8)."""

    def __init__(
        self,
        channels: int,
        heads: int,
        flows: int,
        blocks: int,
        style: int,
        expand: int = 2,
    ) -> None:
        super().__init__()
        moved, hidden = channels // 2, channels
        self.condition = nn.Sequential(nn.Linear(style, expand * hidden), nn.SiLU())
        self.to_hidden = nn.Linear(expand * hidden, hidden)
        self.pre = nn.ModuleList(nn.Conv1d(moved, hidden, 1) for _ in range(flows))
        self.post = nn.ModuleList(nn.Conv1d(hidden, moved, 1) for _ in range(flows))
        self.blocks = nn.ModuleList(
            nn.ModuleList(DiTBlock(hidden, heads, 4 * hidden) for _ in range(blocks))
            for _ in range(flows)
        )
        for post in self.post:
            assert isinstance(post, nn.Conv1d)
            nn.init.zeros_(post.weight)
            if post.bias is not None:
                nn.init.zeros_(post.bias)

    def forward(self, x: Tensor, mask: Tensor, style: Tensor, reverse: bool = False) -> Tensor:
        """x (B, C, T), style (B, G, 1) → (B, C, T); `reverse` inverts exactly."""
        condition = self.to_hidden(self.condition(style[..., 0]))
        order = range(len(self.pre))
        for i in reversed(order) if reverse else order:
            if reverse:
                x = x.flip(1)
            kept, moved = x.chunk(2, 1)
            h = self.pre[i](kept) * mask
            for block in self.blocks[i]:  # type: ignore[attr-defined]
                h = block(h, mask, condition)
            shift = self.post[i](h) * mask
            x = torch.cat((kept, moved - shift if reverse else moved + shift), 1)
            if not reverse:
                x = x.flip(1)
        return x


class ConvNeXt(nn.Module):
    """Depthwise convolution and a pointwise pair with a global condition (ConvNeXt; Vocos)."""

    def __init__(self, channels: int, condition: int, kernel: int = 7, expand: int = 3) -> None:
        super().__init__()
        self.depthwise = nn.Conv1d(channels, channels, kernel, padding=kernel // 2, groups=channels)
        self.norm = nn.LayerNorm(channels, elementwise_affine=False)
        self.modulate = nn.Linear(condition, 2 * channels)
        self.wide = nn.Linear(channels, expand * channels)
        self.narrow = nn.Linear(expand * channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), 1 / math.sqrt(8)))

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x (B, C, T), style (B, G) → (B, C, T)."""
        gain, shift = self.modulate(style)[:, None].chunk(2, 2)  # (B, 1, C)
        h = self.norm(self.depthwise(x).transpose(1, 2)) * (1 + gain) + shift  # (B, T, C)
        h = self.narrow(F.relu(self.wide(h)).square())
        out: Tensor = x + (h * self.scale).transpose(1, 2)
        return out
