"""`avdub dub` leaves a manifest beside what it made, unless it is told not to."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from avdub.cli import app
from avdub.jobs.manifest import manifest_path
from avdub.jobs.record import Record
from avdub.pipeline.options import DubOptions
from tests.jobs.schema import problems
from tests.jobs.test_manifest import report_of
from tests.make import make_clip, make_tone
from tests.pipeline.test_plan import write_srt


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    write_srt(tmp_path / "talk.srt", (0, 400, "Hi."))
    return make_clip(tmp_path / "talk.mp4", audio=make_tone(0.4))


def run(talk: Path, weights: Path, *words: str) -> Result:
    line = ["dub", str(talk), "--model", str(weights), "--progress", "none", *words]
    return CliRunner().invoke(app, line, prog_name="avdub")


def test_a_dub_leaves_its_manifest(talk: Path, weights: Path) -> None:
    assert run(talk, weights).exit_code == 5  # bars have no face
    content = json.loads(manifest_path(talk.with_name("talk.dub.mp4")).read_text())
    assert list(problems(content)) == []
    assert [s["status"] for s in content["segments"]] == ["voice_only"]
    assert content["segments"][0]["reason"]
    assert content["picture"]["frames"] == 10
    assert content["run"]["timing"]["total_s"] > 0


def test_none_is_left_where_none_is_wanted(talk: Path, weights: Path) -> None:
    assert run(talk, weights, "--no-manifest").exit_code == 5
    assert sorted(p.name for p in talk.parent.iterdir()) == ["talk.dub.mp4", "talk.mp4", "talk.srt"]


def test_a_dub_replaced_with_force_has_a_new_manifest(talk: Path, weights: Path) -> None:
    run(talk, weights)
    run(talk, weights, "--force", "--seed", "3")
    content = json.loads(manifest_path(talk.with_name("talk.dub.mp4")).read_text())
    assert content["options"]["seed"] == 3


def test_a_taken_name_is_an_error_before_the_dub(talk: Path, weights: Path) -> None:
    taken = manifest_path(talk.with_name("talk.dub.mp4"))
    taken.write_text("mine")
    result = run(talk, weights)
    assert result.exit_code == 3
    assert "is no manifest of avdub" in result.stderr
    assert not talk.with_name("talk.dub.mp4").exists()
    assert taken.read_text() == "mine"


def test_a_failed_dub_leaves_none(talk: Path, weights: Path) -> None:
    talk.write_text("no video")
    assert run(talk, weights).exit_code == 3
    assert not manifest_path(talk.with_name("talk.dub.mp4")).exists()


def test_what_changes_during_the_dub_is_recorded_as_it_was_before(
    talk: Path, weights: Path
) -> None:
    options = DubOptions(model=str(weights))
    record = Record.begin(talk, None, None, options)
    before = record.recipe.inputs["subtitles"].sha256
    write_srt(talk.with_suffix(".srt"), (0, 400, "Ho."))
    content = json.loads(record.keep(report_of(talk.with_name("talk.dub.mp4"))).read_text())
    assert content["inputs"]["subtitles"]["sha256"] == before
