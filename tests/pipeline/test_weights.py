from pathlib import Path

import pytest
import torch

from avdub.checkpoint import Voice, base_folder, save_voices
from avdub.errors import InputError, WeightsError
from avdub.models.placed import device_of
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


def speaking(folder: Path, **languages: str) -> Weights:
    """A family whose named voices speak these languages."""
    voices = {
        name: (Voice(name, language, "female", "", "", ""), {"text": torch.zeros(1)})
        for name, language in languages.items()
    }
    save_voices(folder, voices)
    return Weights(str(folder))


def test_the_voice_of_a_language_is_its_first_and_of_its_region_where_there_is_one(
    tmp_path: Path,
) -> None:
    family = speaking(tmp_path, heart="en-US", dora="es-ES", alex="es-ES", emma="en-GB")
    spoken = {tag: family.voice_for(tag) for tag in ("en", "en-gb", "en-us", "es", "es-419")}
    assert spoken == {
        "en": "heart",
        "en-gb": "emma",
        "en-us": "heart",
        "es": "dora",
        "es-419": "dora",
    }


def test_without_a_voice_of_the_language_the_default_one_speaks(tmp_path: Path) -> None:
    assert speaking(tmp_path, heart="en-US").voice_for("es") == "heart"


def test_a_family_without_named_voices_takes_the_original_one_for_any_language(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").mkdir()
    assert Weights(str(tmp_path / "empty")).voice_for("es") == "original"


def test_a_named_voice_speaks_its_own_language_only_and_a_sample_any(tmp_path: Path) -> None:
    family = speaking(tmp_path, heart="en-US", dora="es-ES")
    assert family.speaks("dora", "es-419")
    assert not family.speaks("heart", "es")
    assert family.speaks("me.wav", "es")


def test_a_voice_is_read_to_in_its_own_region_where_none_is_asked_for(tmp_path: Path) -> None:
    family = speaking(tmp_path, heart="en-US", emma="en-GB", dora="es-ES", kit="en-AU")
    assert family.read_in("emma", "en") == "en-GB"
    assert family.read_in("kit", "en") == "en"  # nothing reads Australian
    assert family.read_in("emma", "en-us") == "en-us"
    assert family.read_in("dora", "en") == "en"
    assert family.read_in("me.wav", "en") == "en"


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


@pytest.mark.parametrize(
    "name", ["text_to_latents", "speech_to_latents", "latents_to_speech", "sync"]
)
def test_what_speaks_and_listens_is_put_on_the_device(name: str) -> None:
    model = getattr(Weights(device=torch.device("meta")), name)
    assert device_of(model).type == "meta"


def test_the_mouths_model_stays_on_the_cpu_until_it_animates() -> None:
    assert device_of(Weights(device=torch.device("meta")).latents_to_face).type == "cpu"
