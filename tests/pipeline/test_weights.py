from pathlib import Path

import pytest
import torch

from avdub.checkpoint import base_folder
from avdub.errors import InputError, WeightsError
from avdub.pipeline import weights as weights_module
from avdub.pipeline.weights import Weights, choose_device


@pytest.mark.parametrize(
    "name", ["text_to_latents", "speech_to_latents", "latents_to_speech", "latents_to_face"]
)
def test_every_model_is_opened_once_when_it_is_needed(
    name: str, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    load = weights_module.load_module

    def watched(path: Path, module: type, config: type) -> object:
        opened.append(path)
        return load(path, module, config)

    monkeypatch.setattr(weights_module, "load_module", watched)
    family = Weights(str(weights))
    assert opened == []
    assert getattr(family, name) is getattr(family, name)
    assert opened == [weights / f"{name}.safetensors"]


def test_the_shipped_family_is_the_default() -> None:
    assert Weights().folder == base_folder()


def test_a_voice_has_a_style_for_text_and_one_for_speech(weights: Path) -> None:
    assert set(Weights(str(weights)).voice("michael")) == {"text", "speech"}


def test_an_empty_folder_is_an_error_only_when_used(tmp_path: Path) -> None:
    family = Weights(str(tmp_path))
    with pytest.raises(WeightsError, match=r"text_to_latents\.safetensors"):
        _ = family.text_to_latents


def test_faces_are_the_shipped_ones_where_a_family_has_none(tmp_path: Path) -> None:
    assert Weights(str(tmp_path)).faces == base_folder() / "faces"


def test_the_device_is_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for there, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert choose_device("auto").type == kind


@pytest.mark.parametrize(("name", "words"), [("cuda", "no CUDA device"), ("tpu", "unknown device")])
def test_devices_that_are_not_there_are_refused(
    name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match=words):
        choose_device(name)
