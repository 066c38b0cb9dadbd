"""Files that users bring: what is read, and every way in which a file can be wrong."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from avdub.errors import InputError
from avdub.registry.source import file_of, read_source

WEIGHT = torch.arange(2000.0)
STATE = {"weight": WEIGHT}


class Malice:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrapper", ["", "model", "state_dict", "generator"])
def test_a_torch_file_gives_its_tensors(tmp_path: Path, wrapper: str, zipped: bool) -> None:
    content = {wrapper: STATE, "iteration": 7, "learning_rate": 0.1} if wrapper else STATE
    torch.save(content, tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    state, iteration = read_source(tmp_path / "a.pth")
    assert torch.equal(state["weight"], WEIGHT)
    assert iteration == (7 if wrapper else None)


def test_a_safetensors_file_gives_its_tensors_whatever_it_is_called(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "a.pth")
    assert torch.equal(read_source(tmp_path / "a.pth")[0]["weight"], WEIGHT)


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_a_hugging_face_folder_stands_for_its_weights(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / name).write_bytes(b"x")
    assert file_of(tmp_path) == tmp_path / name


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"neither model\.safetensors nor pytorch_model\.bin"):
        file_of(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"there is no file .*a\.pth"):
        file_of(tmp_path / "a.pth")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pth").touch()
    with pytest.raises(InputError, match=r"a\.pth is empty"):
        file_of(tmp_path / "a.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_that_would_run_code_is_refused_and_does_not_run(
    tmp_path: Path, zipped: bool
) -> None:
    torch.save(
        {"weight": WEIGHT, "model": Malice(tmp_path / "mark")},
        tmp_path / "a.pth",
        _use_new_zipfile_serialization=zipped,
    )
    with pytest.raises(InputError, match=r"a\.pth asks to run \w+\.mkdir when opened"):
        read_source(tmp_path / "a.pth")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_a_bare_pickle_is_refused_and_does_not_run(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "a.bin").write_bytes(pickle.dumps(Malice(tmp_path / "mark"), protocol))
    with pytest.raises(InputError, match=r"a\.bin "):
        read_source(tmp_path / "a.bin")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("part", [0.05, 0.5, 0.99])
def test_a_file_cut_short_is_refused(tmp_path: Path, zipped: bool, part: float) -> None:
    path = tmp_path / "a.pth"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    with pytest.raises(InputError, match=r"a\.pth is damaged") as caught:
        read_source(path)
    assert "download it again" in caught.value.hint


def test_a_hole_of_zeros_in_a_file_of_full_size_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    torch.save({"weight": torch.ones(2000)}, path)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged"):
        read_source(path)


def test_a_safetensors_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file(STATE, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"a\.safetensors is not a readable weights file"):
        read_source(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git LFS pointer"),
        (b"<!DOCTYPE html><html>Virus scan warning</html>", "is a web page"),
        (b"\n<html lang=en>", "is a web page"),
        (b"print('hello')\n" * 9, "no checkpoint at all"),
        (bytes(5000), "no checkpoint at all"),
        (b"PK\x03\x04 but no archive", "damaged or cut short"),
    ],
)
def test_files_of_another_kind_are_told_apart(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_source(tmp_path / "a.pth")


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"model": {"name": "x"}}])
def test_a_file_without_tensors_is_refused(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(InputError, match="holds no weights"):
        read_source(tmp_path / "a.pth")


def test_a_single_tensor_is_no_checkpoint(tmp_path: Path) -> None:
    torch.save(WEIGHT, tmp_path / "a.pth")
    with pytest.raises(InputError, match="holds no weights by name but a Tensor"):
        read_source(tmp_path / "a.pth")
