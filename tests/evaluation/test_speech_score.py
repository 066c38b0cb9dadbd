"""Figures of voices out of what was said of their lines."""

import pytest

from avdub.evaluation.similarity import Likeness
from avdub.evaluation.speech_score import LineScore, Slot, VoiceScore, mean_figures


def line(**facts: object) -> LineScore:
    known: dict[str, object] = {
        **{"voice": "ann", "text": "a", "heard": "a", "words": 2, "errors": 0},
        **{"characters": 10, "character_errors": 0, "p808": 4.0, "seconds": 2.0, "spoken_s": 1.0},
    }
    return LineScore(**{**known, **facts})  # type: ignore[arg-type]


def voice(*lines: LineScore, **facts: object) -> VoiceScore:
    return VoiceScore("ann", lines, **facts)  # type: ignore[arg-type]


def test_errors_are_pooled_over_lines() -> None:
    found = voice(
        line(words=1, errors=1, character_errors=5),
        line(words=3, errors=0, characters=30, character_errors=0),
    ).figures
    assert (found.wer, found.cer) == (0.25, 0.125)


def test_quality_is_a_mean_and_the_lowest() -> None:
    found = voice(line(p808=3.0), line(p808=4.0), line(p808=None)).figures
    assert (found.p808, found.p808_lowest) == (3.5, 3.0)


def test_pace_is_words_over_the_time_they_are_heard() -> None:
    silent = line(words=9, spoken_s=0.0, p808=None)
    assert voice(line(words=6, spoken_s=2.0), line(words=2, spoken_s=2.0), silent).figures == (
        voice(line(words=8, spoken_s=4.0), line(words=0, spoken_s=0.0), silent).figures
    )
    assert voice(line(words=6, spoken_s=2.0), silent).figures.words_per_s == 3


def test_the_spread_of_f0_is_in_semitones() -> None:
    found = voice(line(), f0_hz=(100.0, 150.0, 200.0)).figures
    assert (found.f0_p5_hz, found.f0_p50_hz, found.f0_p95_hz) == (100, 150, 200)
    assert found.f0_semitones == pytest.approx(12)


def test_slots_are_told_as_shares_of_lines() -> None:
    slots = (Slot(1.0, 1.04), Slot(1.0, 0.5), Slot(1.0, 2.0, True), Slot(2.0, 1.92))
    found = voice(*(line(slot=slot) for slot in slots)).figures
    assert (found.in_slot, found.unhurried, found.too_long) == (0.5, 0.5, 0.25)
    assert found.rate == pytest.approx((1.04 + 1 + 2 + 1) / 4)


def test_without_slots_lengths_and_references_nothing_is_told_of_them() -> None:
    found = voice(line()).figures
    assert (found.rate, found.miss_ms, found.similarity, found.f0_semitones) == (None,) * 4


def test_the_worst_missed_length_counts() -> None:
    assert voice(line(miss_ms=4.0), line(miss_ms=20.0), line()).figures.miss_ms == 20


def test_a_mean_over_voices_leaves_out_those_without_a_figure() -> None:
    likeness = Likeness(0.8, 0.9, 0.5, 1.0)
    one = voice(line(errors=1, p808=3.0, miss_ms=5.0), likeness=likeness)
    other = voice(line(errors=0, p808=4.0, miss_ms=9.0))
    found = mean_figures([one, other])
    assert (found.wer, found.p808, found.similarity, found.ceiling) == (0.25, 3.5, 0.8, 0.9)


def test_a_mean_over_voices_keeps_the_worst_line_of_all() -> None:
    found = mean_figures([voice(line(p808=3.0, miss_ms=5.0)), voice(line(p808=4.0, miss_ms=9.0))])
    assert (found.p808_lowest, found.miss_ms) == (3.0, 9.0)


def test_json_has_each_lines_rates_and_the_figures_of_the_voice() -> None:
    told = voice(line(errors=1, character_errors=1, slot=Slot(1.0, 2.0))).as_json()
    assert (told["voice"], told["wer"], told["cer"], told["rate"]) == ("ann", 0.5, 0.1, 2.0)
    assert told["lines"][0]["wer"] == 0.5
    assert told["lines"][0]["slot"] == {"slot_s": 1.0, "natural_s": 2.0, "too_long": False}
