"""A clip's words said anew at its own timing."""

from pathlib import Path

import pytest
import torch

from avdub.errors import InputError
from avdub.evaluation import spoken
from avdub.evaluation.aligner import Word
from avdub.evaluation.spoken import resounded, said_latents, unsaid_latents
from avdub.pipeline.weights import Weights
from avdub.text import OFFICIAL, FrontEnd

WORDS = (Word("good", 0.5, 0.8), Word("day", 0.8, 1.1), Word("now", 2.0, 2.4))


@pytest.fixture
def models(weights: Path) -> Weights:
    return Weights(str(weights))


def style(models: Weights) -> torch.Tensor:
    return models.voice("heart")["text"]


def own(n_steps: int) -> torch.Tensor:
    return torch.randn(n_steps, 16, generator=torch.Generator().manual_seed(5))


def test_words_take_exactly_the_clips_time(models: Weights) -> None:
    assert said_latents(WORDS, own(150), models, style(models)).vec.shape == (150, 16)


def test_the_same_seed_says_the_same(models: Weights) -> None:
    first, again, other = (
        said_latents(WORDS, own(150), models, style(models), seed).vec for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_every_symbol_lies_near_its_word(models: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    real = spoken.align

    def watched(model, tokens, vec, style, allowed):  # type: ignore[no-untyped-def]
        durations = real(model, tokens, vec, style, allowed)
        asked.append((len(vec), allowed, durations))
        return durations

    monkeypatch.setattr(spoken, "align", watched)
    said_latents(WORDS, own(150), models, style(models))
    (first, near, durations), (second, _, _) = asked
    assert (first, second) == (78, 72)  # parted amid the pause from 1.1 to 2.0 s
    owners = torch.repeat_interleave(torch.arange(len(durations)), durations)
    assert near[owners, torch.arange(first)].all()
    onset = int(durations[0])
    assert 0.3 * 50 <= onset <= 0.8 * 50  # 200 ms around the first word's start, and it is 300 long


def test_words_without_time_for_them_are_an_input_error(models: Weights) -> None:
    many = [Word("unbelievable", 0.01 * n, 0.01 * n + 0.01) for n in range(5)]
    with pytest.raises(InputError, match="no time to say 'unbelievable"):
        said_latents(many, own(20), models, style(models))


def test_nothing_said_takes_its_time_too(models: Weights) -> None:
    assert unsaid_latents(75, models, style(models)).shape == (75, 16)


def test_the_long_way_round_takes_the_same_time_and_hears_something_else(models: Weights) -> None:
    said = said_latents(WORDS, own(150), models, style(models))
    vec = resounded(said, models, models.voice("heart")["speech"])
    assert vec.shape == said.vec.shape
    assert not torch.allclose(vec, said.vec, atol=0.1)


def letters(text: str, language: str) -> str:
    return text


@pytest.mark.parametrize("blank", ["", "_"])
def test_there_is_a_place_for_every_symbol(blank: str) -> None:
    front = FrontEnd("x", (), frozenset(), frozenset(), "#", blank, letters)
    symbols, near = spoken._symbols(WORDS[:2], front, 0, 78)
    assert symbols == "#" + blank.join("good day") + "#"
    assert near.shape == (len(symbols), 78)
    assert near.any(1).all()


def test_words_that_are_read_as_several_are_read_one_by_one() -> None:
    def joined(text: str, language: str) -> str:
        return text.replace("25", "twenty five")

    front = FrontEnd("x", (), frozenset(), frozenset(), "#", "", joined)
    words = (Word("25", 0.0, 0.5), Word("days", 0.5, 1.0))
    symbols, near = spoken._symbols(words, front, 0, 50)
    assert symbols == "#twentyfive days#"
    assert len(near) == len(symbols)


def test_the_published_front_end_has_blanks() -> None:
    assert OFFICIAL.blank
