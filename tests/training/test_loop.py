"""The loop on a small problem: resuming, schedule, what is logged and saved."""

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from avdub.errors import InputError
from avdub.training.loop import Losses, Run, TrainConfig, _schedule, train

CONFIG = TrainConfig(steps=7, learning_rate=0.05, warmup=2, log_every=2, save_every=3, bf16=False)
Step = Callable[[torch.Generator], Losses]


class Stopped(Exception):
    pass


class Net(nn.Module):
    """With dropout, so that the global random state matters too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(8)
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))


def make_run(folder: Path, config: TrainConfig = CONFIG) -> Run:
    return Run(Net(), config, folder, {"error": 1.0, "size": 0.01})


def step_of(run: Run, stop_at: int | None = None) -> Step:
    def step(generator: torch.Generator) -> Losses:
        if run.done == stop_at:
            raise Stopped
        x = torch.randn(5, 3, generator=generator)
        out = run.module.layers(x)  # type: ignore[operator]
        return {"error": (out[:, 0] - x.sum(1)).square().mean(), "size": out.abs().mean()}

    return step


def weights_of(run: Run) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in run.module.parameters()])


@pytest.mark.parametrize("stop_at", [1, 3, 5])
def test_resuming_equals_never_having_stopped(stop_at: int, tmp_path: Path) -> None:
    whole = make_run(tmp_path / "whole")
    train(whole, step_of(whole))
    first = make_run(tmp_path / "parts")
    with pytest.raises(Stopped):
        train(first, step_of(first, stop_at))
    torch.manual_seed(12345)
    second = make_run(tmp_path / "parts")
    train(second, step_of(second))
    assert second.done == whole.done == 7
    assert torch.equal(weights_of(second), weights_of(whole))


def test_a_finished_run_is_not_trained_further(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    train(run, step_of(run))
    again = make_run(tmp_path)
    train(again, step_of(again, stop_at=7))
    assert torch.equal(weights_of(again), weights_of(run))


def test_the_same_seed_trains_the_same(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / name) for name in "ab"]
    for run in runs:
        train(run, step_of(run))
    assert torch.equal(weights_of(runs[0]), weights_of(runs[1]))


def test_training_makes_the_loss_fall(tmp_path: Path) -> None:
    run = make_run(tmp_path, replace(CONFIG, steps=200, log_every=20))
    last = train(run, step_of(run))
    first = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert last["error"] < 0.5 * first["error"]


def test_the_log_names_every_loss(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    train(run, step_of(run))
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    assert set(lines[0]) == {"step", "error", "size", "grad", "s"}


def test_a_loss_without_a_weight_is_an_error(tmp_path: Path) -> None:
    run = Run(Net(), CONFIG, tmp_path, {"error": 1.0})
    with pytest.raises(KeyError, match="size"):
        train(run, step_of(run))


def test_a_weight_of_zero_switches_a_loss_off(tmp_path: Path) -> None:
    run = Run(Net(), replace(CONFIG, weight_decay=0), tmp_path, {"error": 0.0, "size": 0.0})
    before = weights_of(run)
    train(run, step_of(run))
    assert torch.equal(weights_of(run), before)


def test_a_step_that_is_not_finite_changes_nothing(tmp_path: Path) -> None:
    run = Run(Net(), replace(CONFIG, steps=1), tmp_path, {"error": 1.0})
    before = weights_of(run)

    def step(generator: torch.Generator) -> Losses:
        return {"error": run.module.layers(torch.ones(1, 3)).sum() * torch.inf}  # type: ignore[operator]

    train(run, step)
    assert torch.equal(weights_of(run), before)


def test_frozen_parameters_stay(tmp_path: Path) -> None:
    net = Net()
    net.layers[0].requires_grad_(False)
    frozen = net.layers[0].weight.clone()
    run = Run(net, CONFIG, tmp_path, {"error": 1.0, "size": 0.01})
    train(run, step_of(run))
    assert torch.equal(net.layers[0].weight, frozen)


def test_only_the_log_and_the_state_are_left_behind(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    train(run, step_of(run))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["log.jsonl", "state.pt"]


def test_the_rate_warms_up_and_comes_down_to_a_twentieth() -> None:
    config = TrainConfig(steps=1000, warmup=100)
    rates = [_schedule(n, config) for n in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(0.976, abs=0.01)
    assert rates[-1] == pytest.approx(0.05, abs=0.001)
    assert all(a >= b for a, b in pairwise(rates[100:]))


def test_a_run_of_another_model_is_not_resumed(tmp_path: Path) -> None:
    first = make_run(tmp_path)
    first.model = CONFIG
    train(first, step_of(first))
    for other in (Run(nn.Linear(2, 2), CONFIG, tmp_path, {}, CONFIG), make_run(tmp_path)):
        other.model = CONFIG if isinstance(other.module, nn.Linear) else replace(CONFIG, seed=1)
        with pytest.raises(InputError, match="of another configuration") as error:
            other.resume()
        assert "--run" in error.value.hint
