"""Every recipe takes two real steps on made data, and learns a single batch by heart."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from avdub.checkpoint import list_voices, load_module, load_voice, save_module, verify
from avdub.errors import InputError
from avdub.faces.lips import Floats, load_template
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.speech_to_latents import SpeechToLatentsConfig
from avdub.models.sync import SyncExpert, SyncExpertConfig
from avdub.models.text_to_latents import TextToLatentsConfig
from avdub.training import latents_to_face as face
from avdub.training import latents_to_speech as speech
from avdub.training import speech_to_latents as listen
from avdub.training import text_to_latents as text
from avdub.training.data import SpeechPack
from avdub.training.export import (
    LICENCES,
    export_voices,
    finish,
    leave_out_light,
    set_sharpness,
)
from avdub.training.face_data import FacePack
from avdub.training.loop import Losses, Run, train
from avdub.training.predicted import grid_sentence, write_predicted
from avdub.training.speech_data import open_utterances, set_scale, write_latents
from tests.conftest import FACES
from tests.tiny import (
    make_latents_to_face,
    make_latents_to_speech,
    make_speech_to_latents,
    make_styles,
    make_text_to_latents,
)
from tests.training.made import CONFIG, WIDTH, longer, make_face_pack, make_speech_pack

LISTEN = listen.Recipe(CONFIG, SpeechToLatentsConfig.tiny(), 40)
TEXT = text.Recipe(CONFIG, TextToLatentsConfig.tiny())
SPEECH = speech.Recipe(CONFIG, LatentsToSpeechConfig.tiny(), 25)
PAINT = face.PaintRecipe(CONFIG, LatentsToFaceConfig.tiny(), 3)
LIPS = face.LipRecipe(CONFIG)
OF_A_JUDGE = {"sync", "unreal", "apart"}  # losses that need a sync expert or a critic


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return make_speech_pack(tmp_path / "speech")


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return make_face_pack(tmp_path / "faces")


@pytest.fixture(scope="session")
def template() -> Floats:
    return load_template(FACES)


def logged(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def check_two_steps(
    folder: Path, weights: tuple[tuple[str, float], ...], judged: frozenset[str] = frozenset()
) -> None:
    lines = logged(folder)
    assert [line["step"] for line in lines] == [1, 2]
    expected = set(dict(weights)) - (OF_A_JUDGE - judged)
    for line in lines:
        assert set(line) == {"step", "grad", "s", *expected}
        assert all(np.isfinite(value) for value in line.values())
        assert line["grad"] > 0


def moved(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    return {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}


def test_speech_to_latents_takes_two_steps(pack: Path, tmp_path: Path) -> None:
    model = listen.train_speech_to_latents([pack], tmp_path / "run", LISTEN)
    check_two_steps(tmp_path / "run", LISTEN.weights)
    assert model(torch.zeros(1, 640)).shape == (1, 2, 16)


def test_speech_to_latents_hears_phonemes_of_whole_utterances(pack: Path, tmp_path: Path) -> None:
    listen.train_speech_to_latents([pack], tmp_path / "run", replace(LISTEN, steps_cut=80))
    assert logged(tmp_path / "run")[0]["ctc"] > 0


def test_text_to_latents_takes_two_steps(pack: Path, tmp_path: Path) -> None:
    model = text.train_text_to_latents([pack], tmp_path / "run", TEXT)
    check_two_steps(tmp_path / "run", TEXT.weights)
    assert model.config == TextToLatentsConfig.tiny()


def test_latents_to_speech_takes_two_steps(pack: Path, tmp_path: Path) -> None:
    speech.train_latents_to_speech([pack], tmp_path / "run", SPEECH)
    check_two_steps(tmp_path / "run", SPEECH.weights)


def test_a_critic_listens_to_the_speech_from_a_set_step(
    pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech, "CRITIC_FROM", 0)
    recipe = replace(SPEECH, critic=4)
    speech.train_latents_to_speech([pack], tmp_path / "run", recipe)
    check_two_steps(tmp_path / "run", SPEECH.weights, frozenset({"unreal", "apart"}))


def test_stage_two_of_speech_starts_from_stage_one(pack: Path, tmp_path: Path) -> None:
    start, said_by = make_latents_to_speech(), make_text_to_latents()
    before = {k: v.clone() for k, v in said_by.state_dict().items()}
    slow = replace(SPEECH, train=replace(CONFIG, learning_rate=1e-9, weight_decay=0.0))
    model = speech.train_latents_to_speech([pack], tmp_path / "run", slow, start, said_by)
    check_two_steps(tmp_path / "run", SPEECH.weights)
    assert moved(said_by, before) == set()
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, start.state_dict()[name], atol=1e-6, rtol=0)


def test_the_painter_takes_two_steps_without_the_lip_head(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    model = face.train_painter([faces], template, tmp_path / "run", PAINT)
    check_two_steps(tmp_path / "run", PAINT.weights)
    torch.manual_seed(CONFIG.seed)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_painter_goes_on_from_another_and_keeps_its_lip_head(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    start = make_latents_to_face()
    slow = replace(PAINT, train=replace(CONFIG, learning_rate=1e-9, weight_decay=0.0))
    model = face.train_painter([faces], template, tmp_path / "run", slow, start)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(value, start.state_dict()[name], atol=1e-6, rtol=0)


def test_many_short_utterances_do_not_drown_a_small_pack(tmp_path: Path) -> None:
    packs = [make_speech_pack(tmp_path / name, n) for name, n in (("few", 4), ("many", 16))]
    data = open_utterances(packs, False, False)
    picked = data.pick(3000, torch.Generator().manual_seed(0))
    share = sum(p.folder.name == "few" for p, _ in picked) / 3000
    assert share == pytest.approx(1 / 3, abs=0.03)  # the root of 4 to that of 16


def test_the_lip_head_takes_two_steps_without_the_painter(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    model = make_latents_to_face()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    face.train_lips(model, [faces], template, tmp_path / "run", LIPS)
    check_two_steps(tmp_path / "run", LIPS.weights)
    changed = moved(model, before)
    assert changed
    assert all(name.startswith("lips.") for name in changed)


def test_a_sync_expert_judges_lips_and_stays_as_it_is(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    expert = SyncExpert(SyncExpertConfig.tiny())
    before = {k: v.clone() for k, v in expert.state_dict().items()}
    face.train_lips(make_latents_to_face(), [faces], template, tmp_path / "run", LIPS, expert)
    check_two_steps(tmp_path / "run", LIPS.weights, frozenset({"sync"}))
    assert not moved(expert, before)


def test_lips_out_of_time_cost_more() -> None:
    torch.manual_seed(0)
    vec = torch.randn(60, WIDTH)
    source = face.LipSource(vec, torch.arange(30) / 25, torch.zeros(30, 1, 2), vec)

    class Lips(nn.Module):
        def forward(self, vec: torch.Tensor) -> torch.Tensor:
            return torch.stack((vec[:, 0], vec[:, 1]), 2)[:, :, None]

    class Expert(nn.Module):
        """Agrees where the lips are the first two channels of what it hears."""

        config = SyncExpertConfig.tiny()

        def forward(self, heard: torch.Tensor, lips: torch.Tensor) -> torch.Tensor:
            windows = heard[:, :2].unfold(2, lips.shape[1], 1)  # (B, 2, shifts, T)
            wanted = lips[:, :, 0].transpose(1, 2)[:, :, None]
            return -10 * (windows - wanted).square().mean((1, 3))

    generator = torch.Generator().manual_seed(1)
    late = source._replace(heard=torch.roll(vec, 4, 0))
    expert = cast(SyncExpert, Expert())
    costs = [face.sync_loss(Lips(), expert, [s], generator) for s in (source, late)]
    assert costs[0] < 0.1 < costs[1]


def test_stage_two_of_lips_is_the_name_of_its_latents(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    write_predicted(make_text_to_latents(), {"heart": make_styles(0)["text"]}, faces)
    pack = FacePack(faces)
    for clip in pack.clips:
        assert len(pack.vec(clip, WIDTH, face.PREDICTED)) == clip.steps
    stage_two = replace(LIPS, arrays=(face.PREDICTED,))
    face.train_lips(make_latents_to_face(), [faces], template, tmp_path / "run", stage_two)
    check_two_steps(tmp_path / "run", LIPS.weights)


def test_lips_without_predicted_latents_are_an_error(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    stage_two = replace(LIPS, arrays=(face.PREDICTED,))
    with pytest.raises((InputError, FileNotFoundError), match="predicted"):
        face.train_lips(make_latents_to_face(), [faces], template, tmp_path / "run", stage_two)


def test_grid_names_say_their_sentences() -> None:
    assert grid_sentence("s1_bbaf2n") == "bin blue at eff two now."
    assert grid_sentence("pwij3p") == "place white in jay three please."
    with pytest.raises(InputError, match="no GRID clip name"):
        grid_sentence("address")


def test_packs_get_latents_of_their_own_sound(tmp_path: Path) -> None:
    folder = make_speech_pack(tmp_path / "bare", latents=False)
    write_latents(make_speech_to_latents(), [folder])
    pack = SpeechPack(folder)
    for entry in pack.entries:
        assert pack.rows("latents.f16", WIDTH, entry).shape == (entry.steps, WIDTH)
    assert not (folder / "latents.tmp").exists()


def test_latents_are_standardised_over_the_packs(pack: Path) -> None:
    model = make_speech_to_latents()
    set_scale(model, [pack])
    opened = SpeechPack(pack)
    heard = torch.cat([model.listen(opened.audio(e)) for e in opened.entries])
    torch.testing.assert_close(heard.mean(0), torch.zeros(WIDTH), atol=1e-3, rtol=0)
    torch.testing.assert_close(heard.std(0), torch.ones(WIDTH), atol=1e-3, rtol=0)


def test_a_family_is_exported_whole(pack: Path, tmp_path: Path) -> None:
    folder = tmp_path / "family"
    for model, name in (
        (make_text_to_latents(), "text_to_latents"),
        (make_latents_to_speech(), "latents_to_speech"),
    ):
        save_module(folder / f"{name}.safetensors", model, model.config)
    export_voices([pack], ["heart", "michael"], folder)
    finish(folder)
    assert [voice.name for voice in list_voices(folder)] == ["heart", "michael"]
    assert load_voice("heart", folder)["speech"].shape == (1, 8, 1)
    assert verify(folder) == []


def test_a_model_folder_keeps_how_sharp_it_speaks(weights: Path, tmp_path: Path) -> None:
    folder = Path(copytree(weights, tmp_path / "model"))
    file = folder / "latents_to_speech.safetensors"
    before = load_module(file, LatentsToSpeech, LatentsToSpeechConfig)
    set_sharpness(folder, 0.4)
    after = load_module(file, LatentsToSpeech, LatentsToSpeechConfig)
    assert after.config == replace(before.config, sharpen=0.4)
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-2)


def test_a_model_folder_keeps_that_its_painter_adds_no_light(weights: Path, tmp_path: Path) -> None:
    folder = Path(copytree(weights, tmp_path / "model"))
    file = folder / "latents_to_face.safetensors"
    before = load_module(file, LatentsToFace, LatentsToFaceConfig)
    leave_out_light(folder)
    after = load_module(file, LatentsToFace, LatentsToFaceConfig)
    assert (before.config.light, after.config.light) == (True, False)
    for a, b in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-2)


def test_every_shipped_file_has_a_licence() -> None:
    shipped = {p.relative_to(FACES.parent).as_posix() for p in FACES.parent.rglob("*.*")}
    weights = {name for name in shipped if name.endswith((".safetensors", ".onnx", ".npz"))}
    assert weights <= set(LICENCES)


def test_a_voice_without_speech_is_refused(pack: Path, weights: Path) -> None:
    with pytest.raises(InputError, match="no speech of voice 'emma'"):
        export_voices([pack], ["emma"], weights)


def learns(
    module: nn.Module,
    weights: tuple[tuple[str, float], ...],
    folder: Path,
    losses: Callable[[torch.Generator], Losses],
    steps: int = 60,
) -> float:
    """Weighted loss at the end over the one at the start, on one batch drawn again and again."""
    run = Run(module, longer(steps), folder, dict(weights))

    def same_batch(_: torch.Generator) -> Losses:
        return losses(torch.Generator().manual_seed(1))

    train(run, same_batch)
    lines = logged(folder)
    first, last = (sum(w * line.get(k, 0.0) for k, w in weights) for line in (lines[0], lines[-1]))
    return last / first


@pytest.mark.slow
def test_speech_to_latents_learns_a_batch(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    student = listen.Student(LISTEN.model)
    opened = SpeechPack(pack)
    cuts = [listen.Cut(opened, entry, 0, 40) for entry in opened.entries[:2]]
    ratio = learns(
        student, LISTEN.weights, tmp_path / "run", lambda g: listen.losses(student, cuts, 40, g)
    )
    assert ratio < 0.9


@pytest.mark.slow
def test_text_to_latents_learns_a_batch(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainee, data = text.Trainee(TEXT.model), open_utterances([pack], True, False)
    ratio = learns(
        trainee, TEXT.weights, tmp_path / "run", lambda g: text.losses(trainee, data, TEXT, g)
    )
    assert ratio < 0.6


@pytest.mark.slow
def test_latents_to_speech_learns_a_batch(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainee, data = speech.Trainee(SPEECH.model), open_utterances([pack], False, False)
    cuts = [speech.Cut(*item, 5) for item in data.items[:2]]
    vec = torch.stack([c.pack.rows("latents.f16", WIDTH, c.entry, 5, 25) for c in cuts])
    ratio = learns(
        trainee,
        SPEECH.weights,
        tmp_path / "run",
        lambda g: speech.losses(trainee, vec.transpose(1, 2), cuts, data, g)[0],
    )
    assert ratio < 0.8


@pytest.mark.slow
def test_the_painter_learns_a_batch(faces: Path, template: Floats, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, clips = make_latents_to_face(), face.Clips([faces], template)
    ratio = learns(
        model,
        PAINT.weights,
        tmp_path / "run",
        lambda g: face.paint_losses(model, clips.batch(2, 3, PAINT.model, g)),
    )
    assert ratio < 0.8


@pytest.mark.slow
def test_the_lip_head_learns_to_follow_latents(
    faces: Path, template: Floats, tmp_path: Path
) -> None:
    model = make_latents_to_face()
    face.train_lips(model, [faces], template, tmp_path / "run", replace(LIPS, train=longer(60)))
    lines = logged(tmp_path / "run")
    assert lines[-1]["opening"] < 0.5 * lines[0]["opening"]
