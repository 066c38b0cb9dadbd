"""`avdub adapt` and the options of `dub` and `preview` that ask for it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import avdub.pipeline.adapt as adapt_module
import avdub.pipeline.run as run_module
import avdub.report.preview as preview_module
from avdub.checkpoint import load_module
from avdub.cli import app
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.pipeline.adapt import Adapted
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import AdaptationReport
from tests.make import make_clip
from tests.test_cli import REPORT
from tests.tiny import make_latents_to_face

GAINED = AdaptationReport(True, "", 150, 140, 26.0, 28.1, 25.0, 27.4, 1.9, (0.06, 0.05), "", 57.2)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_clip(tmp_path / "talk.mp4")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[DubOptions]:
    """What adapting was asked for; it gains 2.1 dB."""
    calls: list[DubOptions] = []

    def adapt(info: Any, weights: Any, options: DubOptions, progress: Any) -> Adapted:
        calls.append(options)
        return Adapted(make_latents_to_face(), GAINED, Path("kept.safetensors"))

    monkeypatch.setattr(adapt_module, "adapt", adapt)
    return calls


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="avdub")


def test_the_gain_is_printed(clip: Path, asked: list[DubOptions]) -> None:
    done = run("adapt", str(clip), "--seconds", "30", "--seed", "4", "--progress", "none")
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "face adapted (in 57 s): mouth +2.1 dB, lips +2.4 dB on held-out frames, "
        "opened 1.90 times as far\n"
    )
    assert (asked[0].adapt_seconds, asked[0].seed) == (30, 4)


def test_json_holds_what_was_measured(clip: Path, asked: list[DubOptions]) -> None:
    told = json.loads(run("adapt", str(clip), "--json", "--progress", "none").stdout)
    assert (told["gain_db"], told["lip_gain"], told["file"]) == (2.1, 1.9, "kept.safetensors")


def test_the_weights_can_be_written_to_a_file(
    clip: Path, asked: list[DubOptions], tmp_path: Path
) -> None:
    file = tmp_path / "mine.safetensors"
    assert run("adapt", str(clip), "-o", str(file), "--progress", "none").exit_code == 0
    assert load_module(file, LatentsToFace, LatentsToFaceConfig).config.size == 32
    again = run("adapt", str(clip), "-o", str(file))
    assert again.exit_code == 3
    assert "already exists" in again.stderr
    assert len(asked) == 1


def test_nothing_gained_is_told_by_the_exit_code(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = Adapted(make_latents_to_face(), AdaptationReport(False, "no usable face is seen"))
    monkeypatch.setattr(adapt_module, "adapt", lambda *_: nothing)
    done = run("adapt", str(clip), "--progress", "none")
    assert done.exit_code == 5
    assert done.stdout == ""
    assert "the face is not adapted: no usable face is seen" in done.stderr


def test_dub_passes_the_wish_on(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[DubOptions] = []

    def dub(
        video: Any, subtitles: Any, output: Any, options: DubOptions, *_: Any, **__: Any
    ) -> Any:
        calls.append(options)
        return REPORT

    monkeypatch.setattr(run_module, "dub", dub)
    run("dub", str(clip), "--no-manifest")
    run("dub", str(clip), "--no-manifest", "--adapt", "--adapt-seconds", "20")
    assert [(o.adapt, o.adapt_seconds) for o in calls] == [(False, 60), (True, 20)]


def test_preview_learns_from_the_whole_video(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[DubOptions] = []

    def preview(*words: Any) -> Any:
        calls.append(words[4])
        return Path("preview.mp4"), REPORT

    monkeypatch.setattr(preview_module, "preview", preview)
    run("preview", str(clip), "--adapt")
    run("preview", str(clip))
    assert [(o.adapt, o.adapt_video) for o in calls] == [(True, clip), (False, None)]
