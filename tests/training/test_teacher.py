from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("onnx", reason="teachers need onnx")

from avdub.errors import InputError
from avdub.training.teacher import (
    UNIT_S,
    HibariTeacher,
    KokoroTeacher,
    Utterance,
    language_of,
    make_corpus,
    read_corpus,
)

LINES = ("Hello.", "Good morning, world.", "One two three.")


class Fake:
    """Says a tone of four units a symbol, and one at each edge."""

    voice, language = "fake", "en-us"

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, phonemes: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        self.said.append(phonemes)
        units = np.array([1.0, *[4.0] * len(phonemes), 1.0], np.float32)
        time = np.arange(int(units.sum()) * 600) / 24_000
        return (0.3 * np.sin(2 * np.pi * 200 * time)).astype(np.float32), units


class Mute(Fake):
    def say(self, phonemes: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
        sound, units = super().say(phonemes, seed)
        return 0 * sound, units


def test_a_corpus_has_a_sound_and_durations_for_each_line(tmp_path: Path) -> None:
    make_corpus(Fake(), LINES[:2], tmp_path)
    for item in read_corpus(tmp_path):
        sound, rate = soundfile.read(tmp_path / f"{item.id}.flac")
        assert rate == 16_000
        assert len(item.durations_s) == len(item.phonemes) + 2
        assert sum(item.durations_s) == pytest.approx(len(sound) / rate, abs=0.01)


def test_texts_and_voices_are_kept(tmp_path: Path) -> None:
    make_corpus(Fake(), LINES[:1], tmp_path)
    (item,) = read_corpus(tmp_path)
    assert item == Utterance("fake_00000", "fake", "Hello.", item.phonemes, item.durations_s)


def test_a_stopped_corpus_goes_on_where_it_was(tmp_path: Path) -> None:
    assert make_corpus(Fake(), LINES[:2], tmp_path) == 2
    teacher = Fake()
    assert make_corpus(teacher, LINES, tmp_path) == len(teacher.said) == 1
    assert [item.text for item in read_corpus(tmp_path)] == list(LINES)
    assert len({item.id for item in read_corpus(tmp_path)}) == 3


def test_a_spanish_teacher_is_given_spanish_phonemes(tmp_path: Path) -> None:
    teacher = Fake()
    teacher.language = "es"
    make_corpus(teacher, ["¿Qué hora es?"], tmp_path)
    assert teacher.said == ["kˈe ˈoɾa ˈes?"]


def test_what_kokoro_voices_speak_is_told_by_their_first_letter() -> None:
    voices = ("af_heart", "bm_george", "ef_dora", "heart")
    assert [language_of(voice) for voice in voices] == ["en-us", "en-gb", "es", "en-us"]


def test_silence_is_not_kept(tmp_path: Path) -> None:
    assert make_corpus(Mute(), LINES[:2], tmp_path) == 0


def test_a_folder_without_a_corpus_has_no_utterances(tmp_path: Path) -> None:
    assert list(read_corpus(tmp_path)) == []


def test_missing_kokoro_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"am_michael\.bin is missing"):
        KokoroTeacher(tmp_path, "am_michael")


def test_durations_of_the_real_teacher_add_up_to_its_sound() -> None:
    sound, units = HibariTeacher().say("həlˈO wˈɜɹld", 0)
    assert len(units) == len("həlˈO wˈɜɹld") + 2
    assert float(units.sum()) * UNIT_S == pytest.approx(len(sound) / 24_000, abs=0.05)
    assert np.abs(sound).max() > 0.05
