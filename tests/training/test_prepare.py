import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.errors import InputError
from avdub.text import OFFICIAL
from avdub.training import prepare
from avdub.training.data import SpeechPack
from avdub.training.pack_latents import front_end_of
from avdub.training.prepare import Item, is_held_out, list_corpus, prepare_speech, read_sound_of
from avdub.training.teacher import Utterance
from tests.make import make_clip, make_tone

TEACHER = 6


def write_sound(path: Path, seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> Path:
    soundfile.write(path, make_tone(seconds, rate, channels).samples, rate)
    return path


class Teacher:
    """Stands in for Whisper: features that count the steps of what it is given."""

    def __init__(self, model_bin: Path) -> None:
        self.model_bin = model_bin

    def __call__(self, wav: torch.Tensor) -> torch.Tensor:
        assert wav.shape[1] <= 30 * 16_000, "more than a window"
        steps = torch.arange(wav.shape[1] // 320, dtype=torch.float32)
        return steps[None, :, None].expand(1, -1, TEACHER)


@pytest.fixture
def _teacher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "WhisperFeatures", Teacher)

    def log_f0(wav: np.ndarray, method: str) -> np.ndarray:
        return np.full(len(wav) // 80, 5.0 if method == "swift" else 4.0, np.float32)

    monkeypatch.setattr(prepare, "log_f0", log_f0)


def test_about_one_name_in_ten_is_held_out() -> None:
    share = np.mean([is_held_out(f"clip_{n}") for n in range(3000)])
    assert share == pytest.approx(0.1, abs=0.02)


def test_the_same_names_are_held_out_everywhere() -> None:
    """Recorded: whoever changes the hash lets training see what measures are made on."""
    held = [n for n in range(40) if is_held_out(f"clip_{n}")]
    assert held == [1, 2, 5, 8, 10, 11, 39]


def test_a_teacher_corpus_is_its_listing(tmp_path: Path) -> None:
    line = {"id": "heart_1", "speaker": "heart", "text": "Hi.", "phonemes": "hI"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    (item,) = list_corpus(tmp_path)
    assert item == Item(Utterance("heart_1", "heart", "Hi.", "hI"), tmp_path / "heart_1.flac")


def test_a_listed_corpus_leaves_out_missing_sounds(tmp_path: Path) -> None:
    (tmp_path / "metadata.csv").write_text("a|Hello.\nb|Gone.\n", "utf-8")
    write_sound(tmp_path / "a.wav")
    (item,) = list_corpus(tmp_path)
    assert (item.utterance.speaker, item.utterance.phonemes) == (tmp_path.name, "həlˈO.")


def test_a_plain_folder_takes_speakers_from_names(tmp_path: Path) -> None:
    for name in ("anna_1.wav", "ben-2.wav"):
        write_sound(tmp_path / name)
    assert [item.utterance.speaker for item in list_corpus(tmp_path)] == ["anna", "ben"]
    assert {item.utterance.speaker for item in list_corpus(tmp_path, "me")} == {"me"}


def test_a_folder_without_sound_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no sound"):
        list_corpus(tmp_path)


@given(st.lists(st.floats(0, 0.5), max_size=30))
def test_durations_are_rounded_at_their_borders(seconds: list[float]) -> None:
    steps = prepare._in_steps(tuple(seconds))
    assert sum(steps) == round(sum(seconds) * 50) or abs(sum(steps) - sum(seconds) * 50) <= 0.51
    assert all(abs(a - b * 50) <= 1 for a, b in zip(steps, seconds, strict=True))


@pytest.mark.parametrize(("rate", "channels"), [(16_000, 1), (44_100, 2), (8000, 1)])
def test_sounds_are_read_at_16_khz_mono(rate: int, channels: int, tmp_path: Path) -> None:
    wav = read_sound_of(write_sound(tmp_path / "a.wav", 0.5, rate, channels))
    assert abs(len(wav) - 8000) <= 1
    assert wav.dtype == np.float32


def test_the_sound_of_a_video_starts_with_its_first_frame(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", audio=make_tone(0.4))
    assert len(read_sound_of(clip)) == 6400


def test_a_silent_video_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no sound"):
        read_sound_of(make_clip(tmp_path / "a.mp4"))


@pytest.mark.usefixtures("_teacher")
def test_a_prepared_pack_holds_every_utterance_with_its_own_features(tmp_path: Path) -> None:
    items = [
        Item(
            Utterance(f"u{n}", "a", "", "ab", (0.1, 0.2, 0.1, 0.1)),
            write_sound(tmp_path / f"u{n}.wav", 0.5),
        )
        for n in range(3)
    ]
    assert prepare_speech(items, Path("model.bin"), tmp_path / "pack") == 75
    pack = SpeechPack(tmp_path / "pack")
    starts = [float(pack.rows("teacher.f16", TEACHER, e)[0, 0]) for e in pack.entries]
    assert starts == [0, 35, 70]  # one window, ten steps of silence between
    assert [e.durations for e in pack.entries] == [(5, 10, 5, 5)] * 3
    assert pack.audio(pack.entries[2]).abs().max() == pytest.approx(0.5, abs=0.01)


@pytest.mark.usefixtures("_teacher")
def test_long_corpora_take_several_windows(tmp_path: Path) -> None:
    file = write_sound(tmp_path / "a.wav", 12.0)
    items = [Item(Utterance(f"u{n}", "a", ""), file) for n in range(4)]
    assert prepare_speech(items, Path("model.bin"), tmp_path / "pack") == 4 * 600
    pack = SpeechPack(tmp_path / "pack")
    starts = [float(pack.rows("teacher.f16", TEACHER, e)[0, 0]) for e in pack.entries]
    assert starts == [0, 610, 0, 610]


@pytest.mark.usefixtures("_teacher")
def test_the_very_short_and_the_very_long_are_left_out(tmp_path: Path) -> None:
    items = [
        Item(Utterance(f"u{n}", "a", ""), write_sound(tmp_path / f"u{n}.wav", seconds))
        for n, seconds in enumerate((0.1, 1.0, 31.0))
    ]
    prepare_speech(items, Path("model.bin"), tmp_path / "pack")
    assert [e.id for e in SpeechPack(tmp_path / "pack").entries] == ["u1"]


@pytest.mark.usefixtures("_teacher")
def test_a_full_window_keeps_the_features_of_its_last_utterance(tmp_path: Path) -> None:
    """30 s of sound and the gap after it are longer than a window."""
    item = Item(Utterance("u", "a", ""), write_sound(tmp_path / "u.wav", 30.0))
    prepare_speech([item], Path("model.bin"), tmp_path / "pack")
    pack = SpeechPack(tmp_path / "pack")
    assert len(pack.rows("teacher.f16", TEACHER, pack.entries[0])) == 1500


@pytest.mark.usefixtures("_teacher")
def test_a_pack_for_another_front_end_says_so_and_needs_no_teacher(tmp_path: Path) -> None:
    item = Item(Utterance("u", "a", "", "ab"), write_sound(tmp_path / "u.wav", 0.5))
    folder = tmp_path / "pack"
    prepare_speech([item], Path("model.bin"), folder)
    assert front_end_of(folder) == "base"
    prepare_speech([item], None, folder, front=OFFICIAL)
    pack = SpeechPack(folder)
    assert front_end_of(folder) == "hierspeechpp"
    assert pack.f0(pack.entries[0]).unique().tolist() == [4.0]  # measured by YAAPT
    with pytest.raises(InputError, match=r"teacher.f16 is missing"):
        pack.rows("teacher.f16", TEACHER, pack.entries[0])
    prepare_speech([item], Path("model.bin"), folder)
    assert front_end_of(folder) == "base"


def test_texts_are_read_by_the_front_end_that_is_asked_for(tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    line = {"id": "a", "speaker": "b", "text": "Go.", "phonemes": "?", "durations_s": [0.1, 0.2]}
    for name in ("teacher", "listed"):
        (tmp_path / name).mkdir()
        write_sound(tmp_path / name / "a.flac")
    (tmp_path / "teacher" / "metadata.jsonl").write_text(json.dumps(line) + "\n")
    (tmp_path / "listed" / "metadata.csv").write_text("a|Go.\n", "utf-8")
    for name in ("teacher", "listed"):
        (item,) = list_corpus(tmp_path / name, front=OFFICIAL)
        assert item.utterance.phonemes == "ɡˈoʊ."
        assert item.utterance.durations_s == ()
