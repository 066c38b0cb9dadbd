"""`avdub eval picture`: options reach the measure, results come as tables and as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from avdub.cli import app, evaluate_picture
from avdub.evaluation import painting, repaint
from avdub.evaluation.painting import ClipPicture, PictureReport, Quality
from avdub.evaluation.repaint import PaintChoice

PAINTED = Quality(33.31, 0.934, 0.0109, 0.56, 0.024, None, 0.92, 1.14, 0.61, 0.57, 0.38, 1.01,
                  1.3, 0.7, -9.2, 1.2, 9.2, 1.2, 8)  # fmt: skip
PASTED = Quality(31.3, 0.901, 0.0215, 1.1, 0.015, None, 0.51, 1.13, 0.69, 0.69, 0.43, 1.0,
                 1.5, None, None, None, None, None, 0)  # fmt: skip
CLIPS = (
    ClipPicture("a.mp4", 24, PAINTED, PASTED, 0.089, 0.62),
    ClipPicture("b.mp4", 0, None, None, None, None, "b.mp4 shows no usable face"),
)
REPORT = PictureReport(
    CLIPS, ClipPicture("all", 24, PAINTED, PASTED, 0.089, 0.62), PaintChoice(), "a layer", "no pack"
)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["eval", "picture", *words], prog_name="avdub")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    args: list[Any] = []

    def measure(*given: Any) -> PictureReport:
        args.extend(given)
        return REPORT

    monkeypatch.setattr(painting, "measure_picture", measure)
    return args


def lines(result: Result, kind: str) -> list[list[str]]:
    return [line.split() for line in result.stdout.splitlines() if kind in line.split()[:3]]


def test_real_lips_and_the_other_half_are_the_default(told: list[Any]) -> None:
    assert run("a.mp4").exit_code == 0
    assert told[0] == [Path("a.mp4")]
    assert told[2] == PaintChoice("real", "other-half", 25)
    assert told[3:5] == ["mediapipe", None]


def test_options_choose_what_is_painted(told: list[Any], tmp_path: Path) -> None:
    words = ("--lips", "sound", "--exemplars", "apart", "--every", "50", "--limit", "1")
    result = run("a.mp4", "b.mp4", *words, "--sheets", str(tmp_path))
    assert result.exit_code == 0, result.output
    assert told[0] == [Path("a.mp4")]
    assert told[2] == PaintChoice("sound", "apart", 50)
    assert told[4] == tmp_path


def test_runs_must_not_overlap() -> None:
    assert evaluate_picture.RUN == repaint.RUN
    assert run("a.mp4", "--every", "7").exit_code == 2


def test_the_painter_stands_above_the_paste_and_the_real_mouth(told: list[Any]) -> None:
    result = run("a.mp4")
    first, second = (row for row in lines(result, "painted") if row[0] == "a.mp4")
    assert first[3:] == ["33.3", "0.934", "0.56", "0.0109", "0.024", "-", "0.92", "1.14"]
    assert second[3:] == ["0.61", "0.57", "0.38", "1.01", "1.3", "8", "0.7", "-9.2", "1.2", "9.2",
                          "1.2"]  # fmt: skip
    assert lines(result, "pasted")[0][1:] == ["31.3", "0.901", "1.10", "0.0215", "0.015", "-",
                                             "0.51", "1.13"]  # fmt: skip
    assert lines(result, "real")[0][1:6] == ["-", "-", "-", "-", "0.089"]
    assert [row[0] for row in lines(result, "painted")] == ["a.mp4", "b.mp4", "all"] * 2


def test_the_table_says_what_the_distance_is_and_what_was_not_measured(told: list[Any]) -> None:
    result = run("a.mp4")
    assert "a layer, not FID" in result.stdout
    assert "identity not measured: no pack" in result.stdout
    assert "exemplars: other-half, never within 0.2 s" in result.stdout
    assert "warning: b.mp4: b.mp4 shows no usable face" in result.stderr


def test_json_has_every_number(told: list[Any]) -> None:
    found = json.loads(run("a.mp4", "--json").stdout)
    assert found["clips"][0]["painted"]["a"] == -9.2
    assert found["all"]["pasted"]["psnr_db"] == 31.3
    assert found["clips"][1]["problem"] == "b.mp4 shows no usable face"
    assert found["identity_problem"] == "no pack"
