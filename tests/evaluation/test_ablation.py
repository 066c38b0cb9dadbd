"""The ablation's table: arms differ in head and latents, seeds are averaged, the best one wins."""

from copy import copy
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from avdub.checkpoint import save_module
from avdub.cli import app
from avdub.errors import InputError, WeightsError
from avdub.evaluation import ablation, mouths
from avdub.evaluation.ablation import (
    STAGE_ONE,
    TWO_STAGES,
    TWO_STAGES_PLAIN,
    Ablation,
    measure_ablation,
)
from avdub.evaluation.setups import Drive, Source
from avdub.models.sync import SyncExpert, SyncExpertConfig
from avdub.pipeline.weights import Weights
from avdub.training.predicted import write_predicted
from tests.evaluation.test_lip_table import N_FRAMES, FakeWeights
from tests.evaluation.test_lips import fake_track
from tests.tiny import make_styles, make_text_to_latents
from tests.training.made import make_face_pack

LATE = {Source.SOUND: 0.0, Source.TEXT: 0.04, Source.CASCADE: 0.12}


class Models(FakeWeights):
    """Each face model brings its own lips."""

    def with_face(self, model: Any) -> "Models":
        other = copy(self)
        other.latents_to_face = model
        return other


def head(late_s: float, size: float = 1.0) -> Any:
    """Lips so late, and later still the longer the way of their latents was."""

    def lip_shapes(vec: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        return FakeWeights(late_s + float(vec[0, 0]), size).lip_shapes(vec, times)

    return SimpleNamespace(lip_shapes=lip_shapes)


class FakeDriver:
    """The latents of a source say how late it is; text of the second clip is not known."""

    def __init__(self, subjects: Any, weights: Any, seed: int = 0, own_sound: bool = True) -> None:
        assert not own_sound, "lips are judged with the sound that is made with them"
        self.subjects = tuple(subjects)

    def drive(self, n: int, source: Source, setup: Any) -> Drive:
        if n and source is not Source.SOUND:
            raise InputError("nothing tells when its words are said")
        return Drive(torch.full((100, 4), LATE[source]), None)


@pytest.fixture(autouse=True)
def _made(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "weights" not in request.fixturenames:
        monkeypatch.setattr(ablation, "Driver", FakeDriver)
    monkeypatch.setattr(mouths, "main_face", lambda info, detector: fake_track(N_FRAMES))


def measure(videos: list[Path], *seeds: dict[str, Any]) -> Ablation:
    models: Any = Models(0)
    return measure_ablation(videos, models, seeds)


def heads(plain: float, full: float, size: float = 1.0) -> dict[str, Any]:
    return {STAGE_ONE: head(0.08, size), TWO_STAGES_PLAIN: head(plain), TWO_STAGES: head(full)}


def test_the_arms_are_those_of_the_paper(face_clip: Path) -> None:
    found = measure([face_clip], heads(0.04, 0))
    assert [(arm.name, arm.source) for arm in found.arms] == [
        ("cascade through sound", "cascade"),
        ("stage 1, real latents", "sound"),
        ("stage 1, predicted latents", "text"),
        ("two stages, no sync loss", "text"),
        ("two stages", "text"),
    ]


def test_every_arm_has_its_own_head_and_latents(face_clip: Path) -> None:
    found = measure([face_clip], heads(0.04, 0))
    openings = [arm.opening.mean for arm in found.arms if arm.opening]
    cascade, real, predicted, plain, full = openings
    assert cascade < predicted < real < 1  # 0.20, 0.12 and 0.08 s late
    assert plain == pytest.approx(real, abs=0.01)  # 0.04 + 0.04 s late
    assert full > plain


def test_seeds_are_averaged_and_their_spread_is_told(face_clip: Path) -> None:
    (first, *_) = measure([face_clip], heads(0, 0, 0.5), heads(0, 0, 1.5)).arms
    assert first.amplitude is not None
    assert first.amplitude.deviation == pytest.approx(first.amplitude.mean / 2, abs=0.01)


def test_an_arm_loses_where_the_full_recipes_opening_is_nearer(face_clip: Path) -> None:
    better, worse = heads(0.04, 0), heads(0.0, 0.08)
    plain = measure([face_clip], better, worse).arms[3]
    assert (plain.beaten, plain.pairs) == (1, 2)


def test_a_clip_without_words_is_left_out_of_the_arms_that_need_them(face_clip: Path) -> None:
    found = measure([face_clip, face_clip], heads(0.04, 0))
    assert found.arms[1].pairs == found.arms[4].pairs == 1
    assert [openings[0] is None for _, openings in found.arms[4].clips] == [False, True]


def test_as_json_a_figure_has_names(face_clip: Path) -> None:
    arm = measure([face_clip], heads(0.04, 0)).as_json()["arms"][4]
    assert sorted(arm["opening"]) == ["deviation", "mean"]
    assert list(arm["clips"]) == [face_clip.name]


def test_a_bridged_family_has_no_arms() -> None:
    models: Any = SimpleNamespace(is_bridged=True, name="other")
    with pytest.raises(WeightsError, match="over a bridge"):
        measure_ablation([Path("a.mp4")], models, [heads(0, 0)])


def test_one_command_trains_and_measures_all_arms(
    face_clip: Path, weights: Path, tmp_path: Path
) -> None:
    (clip := tmp_path / "bbaf2n.mp4").write_bytes(face_clip.read_bytes())
    faces = make_face_pack(tmp_path / "faces")
    write_predicted(make_text_to_latents(), {"heart": make_styles(0)["text"]}, faces)
    models, config = tmp_path / "model", SyncExpertConfig.tiny()
    copytree(weights, models)
    save_module(models / "sync.safetensors", SyncExpert(config), config)
    command = ["eval", "ablation", str(clip), "--pack", str(faces), "--run", str(tmp_path / "run")]
    command += ["--seeds", "2", "--steps", "2", "--batch", "2", "--model", str(models)]
    before = Weights(str(models)).latents_to_face.state_dict()["lips.lips.bias"].clone()
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("two stages") == 2
    folders = sorted(p.parent.relative_to(tmp_path / "run") for p in tmp_path.rglob("state.pt"))
    assert [str(folder) for folder in folders] == [
        f"seed_{seed}/{name}"
        for seed in (0, 1)
        for name in ("stage_one", "two_stages", "two_stages_plain")
    ]
    after = Weights(str(models)).latents_to_face.state_dict()["lips.lips.bias"]
    assert torch.equal(before, after)
