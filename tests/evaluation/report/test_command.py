"""`avdub eval ... --report`: checked before the work, written after it, whatever is printed."""

import hashlib
import json
import re
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import avdub
from avdub.checkpoint import base_folder
from avdub.cli import app
from avdub.evaluation import dub, judges, lip_table, painting, speed, sync, syncnet
from avdub.evaluation.judges import Judges
from avdub.evaluation.report.origin import origin_of
from avdub.evaluation.similarity import Ears
from avdub.evaluation.speed import Benchmark, Run
from avdub.pipeline.weights import Weights
from tests.evaluation.report import made
from tests.evaluation.report.test_plots import picture
from tests.tiny import save_tiny_hierspeechpp


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["eval", *words], prog_name="avdub")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every measure answers with what was made; names of those that were asked."""
    told: list[str] = []

    def answer(name: str, value: Any) -> Any:
        return lambda *args: told.append(name) or value

    for module, value in (
        (lip_table, made.LIPS),
        (sync, made.SYNC),
        (syncnet, made.SYNCNET),
        (painting, made.PICTURE),
        (dub, made.DUB),
        (speed, Benchmark((Run("dub", 40.0, 950.0, 0, 10.0),), 0.12)),
    ):
        name = {lip_table: "lips", painting: "picture"}.get(module, module.__name__.split(".")[-1])
        monkeypatch.setattr(module, f"measure_{name}", answer(name, value))
    return told


def links(report: Path) -> list[Path]:
    """The pictures that a report links to, each of which must be a PNG that is not blank."""
    found = re.findall(r"^!\[.*\]\((.+)\)$", report.read_text(encoding="utf-8"), re.M)
    paths = [report.parent / unquote(link) for link in found]
    assert all("/" not in link for link in found), "not beside the report"
    for path in paths:
        assert picture(path.read_bytes()).std() > 5, f"{path.name} is blank"
    return paths


@pytest.mark.parametrize(
    ("words", "figure", "plots"),
    [
        (("lips", "a.mp4"), "| 0.900 |", 3),
        (("sync", "a.mp4"), "| 75.0 |", 1),
        (("picture", "a.mp4"), "| 33.3 |", 1),
        (("dub", "a.mp4", "a.dub.mp4"), "| 0.700 |", 1),
        (("speed", "a.mp4", "a.srt"), "| 40.0 |", 0),
    ],
)
def test_a_report_has_figures_and_plots(
    words: tuple[str, ...], figure: str, plots: int, asked: list[str], tmp_path: Path
) -> None:
    report = tmp_path / "my report.md"
    result = run(*words, "--report", str(report))
    assert result.exit_code == 0, result.output
    assert asked == [words[0]]
    text = report.read_text(encoding="utf-8")
    assert figure in text
    assert f"$ avdub eval {' '.join(words)} --report '{report}'" in text
    assert len(links(report)) == plots
    assert sorted(tmp_path.iterdir()) == sorted([report, *links(report)])
    assert result.stdout.splitlines()[-1] == str(report)


def test_syncnets_report_is_of_its_file(asked: list[str], tmp_path: Path) -> None:
    (tmp_path / "own.model").write_bytes(b"weights")
    words = ("sync", "a.mp4", "--syncnet", str(tmp_path / "own.model"))
    result = run(*words, "--report", str(tmp_path / "x.md"))
    assert result.exit_code == 0, result.output
    assert asked == ["syncnet"]
    assert "| LSE-D | LSE-C |" in (tmp_path / "x.md").read_text()
    assert [path.name for path in links(tmp_path / "x.md")] == ["x_syncnet.png"]


def test_json_stays_alone_on_stdout(asked: list[str], tmp_path: Path) -> None:
    result = run("lips", "a.mp4", "--json", "--report", str(tmp_path / "x.md"))
    told = json.loads(result.stdout)
    assert told["scores"][0]["clips"][0]["openings"]["real"][:2] == [0.0, 0.001]
    assert (tmp_path / "x.md").is_file()


def test_the_same_command_writes_the_same_bytes(asked: list[str], tmp_path: Path) -> None:
    words = ("lips", "a.mp4", "--report", str(tmp_path / "x.md"), "--force")
    assert run(*words).exit_code == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert run(*words).exit_code == 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["x.md", "x_sound_matched_shifts.png"])
def test_what_exists_is_kept_and_nothing_is_measured(
    name: str, asked: list[str], tmp_path: Path
) -> None:
    (tmp_path / name).write_text("mine")
    result = run("lips", "a.mp4", "--report", str(tmp_path / "x.md"))
    assert result.exit_code == 3
    assert "--force" in result.stderr
    assert asked == []
    assert (tmp_path / name).read_text() == "mine"
    assert run("lips", "a.mp4", "--report", str(tmp_path / "x.md"), "--force").exit_code == 0
    assert (tmp_path / name).read_bytes() != b"mine"


@pytest.mark.parametrize("command", ["lips", "sync", "picture"])
def test_without_matplotlib_nothing_is_measured(
    command: str, asked: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = run(command, "a.mp4", "--report", str(tmp_path / "x.md"))
    assert result.exit_code == 4
    assert "hint: install it with pip install 'avdub[report]'" in result.stderr
    assert asked == []
    assert run(command, "a.mp4").exit_code == 0


def test_speech_is_reported_with_the_hash_of_its_whisper(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def panel(whisper: Path, language: str, ears: Ears | None) -> Judges:
        hz = np.float32([100, 150, 200])
        return Judges(lambda wav: "hello there", lambda wav: 3.75, lambda wav: hz, ears)

    monkeypatch.setattr(judges, "make_judges", panel)
    (tmp_path / "model.bin").write_bytes(b"whisper")
    text, report = tmp_path / "lines.txt", tmp_path / "x.md"
    text.write_text("Hello there.\nHello here.\n", encoding="utf-8")
    words = ["--text", str(text), "--whisper", str(tmp_path), "--model", str(weights)]
    result = run("speech", *words, "--report", str(report))
    assert result.exit_code == 0, result.output
    told = report.read_text(encoding="utf-8")
    assert hashlib.sha256(b"whisper").hexdigest() in told
    assert "| Hello here. | hello there |" in told
    assert [path.name for path in links(report)] == ["x_lines.png"]


class TestOrigin:
    def test_the_shipped_model_is_named_by_its_manifest(self) -> None:
        facts = dict(origin_of(("avdub",), Weights()).facts)
        manifest = hashlib.sha256((base_folder() / "manifest.json").read_bytes()).hexdigest()
        assert facts["avdub"] == avdub.__version__
        assert facts["model"] == "base, of the family base"
        assert facts["weights"].startswith(f"manifest.json SHA-256 {manifest}; ")

    def test_a_folder_without_a_manifest_is_named_by_its_files(
        self, weights: Path, tmp_path: Path
    ) -> None:
        for file in weights.glob("*.safetensors"):
            (tmp_path / file.name).symlink_to(file)
        facts = dict(origin_of((), Weights(str(tmp_path))).facts)
        digest = hashlib.sha256((weights / "voices.safetensors").read_bytes()).hexdigest()
        assert f"voices.safetensors SHA-256 {digest}" in facts["weights"]

    def test_a_file_that_is_not_the_manifests_is_told(self, weights: Path, tmp_path: Path) -> None:
        folder = shutil.copytree(weights, tmp_path / "model")
        whole = dict(origin_of((), Weights(str(folder))).facts)["weights"]
        assert whole.endswith("; all files are as it lists them")
        (folder / "voices.safetensors").write_bytes(b"other")
        told = dict(origin_of((), Weights(str(folder))).facts)["weights"]
        assert told.endswith("; voices.safetensors is damaged (its SHA-256 differs)")

    def test_a_bridged_mouth_is_named_by_the_model_it_comes_from(self, tmp_path: Path) -> None:
        save_tiny_hierspeechpp(tmp_path)
        facts = dict(origin_of((), Weights(str(tmp_path))).facts)
        assert facts["model"] == f"{tmp_path}, of the family hierspeechpp"
        assert facts["mouths"].startswith("bridge")
        assert facts["weights of mouths"] == dict(origin_of((), Weights()).facts)["weights"]

    def test_recordings_come_from_no_model(self) -> None:
        assert [name for name, _ in origin_of((), None).facts] == ["avdub"]
