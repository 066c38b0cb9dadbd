"""Likeness of voices: references, ceilings and floors, with ears whose answers are known."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from avdub.errors import InputError, MediaError, WeightsError
from avdub.evaluation import similarity
from avdub.evaluation.similarity import Ears, find_references, make_ears, speech_only
from avdub.media.audio import write_wav
from avdub.media.waveform import Waveform, silence
from tests.make import make_tone


def direction(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], np.float32)


def ears(**degrees: list[float]) -> Ears:
    """References whose recordings point in these directions."""
    known = {name: np.stack([direction(d) for d in each]) for name, each in degrees.items()}
    return Ears(lambda wav: direction(0), known)


def cos(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


def test_lines_are_compared_with_the_mean_of_their_reference() -> None:
    like = ears(ann=[10, 30]).likeness("ann", [direction(20), direction(80)])
    assert like is not None
    assert like.mean == pytest.approx((1 + cos(60)) / 2, abs=1e-5)


def test_the_ceiling_compares_each_half_of_a_reference_with_the_other() -> None:
    like = ears(ann=[0, 20, 30, 50]).likeness("ann", [direction(0)])
    assert like is not None
    expected = np.mean([cos(40), cos(20), cos(20), cos(40)])
    assert like.ceiling == pytest.approx(expected, abs=1e-5)


def test_the_floor_is_how_alike_the_other_references_are() -> None:
    like = ears(ann=[0], ben=[60, 90], cat=[90]).likeness("ann", [direction(0)])
    assert like is not None
    assert like.floor == pytest.approx((0.25 + 0) / 2, abs=1e-5)


def test_a_line_nearer_to_another_voice_is_not_identified() -> None:
    like = ears(ann=[0], ben=[90]).likeness("ann", [direction(10), direction(80)])
    assert like is not None
    assert like.identified == 0.5


def test_one_recording_alone_has_neither_ceiling_nor_floor() -> None:
    like = ears(ann=[0]).likeness("ann", [direction(0)])
    assert like is not None
    assert (like.ceiling, like.floor, like.identified) == (None, None, None)


def test_a_voice_without_reference_has_no_likeness() -> None:
    assert ears(ann=[0]).likeness("ben", [direction(0)]) is None


class TestReferences:
    def touch(self, root: Path, *names: str) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()

    def test_a_named_folder_holds_recordings_of_that_voice(self, tmp_path: Path) -> None:
        self.touch(tmp_path, "b.flac", "a.wav", "notes.txt")
        found = find_references([f"ann={tmp_path}"])
        assert found == {"ann": [tmp_path / "a.wav", tmp_path / "b.flac"]}

    def test_a_folder_names_voices_by_its_folders_and_files(self, tmp_path: Path) -> None:
        self.touch(tmp_path, "ann/x.wav", "ben_001.flac", "ben_002.flac", "cat.opus", "empty/n.txt")
        found = find_references([str(tmp_path)])
        assert {name: [p.name for p in files] for name, files in found.items()} == {
            "ann": ["x.wav"],
            "ben": ["ben_001.flac", "ben_002.flac"],
            "cat": ["cat.opus"],
        }

    def test_references_given_twice_are_joined(self, tmp_path: Path) -> None:
        self.touch(tmp_path, "one/a.wav", "two/b.wav")
        found = find_references([f"ann={tmp_path / 'one'}", f"ann={tmp_path / 'two' / 'b.wav'}"])
        assert [p.name for p in found["ann"]] == ["a.wav", "b.wav"]

    @pytest.mark.parametrize("word", ["{}", "ann={}", "{}/nowhere", "ann={}/nowhere"])
    def test_a_place_without_sound_is_an_input_error(self, tmp_path: Path, word: str) -> None:
        with pytest.raises(InputError, match="no reference recording"):
            find_references([word.format(tmp_path)])


class TestSpeechOnly:
    def tone(self, *parts_s: float) -> np.ndarray:
        """Sound and silence by turns, for so many seconds each."""
        pieces = [make_tone(s).samples[:, 0] * (n % 2 == 0) for n, s in enumerate(parts_s)]
        return np.concatenate(pieces)

    def test_silence_around_does_not_count(self) -> None:
        bare = speech_only(self.tone(1.0))
        padded = speech_only(np.pad(self.tone(1.0), 16_000))
        np.testing.assert_allclose(padded, bare, atol=1e-6)

    def test_a_long_pause_becomes_a_short_one(self) -> None:
        assert len(speech_only(self.tone(0.5, 2.0, 0.5))) == pytest.approx(17_440, abs=320)

    def test_a_short_pause_stays(self) -> None:
        assert len(speech_only(self.tone(0.5, 0.1, 0.5))) == pytest.approx(17_600, abs=320)

    def test_loudness_does_not_count(self) -> None:
        loud, quiet = self.tone(0.5), self.tone(0.5) * 0.01
        np.testing.assert_allclose(speech_only(quiet), speech_only(loud), rtol=1e-3, atol=1e-6)

    @pytest.mark.parametrize("n_samples", [0, 100, 16_000])
    def test_of_silence_nothing_is_left(self, n_samples: int) -> None:
        assert len(speech_only(np.zeros(n_samples, np.float32))) == 0


class FakeEncoder:
    def __init__(self, device: str, verbose: bool) -> None:
        assert (device, verbose) == ("cpu", False)

    def embed_utterance(self, wav: np.ndarray) -> np.ndarray:
        return np.array([len(wav) / 16_000, 0], np.float64)


class TestMaking:
    @pytest.fixture
    def package(self, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
        fake = ModuleType("resemblyzer")
        vars(fake)["VoiceEncoder"] = FakeEncoder
        monkeypatch.setitem(sys.modules, "resemblyzer", fake)
        return fake

    def test_long_recordings_are_heard_in_pieces_of_a_lines_length(
        self, package: ModuleType, tmp_path: Path
    ) -> None:
        write_wav(tmp_path / "long.wav", make_tone(12.0, 22_050, 2))
        made = make_ears({"ann": [tmp_path / "long.wav"]})
        assert made.references["ann"][:, 0] == pytest.approx([4.0, 4.0, 4.0], abs=0.02)

    def test_of_many_recordings_some_from_everywhere_are_heard(
        self, package: ModuleType, tmp_path: Path
    ) -> None:
        files = []
        for n in range(2 * similarity.MOST_FILES):
            files.append(tmp_path / f"{n}.wav")
            write_wav(files[-1], make_tone(0.1 + 0.01 * n))
        heard = make_ears({"ann": files}).references["ann"][:, 0]
        assert len(heard) == similarity.MOST_FILES
        assert heard == pytest.approx([0.1 + 0.02 * n for n in range(len(heard))], abs=0.011)

    def test_a_silent_reference_is_an_input_error(
        self, package: ModuleType, tmp_path: Path
    ) -> None:
        write_wav(tmp_path / "a.wav", silence(16_000, 1, 16_000))
        with pytest.raises(InputError, match="reference of ann is silent"):
            make_ears({"ann": [tmp_path / "a.wav"]})

    def test_a_reference_that_is_no_sound_is_named(
        self, package: ModuleType, tmp_path: Path
    ) -> None:
        (tmp_path / "a.wav").write_text("no sound")
        with pytest.raises(MediaError, match=r"a\.wav"):
            make_ears({"ann": [tmp_path / "a.wav"]})

    def test_a_silent_line_has_no_voice(self) -> None:
        assert ears(ann=[0]).embed_line(np.zeros(1600, np.float32)) is None

    def test_without_resemblyzer_it_is_said_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "resemblyzer", None)
        with pytest.raises(WeightsError) as caught:
            make_ears({"ann": []})
        assert "pip install --no-deps resemblyzer" in caught.value.hint

    def test_a_missing_webrtcvad_is_stood_in_for_only_while_importing(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        source = "import webrtcvad\nVoiceEncoder = lambda device, verbose: None\n"
        (tmp_path / "resemblyzer.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "resemblyzer", raising=False)
        monkeypatch.delitem(sys.modules, "webrtcvad", raising=False)
        monkeypatch.setattr(similarity, "find_spec", lambda name: None)
        similarity.make_embedder()
        del sys.modules["resemblyzer"]
        assert "webrtcvad" not in sys.modules


def test_resemblyzer_hears_one_voice_as_more_alike_than_two() -> None:
    pytest.importorskip("librosa", reason="resemblyzer needs librosa")
    try:
        embed = similarity.make_embedder()
    except WeightsError as error:
        pytest.skip(error.message)

    def voice(hz: float, formant: float) -> Any:
        time = np.arange(32_000) / 16_000
        shape = [np.exp(-(((k * hz - formant) / 400) ** 2)) for k in range(1, 20)]
        wave = sum(a * np.sin(2 * np.pi * k * hz * time) for k, a in enumerate(shape, 1))
        return embed(speech_only(Waveform(np.float32(wave)[:, None], 16_000).samples[:, 0]))

    man, same, woman = voice(100, 500), voice(105, 500), voice(230, 900)
    assert np.linalg.norm(man) == pytest.approx(1, abs=1e-4)
    assert man @ same > man @ woman + 0.1
