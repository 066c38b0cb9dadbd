"""Monotonic alignment search: the best whole durations of known symbols in known latents.

Glow-TTS (arXiv 2005.11129) section 2.2: the path through log likelihoods (P, T) that advances one
symbol at a time. It says a clip's words at the clip's own timing, for stage 2 and for measuring
lips that come from text.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avdub.models.text_to_latents import TextToLatents

Scores = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def best_durations(scores: Scores) -> Counts:
    """scores (P, T), P ≤ T → steps of each symbol (P,), each at least one, adding up to T."""
    n_symbols, n_steps = scores.shape
    (durations,) = batch_durations(scores[None], np.array([n_symbols]), np.array([n_steps]))
    return np.asarray(durations)


def batch_durations(scores: Scores, n_symbols: Counts, n_steps: Counts) -> Counts:
    """As best_durations: scores (B, P, T), of which row b counts up to its n_symbols and n_steps
    (B,) → (B, P), zero beyond."""
    for symbols, steps in zip(n_symbols, n_steps, strict=True):
        assert symbols <= steps, f"{symbols} symbols do not fit into {steps} steps"
    n_rows, longest, last = scores.shape
    best = np.full((n_rows, longest), -np.inf)
    best[:, 0] = scores[:, 0, 0]
    advanced = np.zeros((last, n_rows, longest), bool)
    for t in range(1, last):
        moved = np.pad(best[:, :-1], ((0, 0), (1, 0)), constant_values=-np.inf)
        advanced[t] = moved > best
        best = np.maximum(moved, best) + scores[:, :, t]
    durations = np.zeros((n_rows, longest), np.int64)
    rows, symbol = np.arange(n_rows), n_symbols - 1
    for t in range(last - 1, -1, -1):
        is_inside = t < n_steps
        durations[rows, symbol] += is_inside
        symbol = symbol - (advanced[t, rows, symbol] & is_inside)
    return durations


def log_likelihoods(z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """z (B, C, T) under the normals of mean and log deviation (B, C, P) → (B, P, T), but for a
    constant."""
    weight = torch.exp(-2 * log_std).transpose(1, 2)  # (B, P, C)
    mean = mean.transpose(1, 2)
    scores = -0.5 * (weight @ z.square() - 2 * (weight * mean) @ z)
    own = 0.5 * weight * mean.square() + log_std.transpose(1, 2)
    return scores - own.sum(2, keepdim=True)


@torch.inference_mode()
def align(
    model: TextToLatents,
    tokens: Tensor,
    vec: Tensor,
    style: Tensor,
    allowed: Tensor | None = None,
) -> Tensor:
    """Durations (P,) of tokens (P,) in latents vec (T, D), by likelihood under the prior.

    `allowed` (P, T) says where each symbol may lie, as far as that leaves a path.
    """
    mask = torch.ones(1, 1, len(vec))
    _, mean, log_std = model.text(tokens[None], torch.ones(1, 1, len(tokens)), style)
    z, _ = model.encode(vec.T[None], mask, style)
    z = model.flow(z, mask, style)
    scores = log_likelihoods(z, mean, log_std.clamp(-3, 3))[0].double()
    if allowed is not None:
        worse = 2 * len(vec) * scores.abs().max()  # than all else together; a path still remains
        scores = scores - worse * ~allowed
    return torch.from_numpy(best_durations(scores.numpy()))
