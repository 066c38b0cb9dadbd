"""Durations of the symbols of a training batch, found in every step.

A text model whose symbols have no known durations is trained with them.
"""

import torch
from torch import Tensor

from avdub.models.align import batch_durations, log_likelihoods
from avdub.models.layers import length_mask
from avdub.models.text_to_latents import TextToLatents
from avdub.training.speech_data import TextBatch


@torch.no_grad()
def aligned_durations(
    model: TextToLatents, batch: TextBatch, style: Tensor, noise: Tensor
) -> Tensor:
    """Durations (B, P) of the batch's symbols in its latents: the likeliest under the prior of the
    flowed posterior sample that `noise` (B, C, T) draws, as VITS and HierSpeech++ train with."""
    token_mask = length_mask(batch.n_tokens, batch.tokens.shape[1])
    mask = length_mask(batch.n_steps, batch.vec.shape[2])
    _, mean, log_std = model.text(batch.tokens, token_mask, style)
    post_mean, post_log_std = model.encode(batch.vec, mask, style)
    z = (post_mean + noise * torch.exp(post_log_std)) * mask
    z_prior = model.flow(z, mask, style).float()
    scores = log_likelihoods(z_prior, mean.float(), log_std.float()).double()
    counts = (batch.n_tokens.numpy(), batch.n_steps.numpy())
    return torch.from_numpy(batch_durations(scores.numpy(), *counts))
