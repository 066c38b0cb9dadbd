from pathlib import Path

import pytest
import torch

from avdub.checkpoint import load_module, save_module
from avdub.models.latents_to_face import LIPS
from avdub.models.sync import SyncExpert, SyncExpertConfig, Tower, movement
from tests.models.made import noise, shaken, size_of, without_gradient

CONFIG = SyncExpertConfig.tiny()
T, WIDE = 30, 30 + 2 * CONFIG.reach


@pytest.fixture
def expert() -> SyncExpert:
    torch.manual_seed(1)
    return SyncExpert(CONFIG).eval()


def lips(n: int = 2, steps: int = T, seed: int = 1) -> torch.Tensor:
    return noise(n, steps, LIPS, 2, seed=seed) * 0.1


def test_there_is_a_logit_for_every_shift(expert: SyncExpert) -> None:
    logits = expert(noise(2, CONFIG.latents, WIDE), lips())
    assert logits.shape == (2, 2 * CONFIG.reach + 1)


def test_embeddings_have_unit_length() -> None:
    out = Tower(5, CONFIG)(noise(2, 5, 12))
    torch.testing.assert_close(out.square().sum(1), torch.ones(2, 12))


def test_each_logit_compares_the_lips_with_latents_that_many_steps_later(
    expert: SyncExpert,
) -> None:
    vec, shapes = noise(1, CONFIG.latents, WIDE), lips(1)
    seen = expert.sees(movement(shapes))
    heard = expert.hears(vec)
    for s in (0, 3, 2 * CONFIG.reach):
        wanted = (heard[:, :, s : s + T] * seen).sum(1).mean() * expert.sharpness.exp()
        torch.testing.assert_close(expert(vec, shapes)[0, s], wanted)


def test_latents_must_reach_beyond_the_lips(expert: SyncExpert) -> None:
    with pytest.raises(AssertionError, match="further than the lips"):
        expert(noise(1, CONFIG.latents, T), lips(1))


@pytest.mark.parametrize("late", [-3, 0, 4])
def test_a_sound_that_matches_later_is_told_to_be_late(
    expert: SyncExpert, late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With towers that pass on one and the same code, the shift is exact."""
    code = torch.nn.functional.normalize(noise(1, 8, WIDE + 20), dim=1)
    start = 10 + CONFIG.reach
    sound = code[:, :, 10 - late : 10 - late + WIDE]
    monkeypatch.setattr(expert.hears, "forward", lambda x: x)
    monkeypatch.setattr(expert.sees, "forward", lambda _: code[:, :, start : start + T])
    shift, sureness = expert.shift(sound, lips(1))
    assert float(shift) == pytest.approx(late, abs=0.5)
    assert float(sureness) > 1


def test_neither_rest_nor_size_of_movement_matters() -> None:
    shapes = lips(1) * 3
    moved = movement(shapes * 2 + noise(1, 1, LIPS, 2))
    torch.testing.assert_close(moved, movement(shapes), atol=0.1, rtol=0.1)


def test_still_lips_say_nothing() -> None:
    assert movement(lips(1) * 1e-4).abs().max() < 0.1


def test_every_parameter_learns(expert: SyncExpert) -> None:
    shaken(expert)
    run = lambda: size_of(expert(noise(2, CONFIG.latents, WIDE), lips()))  # noqa: E731
    assert without_gradient(expert, run) == set()


def test_saved_weights_judge_the_same_within_float16(expert: SyncExpert, tmp_path: Path) -> None:
    save_module(tmp_path / "m.safetensors", expert, expert.config)
    loaded = load_module(tmp_path / "m.safetensors", SyncExpert, SyncExpertConfig)
    vec = noise(1, CONFIG.latents, WIDE)
    torch.testing.assert_close(loaded(vec, lips(1)), expert(vec, lips(1)), atol=0.05, rtol=0.05)
