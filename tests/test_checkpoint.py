"""Weights in and out: what comes back, and every way in which a file can be wrong."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from avdub.checkpoint import (
    Voice,
    base_folder,
    list_voices,
    load_module,
    load_voice,
    save_module,
    save_voices,
    verify,
    write_manifest,
)
from avdub.errors import InputError, WeightsError

ANNA = Voice("anna", "en-US", "female", "clear", "made up", "CC0")
BEN = Voice("ben", "en-GB", "male", "low", "made up", "CC0")


@dataclass(frozen=True)
class Inner:
    width: int = 3


@dataclass(frozen=True)
class NetConfig:
    sizes: tuple[int, ...] = (2, 4)
    inner: Inner = Inner()


class Net(nn.Module):
    def __init__(self, config: NetConfig) -> None:
        super().__init__()
        self.config = config
        self.first = nn.Linear(config.sizes[0], config.inner.width)
        self.register_buffer("seen", torch.tensor([70_001]))


class Other(Net):
    pass


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "net.safetensors"
    save_module(path, Net(NetConfig((5, 6), Inner(7))), NetConfig((5, 6), Inner(7)))
    return path


@pytest.fixture
def voices(tmp_path: Path) -> Path:
    def styles(value: float) -> dict[str, torch.Tensor]:
        return {use: torch.full((1, 4, 1), value) for use in ("text", "speech")}

    save_voices(tmp_path, {"anna": (ANNA, styles(1.0)), "ben": (BEN, styles(2.0))})
    return tmp_path


def test_weights_come_back_within_float16(tmp_path: Path) -> None:
    net = Net(NetConfig())
    save_module(tmp_path / "n.safetensors", net, net.config)
    loaded = load_module(tmp_path / "n.safetensors", Net, NetConfig)
    torch.testing.assert_close(loaded.first.weight, net.first.weight, rtol=2**-11, atol=1e-7)
    assert loaded.first.weight.dtype == torch.float32


def test_saving_what_was_loaded_changes_no_bit(file: Path) -> None:
    net = load_module(file, Net, NetConfig)
    save_module(file, net, net.config)
    again = load_module(file, Net, NetConfig)
    for name, tensor in net.state_dict().items():
        assert torch.equal(again.state_dict()[name], tensor)


def test_nested_configs_and_tuples_come_back(file: Path) -> None:
    assert load_module(file, Net, NetConfig).config == NetConfig((5, 6), Inner(7))


def test_whole_numbers_stay_exact(file: Path) -> None:
    assert load_module(file, Net, NetConfig).seen.tolist() == [70_001]


def test_loaded_modules_do_not_train(file: Path) -> None:
    assert not load_module(file, Net, NetConfig).training


def test_files_hold_half_precision(file: Path) -> None:
    with safe_open(file, "pt") as opened:
        assert opened.get_tensor("first.weight").dtype == torch.float16


def test_saving_leaves_nothing_beside_the_file(file: Path) -> None:
    assert [p.name for p in file.parent.iterdir()] == [file.name]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"missing: .*none\.safetensors"):
        load_module(tmp_path / "none.safetensors", Net, NetConfig)


@pytest.mark.parametrize("content", [b"", b"not weights at all", b"\x80\x04pickle"])
def test_damaged_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "bad.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match="not a readable weights file"):
        load_module(tmp_path / "bad.safetensors", Net, NetConfig)


def test_a_cut_file_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-10])
    with pytest.raises(WeightsError, match="not a readable weights file"):
        load_module(file, Net, NetConfig)


def test_another_kind_of_model_is_refused(file: Path) -> None:
    with pytest.raises(WeightsError, match="holds Net, not Other"):
        load_module(file, Other, NetConfig)


def test_weights_of_other_programs_are_refused(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1)}, tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match="holds something else, not Net"):
        load_module(tmp_path / "w.safetensors", Net, NetConfig)


@pytest.mark.parametrize("setting", ['{"colour": 3}', '{"inner": {"depth": 1}}'])
def test_unknown_settings_are_refused(setting: str, tmp_path: Path) -> None:
    header = {"format": "avdub-1", "kind": "Net", "family": "base", "config": setting}
    save_file({"w": torch.zeros(1)}, tmp_path / "w.safetensors", header)
    with pytest.raises(WeightsError, match="unknown setting"):
        load_module(tmp_path / "w.safetensors", Net, NetConfig)


def test_weights_that_do_not_fit_their_config_are_refused(tmp_path: Path) -> None:
    save_module(tmp_path / "n.safetensors", Net(NetConfig()), NetConfig((9, 9)))
    with pytest.raises(WeightsError, match="does not fit its own config"):
        load_module(tmp_path / "n.safetensors", Net, NetConfig)


def test_voices_are_listed_in_order_with_their_facts(voices: Path) -> None:
    assert list_voices(voices) == [ANNA, BEN]


def test_a_voice_has_its_own_styles(voices: Path) -> None:
    styles = load_voice("ben", voices)
    assert set(styles) == {"text", "speech"}
    assert styles["text"].unique().tolist() == [2.0]


@pytest.mark.parametrize("name", ["zoe", "", "ann", "anna.text"])
def test_an_unknown_voice_lists_the_known_ones(name: str, voices: Path) -> None:
    with pytest.raises(InputError, match="no voice") as caught:
        load_voice(name, voices)
    assert "anna, ben" in caught.value.hint


def test_a_folder_without_voices_is_a_weights_error(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="missing"):
        list_voices(tmp_path)


def test_a_whole_folder_verifies(file: Path) -> None:
    write_manifest(file.parent, {file.name: "CC0"})
    assert verify(file.parent) == []


def test_the_manifest_says_size_and_licence(file: Path) -> None:
    write_manifest(file.parent, {file.name: "CC0"})
    facts = json.loads((file.parent / "manifest.json").read_text())[file.name]
    assert facts["bytes"] == file.stat().st_size
    assert facts["licence"] == "CC0"


def test_a_file_without_licence_cannot_be_listed(file: Path) -> None:
    with pytest.raises(KeyError):
        write_manifest(file.parent, {})


def test_changed_and_missing_files_are_reported(file: Path) -> None:
    other = file.with_name("other.onnx")
    other.write_bytes(b"1")
    write_manifest(file.parent, {file.name: "CC0", other.name: "CC0"})
    other.unlink()
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    damaged, missing = verify(file.parent)
    assert "damaged" in damaged
    assert file.name in damaged
    assert "other.onnx is missing" in missing


def test_a_folder_without_manifest_is_reported(tmp_path: Path) -> None:
    (problem,) = verify(tmp_path)
    assert "manifest.json is missing" in problem


def test_the_shipped_folder_holds_the_face_networks() -> None:
    assert (base_folder() / "faces" / "face_mesh.onnx").is_file()


def test_voices_are_described_by_plain_words() -> None:
    assert all(isinstance(value, str) for value in asdict(ANNA).values())
