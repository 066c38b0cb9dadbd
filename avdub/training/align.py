"""Monotonic alignment search: the best whole durations of known symbols in known latents.

Glow-TTS (arXiv 2005.11129) section 2.2: the path through log likelihoods (P, T) that advances one
symbol at a time. Stage 2 uses it to say a clip's words at the clip's own timing.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avdub.models.text_to_latents import TextToLatents


def best_durations(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """scores (P, T), P ≤ T → steps of each symbol (P,), each at least one, adding up to T."""
    n_symbols, n_steps = scores.shape
    assert n_symbols <= n_steps, f"{n_symbols} symbols do not fit into {n_steps} steps"
    best = np.full(n_symbols, -np.inf)
    best[0] = scores[0, 0]
    advanced = np.zeros((n_steps, n_symbols), bool)
    for t in range(1, n_steps):
        moved = np.concatenate(([-np.inf], best[:-1]))
        advanced[t] = moved > best
        best = np.maximum(moved, best) + scores[:, t]
    durations = np.zeros(n_symbols, np.int64)
    symbol = n_symbols - 1
    for t in range(n_steps - 1, -1, -1):
        durations[symbol] += 1
        if t and advanced[t, symbol]:
            symbol -= 1
    return durations


@torch.inference_mode()
def align(model: TextToLatents, tokens: Tensor, vec: Tensor, style: Tensor) -> Tensor:
    """Durations (P,) of tokens (P,) in latents vec (T, D), by likelihood under the prior."""
    mask = torch.ones(1, 1, len(vec))
    _, mean, log_std = model.text(tokens[None], torch.ones(1, 1, len(tokens)), style)
    post = model.posterior(model.posterior_pre(vec.T[None]) * mask, mask, style)
    z, _ = model.posterior_proj(post).chunk(2, 1)
    z = model.flow(z, mask, style)[0]  # (C, T)
    mean, log_std = mean[0].T, log_std[0].T.clamp(-3, 3)  # (P, C)
    weight = torch.exp(-2 * log_std)
    scores = -0.5 * (weight @ z.square() - 2 * (weight * mean) @ z)
    scores = scores - (0.5 * weight * mean.square() + log_std).sum(1, keepdim=True)
    return torch.from_numpy(best_durations(scores.double().numpy()))
