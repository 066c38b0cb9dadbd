"""Where a model's name leads."""

from pathlib import Path

import pytest

from avdub.errors import WeightsError
from avdub.home import find_model, user_models


def bring(home: Path, *files: str) -> Path:
    folder = home / "models" / "hierspeechpp"
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).touch()
    return folder


def test_the_home_is_where_the_variable_says(home: Path) -> None:
    assert user_models() == home / "models"


def test_without_the_variable_it_is_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AVDUB_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data of mine")
    assert user_models().parts[-2:] == ("avdub", "models")


def test_base_is_the_shipped_family() -> None:
    assert find_model("base") is None


def test_a_whole_imported_model_is_found_by_its_name(home: Path) -> None:
    folder = bring(home, "text_to_latents.safetensors", "latents_to_speech.safetensors")
    assert find_model("hierspeechpp") == folder


def test_half_a_model_is_refused_naming_what_it_lacks(home: Path) -> None:
    bring(home, "text_to_latents.safetensors")
    with pytest.raises(WeightsError, match=r"lacks latents_to_speech\.safetensors$") as caught:
        find_model("hierspeechpp")
    assert "avdub models import" in caught.value.hint


@pytest.mark.parametrize("name", ["hierspeechpp", "nonsense", ""])
def test_a_name_that_is_not_installed_is_told_how_to_get_there(home: Path, name: str) -> None:
    with pytest.raises(WeightsError, match="is not installed") as caught:
        find_model(name)
    assert "avdub models import" in caught.value.hint


@pytest.mark.parametrize("path", ["some/folder", "./hierspeechpp", "/abs", "."])
def test_a_path_is_taken_as_it_is(home: Path, path: str) -> None:
    assert find_model(path) == Path(path)


def test_a_tilde_is_the_users_folder(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/me")
    assert find_model("~/weights") == Path("/me/weights")


def test_a_folder_here_needs_no_separator(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("mine") == Path("mine")


def test_an_installed_name_wins_over_a_folder_here(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bring(home, "text_to_latents.safetensors", "latents_to_speech.safetensors")
    (tmp_path / "hierspeechpp").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_model("hierspeechpp") == folder
