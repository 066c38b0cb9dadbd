"""Timing: whatever the text and the slot, a line fills its slot exactly."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.models.text_to_latents import TextToLatents
from avdub.pipeline.encode import (
    LONGEST_CHUNK,
    START_STEPS,
    Line,
    encode,
    fit_line,
    rate_for,
    read_line,
    split_phonemes,
)
from avdub.text import EDGE, PAUSES, VOWELS
from tests.tiny import STEPS_A_SYMBOL, make_styles, make_text_to_latents

SAID = st.text("həlˈOwɜɹd ,.?", min_size=1, max_size=500).filter(lambda said: said.strip())
DURATIONS = st.lists(st.floats(0, 30), min_size=1, max_size=40)


@pytest.fixture(scope="module")
def model() -> TextToLatents:
    return make_text_to_latents()


@pytest.fixture(scope="module")
def style() -> torch.Tensor:
    return make_styles(0)["text"]


def make_line(inner: list[float], symbols: str = "", edge: float = 8.0) -> Line:
    symbols = symbols or ("ab t"[i % 4] for i in range(len(inner)))
    chunk = EDGE + "".join(symbols) + EDGE
    return Line((chunk,), torch.tensor([edge, *inner, edge]))


@given(SAID)
def test_splitting_keeps_every_symbol_in_order(said: str) -> None:
    chunks = split_phonemes(said)
    assert all(chunk[0] == chunk[-1] == EDGE for chunk in chunks)
    joined = "".join(chunk[1:-1] for chunk in chunks)
    assert joined.replace(" ", "") == said.replace(" ", "")


@given(SAID)
def test_chunks_are_never_empty_nor_too_long(said: str) -> None:
    assert all(1 <= len(chunk) - 2 <= LONGEST_CHUNK for chunk in split_phonemes(said))


@pytest.mark.parametrize(
    ("separator", "end"), [(". ", "."), (", ", ","), (" ", "a")], ids=["sentence", "clause", "word"]
)
def test_long_lines_are_cut_where_one_breathes(separator: str, end: str) -> None:
    words = separator.join(["la" * 5] * 60)
    chunks = split_phonemes(words)
    assert len(chunks) > 2
    assert all(chunk[-2] == end for chunk in chunks[:-1])


def test_a_word_without_end_is_cut_all_the_same() -> None:
    assert [len(chunk) for chunk in split_phonemes("a" * 400)] == [182, 182, 42]


@given(DURATIONS, st.integers(1, 900), st.sampled_from([1.0, 0.9, 0.7]))
def test_a_line_fills_its_slot_exactly(inner: list[float], slot: int, slowest: float) -> None:
    line = make_line(inner)
    fit = fit_line(line, slot, slowest)
    assert int(fit.steps.sum()) == slot
    assert len(fit.steps) == len(line.symbols)
    assert (fit.steps >= 0).all()


@given(DURATIONS, st.integers(1, 900))
def test_sounds_are_never_longer_than_the_slot(inner: list[float], slot: int) -> None:
    """All but the closing silence lies inside, so that nothing said is cut off."""
    fit = fit_line(make_line(inner), slot)
    assert int(fit.steps[:-1].sum()) <= slot


@given(DURATIONS)
def test_a_line_that_fits_keeps_its_natural_length(inner: list[float]) -> None:
    line = make_line(inner)
    slot = int(line.natural_steps) + 50
    fit = fit_line(line, slot)
    assert fit.rate == pytest.approx(1)
    spoken = torch.tensor([min(8.0, START_STEPS), *inner])
    assert (fit.steps[:-1] - spoken).abs().max() <= 1


@given(st.lists(st.floats(3, 20), min_size=4, max_size=30), st.floats(0.55, 0.95))
def test_consonants_give_way_less_than_vowels_and_pauses(inner: list[float], share: float) -> None:
    line = make_line(inner)
    slot = int(line.natural_steps * share)
    kept = fit_line(line, slot).steps[1:-1] / torch.tensor(inner)
    rounding = 1 / torch.tensor(inner)

    def share_of(symbols: str) -> float:
        at = [n for n, symbol in enumerate(line.symbols[1:-1]) if symbol in symbols]
        return float(kept[at].mean()) - float(rounding[at].mean())

    consonants = [n for n, s in enumerate(line.symbols[1:-1]) if s in "bt"]
    highest = float(kept[consonants].mean()) + float(rounding[consonants].mean())
    assert share_of("a") <= highest
    assert share_of(" ") <= highest if " " in line.symbols else True


def test_a_long_vowel_gives_more_than_a_long_consonant() -> None:
    fit = fit_line(make_line([50, 50], "at"), 80)
    vowel, consonant = fit.steps[1:3].tolist()
    assert vowel < consonant < 50


def test_the_rate_is_natural_over_spoken() -> None:
    line = make_line([50.0, 50.0], "at")
    assert fit_line(line, 80).rate == pytest.approx(line.natural_steps / 80, rel=0.01)
    assert rate_for(line, 80) == pytest.approx(line.natural_steps / 80)
    assert rate_for(line, 500) == 1


def test_a_line_can_be_drawn_out_down_to_a_rate() -> None:
    line = make_line([20.0] * 5)
    drawn = fit_line(line, 120, slowest=0.7)
    assert drawn.rate == pytest.approx(line.natural_steps / 120, rel=0.01)
    limited = fit_line(line, 600, slowest=0.7)
    assert limited.rate == pytest.approx(0.7, rel=0.01)


def test_a_slot_too_short_for_any_speech_still_keeps_all_symbols_in_it() -> None:
    fit = fit_line(make_line([20.0] * 10), 30)
    assert fit.steps.tolist() == pytest.approx([0, *[3] * 10, 0], abs=1)
    assert int(fit.steps.sum()) == 30


def test_an_empty_slot_counts_as_one_step() -> None:
    assert rate_for(make_line([10.0]), 0) == make_line([10.0]).natural_steps


def test_a_line_has_a_duration_for_every_symbol(model: TextToLatents, style: torch.Tensor) -> None:
    line = read_line(model, "həlˈO, wˈɜɹld. " * 20, style)
    assert len(line.chunks) > 1
    assert len(line.durations) == len(line.symbols)
    assert line.natural_s == pytest.approx(len(line.symbols) * STEPS_A_SYMBOL / 50, rel=0.3)


@pytest.mark.parametrize("slot", [1, 2, 40, 333])
def test_latents_last_as_long_as_the_slot(
    slot: int, model: TextToLatents, style: torch.Tensor
) -> None:
    line = read_line(model, "həlˈO, wˈɜɹld. " * 15, style)
    assert len(line.chunks) > 1
    latents = encode(model, line, fit_line(line, slot), style, 0)
    assert len(latents) == slot
    assert torch.isfinite(latents.vec).all()


def test_the_same_seed_encodes_the_same(model: TextToLatents, style: torch.Tensor) -> None:
    line = read_line(model, "həlˈO", style)
    fit = fit_line(line, 40)
    once, again, other = (encode(model, line, fit, style, seed).vec for seed in (3, 3, 4))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)


def test_pauses_vowels_and_the_rest_are_told_apart() -> None:
    assert " " in PAUSES
    assert EDGE in PAUSES
    assert {"a", "O"} <= VOWELS
    assert not {"t", "ˈ"} & (PAUSES | VOWELS)
