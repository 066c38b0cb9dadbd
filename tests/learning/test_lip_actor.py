"""How wide an actor opens his mouth, from what the head makes of his sound and what is seen."""

import numpy as np
import pytest
import torch

from avdub.faces.lips import opening
from avdub.learning.actor_frames import LEARN, roles_of
from avdub.learning.lip_actor import MOST, Spoken, fit_lips, joined, stretched, widen
from tests.models.made import noise
from tests.tiny import make_latents_to_face

N = 400
RNG = np.random.default_rng(0)
# how lips open: the lower ring goes down, a jaw with it
DOWN = np.zeros((57, 2), np.float32)
DOWN[[24, 25, 26], 1] = 1
OWN = DOWN.copy()
OWN[40:, 1] = 0.3  # this actor's jaw moves little
HEADS = DOWN.copy()
HEADS[40:, 1] = 1.5


def moving(seed: int = 0) -> np.ndarray:
    """Openings (N,), never below 0, as syllables come and go."""
    rng = np.random.default_rng(seed)
    steps = np.convolve(rng.standard_normal(N + 8), np.ones(8) / 8, "valid")[:N]
    return np.maximum(0.06 + 0.15 * steps, 0).astype(np.float32)


def make_spoken(smaller: float = 0.4, unlike: float = 0.005, track: int = 0) -> Spoken:
    real = moving()
    heard = smaller * np.maximum(real + unlike * RNG.standard_normal(N).astype(np.float32), 0)
    tracks, times = np.full(N, track), np.arange(N) / 25
    return Spoken(
        heard[:, None, None] * HEADS, real[:, None, None] * OWN, tracks, roles_of(tracks, times)
    )


def test_a_head_that_opens_too_little_is_widened_about_as_much() -> None:
    fit, why_not = fit_lips(make_spoken(0.5))
    assert fit is not None, why_not
    assert fit.gain == pytest.approx(2.0, abs=0.25)
    assert fit.errors[1] < 0.5 * fit.errors[0]
    assert fit.amplitudes[0] == pytest.approx(0.5, abs=0.1)
    assert fit.amplitudes[1] == pytest.approx(1.0, abs=0.2)


def test_lips_open_the_way_the_actor_opens_them() -> None:
    spoken = make_spoken(0.5)
    fit, _ = fit_lips(spoken)
    assert fit is not None
    changed = stretched(spoken.made, fit.change)
    wide = opening(changed) > 0.02
    jaw = changed[wide, 45, 1] / opening(changed)[wide]
    np.testing.assert_allclose(jaw, 0.3, atol=0.01)


def test_closed_lips_stay_closed() -> None:
    fit, _ = fit_lips(make_spoken())
    assert fit is not None
    still = np.zeros((3, 57, 2), np.float32)
    np.testing.assert_array_equal(stretched(still, fit.change), still)


def test_a_gain_has_a_limit() -> None:
    fit, _ = fit_lips(make_spoken(0.3, 0.0))
    assert fit is not None
    assert fit.gain == MOST


def test_a_head_that_opens_enough_is_left_alone() -> None:
    spoken = make_spoken(1.2)
    own = Spoken(spoken.made, moving()[:, None, None] * HEADS, spoken.tracks, spoken.roles)
    assert fit_lips(own) == (None, "wider lips are not nearer to the real ones")


def test_a_mouth_that_does_not_speak_teaches_nothing() -> None:
    spoken = make_spoken()
    other = moving(7)[:, None, None] * OWN
    fit, why_not = fit_lips(Spoken(spoken.made, other, spoken.tracks, spoken.roles))
    assert fit is None
    assert why_not == "too little is seen of who is heard"


def test_listeners_beside_the_speaker_do_not_count() -> None:
    alone = make_spoken(0.5)
    listener = Spoken(
        alone.made, 0.2 * moving(7)[:, None, None] * OWN, alone.tracks + 1, alone.roles
    )
    with_both, _ = fit_lips(joined([alone, listener]))
    without, _ = fit_lips(alone)
    assert with_both is not None
    assert without is not None
    assert with_both.gain == without.gain


def test_a_few_frames_are_too_few() -> None:
    spoken = make_spoken()
    few = spoken.where(np.arange(N) < 60)
    assert fit_lips(few) == (None, "too little is seen of who is heard")


def test_held_out_frames_do_not_choose_the_gain() -> None:
    spoken = make_spoken(0.5)
    real = spoken.real.copy()
    real[spoken.roles != LEARN] *= 1.3
    changed, _ = fit_lips(Spoken(spoken.made, real, spoken.tracks, spoken.roles))
    same, _ = fit_lips(spoken)
    assert changed is not None
    assert same is not None
    assert changed.gain == same.gain


def test_a_widened_head_makes_what_was_fitted() -> None:
    fit, _ = fit_lips(make_spoken())
    assert fit is not None
    model = make_latents_to_face()
    vec, times = noise(40, 16), torch.arange(20, dtype=torch.float64) / 25
    before = model.lip_shapes(vec, times).numpy()
    after = widen(model, fit).lip_shapes(vec, times).numpy()
    np.testing.assert_allclose(after, stretched(before, fit.change), atol=1e-4)
    np.testing.assert_array_equal(model.lip_shapes(vec, times).numpy(), before)
