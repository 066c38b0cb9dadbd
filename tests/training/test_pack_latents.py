"""Packs remember whose latents they hold, and lip heads are trained for any of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from avdub.checkpoint import load_module, save_manifest, save_module
from avdub.cli import app
from avdub.errors import InputError
from avdub.faces.lips import load_template
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig
from avdub.training import latents_to_face as face
from avdub.training.data import SpeechPack
from avdub.training.face_data import PREDICTED, REAL, FacePack, latents_kind
from avdub.training.pack_latents import RECORD, LatentsKind, kind_of, remember, shared_kind
from avdub.training.predicted import write_predicted
from avdub.training.prepare import is_held_out
from avdub.training.speech_data import open_utterances, text_batch, write_latents
from tests.conftest import FACES
from tests.tiny import (
    make_latents_to_face,
    make_speech_to_latents,
    make_styles,
    make_text_to_latents,
    save_tiny_family,
)
from tests.training.made import CONFIG, WIDTH, make_face_pack, make_speech_pack

WIDE = SpeechToLatentsConfig.tiny_mms().channels  # 32
MMS = LatentsKind("mms-300m", WIDE)
PAINTER = ("flow.", "paint.", "nearness")
SHORT = ("--steps", "1", "--batch", "2")


def make_wide_encoder() -> SpeechToLatents:
    torch.manual_seed(7)
    return SpeechToLatents(SpeechToLatentsConfig.tiny_mms()).eval()


def widened(folder: Path, kind: LatentsKind = MMS, scale: float = 1.0) -> Path:
    """A made face pack whose latents are `kind`'s instead."""
    rows = np.fromfile(folder / REAL, np.float16).reshape(-1, WIDTH)
    wide = np.zeros((len(rows), kind.width), np.float16)
    wide[:, :WIDTH] = rows[:, : kind.width] * np.float16(scale)
    wide.tofile(folder / REAL)
    remember(folder, REAL, kind)
    return folder


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return widened(make_face_pack(tmp_path / "wide"))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the imported family, with its encoder."""
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models" / "hierspeechpp"
    encoder = make_wide_encoder()
    save_module(folder / "speech_to_latents.safetensors", encoder, encoder.config)
    return folder


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    assert result.exit_code in (2, 3, 4), result.output
    return " ".join(result.output.replace("│", " ").split())


def painter_of(model: LatentsToFace) -> dict[str, torch.Tensor]:
    return {k: v for k, v in model.state_dict().items() if k.startswith(PAINTER)}


def test_an_array_keeps_what_was_noted_of_it(tmp_path: Path) -> None:
    (tmp_path / REAL).write_bytes(bytes(2 * 5 * WIDE))
    remember(tmp_path, REAL, MMS)
    remember(tmp_path, PREDICTED, LatentsKind("base", 8))
    assert kind_of(tmp_path, REAL, 5) == MMS


def test_packs_from_before_the_record_hold_base_latents(tmp_path: Path) -> None:
    folder = make_face_pack(tmp_path / "old")
    assert FacePack(folder).kind() == LatentsKind("base", WIDTH)


def test_a_missing_array_is_named(pack: Path) -> None:
    with pytest.raises(InputError, match=r"predicted.f16 is missing"):
        FacePack(pack).kind(PREDICTED)


def test_a_damaged_record_is_an_error(pack: Path) -> None:
    (pack / RECORD).write_text("{")
    with pytest.raises(InputError, match="is damaged"):
        FacePack(pack).kind()


def test_different_latents_do_not_mix(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    assert shared_kind([(one, MMS), (other, MMS)]) == MMS
    for kind in (LatentsKind("xls-r-300m", WIDE), LatentsKind("mms-300m", WIDTH)):
        with pytest.raises(InputError, match="one holds mms-300m latents of 32 channels, but"):
            shared_kind([(one, MMS), (other, kind)])


def test_face_packs_of_two_encoders_do_not_mix(pack: Path, tmp_path: Path) -> None:
    old = make_face_pack(tmp_path / "old")
    with pytest.raises(InputError) as error:
        latents_kind([pack, old])
    assert "mms-300m" in error.value.message
    assert "base" in error.value.message
    assert "--latents" in error.value.hint


def test_latents_of_another_width_are_not_read(pack: Path) -> None:
    opened = FacePack(pack)
    assert opened.vec(opened.clips[1], WIDE).shape == (80, WIDE)
    with pytest.raises(InputError, match="the model takes 16 channels"):
        opened.vec(opened.clips[0], WIDTH)


def test_speech_packs_remember_and_do_not_mix(tmp_path: Path) -> None:
    packs = [make_speech_pack(tmp_path / name, 2, latents=False) for name in "ab"]
    write_latents(make_wide_encoder(), packs[:1], "mms-300m")
    opened = SpeechPack(packs[0])
    entry = opened.entries[0]
    assert kind_of(packs[0], "latents.f16", sum(e.steps for e in opened.entries)) == MMS
    assert opened.rows("latents.f16", WIDE, entry).shape == (entry.steps, WIDE)
    write_latents(make_speech_to_latents(), packs[1:])
    with pytest.raises(InputError, match=r"but .* holds base latents of 16 channels"):
        open_utterances(packs, True, False)
    data = open_utterances(packs[:1], True, False)
    assert text_batch(data.items, WIDE).vec.shape[1] == WIDE
    with pytest.raises(InputError, match="the model takes 16 channels"):
        text_batch(data.items, WIDTH)


def test_words_are_not_predicted_for_another_encoder(pack: Path, tmp_path: Path) -> None:
    styles = {"heart": make_styles(0)["text"]}
    with pytest.raises(InputError, match="the model takes 16 channels"):
        write_predicted(make_text_to_latents(), styles, pack)
    fitting = make_face_pack(tmp_path / "fitting")
    remember(fitting, REAL, LatentsKind("mms-300m", WIDTH))
    write_predicted(make_text_to_latents(), styles, fitting)
    assert latents_kind([fitting], (REAL, PREDICTED)) == LatentsKind("mms-300m", WIDTH)


def test_a_new_lip_head_keeps_the_painter() -> None:
    base = make_latents_to_face()
    model = face.fresh_lips(base, WIDE, seed=0)
    assert model.config.latents == WIDE
    torch.testing.assert_close(painter_of(model), painter_of(base), rtol=0, atol=0)
    assert model.lips(torch.zeros(1, WIDE, 9)).shape == (1, 9, 57, 2)


def test_a_new_lip_head_follows_its_seed() -> None:
    one, same, other = (face.fresh_lips(make_latents_to_face(), WIDE, n) for n in (0, 0, 1))
    assert torch.equal(one.lips.pre.weight, same.lips.pre.weight)
    assert not torch.equal(one.lips.pre.weight, other.lips.pre.weight)


def test_a_lip_head_of_another_width_is_refused(pack: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        face.train_lips(
            make_latents_to_face(),
            [pack],
            load_template(FACES),
            tmp_path / "run",
            face.LipRecipe(CONFIG),
        )
    assert "the lip head takes 16 channels" in error.value.message
    assert "--latents mms-300m" in error.value.hint


@pytest.mark.parametrize("scale", [0.01, 30.0])
def test_the_size_of_latents_does_not_matter_to_training(scale: float, tmp_path: Path) -> None:
    """Lips learned from latents of any size say the same of those latents."""
    shapes = []
    for n, size in enumerate((1.0, scale)):
        folder = widened(make_face_pack(tmp_path / f"pack{n}"), scale=size)
        model = face.fresh_lips(make_latents_to_face(), WIDE, 0)
        model.lips.pre.weight.data /= size  # hears what the other hears
        recipe = face.LipRecipe(CONFIG)
        face.train_lips(model, [folder], load_template(FACES), tmp_path / f"run{n}", recipe)
        opened = FacePack(folder)
        vec = opened.vec(opened.clips[0], WIDE)
        shapes.append(model.lip_shapes(vec, opened.times(opened.clips[0])))
    torch.testing.assert_close(shapes[0], shapes[1], atol=2e-3, rtol=0.02)


def test_training_nothing_leaves_the_lips_as_they_were(pack: Path, tmp_path: Path) -> None:
    model = face.fresh_lips(make_latents_to_face(), WIDE, 0)
    before = model.lips.pre.weight.detach().clone()
    still = face.LipRecipe(face.TrainConfig(steps=1, batch=1, learning_rate=0.0, bf16=False))
    face.train_lips(model, [pack], load_template(FACES), tmp_path / "run", still)
    torch.testing.assert_close(model.lips.pre.weight, before)


def test_stage_one_gives_the_painter_lips_for_the_packs_latents(
    pack: Path, home: Path, tmp_path: Path
) -> None:
    base = make_latents_to_face()
    save_module(home / "latents_to_face.safetensors", base, base.config)
    words = ("latents-to-face", "--latents", "mms-300m", "--stage", "1", *SHORT)
    run(*words, "--pack", pack, "--run", tmp_path / "run")
    file = home / "latents_to_face.safetensors"
    model = load_module(file, LatentsToFace, LatentsToFaceConfig)
    assert model.config.latents == WIDE
    old = {k: v.half().float() for k, v in painter_of(base).items()}
    torch.testing.assert_close(painter_of(model), old, rtol=0, atol=0)
    fresh = face.fresh_lips(base, WIDE, 0)
    assert not torch.equal(model.lips.pre.weight, fresh.lips.pre.weight.half().float())


def test_stage_one_starts_from_the_shipped_painter(pack: Path, home: Path, tmp_path: Path) -> None:
    words = ("latents-to-face", "--latents", "mms-300m", "--stage", "1", *SHORT)
    run(*words, "--pack", pack, "--run", tmp_path / "run")
    made, shipped = (
        load_module(folder / "latents_to_face.safetensors", LatentsToFace, LatentsToFaceConfig)
        for folder in (home, FACES.parent)
    )
    assert made.config.latents == WIDE
    torch.testing.assert_close(painter_of(made), painter_of(shipped), rtol=0, atol=0)


def test_a_second_stage_one_goes_on_with_the_lips_it_finds(
    pack: Path, home: Path, tmp_path: Path
) -> None:
    model = face.fresh_lips(make_latents_to_face(), WIDE, 5)
    save_module(home / "latents_to_face.safetensors", model, model.config)
    words = ("latents-to-face", "--latents", "mms-300m", "--stage", "1", "--lr", "1e-9", *SHORT)
    run(*words, "--pack", pack, "--run", tmp_path / "run")
    found = load_module(home / "latents_to_face.safetensors", LatentsToFace, LatentsToFaceConfig)
    torch.testing.assert_close(found.lips.lips.weight, model.lips.lips.weight, atol=1e-3, rtol=0)


def test_the_painter_can_be_trained_for_other_latents(
    pack: Path, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def paint(*words: object) -> LatentsToFace:
        asked.append(words[3].model.latents)  # type: ignore[attr-defined]
        return make_latents_to_face()

    monkeypatch.setattr(face, "train_painter", paint)
    words = ("latents-to-face", "--latents", "mms-300m", *SHORT)
    run(*words, "--pack", pack, "--run", tmp_path / "run")
    assert asked == [WIDE]


def test_packs_of_other_latents_than_asked_are_refused(pack: Path, tmp_path: Path) -> None:
    words = ("latents-to-face", "--stage", "1", *SHORT, "--pack", pack, "--run", tmp_path / "run")
    said = refused(*words, "--out", tmp_path / "model")
    assert "the packs hold mms-300m latents of 32 channels, not base latents" in said
    assert "--latents mms-300m" in said
    said = refused(*words, "--latents", "xls-r-300m", "--out", tmp_path / "model")
    assert "not xls-r-300m latents" in said


@pytest.mark.parametrize("latents", ["base", "xls-r-300m"])
def test_latents_that_hierspeechpp_does_not_speak_need_a_model_folder(
    latents: str, pack: Path, tmp_path: Path
) -> None:
    words = ("latents-to-face", "--latents", latents, "--pack", pack, "--run", tmp_path / "run")
    said = refused(*words)
    assert "--out" in said
    assert "need the model folder" in said


def test_faces_are_prepared_with_the_imported_encoder(
    face_clip: Path, home: Path, tmp_path: Path
) -> None:
    words = ("prepare", "faces", face_clip.parent, tmp_path / "pack")
    run(*words, "--latents", "mms-300m", *held(face_clip))
    pack = FacePack(tmp_path / "pack")
    assert pack.kind() == MMS
    assert pack.vec(pack.clips[0], WIDE).shape == (100, WIDE)


def test_faces_are_prepared_with_the_given_models_encoder(face_clip: Path, tmp_path: Path) -> None:
    (tmp_path / "family").mkdir()
    family = save_tiny_family(tmp_path / "family", FACES)
    words = ("prepare", "faces", face_clip.parent, tmp_path / "pack", "--model", family)
    run(*words, *held(face_clip))
    assert FacePack(tmp_path / "pack").kind() == LatentsKind("base", WIDTH)


def test_speech_gets_the_imported_encoders_latents(home: Path, tmp_path: Path) -> None:
    folder = make_speech_pack(tmp_path / "speech", 2, latents=False)
    run("prepare", "latents", folder, "--latents", "mms-300m")
    pack = SpeechPack(folder)
    wanted = make_wide_encoder().listen(pack.audio(pack.entries[1]))
    found = pack.rows("latents.f16", WIDE, pack.entries[1])
    torch.testing.assert_close(found, wanted, atol=5e-3, rtol=5e-3)


def test_an_encoder_that_is_not_there_is_named_with_its_cure(
    home: Path, weights: Path, tmp_path: Path
) -> None:
    folder = make_speech_pack(tmp_path / "speech", 2, latents=False)
    facts = {"model": "mms-300m", "sha256": "0"}
    save_manifest(home, {"speech_to_latents.safetensors": facts})
    words = ("prepare", "latents", folder, "--model", weights)
    said = refused(*words, "--latents", "xls-r-300m")
    assert "there is no xls-r-300m encoder" in said
    assert "avdub models pull xls-r-300m" in said
    run(*words, "--latents", "mms-300m")  # not base's, which lies in --model


def held(clip: Path) -> tuple[str, ...]:
    """Options to choose a clip, whichever side of the split it is on."""
    return ("--held-out",) if is_held_out(clip.stem) else ()
