from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from avdub.faces.lips import Floats, load_template
from avdub.models.latents_to_face import LIPS
from avdub.models.sync import SyncExpert, SyncExpertConfig
from avdub.training import sync
from avdub.training.loop import TrainConfig, train
from avdub.training.sync import WINDOW_STEPS, Recipe, Source, at_steps, train_sync
from tests.conftest import FACES
from tests.models.made import noise
from tests.training.made import CONFIG, make_face_pack

TINY = SyncExpertConfig.tiny()
RECIPE = Recipe(replace(CONFIG, steps=4, save_every=2), TINY)


@pytest.fixture(scope="module")
def template() -> Floats:
    return load_template(FACES)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_face_pack(tmp_path_factory.mktemp("faces"), frames=60)


def state_of(model: SyncExpert) -> dict[str, Tensor]:
    return {k: v.clone() for k, v in model.state_dict().items()}


def test_a_resumed_training_equals_one_never_stopped(
    pack: Path, template: Floats, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train_sync([pack], template, tmp_path / "whole", RECIPE)
    told, calls = sync.losses, iter(range(4))

    def interrupted(*args: object) -> object:
        if next(calls) == 3:  # after the save at step 2
            raise KeyboardInterrupt
        return told(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(sync, "losses", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_sync([pack], template, tmp_path / "parts", RECIPE)
    parts = train_sync([pack], template, tmp_path / "parts", RECIPE)
    for name, value in state_of(whole).items():
        assert torch.equal(value, parts.state_dict()[name]), name


def test_lips_are_read_at_the_middles_of_steps() -> None:
    times = torch.arange(10, dtype=torch.float64) / 25
    lips = times.float()[:, None, None].expand(-1, LIPS, 2)
    made = at_steps(lips, times, 17)[:, 0, 0]
    torch.testing.assert_close(made, (torch.arange(17) + 0.5).float() / 50, atol=1e-6, rtol=0)


def moving_source(seed: int, steps: int = 150) -> Source:
    """Lips that open as the first latent channel says."""
    smooth = torch.nn.functional.avg_pool1d(noise(1, 1, steps + 8, seed=seed), 9, 1)[0, 0] * 3
    vec = noise(steps, TINY.latents, seed=seed + 1) * 0.1
    vec[:, 0] = smooth
    lips = torch.zeros(steps, LIPS, 2)
    lips[:, 20:30, 1] = 0.1 * smooth[:, None]
    return Source(vec, lips)


def test_a_cut_runs_ahead_by_the_asked_shift() -> None:
    source = moving_source(3)
    reach = TINY.reach
    vec, lips = sync._cut(source, 4, reach, torch.Generator().manual_seed(0))
    assert lips.shape[0] == WINDOW_STEPS
    heard = vec[reach + 4 : reach + 4 + WINDOW_STEPS, 0]
    torch.testing.assert_close(heard * 0.1, lips[:, 20, 1])


@pytest.mark.slow
def test_the_expert_learns_to_find_shifts(tmp_path: Path) -> None:
    sources = [moving_source(10 * n) for n in range(12)]
    model = SyncExpert(TINY)
    config = TrainConfig(steps=250, batch=8, learning_rate=5e-3, warmup=5, bf16=False)
    run = sync.Run(model, config, tmp_path, {"shift": 1.0})

    def step(generator: torch.Generator) -> dict[str, Tensor]:
        picks = torch.randint(len(sources), (8,), generator=generator)
        return sync.losses(model, [sources[i] for i in picks.tolist()], generator)

    train(run, step)
    unseen = moving_source(777)
    at = torch.arange(WINDOW_STEPS + 2 * TINY.reach) + 10 - TINY.reach
    for late in (-3, 0, 2):
        vec = unseen.vec[(at - late).clamp(0, 149)].T[None]
        found, _ = model.eval().shift(vec, unseen.lips[None, 10 : 10 + WINDOW_STEPS])
        assert float(found) == pytest.approx(late, abs=1)
