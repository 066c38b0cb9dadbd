"""Which official file is which, and what happens to one that does not fit."""

import inspect
from pathlib import Path

import pytest
import torch

from avdub.errors import InputError
from avdub.models import official
from avdub.registry import catalogue
from avdub.registry.convert import Incoming, convert
from tests.registry.fakes import FAKE, save_tiny, tiny_state

pytestmark = pytest.mark.usefixtures("tiny")


def kinds(*paths: Path) -> list[str]:
    return [one.kind for one in convert([Incoming(path) for path in paths])]


@pytest.mark.parametrize("name", ["recognise", "convert"])
def test_the_stand_ins_are_called_like_the_official_ones(name: str) -> None:
    real = inspect.signature(getattr(official, name))
    assert list(inspect.signature(getattr(FAKE, name)).parameters) == list(real.parameters)


def test_the_catalogue_knows_the_official_kinds() -> None:
    assert set(catalogue.KINDS) == set(official.KINDS)


def test_files_are_known_by_their_keys_whatever_their_names(tmp_path: Path) -> None:
    a = save_tiny(tmp_path / "a.bin", "latents_to_speech")
    b = save_tiny(tmp_path / "b.pt", "text_to_latents")
    assert kinds(a, b) == ["text_to_latents", "latents_to_speech"]


def test_the_weights_come_through_bit_for_bit(tmp_path: Path) -> None:
    (made,) = convert([Incoming(save_tiny(tmp_path / "a.pth", "text_to_latents", seed=5))])
    assert torch.equal(made.module.weight, tiny_state("text_to_latents", seed=5)["text.weight"])


def test_where_it_came_from_is_remembered(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "ttv.pth", "text_to_latents")
    (own,) = convert([Incoming(path)])
    (hub,) = convert([Incoming(path, origin="a hub: ttv.pth")])
    assert (own.origin, hub.origin) == ("ttv.pth", "a hub: ttv.pth")
    assert len(own.sha256) == 64


@pytest.mark.parametrize(
    ("name", "iteration", "kind"),
    [
        ("G_340000.pth", 1, "speech_sr_24k"),
        ("G_100000.pth", 1, "speech_sr_48k"),
        ("any.pth", 340_000, "speech_sr_24k"),
        ("any.pth", 100_000, "speech_sr_48k"),
        ("speechsr24k/any.pth", 1, "speech_sr_24k"),
        ("speechsr48k.pth", 1, "speech_sr_48k"),
        ("SpeechSR_48K/G_100000.pth", 100_000, "speech_sr_48k"),
    ],
)
def test_the_rate_of_a_speech_sr_is_found_out(
    tmp_path: Path, name: str, iteration: int, kind: str
) -> None:
    path = save_tiny(tmp_path / "there" / name, "speech_sr_24k", iteration=iteration)
    assert kinds(path) == [kind]


@pytest.mark.parametrize("name", ["any.pth", "speechsr24k/G_100000.pth", "148k.pth"])
def test_without_a_clear_rate_the_user_is_asked(tmp_path: Path, name: str) -> None:
    path = save_tiny(tmp_path / "there" / name, "speech_sr_24k", iteration=5)
    with pytest.raises(InputError, match="24 or 48 kHz") as caught:
        kinds(path)
    assert "--as speech_sr_24k" in caught.value.hint
    assert convert([Incoming(path, "speech_sr_48k")])[0].kind == "speech_sr_48k"


@pytest.mark.parametrize(
    ("folder", "encoder"),
    [
        ("mms-300m", "mms-300m"),
        ("models--facebook--wav2vec2-xls-r-300m/snapshots/0123", "xls-r-300m"),
    ],
)
def test_the_encoder_is_known_by_its_folder(tmp_path: Path, folder: str, encoder: str) -> None:
    path = save_tiny(tmp_path / folder / "pytorch_model.bin", "speech_to_latents")
    (made,) = convert([Incoming(path.parent)])
    assert (made.kind, made.encoder) == ("speech_to_latents", encoder)


def test_an_unnamed_encoder_is_asked_for(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "there/pytorch_model.bin", "speech_to_latents")
    with pytest.raises(InputError, match="nothing tells which") as caught:
        convert([Incoming(path)])
    assert "--name mms-300m or --name xls-r-300m" in caught.value.hint
    assert convert([Incoming(path, encoder="xls-r-300m")])[0].encoder == "xls-r-300m"


def test_a_foreign_checkpoint_is_refused_with_what_could_be_given(tmp_path: Path) -> None:
    torch.save({"layers.0.weight": torch.ones(3)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"a\.pth is none of the networks") as caught:
        kinds(tmp_path / "a.pth")
    assert "ttv_lt960_ckpt.pth" in caught.value.hint


def test_a_kind_that_it_is_not_cannot_be_forced(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "a.pth", "text_to_latents")
    with pytest.raises(InputError, match="is a text_to_latents, not a latents_to_speech"):
        convert([Incoming(path, "latents_to_speech")])


def test_missing_names_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    state = tiny_state("text_to_latents")
    del state["bias"]
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"is no text_to_latents: 1 missing \(bias\)$"):
        kinds(tmp_path / "a.pth")


def test_names_too_many_are_counted_and_the_first_shown(tmp_path: Path) -> None:
    more = {f"more.{n}": torch.ones(1) for n in range(12)}
    torch.save({**tiny_state("text_to_latents"), **more}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"12 not known \(more\.0, more\.1, more\.2, \.\.\.\)$"):
        kinds(tmp_path / "a.pth")


def test_wrong_shapes_are_shown(tmp_path: Path) -> None:
    torch.save({**tiny_state("text_to_latents"), "bias": torch.ones(9)}, tmp_path / "a.pth")
    with pytest.raises(InputError, match=r"1 of another shape \(bias: \(9,\) instead of \(3,\)\)"):
        kinds(tmp_path / "a.pth")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_no_numbers_are_refused(tmp_path: Path, value: float) -> None:
    torch.save({**tiny_state("text_to_latents"), "bias": torch.full((3,), value)}, tmp_path / "a.p")
    with pytest.raises(InputError, match="bias holds values that are no numbers"):
        kinds(tmp_path / "a.p")


def test_a_file_given_twice_is_refused(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "a.pth", "text_to_latents")
    (tmp_path / "link.pth").symlink_to(path)
    with pytest.raises(InputError, match=r"link\.pth is given twice"):
        kinds(path, tmp_path / "link.pth")


def test_two_files_of_one_kind_are_refused(tmp_path: Path) -> None:
    a = save_tiny(tmp_path / "a.pth", "text_to_latents", seed=1)
    b = save_tiny(tmp_path / "b.pth", "text_to_latents", seed=2)
    with pytest.raises(InputError, match=r"a\.pth and .*b\.pth are both a text_to_latents"):
        kinds(a, b)


def test_what_is_installed_is_not_converted_again(tmp_path: Path) -> None:
    path = save_tiny(tmp_path / "a.pth", "text_to_latents")
    with pytest.raises(InputError, match="already installed") as caught:
        convert([Incoming(path)], installed=["text_to_latents"])
    assert "--force" in caught.value.hint
