"""Imported models on disk: whole or not at all, and never at the cost of other files."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError

from avdub import checkpoint
from avdub.checkpoint import load_module, read_manifest, save_manifest, save_module, verify
from avdub.errors import InputError, WeightsError
from avdub.registry import store
from avdub.registry.convert import Incoming, convert
from tests.registry.fakes import Tiny, TinyConfig, save_tiny, tiny_state

BOTH = ("text_to_latents", "latents_to_speech")


@pytest.fixture
def bring(tmp_path: Path, tiny: Path) -> Callable[..., Path]:
    def run(*kinds: str, seed: int = 0, encoder: str | None = None) -> Path:
        paths = [save_tiny(tmp_path / f"{kind}-{seed}.pth", kind, seed) for kind in kinds]
        new = [Incoming(path, kind, encoder) for path, kind in zip(paths, kinds, strict=True)]
        store.install(convert(new), tiny)
        return tiny

    return run


def weight(folder: Path, kind: str) -> torch.Tensor:
    return load_module(folder / f"{kind}.safetensors", Tiny, TinyConfig).weight


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def nothing(path: Path) -> None:
    raise AssertionError(f"{path} is no safetensors file")


def test_imported_weights_keep_every_bit(bring: Callable[..., Path]) -> None:
    folder = bring(*BOTH, seed=3)
    assert torch.equal(
        weight(folder, "text_to_latents"), tiny_state("text_to_latents", 3)["text.weight"]
    )


def test_weights_saved_without_a_type_keep_every_bit(tmp_path: Path) -> None:
    module = Tiny(TinyConfig())
    torch.nn.init.normal_(module.weight)
    save_module(tmp_path / "a.safetensors", module, module.config, dtype=None)
    loaded = load_module(tmp_path / "a.safetensors", Tiny, TinyConfig)
    assert torch.equal(loaded.weight, module.weight)


def test_the_manifest_tells_origin_and_licence_and_can_be_verified(
    bring: Callable[..., Path],
) -> None:
    folder = bring("text_to_latents")
    facts = read_manifest(folder)["text_to_latents.safetensors"]
    assert facts["licence"] == "MIT"
    assert facts["origin"] == "text_to_latents-0.pth"
    assert len(facts["source_sha256"]) == 64
    assert verify(folder) == []


def test_a_second_import_keeps_the_first(bring: Callable[..., Path]) -> None:
    bring("text_to_latents")
    folder = bring("speech_sr_48k")
    assert list(store.installed(folder)) == ["text_to_latents", "speech_sr_48k"]
    assert verify(folder) == []


def test_an_import_leaves_nothing_beside_the_folder(bring: Callable[..., Path]) -> None:
    folder = bring(*BOTH)
    bring(*BOTH, seed=1)
    assert [path.name for path in folder.parent.iterdir()] == ["hierspeechpp"]
    assert len(list(folder.iterdir())) == 3


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_failure_while_writing_changes_nothing(
    bring: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    folder = bring("text_to_latents")
    before = contents(folder.parent)

    def save(path: Path, *rest: object) -> None:
        if path.name.startswith("latents"):
            raise error
        path.write_bytes(b"new")

    monkeypatch.setattr(store, "save_module", save)
    with pytest.raises(type(error)):
        bring(*BOTH, seed=1)
    assert contents(folder.parent) == before
    assert [path.name for path in folder.parent.iterdir()] == ["hierspeechpp"]


def test_a_first_import_that_fails_leaves_no_folder(
    bring: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    def save(path: Path, *rest: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "save_module", save)
    with pytest.raises(KeyboardInterrupt):
        bring(*BOTH)
    assert list((home / "models").iterdir()) == []


def test_a_failure_while_moving_brings_the_old_files_back(
    bring: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bring(*BOTH)
    before = contents(folder.parent)
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        staged = "replaced" not in str(self) and self.parent != folder
        if target == folder / "latents_to_speech.safetensors" and staged:
            raise KeyboardInterrupt
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(KeyboardInterrupt):
        bring(*BOTH, seed=1)
    assert contents(folder.parent) == before


def test_a_disk_too_small_is_said_before_writing(
    bring: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    with pytest.raises(InputError, match=r"0\.0 GB free") as caught:
        bring(*BOTH)
    assert "AVDUB_HOME" in caught.value.hint
    assert not (home / "models").exists()


def test_a_home_that_is_a_file_is_an_input_error(bring: Callable[..., Path], home: Path) -> None:
    home.mkdir()
    (home / "models").write_text("mine")
    with pytest.raises(InputError, match="cannot be written to"):
        bring("text_to_latents")
    assert (home / "models").read_text() == "mine"


def test_weights_that_a_full_disk_refuses_leave_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def save_file(tensors: object, path: Path, header: object) -> None:
        path.write_bytes(b"half")
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(checkpoint, "save_file", save_file)
    module = Tiny(TinyConfig())
    with pytest.raises(InputError, match="No space left") as caught:
        save_module(tmp_path / "a.safetensors", module, module.config)
    assert "free some space" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


class TestCheck:
    def test_a_whole_model_has_no_problems(self, bring: Callable[..., Path]) -> None:
        folder = bring(*BOTH)
        assert store.check("hierspeechpp", nothing) == (folder, [])

    def test_a_changed_byte_is_found(self, bring: Callable[..., Path]) -> None:
        file = bring(*BOTH) / "text_to_latents.safetensors"
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
        _, problems = store.check("hierspeechpp", nothing)
        assert problems == [f"{file} is damaged (its SHA-256 differs)"]

    def test_a_missing_file_is_found(self, bring: Callable[..., Path]) -> None:
        file = bring(*BOTH) / "text_to_latents.safetensors"
        file.unlink()
        assert store.check("hierspeechpp", nothing)[1] == [f"{file} is missing"]

    def test_a_listed_file_that_does_not_open_is_found(self, bring: Callable[..., Path]) -> None:
        folder = bring("text_to_latents")
        file = folder / "text_to_latents.safetensors"
        file.write_bytes(b"no weights")
        listing = read_manifest(folder)
        listing[file.name]["sha256"] = checkpoint.sha256(file)
        save_manifest(folder, listing)
        (problem,) = store.check("hierspeechpp", nothing)[1]
        assert "is not a readable weights file" in problem

    @pytest.mark.parametrize("content", ["", "{", "[]", '{"a": 1}', '{"a": {}}'])
    def test_a_damaged_manifest_is_a_problem(
        self, bring: Callable[..., Path], content: str
    ) -> None:
        folder = bring("text_to_latents")
        (folder / "manifest.json").write_text(content)
        problems = store.check("hierspeechpp", nothing)[1]
        assert problems == [f"{folder / 'manifest.json'} is damaged and cannot be read"]

    def test_the_shipped_family_is_whole(self) -> None:
        opened: list[str] = []
        assert store.check("base", lambda path: opened.append(path.suffix))[1] == []
        assert ".onnx" in opened

    def test_what_is_not_installed_cannot_be_checked(self, home: Path) -> None:
        with pytest.raises(WeightsError, match="'hierspeechpp' is not installed"):
            store.check("hierspeechpp", nothing)


class TestRemove:
    def test_it_deletes_the_listed_files_and_the_empty_folder(
        self, bring: Callable[..., Path]
    ) -> None:
        folder = bring(*BOTH)
        store.remove(*store.listed_files("hierspeechpp"))
        assert not folder.exists()

    def test_other_files_stay(self, bring: Callable[..., Path]) -> None:
        folder = bring(*BOTH)
        (folder / "notes.txt").write_text("mine")
        store.remove(*store.listed_files("hierspeechpp"))
        assert [path.name for path in folder.iterdir()] == ["notes.txt"]

    def test_a_part_is_removed_alone(self, bring: Callable[..., Path]) -> None:
        folder = bring(*BOTH, "speech_sr_24k")
        store.remove(*store.listed_files("speech-sr"))
        assert list(store.installed(folder)) == list(BOTH)
        assert verify(folder) == []

    def test_a_manifest_cannot_lead_to_files_elsewhere(
        self, bring: Callable[..., Path], tmp_path: Path
    ) -> None:
        folder = bring("text_to_latents")
        (tmp_path / "precious").write_text("mine")
        listing = read_manifest(folder)
        save_manifest(folder, {**listing, str(tmp_path / "precious"): {"sha256": ""}})
        _, files = store.listed_files("hierspeechpp")
        assert files == ["text_to_latents.safetensors"]

    def test_base_stays(self) -> None:
        with pytest.raises(InputError, match="base comes with avdub"):
            store.listed_files("base")

    @pytest.mark.parametrize("name", ["", ".", "..", "../other", "a/b"])
    def test_only_names_can_be_removed(self, home: Path, name: str) -> None:
        with pytest.raises(InputError, match="no model's name"):
            store.listed_files(name)


def test_the_encoder_and_its_licence_are_remembered(bring: Callable[..., Path]) -> None:
    folder = bring("speech_to_latents", encoder="xls-r-300m")
    assert store.encoder_of(folder) == "xls-r-300m"
    assert list(store.parts_of("xls-r-300m", folder)) == ["speech_to_latents"]
    assert store.parts_of("mms-300m", folder) == {}
    assert json.loads((folder / "manifest.json").read_text())["speech_to_latents.safetensors"][
        "licence"
    ] == ("Apache-2.0")
