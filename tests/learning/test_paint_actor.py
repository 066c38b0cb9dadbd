"""The painter learns one face in bounded time, and what it was stays whole."""

import time

import pytest
import torch

from avdub.learning import paint_actor
from avdub.learning.actor_frames import CHECK
from avdub.learning.paint_actor import OwnExemplars, PaintActorRecipe, Painted, fine_tune
from avdub.models.latents_to_face import LatentsToFace
from tests.learning.made import make_frames, spread_exemplars
from tests.tiny import make_latents_to_face

SHORT = PaintActorRecipe(steps=30, batch=4, exemplars=3, look_every=10, bf16=False)


@pytest.fixture(scope="module")
def judge() -> OwnExemplars:
    frames = make_frames()
    return OwnExemplars(frames, spread_exemplars(frames), bf16=False)


@pytest.fixture(scope="module")
def start() -> LatentsToFace:
    return make_latents_to_face()


@pytest.fixture(scope="module")
def painted(start: LatentsToFace, judge: OwnExemplars) -> Painted:
    return fine_tune(start, judge, (600, 0), SHORT)


def weights(model: LatentsToFace, part: str = "") -> torch.Tensor:
    return torch.cat([p.detach().flatten() for n, p in model.named_parameters() if part in n])


def test_held_out_frames_are_painted_better(painted: Painted, judge: OwnExemplars) -> None:
    assert painted.steps == 30
    assert painted.after.mask > painted.before.mask + 0.5
    assert judge.quality(painted.model, CHECK) == painted.after


def test_the_model_it_started_from_stays_as_it_was(start: LatentsToFace, painted: Painted) -> None:
    assert torch.equal(weights(start), weights(make_latents_to_face()))
    assert not torch.equal(weights(start, "paint"), weights(painted.model, "paint"))


def test_the_lip_head_is_not_touched(start: LatentsToFace, painted: Painted) -> None:
    assert torch.equal(weights(start, "lips"), weights(painted.model, "lips"))


def test_the_same_seed_learns_the_same(
    start: LatentsToFace, judge: OwnExemplars, painted: Painted
) -> None:
    again = fine_tune(start, judge, (600, 0), SHORT)
    assert torch.equal(weights(again.model), weights(painted.model))
    other = fine_tune(start, judge, (600, 1), SHORT)
    assert not torch.equal(weights(other.model), weights(painted.model))


def test_the_best_of_all_looks_is_taken(painted: Painted, judge: OwnExemplars) -> None:
    best = max(look.quality.score for look in painted.looks)
    assert judge.quality(painted.model, paint_actor.CHOOSE).score == best


def test_without_time_nothing_is_learned(start: LatentsToFace, judge: OwnExemplars) -> None:
    nothing = fine_tune(start, judge, (0, 0), SHORT)
    assert nothing.model is start
    assert (nothing.steps, nothing.after) == (0, nothing.before)


def test_weights_that_only_become_worse_are_not_taken(
    start: LatentsToFace, judge: OwnExemplars, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(self: paint_actor._Tuning) -> None:
        self.done += 1
        for parameter in self.averaged.flow.parameters():
            parameter.data += 1

    monkeypatch.setattr(paint_actor._Tuning, "step", spoil)
    spoilt = fine_tune(
        start, judge, (600, 0), PaintActorRecipe(look_every=1, patience=3, bf16=False)
    )
    assert spoilt.model is start
    assert spoilt.steps == 3  # patience ends it
    assert spoilt.after == spoilt.before


def test_slow_steps_end_before_the_time_does(
    start: LatentsToFace, judge: OwnExemplars, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    quality = OwnExemplars.quality

    def slow_look(self: OwnExemplars, model: LatentsToFace, role: int) -> paint_actor.Quality:
        clock[0] += 3
        return quality(self, model, role)

    def slow_step(self: paint_actor._Tuning) -> None:
        clock[0] += 5
        self.done += 1

    monkeypatch.setattr(OwnExemplars, "quality", slow_look)
    monkeypatch.setattr(paint_actor._Tuning, "step", slow_step)
    made = fine_tune(start, judge, (60, 0), PaintActorRecipe(bf16=False))
    assert made.steps == 9  # 6 s before, 9 × 5 s, and room for two looks
    assert clock[0] <= 60
