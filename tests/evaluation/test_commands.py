"""`avdub eval`: options reach the measures, results come as tables and as one JSON object."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from avdub.cli import app
from avdub.evaluation import dub, judges, lip_table, similarity, speed, sync
from avdub.evaluation.closure import Closure, Pauses
from avdub.evaluation.dub import DubScore, Files, SegmentSync
from avdub.evaluation.expert import Agreement
from avdub.evaluation.judges import Judges
from avdub.evaluation.lip_table import ClipLips, LipOptions, LipScore, LipTable
from avdub.evaluation.lips import LipSync
from avdub.evaluation.setups import Setup, Source
from avdub.evaluation.similarity import Ears
from avdub.evaluation.speed import Benchmark, Run
from avdub.evaluation.sync import ClipSync, SyncScore
from avdub.evaluation.untouched import PictureScore
from avdub.media.audio import write_wav
from avdub.pipeline.options import DubOptions
from tests.make import make_tone

SYNC = LipSync(0.81, 0.83, -12.4, (-40.0, 0.0, 40.0), (0.3, 0.81, 0.4), 0.66)
MEETS = Closure(3, 9, 0.02, 0.12, 0.0, 0.2, 0.5)
RESTS = Pauses(20, 0.013, 0.004, 0.021, 0.009)
AGREES = Agreement(0.25, 0.4375, 0.0)
ONE = ClipLips("a.mp4", 75, SYNC, 0.5, 0.7, 0.6, 0.91, MEETS, RESTS, AGREES)
SILENT = ClipLips("a.mp4", 75, pauses=Pauses(75, 0.05, 0.001, None, None))
NO_FACE = ClipLips("b.mp4", problem="no face")
NOTHING = (None,) * 7
LIPS = LipTable(
    (
        LipScore(Source.SOUND, Setup.MATCHED, (ONE, NO_FACE), 0.81, 0.5, 0.7, 0.6, 0.91, 0.81, 1.0,
                 SYNC, MEETS, RESTS, AGREES),
        LipScore(Source.TEXT, Setup.SILENT, (SILENT,), *NOTHING, None, None, SILENT.pauses, None),
    ),
    Agreement(0.2, 0.5, 0.0),
    ("a package is missing",),
)  # fmt: skip
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
    monkeypatch.setattr(lip_table, "measure_lips", told.answer(LIPS))
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
    matched, _, silent = result.stdout.partition("Lips from words, driven by silence")
    rows = {line.split()[0]: line.split()[1:] for line in matched.splitlines() if line}
    measures = ["0.810", "0.500", "0.700", "0.600", "0.91", "0.830", "-12", "ms", "0.66", "0.50"]
    assert rows["a.mp4"] == ["75", *measures, "1.3", "0.4", "0.250", "0.438"]
    assert rows["b.mp4"] == ["0", *["-"] * 13, "no", "face"]
    assert rows["mean"][:1] == ["0.810"]
    assert "100% of the clips peak within 40 ms" in result.stdout
    assert "in pauses the real mouths are open by 2.1, std 0.9" in matched
    still = next(line.split() for line in silent.splitlines() if line.startswith("a.mp4"))
    assert still[-4:-2] == ["5.0", "0.1"]


def test_the_experts_figures_are_said_to_be_no_syncnets(calls: Calls) -> None:
    result = run("lips", "a.mp4")
    assert "the real lips: D 0.200, C 0.500" in result.stdout
    assert "not SyncNet's" in result.stdout


def test_what_is_missing_is_a_warning(calls: Calls) -> None:
    assert "warning: a package is missing" in run("lips", "a.mp4").stderr


def test_lips_are_measured_as_asked(calls: Calls) -> None:
    run("lips", "a.mp4")
    assert calls.args[2] == LipOptions()
    words = ("--from", "both", "--setup", "silent", "--setup", "mismatched", "--words", "t.tsv")
    run("lips", "a.mp4", *words)
    both, setups = (Source.SOUND, Source.TEXT), (Setup.SILENT, Setup.MISMATCHED)
    assert calls.args[2] == LipOptions(both, setups, Path("t.tsv"))
    run("lips", "a.mp4", "--from", "text")
    assert calls.args[2].sources == (Source.TEXT,)


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
    matched, silent = told["scores"]
    assert (matched["source"], matched["setup"]) == ("sound", "matched")
    assert matched["clips"][0]["sync"]["curve"] == [0.3, 0.81, 0.4]
    assert matched["clips"][1]["problem"] == "no face"
    assert silent["pauses"]["mean"] == 0.05
    assert told["real"]["confidence"] == 0.5


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
        def panel(whisper: Path, language: str, ears: Ears | None) -> Judges:
            hz = np.float32([100, 150, 200])
            return Judges(lambda wav: "hello there", lambda wav: 3.75, lambda wav: hz, ears)

        monkeypatch.setattr(judges, "make_judges", panel)
        path = tmp_path / "lines.txt"
        path.write_text("Hello there.\nHello here.\n", encoding="utf-8")
        return path

    @pytest.fixture
    def words(self, text: Path, weights: Path) -> list[str]:
        return ["speech", "--text", str(text), "--whisper", "w", "--model", str(weights)]

    def test_every_voice_says_every_line(self, words: list[str]) -> None:
        result = run(*words, "--voice", "heart", "--voice", "michael", "--json")
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)
        heart, michael = told["voices"]
        assert (heart["voice"], heart["wer"], heart["p808"]) == ("heart", 0.25, 3.75)
        assert (michael["voice"], len(michael["lines"])) == ("michael", 2)
        assert heart["miss_ms"] <= 10.1
        assert told["mean"]["wer"] == 0.25

    def test_the_tables_show_what_was_heard_wrongly_and_the_voice(self, words: list[str]) -> None:
        result = run(*words, "--limit", "2", "--progress", "none")
        first, second, voice = (s for s in result.stdout.splitlines() if s.startswith("heart"))
        assert first.split()[1:5] == ["1", "0.00", "0.00", "3.75"]
        assert second.endswith("hello there")
        assert not first.endswith("hello there")
        assert voice.split()[1:5] == ["0.250", "0.053", "3.75", "3.75"]
        assert "100/150/200" in voice
        assert result.stderr == ""

    def test_the_language_reaches_the_judges(
        self, words: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        make = judges.make_judges
        monkeypatch.setattr(judges, "make_judges", lambda *a: asked.append(a[1]) or make(*a))
        assert run(*words, "--lang", "en-gb", "--limit", "1").exit_code == 0
        assert asked == ["en-gb"]

    def test_references_bring_a_table_and_a_warning_for_who_has_none(
        self, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(similarity, "make_embedder", lambda: lambda wav: np.float32([1, 0]))
        for name in ("heart", "puck"):
            write_wav(tmp_path / f"{name}.wav", make_tone(8.0))
        result = run(*words, "--reference", str(tmp_path), "--voice", "heart", "--voice", "michael")
        assert result.exit_code == 0, result.output
        heart, michael = (
            s.split()[1:]
            for s in result.stdout[result.stdout.index("ceiling") :].splitlines()
            if s.startswith(("heart", "michael"))
        )
        assert heart == ["1.000", "1.000", "1.000", "100%"]
        assert michael == ["-", "-", "-", "-"]
        assert "warning: there is no --reference for michael" in result.stderr

    def test_slots_bring_a_table(self, words: list[str], tmp_path: Path) -> None:
        path = tmp_path / "a.srt"
        path.write_text(
            "1\n00:00:01,000 --> 00:00:09,000\nHello there.\n\n"
            "2\n00:00:10,000 --> 00:00:10,040\nHello here.\n",
            encoding="utf-8",
        )
        result = run("speech", "--slots", str(path), *words[3:])
        assert result.exit_code == 0, result.output
        row = [s for s in result.stdout.splitlines() if s.startswith("heart")][-1].split()
        assert (row[1], row[2], row[4]) == ("0%", "50%", "50%")

    @pytest.mark.parametrize("extra", [["--slots", "a.srt"], None])
    def test_either_lines_or_slots_are_given(self, words: list[str], extra: Any) -> None:
        result = run(*words, *extra) if extra else run("speech", "--whisper", "w")
        assert result.exit_code == 2
        assert "either --text or --slots" in result.stderr

    def test_slots_and_seconds_exclude_each_other(self) -> None:
        result = run("speech", "--slots", "a.srt", "--seconds", "2", "--whisper", "w")
        assert result.exit_code == 2
