"""The critic of speech and its place in a run."""

from pathlib import Path

import pytest
import torch
from torch import nn

from avdub.errors import InputError
from avdub.training.discriminators import Critic, Rival
from avdub.training.loop import Losses, Run, TrainConfig, train


def make_sounds(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(2, 4000, generator=generator)
    tone = torch.sin(torch.arange(4000) * 0.3).expand(2, -1)
    return 0.1 * noise, 0.1 * tone


def make_rival() -> Rival:
    torch.manual_seed(0)
    return Rival(Critic(4), 2e-3)


def test_a_critic_learns_to_tell_noise_from_a_tone() -> None:
    rival, (real, made) = make_rival(), make_sounds()
    first = rival.improve(real, made)
    for _ in range(15):
        last = rival.improve(real, made)
    assert last < 0.5 * first


def test_equal_sounds_have_no_distance_of_features() -> None:
    real, _ = make_sounds()
    _, apart = make_rival().judge(real, real.clone())
    assert apart == 0


def test_a_complaint_reaches_the_sound_and_not_the_critic() -> None:
    rival, (real, made) = make_rival(), make_sounds()
    made = made.clone().requires_grad_()
    unreal, apart = rival.judge(real, made)
    torch.autograd.backward(unreal + apart)
    assert made.grad is not None
    assert made.grad.abs().sum() > 0
    assert all(p.grad is None for p in rival.critic.parameters())
    assert all(p.requires_grad for p in rival.critic.parameters())


def test_improving_the_critic_leaves_what_made_the_sound_alone() -> None:
    rival, (real, made) = make_rival(), make_sounds()
    made = made.clone().requires_grad_()
    rival.improve(real, made)
    assert made.grad is None


class Tone(nn.Module):
    """A sound with one parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.tensor(0.1))


class Stopped(Exception):
    pass


def run_for(folder: Path, stop_at: int | None = None) -> Rival:
    rival, (real, made) = make_rival(), make_sounds()
    module = Tone()
    config = TrainConfig(4, learning_rate=1e-2, warmup=1, save_every=2, bf16=False)
    run = Run(module, config, folder, {"unreal": 1.0, "apart": 1.0}, rival=rival)

    def step(generator: torch.Generator) -> Losses:
        if run.done == stop_at:
            raise Stopped
        sound = module.level * made * (1 + torch.rand((), generator=generator))
        rival.improve(real, sound)
        unreal, apart = rival.judge(real, sound)
        return {"unreal": unreal, "apart": apart}

    train(run, step)
    return rival


def test_a_run_with_a_critic_resumes_as_if_it_never_stopped(tmp_path: Path) -> None:
    whole = run_for(tmp_path / "whole")
    with pytest.raises(Stopped):
        run_for(tmp_path / "parts", stop_at=3)
    resumed = run_for(tmp_path / "parts")
    for a, b in zip(resumed.critic.parameters(), whole.critic.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_without_the_critics_state_is_of_another_configuration(tmp_path: Path) -> None:
    run_for(tmp_path)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    del state["rival"]
    torch.save(state, tmp_path / "state.pt")
    with pytest.raises(InputError, match="another configuration"):
        run_for(tmp_path)
