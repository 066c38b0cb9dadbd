"""What drives the lips: their own sound, another clip's, or silence."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from avdub.errors import InputError
from avdub.evaluation import setups
from avdub.evaluation.aligner import Word
from avdub.evaluation.setups import Driver, Setup, Source, Subject, fill
from avdub.latents import Latents

WORDS = (Word("now", 0.1, 0.3),)
HEARD_SILENCE = 7.0


def subject(value: float, n_steps: int, words: tuple[Word, ...] = WORDS) -> Subject:
    """A clip all of whose latents are `value`."""
    clip: Any = SimpleNamespace(vec=torch.full((n_steps, 2), value))
    return Subject(f"{value}.mp4", clip, words, words, "" if words else "nothing tells")


def listen(wav: torch.Tensor) -> torch.Tensor:
    assert not wav.any()
    return torch.full((len(wav) // 320, 2), HEARD_SILENCE)


def say(words: Any, vec: torch.Tensor, *rest: Any) -> Latents:
    return Latents(vec + 100, torch.zeros(4 * len(vec)))


@pytest.fixture
def drive(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Latents of text are those of the sound plus 100, heard in its speech plus 1,100."""
    weights: Any = SimpleNamespace(
        speech_to_latents=SimpleNamespace(listen=listen),
        default_voice="heart",
        voice=lambda name: {"text": torch.zeros(1), "speech": torch.zeros(1)},
    )
    monkeypatch.setattr(setups, "said_latents", say)
    monkeypatch.setattr(setups, "resounded", lambda said, *rest: said.vec + 1000)
    monkeypatch.setattr(setups, "unsaid_latents", lambda n, *rest: torch.full((n, 2), -1.0))

    def asked(
        subjects: list[Subject], n: int, source: Source, setup: Setup, own_sound: bool = True
    ) -> Any:
        return Driver(subjects, weights, own_sound=own_sound).drive(n, source, setup)

    return asked


def test_a_matched_clip_is_driven_by_its_own_sound(drive: Any) -> None:
    found = drive([subject(1, 10), subject(2, 10)], 0, Source.SOUND, Setup.MATCHED)
    assert (found.vec[0, 0], found.heard[0, 0]) == (1, 1)


def test_lips_from_text_are_shown_with_the_real_sound(drive: Any) -> None:
    found = drive([subject(1, 10)], 0, Source.TEXT, Setup.MATCHED)
    assert (found.vec[0, 0], found.heard[0, 0]) == (101, 1)


def test_a_cascade_hears_the_speech_made_of_the_words(drive: Any) -> None:
    found = drive([subject(1, 10)], 0, Source.CASCADE, Setup.MATCHED)
    assert (found.vec[0, 0], found.heard[0, 0]) == (1101, 1)


@pytest.mark.parametrize("source", [Source.TEXT, Source.CASCADE])
def test_without_their_own_sound_lips_are_shown_with_the_made_speech(
    drive: Any, source: Source
) -> None:
    found = drive([subject(1, 10)], 0, source, Setup.MATCHED, False)
    assert found.heard[0, 0] == 1101


@pytest.mark.parametrize("source", list(Source))
def test_a_mismatched_clip_is_driven_by_another_for_its_own_time(
    drive: Any, source: Source
) -> None:
    subjects = [subject(1, 10), subject(2, 4), subject(3, 10), subject(4, 12)]
    found = drive(subjects, 1, source, Setup.MISMATCHED)
    assert found.vec.shape == found.heard.shape == (4, 2)
    assert found.heard[0, 0] == 4
    assert found.vec[0, 0] == {"sound": 4, "text": 104, "cascade": 1104}[source]


def test_a_clip_alone_is_mismatched_with_another_part_of_itself(drive: Any) -> None:
    alone = subject(0, 10)
    alone.clip.vec[:, 0] = torch.arange(10.0)
    found = drive([alone], 0, Source.SOUND, Setup.MISMATCHED)
    assert found.vec[:, 0].tolist() == [5, 6, 7, 8, 9, 0, 1, 2, 3, 4]


def test_a_clip_without_words_drives_no_lips_from_text(drive: Any) -> None:
    subjects = [subject(1, 10), subject(2, 10), subject(3, 10, words=()), subject(4, 10)]
    assert drive(subjects, 0, Source.SOUND, Setup.MISMATCHED).heard[0, 0] == 3
    assert drive(subjects, 0, Source.TEXT, Setup.MISMATCHED).heard[0, 0] == 4


def test_silence_is_heard_as_silence_and_said_as_nothing(drive: Any) -> None:
    sound = drive([subject(1, 10)], 0, Source.SOUND, Setup.SILENT)
    text = drive([subject(1, 10)], 0, Source.TEXT, Setup.SILENT)
    assert (sound.vec.unique().tolist(), text.vec.unique().tolist()) == ([HEARD_SILENCE], [-1])
    assert (sound.heard, text.heard) == (None, None)
    assert len(sound.vec) == len(text.vec) == 10


def test_text_without_words_says_why_there_are_none(drive: Any) -> None:
    with pytest.raises(InputError, match="nothing tells"):
        drive([subject(1, 10, words=())], 0, Source.TEXT, Setup.MATCHED)


def test_short_latents_are_repeated_and_long_ones_cut() -> None:
    vec = torch.arange(3.0)[:, None]
    assert fill(vec, 7)[:, 0].tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert fill(vec, 2)[:, 0].tolist() == [0, 1]
