"""The judges: what they are given, what they say, and what is told where they are not there."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from avdub.errors import InputError, WeightsError
from avdub.evaluation import judges
from avdub.media.waveform import Waveform
from tests.make import make_tone


class FakeWhisper:
    def __init__(self, folder: str, **settings: Any) -> None:
        assert settings["local_files_only"], "a model must never be fetched"
        if "damaged" in folder:
            raise RuntimeError("unexpected end of file")
        many = "english" not in folder
        self.model = SimpleNamespace(is_multilingual=many)
        self.supported_languages = ["en", "es"] if many else ["en"]

    def transcribe(self, wav: np.ndarray, **settings: Any) -> tuple[Any, None]:
        assert settings["beam_size"] == 5
        words = {"en": (" Hello", " there. "), "es": (" Hola.",)}[settings["language"]]
        return (SimpleNamespace(text=text) for text in words), None


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Makes a folder that looks like a Whisper model of that name."""
    fake = ModuleType("faster_whisper")
    vars(fake)["WhisperModel"] = FakeWhisper
    monkeypatch.setitem(sys.modules, "faster_whisper", fake)

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.bin").touch()
        return folder

    return make


def test_what_whisper_hears_is_joined(model: Callable[[str], Path]) -> None:
    assert judges.make_listener(model("whole"))(np.zeros(160, np.float32)) == "Hello there."


@pytest.mark.parametrize(("language", "heard"), [("es", "Hola."), ("en-GB", "Hello there.")])
def test_whisper_hears_the_language_of_the_lines(
    model: Callable[[str], Path], language: str, heard: str
) -> None:
    assert judges.make_listener(model("whole"), language)(np.zeros(160, np.float32)) == heard


def test_a_language_whisper_does_not_know_is_an_input_error(model: Callable[[str], Path]) -> None:
    with pytest.raises(InputError, match="'xx'"):
        judges.make_listener(model("whole"), "xx")


def test_a_whisper_for_english_alone_cannot_judge_spanish(model: Callable[[str], Path]) -> None:
    with pytest.raises(WeightsError, match="hears only English"):
        judges.make_listener(model("english"), "es")


def test_a_damaged_model_is_a_weights_error(model: Callable[[str], Path]) -> None:
    with pytest.raises(WeightsError, match="unexpected end of file"):
        judges.make_listener(model("damaged"))


def test_a_missing_model_is_a_weights_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        judges.make_judges(tmp_path)
    assert "model.bin" in caught.value.hint


@pytest.mark.parametrize("name", ["faster_whisper", "speechmos"])
def test_a_missing_package_names_the_extra(
    model: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = model("whole")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(WeightsError) as caught:
        judges.make_judges(folder)
    assert name.replace("_", "-") in caught.value.message
    assert "avdub[train]" in caught.value.hint


def test_quality_is_the_p808_of_16_khz_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    package, module = ModuleType("speechmos"), ModuleType("speechmos.dnsmos")
    vars(module)["run"] = lambda wav, rate: {"p808_mos": np.float64(rate / 4000), "sig_mos": 1}
    vars(package)["dnsmos"] = module
    monkeypatch.setitem(sys.modules, "speechmos", package)
    monkeypatch.setitem(sys.modules, "speechmos.dnsmos", module)
    assert judges.make_rater()(np.zeros(160, np.float32)) == 4.0


def test_only_voiced_cells_have_hz(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.array([0, np.log(121), 0, np.log(201)], np.float32)
    monkeypatch.setattr(judges, "log_f0", lambda wav: values)
    np.testing.assert_allclose(judges.voiced_hz(np.zeros(320, np.float32)), [120, 200], rtol=1e-5)


def test_judges_hear_mono_at_16_khz_within_full_scale() -> None:
    loud = Waveform(make_tone(0.5, 48_000, 2).samples * 3, 48_000)
    heard = judges.judged_samples(loud)
    assert heard.shape == (8_000,)
    assert np.abs(heard).max() <= 1
