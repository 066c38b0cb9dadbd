"""The joint representation: fitting, looking up and padding."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.latents import F0_RANGE, Latents
from avdub.timeline import F0_PER_STEP

LENGTHS = st.integers(1, 60)


def make_latents(steps: int, width: int = 3, seed: int = 0) -> Latents:
    """Random vec; about half of the F0 values are voiced."""
    generator = torch.Generator().manual_seed(seed)
    f0 = 4 + 2 * torch.rand(steps * F0_PER_STEP, generator=generator)
    voiced = torch.rand(steps * F0_PER_STEP, generator=generator) < 0.5
    return Latents(torch.randn(steps, width, generator=generator), f0 * voiced)


@given(LENGTHS, LENGTHS)
def test_fitting_gives_the_asked_length(steps: int, wanted: int) -> None:
    fitted = make_latents(steps).fit(wanted)
    assert len(fitted) == wanted
    assert len(fitted.f0) == F0_PER_STEP * wanted


@given(LENGTHS, st.integers(2, 60))
def test_fitting_keeps_both_ends(steps: int, wanted: int) -> None:
    latents = make_latents(steps)
    fitted = latents.fit(wanted)
    for part, made in ((latents.vec, fitted.vec), (latents.f0, fitted.f0)):
        torch.testing.assert_close(made[0], part[0])
        torch.testing.assert_close(made[-1], part[-1])


@given(LENGTHS, LENGTHS)
def test_fitting_invents_no_pitch(steps: int, wanted: int) -> None:
    latents = make_latents(steps)
    assert set(latents.fit(wanted).f0.tolist()) <= set(latents.f0.tolist())


@given(LENGTHS, LENGTHS)
def test_fitted_values_stay_between_the_old_ones(steps: int, wanted: int) -> None:
    latents = make_latents(steps)
    fitted = latents.fit(wanted).vec
    assert (fitted <= latents.vec.amax(0) + 1e-6).all()
    assert (fitted >= latents.vec.amin(0) - 1e-6).all()


def test_fitting_to_the_same_length_changes_nothing() -> None:
    latents = make_latents(7)
    assert latents.fit(7) is latents


def test_fitting_to_nothing_is_refused() -> None:
    with pytest.raises(AssertionError, match="cannot fit to nothing"):
        make_latents(3).fit(0)


def test_at_the_middle_of_a_step_its_own_vector_is_found() -> None:
    latents = make_latents(5)
    middles = (torch.arange(5) + 0.5) / 50
    torch.testing.assert_close(latents.at(middles), latents.vec)


def test_between_two_middles_vectors_are_mixed_linearly() -> None:
    latents = make_latents(5)
    torch.testing.assert_close(
        latents.at(torch.tensor([0.035])), (0.75 * latents.vec[1] + 0.25 * latents.vec[2])[None]
    )


def test_outside_the_ends_repeat() -> None:
    latents = make_latents(5)
    torch.testing.assert_close(
        latents.at(torch.tensor([-1.0, 9.0])), latents.vec[[0, -1]], rtol=0, atol=0
    )


@given(LENGTHS, st.integers(0, 9), st.integers(0, 9))
def test_padding_repeats_the_edges_unvoiced(steps: int, before: int, after: int) -> None:
    latents = make_latents(steps)
    padded = latents.padded(before, after)
    assert len(padded) == before + steps + after
    inner = slice(before, before + steps)
    assert torch.equal(padded.vec[inner], latents.vec)
    assert torch.equal(padded.vec[:before], latents.vec[:1].expand(before, -1))
    assert torch.equal(padded.vec[inner.stop :], latents.vec[-1:].expand(after, -1))
    assert torch.equal(padded.f0[4 * before : 4 * inner.stop], latents.f0)
    assert padded.f0[: 4 * before].sum() == padded.f0[4 * inner.stop :].sum() == 0


def test_a_step_lasts_20_ms() -> None:
    assert make_latents(25).seconds == 0.5


def test_vec_and_f0_must_belong_together() -> None:
    with pytest.raises(AssertionError, match="4 values a step"):
        Latents(torch.zeros(3, 2), torch.zeros(11))


def test_vec_has_rows_of_steps() -> None:
    with pytest.raises(AssertionError, match="must be"):
        Latents(torch.zeros(1, 3, 2), torch.zeros(12))


@given(st.floats(0, 5), st.floats(-60, 60))
def test_another_pitch_keeps_voicing_and_stays_in_range(scale: float, semitones: float) -> None:
    latents = make_latents(20)
    n = len(latents.f0)
    made = latents.pitched(torch.full((n,), scale), torch.full((n,), semitones))
    assert torch.equal(made.f0 > 0, latents.f0 > 0)
    assert torch.equal(made.vec, latents.vec)
    hz = torch.expm1(made.f0[made.f0 > 0])
    assert float(hz.min()) >= F0_RANGE[0] - 0.01
    assert float(hz.max()) <= F0_RANGE[1] + 0.01


def test_a_voice_without_f0_has_no_other_pitch() -> None:
    silent = Latents(torch.zeros(3, 2), torch.zeros(12))
    assert silent.pitched(torch.ones(12), torch.ones(12)) is silent
