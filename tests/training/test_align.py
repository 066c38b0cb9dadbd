from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.models.align import align, batch_durations, best_durations, log_likelihoods
from avdub.models.text_to_latents import alignment
from tests.models.made import noise, shaken
from tests.tiny import STYLE, make_text_to_latents


@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 99))
def test_the_best_of_all_paths_is_found(n_symbols: int, spare: int, seed: int) -> None:
    n_steps = n_symbols + spare
    scores = np.random.default_rng(seed).standard_normal((n_symbols, n_steps))
    every = [
        np.diff([0, *cuts, n_steps]) for cuts in combinations(range(1, n_steps), n_symbols - 1)
    ]

    def score(durations: np.ndarray) -> float:
        owners = np.repeat(np.arange(n_symbols), durations)
        return float(scores[owners, np.arange(n_steps)].sum())

    found = best_durations(scores)
    assert found.sum() == n_steps
    assert (found >= 1).all()
    assert score(found) == pytest.approx(max(map(score, every)))


def test_more_symbols_than_steps_are_refused() -> None:
    with pytest.raises(AssertionError, match="3 symbols do not fit into 2 steps"):
        best_durations(np.zeros((3, 2)))


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 9)), min_size=1, max_size=4))
def test_a_batch_is_aligned_as_its_rows_are_alone(sizes: list[tuple[int, int]]) -> None:
    rng = np.random.default_rng(len(sizes))
    n_symbols = np.array([symbols for symbols, _ in sizes])
    n_steps = n_symbols + [spare for _, spare in sizes]
    scores = rng.standard_normal((len(sizes), n_symbols.max(), n_steps.max()))
    found = batch_durations(scores, n_symbols, n_steps)
    assert found.sum(1).tolist() == n_steps.tolist()
    for row, one, symbols, steps in zip(found, scores, n_symbols, n_steps, strict=True):
        assert row[:symbols].tolist() == best_durations(one[:symbols, :steps]).tolist()
        assert not row[symbols:].any()


def test_likelihoods_are_those_of_normals_but_for_a_constant() -> None:
    z, mean, log_std = noise(2, 3, 5), noise(2, 3, 4, seed=1), noise(2, 3, 4, seed=2)
    normal = torch.distributions.Normal(mean[..., None], log_std.exp()[..., None])
    wanted = normal.log_prob(z[:, :, None]).sum(1) + 1.5 * np.log(2 * np.pi)
    torch.testing.assert_close(log_likelihoods(z, mean, log_std), wanted, atol=1e-4, rtol=1e-4)


def test_latents_said_by_the_model_are_aligned_as_they_were_said() -> None:
    """The prior's own mean, decoded and encoded back, is likeliest where it came from."""
    model = make_text_to_latents()
    shaken(model, size=0.3)
    tokens, style = torch.tensor([1, 30, 8, 41, 22, 1]), noise(1, STYLE, 1)
    durations = torch.tensor([3, 6, 4, 5, 7, 3])
    _, mean, _ = model.text(tokens[None], torch.ones(1, 1, 6), style)
    z = model.flow(mean @ alignment(durations[None], 28), torch.ones(1, 1, 28), style, reverse=True)
    model.posterior_proj.weight.data.zero_()

    def posterior(x: torch.Tensor, mask: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return x

    def project(x: torch.Tensor) -> torch.Tensor:
        return torch.cat((z, torch.zeros_like(z)), 1)

    model.posterior.forward, model.posterior_proj.forward = posterior, project  # type: ignore[method-assign]
    found = align(model, tokens, noise(28, 16), style)
    assert found.tolist() == durations.tolist()
