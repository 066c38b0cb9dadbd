"""`avdub eval`: options reach the measures, results come as tables and as one JSON object."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from avdub.cli import app
from avdub.evaluation import dub, lips, speech, speed, sync
from avdub.evaluation.dub import DubScore, Files, SegmentSync
from avdub.evaluation.lips import ClipLips, LipScore, LipSync
from avdub.evaluation.speech import Judges
from avdub.evaluation.speed import Benchmark, Run
from avdub.evaluation.sync import ClipSync, SyncScore
from avdub.evaluation.untouched import PictureScore
from avdub.pipeline.options import DubOptions

SYNC = LipSync(0.81, 0.83, -12.4, (-40.0, 0.0, 40.0), (0.3, 0.81, 0.4))
LIPS = LipScore((ClipLips("a.mp4", 75, SYNC), ClipLips("b.mp4", 0, None, "no face")), 0.81, 0.81,
                1.0, SYNC)  # fmt: skip
PICTURE = PictureScore(None, None, 43.21, 44.5, 5.0, 0.4, 0.87)
DUB = DubScore(50, 49, 2.0, 1.96, 0.04, PICTURE, SYNC, (SegmentSync(3, 0.1, 1.9, 45, None),))
MOVED = (ClipSync("a.mp4", 65, 0.9, 12.3), ClipSync("b.mp4", 0, 0, 0, "no face"))
SHIFTS = SyncScore(MOVED, 65, 0.9, 11.0)
SPEED = Benchmark((Run("dub", 40.0, 950.0, 0, 10.0), Run("preview", 12.0, 800.0, 5)), 0.12, 25.0)


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["eval", *words], prog_name="avdub")


class Calls:
    """Answers every measure with what it is told and remembers the arguments."""

    def __init__(self) -> None:
        self.args: tuple[Any, ...] = ()

    def answer(self, value: Any) -> Any:
        def measure(*args: Any) -> Any:
            self.args = args
            return value

        return measure


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    told = Calls()
    monkeypatch.setattr(lips, "measure_lips", told.answer(LIPS))
    monkeypatch.setattr(dub, "measure_dub", told.answer(DUB))
    monkeypatch.setattr(sync, "measure_sync", told.answer(SHIFTS))
    monkeypatch.setattr(speed, "measure_speed", told.answer(SPEED))
    return told


def rows(result: Result) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines() if line}


def test_lips_are_a_row_a_clip_and_a_mean(calls: Calls, tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4", "notes.txt"):
        (tmp_path / name).touch()
    result = run("lips", str(tmp_path), "other.mov")
    assert result.exit_code == 0, result.output
    assert calls.args[0] == [tmp_path / "a.mp4", tmp_path / "b.mp4", Path("other.mov")]
    assert rows(result)["a.mp4"] == ["75", "0.810", "0.830", "-12", "ms"]
    assert rows(result)["b.mp4"] == ["0", "-", "-", "-", "no", "face"]
    assert rows(result)["mean"][:1] == ["0.810"]
    assert "100% of the clips peak within 40 ms" in result.stdout


def test_held_out_clips_are_those_training_leaves_out(calls: Calls, tmp_path: Path) -> None:
    from avdub.training.prepare import is_held_out

    names = [f"clip{n}.mp4" for n in range(60)]
    for name in names:
        (tmp_path / name).touch()
    assert run("lips", str(tmp_path), "--held-out").exit_code == 0
    chosen = [path.name for path in calls.args[0]]
    assert sorted(chosen) == sorted(name for name in names if is_held_out(Path(name).stem))
    assert 0 < len(chosen) < 60


def test_a_limit_takes_the_first_clips(calls: Calls) -> None:
    run("lips", "a.mp4", "b.mp4", "c.mp4", "--limit", "2")
    assert calls.args[0] == [Path("a.mp4"), Path("b.mp4")]


def test_an_empty_folder_is_an_input_error(calls: Calls, tmp_path: Path) -> None:
    result = run("lips", str(tmp_path))
    assert result.exit_code == 3
    assert "error: there is no such video" in result.stderr


def test_lips_as_json_have_the_whole_curve(calls: Calls) -> None:
    told = json.loads(run("lips", "a.mp4", "--json").stdout)
    assert told["clips"][0]["sync"]["curve"] == [0.3, 0.81, 0.4]
    assert told["clips"][1]["problem"] == "no face"


def test_shifts_found_are_a_row_a_clip_and_a_share_of_all(calls: Calls) -> None:
    result = run("sync", "a.mp4", "b.mp4")
    assert calls.args[0] == [Path("a.mp4"), Path("b.mp4")]
    assert rows(result)["a.mp4"] == ["65", "90%", "+12", "ms"]
    assert rows(result)["b.mp4"] == ["0", "-", "-", "no", "face"]
    assert "90.0% of 65 shifts told within a frame, median error 11 ms" in result.stdout
    assert json.loads(run("sync", "a.mp4", "--json").stdout)["within_frame"] == 0.9


def test_a_dub_is_compared_with_the_options_it_was_made_with(calls: Calls) -> None:
    result = run("dub", "a.mp4", "a.dub.mp4", "a.srt", "--voice", "michael", "--segments", "3")
    assert result.exit_code == 0, result.output
    files, options, _ = calls.args
    assert files == Files(Path("a.mp4"), Path("a.dub.mp4"), Path("a.srt"))
    assert options == DubOptions(voice="michael", segments=frozenset({3}))


def test_a_dubs_table_names_what_it_misses(calls: Calls) -> None:
    result = run("dub", "a.mp4", "a.dub.mp4")
    assert rows(result)["3"] == ["45", "-", "-", "-"]
    assert "43.2 dB" in result.stdout
    assert "warning: 49 frames, not 50" in result.stderr
    told = json.loads(run("dub", "a.mp4", "a.dub.mp4", "--json").stdout)
    assert told["picture"]["beside_min_db"] == 43.21
    assert told["misses"] == list(DUB.misses)


def test_speed_is_a_row_a_command(calls: Calls) -> None:
    result = run("speed", "a.mp4", "a.srt", "--model", "w", "--long", "120")
    assert result.exit_code == 0, result.output
    assert calls.args[:4] == (
        Path("a.mp4"),
        Path("a.srt"),
        ["--model", "w"],
        120,
    )
    assert rows(result)["dub"] == ["40.0", "s", "950", "MB", "10.0", "s", "4.00", "0"]
    assert rows(result)["preview"] == ["12.0", "s", "800", "MB", "-", "-", "5"]
    assert "0.120 x real time" in result.stdout
    assert "+25 MB" in result.stdout
    assert json.loads(run("speed", "a.mp4", "a.srt", "--json").stdout)["growth_mb"] == 25.0


class TestSpeech:
    @pytest.fixture
    def text(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        judges = Judges(lambda wav: "hello there", lambda wav: 3.75)
        monkeypatch.setattr(speech, "make_judges", lambda folder: judges)
        path = tmp_path / "lines.txt"
        path.write_text("Hello there.\nHello here.\n", encoding="utf-8")
        return path

    def test_every_voice_says_every_line(self, text: Path, weights: Path) -> None:
        words = ["speech", "--text", str(text), "--whisper", "w", "--model", str(weights)]
        result = run(*words, "--voice", "heart", "--voice", "michael", "--json")
        assert result.exit_code == 0, result.output
        heart, michael = json.loads(result.stdout)["voices"]
        assert (heart["voice"], heart["wer"], heart["p808"]) == ("heart", 0.25, 3.75)
        assert (michael["voice"], len(michael["lines"])) == ("michael", 2)
        assert heart["miss_ms"] <= 10.1

    def test_the_table_shows_what_was_heard_wrongly(self, text: Path, weights: Path) -> None:
        words = ["speech", "--text", str(text), "--whisper", "w", "--model", str(weights)]
        result = run(*words, "--limit", "2", "--progress", "none")
        first, second, mean = (s for s in result.stdout.splitlines() if s.startswith("heart"))
        assert first.split()[1:4] == ["1", "0.00", "3.75"]
        assert second.endswith("hello there")
        assert not first.endswith("hello there")
        assert mean.split()[1:4] == ["all", "0.250", "3.75"]
        assert result.stderr == ""
