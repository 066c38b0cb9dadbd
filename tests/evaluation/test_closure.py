"""Lips that meet at /p b m/, and lips that are still in pauses."""

import numpy as np
import pytest

from avdub.evaluation.aligner import Phone, Word
from avdub.evaluation.closure import (
    Pauses,
    all_pause,
    closure,
    mean_closure,
    mean_pauses,
    pauses,
)

TIMES = np.arange(50) / 25
WORDS = (
    Word("bee", 0.4, 0.8, (Phone("B", 0.4, 0.6), Phone("IY", 0.6, 0.8))),
    Word("see", 1.0, 1.4, (Phone("S", 1.0, 1.2), Phone("IY", 1.2, 1.4))),
)


def steps(bilabial: float, vowel: float) -> np.ndarray:
    """An opening that has these values over the phonemes of WORDS and a little around them."""
    at = np.full(len(TIMES), 0.5)
    at[(TIMES > 0.35) & (TIMES < 0.61)] = bilabial
    at[(TIMES > 0.61) & (TIMES < 0.85)] = vowel
    at[(TIMES > 1.15) & (TIMES < 1.45)] = vowel
    return at


def test_lips_that_close_half_as_far_have_half_the_contrast() -> None:
    found = closure(WORDS, TIMES, steps(0.1, 0.2), steps(0.0, 0.2))
    assert found is not None
    assert (found.n_bilabials, found.n_vowels) == (1, 2)
    assert found.share == pytest.approx(0.5, abs=0.05)
    assert found.real_bilabial < 0.02
    assert found.bilabial > 0.099


def test_lips_that_do_the_opposite_have_a_negative_share() -> None:
    found = closure(WORDS, TIMES, steps(0.2, 0.1), steps(0.0, 0.2))
    assert found is not None
    assert found.share is not None
    assert found.share < 0


def test_a_real_mouth_without_contrast_gives_no_share() -> None:
    found = closure(WORDS, TIMES, steps(0.0, 0.2), steps(0.1, 0.1))
    assert found is not None
    assert found.share is None


def test_a_phoneme_at_which_the_real_mouth_is_hidden_does_not_count() -> None:
    real = steps(0.0, 0.2)
    real[31] = np.nan
    found = closure(WORDS, TIMES, steps(0.0, 0.2), real)
    assert found is not None
    assert (found.n_bilabials, found.n_vowels) == (1, 1)


def test_words_without_bilabials_have_no_closure() -> None:
    assert closure(WORDS[1:], TIMES, steps(0, 1), steps(0, 1)) is None


def test_every_phoneme_of_all_clips_counts_once() -> None:
    one = closure(WORDS, TIMES, steps(0.0, 0.2), steps(0.0, 0.2))
    twice = closure((*WORDS, *WORDS), TIMES, steps(0.2, 0.2), steps(0.0, 0.2))
    assert one is not None
    assert twice is not None
    mean = mean_closure([one, twice])
    assert mean is not None
    assert (mean.n_bilabials, mean.n_vowels) == (3, 6)
    assert mean.bilabial == pytest.approx((one.bilabial + 2 * twice.bilabial) / 3)
    assert mean_closure([]) is None


def test_pauses_keep_their_distance_from_speech() -> None:
    real = np.zeros(50)
    real[(TIMES > 0.4) & (TIMES < 1.6)] = 1.0  # from 100 ms before the speech to 100 ms after
    found = pauses([(0.5, 1.5)], TIMES, np.full(50, 0.03), real)
    assert found is not None
    assert (found.mean, found.std) == (pytest.approx(0.03), pytest.approx(0))
    assert (found.real_mean, found.real_std) == (0, 0)
    assert found.frames == sum((TIMES <= 0.38) | (TIMES >= 1.62))


def test_gaps_too_short_to_rest_in_are_no_pauses() -> None:
    assert pauses([(0.1, 0.9), (1.2, 1.96)], TIMES, np.zeros(50), np.zeros(50)) is None


def test_frames_without_a_face_are_no_pause() -> None:
    assert pauses([], TIMES, np.zeros(50), np.full(50, np.nan)) is None


def test_a_mouth_that_flutters_in_pauses_has_a_deviation() -> None:
    flutter = 0.02 + 0.01 * (-1.0) ** np.arange(50)
    found = pauses([], TIMES, flutter, np.zeros(50))
    assert found is not None
    assert (found.mean, found.std) == (pytest.approx(0.02), pytest.approx(0.01))


def test_silence_makes_all_frames_a_pause() -> None:
    assert all_pause(np.full(5, 0.25)) == Pauses(5, 0.25, 0.0, None, None)


def test_pauses_of_several_clips_are_weighed_by_their_frames() -> None:
    mean = mean_pauses([Pauses(10, 0.0, 0.0, 0.1, 0.0), Pauses(30, 0.4, 0.2, 0.3, 0.2)])
    assert mean is not None
    assert (mean.frames, mean.mean) == (40, pytest.approx(0.3))
    assert mean.real_mean == pytest.approx(0.25)
    assert mean.std == pytest.approx((0.75 * 0.2**2) ** 0.5)
    assert mean_pauses([]) is None
