"""Timing: whatever the text and the slot, a line fills its slot exactly."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
from avdub.pipeline.encode import (
    EMPHASIS,
    END_STEPS,
    LEAST_PAUSES,
    LONGEST_CHUNK,
    START_STEPS,
    Asked,
    Line,
    _paused,
    accents,
    encode,
    fit_line,
    rate_for,
    read_line,
    split_phonemes,
)
from avdub.text import BASE, EDGE, OFFICIAL, PAUSES, VOWELS, FrontEnd
from avdub.text.reading import Break, Reading
from tests.tiny import STEPS_A_SYMBOL, make_styles, make_text_to_latents

SAID = st.text("həlˈOwɜɹd ,.?", min_size=1, max_size=500).filter(lambda said: said.strip())
DURATIONS = st.lists(st.floats(0, 30), min_size=1, max_size=40)
BOTH = pytest.mark.parametrize("family", [BASE, OFFICIAL], ids=lambda family: family.name)


@pytest.fixture(scope="module")
def model() -> TextToLatents:
    return make_text_to_latents()


@pytest.fixture(scope="module")
def style() -> torch.Tensor:
    return make_styles(0)["text"]


@pytest.fixture(scope="module")
def official_model() -> TextToLatents:
    torch.manual_seed(2)
    return TextToLatents(replace(TextToLatentsConfig.tiny(), symbols=178)).eval()


def make_line(
    inner: list[float], symbols: str = "", edge: float = 8.0, family: FrontEnd = BASE
) -> Line:
    """A line whose symbols last as long as `inner`; a blank between two half as long as the one
    before it."""
    symbols = symbols or "".join("ab t"[i % 4] for i in range(len(inner)))
    durations = [edge, *inner, edge]
    if family.blank:
        durations = [edge, *(d for own in inner for d in (own, own / 2))]
        durations[-1] = edge
    return Line((family.chunk(symbols),), torch.tensor(durations), family)


@BOTH
@given(said=SAID)
def test_splitting_keeps_every_symbol_in_order(said: str, family: FrontEnd) -> None:
    chunks = split_phonemes(said, family)
    assert all(chunk[0] == chunk[-1] == family.edge for chunk in chunks)
    joined = "".join(chunk[1:-1] for chunk in chunks)
    assert joined.replace(" ", "").replace("_", "") == said.replace(" ", "")


@BOTH
@given(said=SAID)
def test_chunks_are_never_empty_nor_too_long(said: str, family: FrontEnd) -> None:
    for chunk in split_phonemes(said, family):
        assert 1 <= len(chunk.strip(EDGE).replace("_", "")) <= LONGEST_CHUNK


def test_blanks_do_not_count_towards_the_length_of_a_chunk() -> None:
    said = "la " * 100
    chunks, official = split_phonemes(said), split_phonemes(said, OFFICIAL)
    assert [len(chunk) for chunk in official] == [2 * len(chunk) - 3 for chunk in chunks]


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


@BOTH
@given(
    inner=DURATIONS,
    slot=st.integers(1, 900),
    slowest=st.sampled_from([1.0, 0.9, 0.7]),
    edge=st.floats(0, 20),
)
def test_a_line_fills_its_slot_exactly(
    inner: list[float], slot: int, slowest: float, edge: float, family: FrontEnd
) -> None:
    line = make_line(inner, edge=edge, family=family)
    fit = fit_line(line, slot, slowest)
    assert int(fit.steps.sum()) == slot
    assert len(fit.steps) == len(line.symbols)
    assert (fit.steps >= 0).all()


@BOTH
@given(inner=DURATIONS, slot=st.integers(1, 900))
def test_sounds_are_never_longer_than_the_slot(
    inner: list[float], slot: int, family: FrontEnd
) -> None:
    """All but the closing silence lies inside, so that nothing said is cut off."""
    fit = fit_line(make_line(inner, family=family), slot)
    assert int(fit.steps[:-1].sum()) <= slot


@BOTH
@given(inner=DURATIONS)
def test_a_line_that_fits_keeps_its_natural_length(inner: list[float], family: FrontEnd) -> None:
    line = make_line(inner, family=family)
    slot = int(line.natural_steps) + 50
    fit = fit_line(line, slot)
    assert fit.rate == pytest.approx(1)
    spoken = line.durations[:-1].clone()
    spoken[0] = min(float(spoken[0]), START_STEPS)
    assert (fit.steps[:-1] - spoken).abs().max() <= 1


def test_short_silences_around_a_line_stay_and_long_ones_are_cut() -> None:
    assert make_line([20.0], edge=0.5).natural_steps == 21
    assert make_line([20.0], edge=30).natural_steps == 20 + START_STEPS + END_STEPS


@given(inner=DURATIONS, edge=st.floats(0.1, 20))
def test_an_official_line_fits_its_natural_length_at_rate_one(
    inner: list[float], edge: float
) -> None:
    line = make_line(inner, edge=edge, family=OFFICIAL)
    slot = int(line.natural_steps) + 1
    assert rate_for(line, slot) == 1
    assert fit_line(line, slot).rate == pytest.approx(1)


@BOTH
@given(
    vowel=st.floats(40, 90),
    pause=st.floats(40, 90),
    consonant=st.floats(40, 90),
    share=st.floats(0.6, 0.9),
)
def test_pauses_give_most_then_vowels_then_consonants(
    vowel: float, pause: float, consonant: float, share: float, family: FrontEnd
) -> None:
    line = make_line([vowel, pause, consonant], "a t", family=family)
    kept = fit_line(line, int(line.natural_steps * share)).steps / line.durations
    a, space, t = kept[[1, 2, 3] if family is BASE else [1, 3, 5]].tolist()
    rounding = 1 / 40
    assert space - rounding <= a <= t + rounding
    assert a < t


@given(share=st.floats(0.5, 0.95), edge=st.floats(0, 20))
def test_a_blank_is_scaled_as_the_symbol_before_it(share: float, edge: float) -> None:
    line = make_line([80.0] * 6, "atə, t", edge, OFFICIAL)
    steps = fit_line(line, int(line.natural_steps * share)).steps[1:-1]
    own, blank = steps[::2], steps[1::2]
    assert (blank - own[:-1] / 2).abs().max() <= 2
    assert int(own.max() - own.min()) > 1


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


@pytest.mark.parametrize("slot", [1, 40, 333])
def test_official_latents_last_as_long_as_the_slot(
    slot: int, official_model: TextToLatents, style: torch.Tensor
) -> None:
    line = read_line(official_model, "həlˈoʊ, wˈɜːld. " * 15, style, OFFICIAL)
    assert len(line.chunks) > 1
    assert len(line.durations) == len(line.symbols)
    latents = encode(official_model, line, fit_line(line, slot), style, 0)
    assert len(latents) == slot
    assert torch.isfinite(latents.vec).all()


def test_the_model_is_given_the_ids_of_its_own_front_end() -> None:
    class Listener:
        heard: torch.Tensor

        def predict_durations(self, tokens: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
            self.heard = tokens
            return torch.ones(len(tokens))

    for family in (BASE, OFFICIAL):
        read_line(listener := Listener(), "ab", torch.zeros(1), family)  # type: ignore[arg-type]
        assert listener.heard.tolist() == family.ids(family.chunk("ab"))


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


class Even:
    """A text model to which every symbol takes 10 steps."""

    def predict_durations(self, tokens: torch.Tensor, style: torch.Tensor) -> torch.Tensor:
        return torch.full((len(tokens),), 10.0)


def read_evenly(reading: Reading | str, family: FrontEnd = BASE, pace: float = 1.0) -> Line:
    return read_line(Even(), reading, torch.zeros(1), family, pace)  # type: ignore[arg-type]


@BOTH
@given(said=SAID, data=st.data())
def test_emphasis_stays_with_its_phonemes(said: str, data: st.DataObject, family: FrontEnd) -> None:
    sounds = [n for n, c in enumerate(said.strip()) if c != " "]
    first = data.draw(st.sampled_from(sounds))
    line = read_evenly(Reading(said.strip(), ((first, first + 1),)), family)
    ((start, end),) = line.emphasis
    assert line.symbols[start:end] == said.strip()[first]
    before = "".join(line.symbols[:start]).replace(family.edge, "").replace("_", "")
    assert before.replace(" ", "") == said.strip()[:first].replace(" ", "")


@BOTH
def test_vowels_of_an_emphasised_word_are_longer(family: FrontEnd) -> None:
    plain = read_evenly("tat tat tat", family).durations
    longer = read_evenly(Reading("tat tat tat", ((4, 7),)), family).durations
    stride = 2 if family.blank else 1
    vowel = 1 + 5 * stride
    assert float(longer[vowel]) == pytest.approx(10 * EMPHASIS)
    assert int((longer != plain).sum()) == stride


@BOTH
@given(pace=st.floats(0.5, 2.0))
def test_pace_divides_the_natural_length_and_spares_consonants(
    pace: float, family: FrontEnd
) -> None:
    plain, paced = (read_evenly("tat, tat", family, p).durations[1:-1] for p in (1.0, pace))
    assert float(paced.sum()) == pytest.approx(float(plain.sum()) / pace, rel=0.01)
    change = (paced / plain - 1).abs()
    stride = 2 if family.blank else 1
    consonant, vowel, pause = (float(change[n * stride]) for n in (0, 1, 3))
    assert consonant <= vowel + 1e-4
    assert vowel <= pause + 1e-4


@BOTH
@pytest.mark.parametrize("kind", list(Break))
def test_a_break_lasts_longer_than_predicted_and_nothing_else_does(
    kind: Break, family: FrontEnd
) -> None:
    plain = read_evenly("tat, tat, tat", family)
    made = read_evenly(Reading("tat, tat, tat", breaks=((8, kind),)), family)
    hasty = replace(plain, durations=torch.ones(len(plain.symbols)))
    stride = 2 if family.blank else 1
    here = range(1 + 8 * stride, 1 + 10 * stride)
    assert torch.equal(made.durations, plain.durations), "20 steps are enough"
    longer = _paused(hasty, hasty.durations, {1 + 8 * stride: LEAST_PAUSES[kind]})
    assert float(longer[list(here)].sum()) == pytest.approx(LEAST_PAUSES[kind])
    assert int((longer != 1).sum()) == len(here)


def test_accents_lie_where_their_sounds_are_heard() -> None:
    line = read_evenly(Reading("tˈat tˈat? tat!", ((0, 4),), (9,)))
    found = accents(line, fit_line(line, round(line.natural_steps)))
    assert [accent.asked for accent in found] == [Asked.EMPHASIS, Asked.RISE, Asked.LIVELINESS]
    word, rise, lively = found
    assert word.end - word.start == pytest.approx(42, abs=1)
    assert word.start < word.peak < word.end < rise.start < rise.end < lively.end


def test_official_voices_are_asked_for_emphasis_only() -> None:
    line = read_evenly(Reading("tˈat? tˈat!", ((0, 4),), (4,)), OFFICIAL)
    found = accents(line, fit_line(line, round(line.natural_steps)))
    assert [accent.asked for accent in found] == [Asked.EMPHASIS]
