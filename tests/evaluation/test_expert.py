"""The sync expert's distance and confidence of lips against a sound."""

import numpy as np
import pytest
import torch

from avdub.evaluation.expert import Agreement, agreement, mean_agreement
from avdub.models.sync import SyncExpert, SyncExpertConfig


class Lookup:
    """Agrees as far as the first latent at each shift says, in windows of any length."""

    config = SyncExpertConfig(latents=1, reach=5)
    sharpness = torch.tensor(12.0).log()

    def __init__(self) -> None:
        self.windows = 0

    def __call__(self, vec: torch.Tensor, lips: torch.Tensor) -> torch.Tensor:
        self.windows += len(vec)
        n_steps = lips.shape[1]
        return 12 * vec[:, 0].unfold(1, n_steps, 1)[:, :, 0]  # (B, 2 reach + 1)


def judge(vec: torch.Tensor, n_steps: int, **more: object) -> tuple[Agreement | None, int]:
    expert = Lookup()
    found = agreement(expert, vec, torch.zeros(n_steps, 57, 2), **more)  # type: ignore[arg-type]
    return found, expert.windows


def test_the_best_shift_is_nearest_and_confidence_is_its_lead_over_the_median() -> None:
    vec = torch.full((60, 1), 0.1)
    vec[3] = 0.8  # one window from step 0: shift + 3 steps
    found, windows = judge(vec, 60)
    assert windows == 1
    assert found is not None
    assert found.distance == pytest.approx(0.2)
    assert found.confidence == pytest.approx(0.7)
    assert found.offset_ms == 60


def test_long_clips_are_judged_by_overlapping_windows() -> None:
    _, windows = judge(torch.zeros(200, 1), 200)
    assert windows == len(range(0, 101, 12))


def test_only_windows_in_which_the_lips_are_seen_count() -> None:
    known = np.ones(200, bool)
    known[:20] = False
    _, windows = judge(torch.zeros(200, 1), 200, known=known)
    assert windows == len([start for start in range(0, 101, 12) if start >= 20])


def test_less_than_a_second_is_not_judged() -> None:
    assert judge(torch.zeros(40, 1), 40) == (None, 0)


def test_lips_never_seen_for_long_are_not_judged() -> None:
    known = np.arange(200) % 50 > 0
    assert judge(torch.zeros(200, 1), 200, known=known)[0] is None


def test_a_real_network_gives_cosine_distances() -> None:
    expert = SyncExpert(SyncExpertConfig.tiny()).eval()
    found = agreement(expert, torch.randn(120, 16), torch.randn(120, 57, 2))
    assert found is not None
    assert 0 <= found.distance <= 2
    assert found.confidence >= 0
    assert abs(found.offset_ms) <= 100


def test_a_mean_keeps_one_odd_offset_out() -> None:
    each = [Agreement(0.2, 0.4, 0.0), Agreement(0.4, 0.6, 20.0), Agreement(0.6, 0.2, -400.0)]
    mean = mean_agreement(each)
    assert mean is not None
    assert (mean.distance, mean.confidence) == (pytest.approx(0.4), pytest.approx(0.4))
    assert mean.offset_ms == 0
    assert mean_agreement([]) is None
