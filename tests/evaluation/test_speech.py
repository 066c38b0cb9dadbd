"""Speech judged: lines, voices, lengths, and judges that are not there."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from avdub.errors import InputError, WeightsError
from avdub.evaluation import speech
from avdub.evaluation.speech import Judges, Spoken, judge
from avdub.media.audio import write_wav
from avdub.media.waveform import Waveform
from avdub.pipeline.options import DubOptions
from tests.make import make_tone


def judges(*heard: str, p808: float = 4.0) -> Judges:
    said = iter(heard)
    return Judges(lambda wav: next(said), lambda wav: p808)


def test_errors_are_pooled_over_lines_and_voices_kept_apart() -> None:
    spoken = [
        Spoken("ann", "one", make_tone()),
        Spoken("ann", "two three four", make_tone()),
        Spoken("ben", "five", make_tone()),
    ]
    ann, ben = judge(spoken, judges("won", "two three four", "five"))
    assert [line.wer for line in ann.lines] == [1, 0]
    assert (ann.voice, ann.wer, ann.p808) == ("ann", 0.25, 4.0)
    assert (ben.voice, ben.wer) == ("ben", 0)


def test_the_worst_missed_length_counts() -> None:
    spoken = [
        Spoken("ann", "one", make_tone(), asked_s=1.0, made_s=1.004),
        Spoken("ann", "two", make_tone(), asked_s=1.0, made_s=0.98),
    ]
    (ann,) = judge(spoken, judges("one", "two"))
    assert ann.miss_ms == pytest.approx(20)


def test_without_asked_lengths_none_is_missed() -> None:
    (ann,) = judge([Spoken("ann", "one", make_tone())], judges("one"))
    assert ann.miss_ms is None


def test_judges_hear_mono_at_16_khz_within_full_scale() -> None:
    heard: list[np.ndarray] = []
    loud = make_tone(0.5, 48_000, 2)
    loud = Waveform(loud.samples * 3, 48_000)
    judge([Spoken("ann", "one", loud)], Judges(lambda wav: heard.append(wav) or "", lambda wav: 1))
    assert heard[0].shape == (8_000,)
    assert np.abs(heard[0]).max() <= 1


def test_json_has_each_lines_rate() -> None:
    (ann,) = judge([Spoken("ann", "one two", make_tone())], judges("one"))
    told = ann.as_json()
    assert told["wer"] == told["lines"][0]["wer"] == 0.5


class TestLines:
    def test_only_lines_of_words_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "lines.txt"
        path.write_text("One.\n\n ... \n Two. \nThree.\n", encoding="utf-8")
        assert speech.read_lines(path) == ["One.", "Two.", "Three."]
        assert speech.read_lines(path, limit=2) == ["One.", "Two."]

    @pytest.mark.parametrize("content", [b"", b"\n...\n", b"\xff\xfe\xfa"])
    def test_a_text_without_words_is_an_input_error(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "lines.txt"
        path.write_bytes(content)
        with pytest.raises(InputError):
            speech.read_lines(path)

    def test_a_missing_text_is_an_input_error(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="cannot be read"):
            speech.read_lines(tmp_path / "none.txt")

    def test_recordings_go_with_lines_by_name(self, tmp_path: Path) -> None:
        for name, seconds in (("b", 0.2), ("a", 0.1)):
            write_wav(tmp_path / f"{name}.wav", make_tone(seconds))
        (tmp_path / "notes.txt").write_text("no sound")
        first, second = speech.recorded_lines(["One.", "Two."], tmp_path)
        assert (first.text, first.sound.seconds) == ("One.", 0.1)
        assert (second.text, second.sound.seconds) == ("Two.", 0.2)

    def test_too_few_recordings_are_an_input_error(self, tmp_path: Path) -> None:
        write_wav(tmp_path / "a.wav", make_tone())
        with pytest.raises(InputError, match="1 sound files for 2 lines"):
            list(speech.recorded_lines(["One.", "Two."], tmp_path))


class TestOurVoice:
    @pytest.fixture
    def options(self, weights: Path) -> DubOptions:
        return DubOptions(model=str(weights), device="cpu")

    def test_the_fit_is_tried_beside_the_natural_length(self, options: DubOptions) -> None:
        (line,) = speech.spoken_lines(["Hello there."], options)
        assert line.asked_s is not None
        assert line.made_s is not None
        assert line.made_s < line.sound.seconds
        assert abs(line.made_s - line.asked_s) <= 0.0101

    def test_an_asked_length_is_what_is_judged(self, options: DubOptions) -> None:
        (line,) = speech.spoken_lines(["Hello there."], options, seconds=1.234)
        assert (line.asked_s, line.made_s) == (1.234, line.sound.seconds)
        assert line.sound.seconds == pytest.approx(1.234, abs=0.0101)


class FakeWhisper:
    def __init__(self, folder: str, **settings: Any) -> None:
        assert settings["local_files_only"], "a model must never be fetched"
        if "damaged" in folder:
            raise RuntimeError("unexpected end of file")

    def transcribe(self, wav: np.ndarray, **settings: Any) -> tuple[Any, None]:
        assert (settings["language"], settings["beam_size"]) == ("en", 5)
        parts = (SimpleNamespace(text=text) for text in (" Hello", " there. "))
        return parts, None


class TestJudges:
    @pytest.fixture
    def model(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
        fake = ModuleType("faster_whisper")
        vars(fake)["WhisperModel"] = FakeWhisper
        monkeypatch.setitem(sys.modules, "faster_whisper", fake)

        def make(name: str) -> Path:
            folder = tmp_path / name
            folder.mkdir()
            (folder / "model.bin").touch()
            return folder

        return make

    def test_what_whisper_hears_is_joined(self, model: Callable[[str], Path]) -> None:
        assert speech.make_listener(model("whole"))(np.zeros(160, np.float32)) == "Hello there."

    def test_a_damaged_model_is_a_weights_error(self, model: Callable[[str], Path]) -> None:
        with pytest.raises(WeightsError, match="unexpected end of file"):
            speech.make_listener(model("damaged"))

    def test_a_missing_model_is_a_weights_error_with_a_hint(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError) as caught:
            speech.make_judges(tmp_path)
        assert "model.bin" in caught.value.hint

    @pytest.mark.parametrize("name", ["faster_whisper", "speechmos"])
    def test_a_missing_package_names_the_extra(
        self, model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        folder = model("whole")
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(WeightsError) as caught:
            speech.make_judges(folder)
        assert name.replace("_", "-") in caught.value.message
        assert "avdub[train]" in caught.value.hint

    def test_quality_is_the_p808_of_16_khz_sound(self, monkeypatch: pytest.MonkeyPatch) -> None:
        package, module = ModuleType("speechmos"), ModuleType("speechmos.dnsmos")
        vars(module)["run"] = lambda wav, rate: {"p808_mos": np.float64(rate / 4000), "sig_mos": 1}
        vars(package)["dnsmos"] = module
        monkeypatch.setitem(sys.modules, "speechmos", package)
        monkeypatch.setitem(sys.modules, "speechmos.dnsmos", module)
        assert speech.make_rater()(np.zeros(160, np.float32)) == 4.0
