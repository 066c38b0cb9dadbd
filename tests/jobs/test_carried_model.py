"""A user's model on machines that lack it: the same files, written once, by the right user only."""

import threading
from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError
from avdub.jobs.carried_model import Model, pack_model, place_model
from avdub.jobs.recipe import weights_of


@pytest.fixture(autouse=True)
def _temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


def packed(name: str) -> Model:
    """With the contents in place of what would fetch them."""
    model = pack_model(name, lambda content: content)
    assert model is not None
    return model


def test_the_shipped_model_is_not_carried() -> None:
    assert pack_model("base", lambda content: content) is None


def test_a_carried_model_has_the_same_weights(weights: Path) -> None:
    folder = place_model(packed(str(weights)), lambda content: content)
    assert weights_of(str(folder)) == weights_of(str(weights))
    assert {p.relative_to(folder) for p in folder.rglob("*") if p.is_file()} == {
        p.relative_to(weights) for p in weights.rglob("*") if p.is_file()
    }


def test_a_model_is_fetched_once_by_all_that_ask_at_once(weights: Path) -> None:
    fetched: list[int] = []

    def fetch(content: np.ndarray) -> np.ndarray:
        fetched.append(content.size)
        return content

    model = packed(str(weights))
    asking = [threading.Thread(target=place_model, args=(model, fetch)) for _ in range(4)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert sorted(fetched) == sorted(file.size for file in model.files)


def test_a_model_that_lost_a_file_is_fetched_again(weights: Path) -> None:
    model = packed(str(weights))
    folder = place_model(model, lambda content: content)
    (folder / "manifest.json").unlink()
    assert place_model(model, lambda content: content) == folder
    assert weights_of(str(folder)) == weights_of(str(weights))
    assert (folder / "manifest.json").is_file()


def test_what_cannot_be_fetched_leaves_no_half_model(weights: Path, tmp_path: Path) -> None:
    model = packed(str(weights))

    def fetch(content: np.ndarray) -> np.ndarray:
        if content.size == model.files[-1].size:
            raise ConnectionError("the machine is gone")
        return content

    with pytest.raises((ConnectionError, InputError)):
        place_model(model, fetch)
    (home,) = tmp_path.glob("avdub-models-*")
    assert [path.suffix for path in home.iterdir()] == [".lock"]


def test_a_folder_that_others_may_write_to_is_not_trusted(weights: Path, tmp_path: Path) -> None:
    model = packed(str(weights))
    home = place_model(model, lambda content: content).parent
    home.chmod(0o777)
    with pytest.raises(InputError, match="not this user's alone"):
        place_model(model, lambda content: content)
