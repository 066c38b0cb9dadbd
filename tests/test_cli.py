"""The command line: each command, each error with its exit code and two lines, quick help."""

import errno
import inspect
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import avdub
from avdub.cli import app
from avdub.errors import AvdubError, FaceError, InputError, MediaError, SubtitleError, WeightsError
from avdub.media.waveform import silence
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import DubReport, ModelFacts, SegmentReport

COMMANDS = ("dub", "preview", "plan", "speak", "voices", "doctor", "demo", "train", "eval")
SEGMENT = SegmentReport(
    1, 0.5, 2.0, "Hello [b]you[/b].", "heart", "dubbed", natural_s=1.4, rate=0.93, face=0
)
REPORT = DubReport(Path("out.mp4"), 50, 2.0, (SEGMENT,), {"plan_s": 0.5, "total_s": 3.0}, 700.0)


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(words), input=stdin, prog_name="avdub")


class Pipeline:
    """Stands in for the pipeline: remembers how it was called, answers or raises as told."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.report = REPORT
        self.work: Callable[..., None] = lambda progress: None
        self.plan_exit_code = 0

    def dub(
        self,
        video,
        subtitles=None,
        output=None,
        options=DubOptions(),  # noqa: B008
        progress=None,
        hints=None,
        store=None,
    ):
        self.calls.append((video, subtitles, output, options))
        self.work(progress)
        return self.report

    def make_plan(self, video, subtitles, options, progress, weights=None, hints=None, memory=None):
        self.calls.append((video, subtitles, options))
        self.work(progress)
        row = SimpleNamespace(
            index=1,
            start_s=0.5,
            end_s=2.0,
            text="Hello.",
            voice="heart",
            face=None,
            natural_s=1.4,
            slot_s=1.5,
            rate=0.93,
            problem="no face here",
            prosody=None,
        )
        return SimpleNamespace(
            rows=(row,),
            warnings=("line 7 is skipped",),
            cuts=(1.25,),
            predicted_s=12.4,
            video="clip.mp4: 64 × 48",
            model=ModelFacts("base", "bridge: a test", ("heart: named voice",), ()),
            exit_code=self.plan_exit_code,
            as_json=lambda: {"segments": [vars(row)]},
        )

    def speak_text(self, text, options, seconds):
        self.calls.append((text, options, seconds))
        self.work(None)
        return silence(16_000, 1, 16_000)


class Record:
    """Stands in for the manifest of a clip that is not there."""

    @classmethod
    def begin(cls, video, subtitles, output, options):
        return cls()

    def keep(self, report):
        return report.output


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    fake = Pipeline()
    run_module, plan_module = ModuleType("avdub.pipeline.run"), ModuleType("avdub.pipeline.plan")
    vars(run_module).update(dub=fake.dub, speak_text=fake.speak_text)
    vars(plan_module).update(make_plan=fake.make_plan)
    monkeypatch.setitem(sys.modules, "avdub.pipeline.run", run_module)
    monkeypatch.setitem(sys.modules, "avdub.pipeline.plan", plan_module)
    record_module = ModuleType("avdub.jobs.record")
    vars(record_module).update(Record=Record)
    monkeypatch.setitem(sys.modules, "avdub.jobs.record", record_module)
    return fake


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("avdub.pipeline.run", "dub"),
        ("avdub.pipeline.run", "speak_text"),
        ("avdub.pipeline.plan", "make_plan"),
    ],
)
def test_the_stand_in_is_called_like_the_pipeline(module: str, name: str) -> None:
    real = list(inspect.signature(getattr(import_module(module), name)).parameters)
    stand_in = list(inspect.signature(getattr(Pipeline(), name)).parameters)
    assert real[: len(stand_in)] == stand_in


def test_the_stand_in_has_the_rows_of_a_plan() -> None:
    from avdub.pipeline.plan import PlanRow

    (row,) = Pipeline().make_plan(None, None, None, None).rows
    assert list(vars(row)) == [field.name for field in fields(PlanRow)]


def raising(error: BaseException) -> Callable[..., None]:
    def work(progress: object) -> None:
        raise error

    return work


def ticking(progress: Any) -> None:
    assert list(progress(iter("abc"), "animate", 3)) == ["a", "b", "c"]


class TestStartup:
    def test_loading_the_command_line_loads_nothing_heavy(self) -> None:
        heavy = {"torch", "numpy", "av", "cv2", "moviepy", "onnxruntime", "transformers"}
        code = "import sys, avdub, avdub.cli; print(*sys.modules)"
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert not heavy & set(out.stdout.split())

    def test_python_m_avdub_is_the_command(self) -> None:
        out = subprocess.run(
            [sys.executable, "-m", "avdub", "dub", "--segments", "x", "a.mp4"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert out.returncode == 2
        assert "Usage: avdub dub" in out.stderr

    @pytest.mark.parametrize("command", COMMANDS)
    def test_each_command_explains_itself(self, command: str) -> None:
        result = run(command, "--help")
        assert result.exit_code == 0
        assert f"avdub {command}" in result.stdout

    def test_all_commands_are_listed(self) -> None:
        listed = run("--help").stdout
        assert all(command in listed for command in COMMANDS)

    def test_version_is_that_of_the_package(self) -> None:
        assert run("--version").stdout == f"avdub {avdub.__version__}\n"


@pytest.mark.parametrize(
    "command", ["dub a.mp4", "plan a.mp4", "preview a.mp4", "speak Hi -o a.wav"]
)
@pytest.mark.parametrize("pace", ["0.49", "2.1", "fast"])
def test_a_pace_out_of_range_is_a_usage_error(command: str, pace: str, pipeline: Pipeline) -> None:
    result = run(*command.split(), "--pace", pace)
    assert result.exit_code == 2
    assert "--pace" in result.stderr
    assert pipeline.calls == []


class TestDub:
    def test_options_reach_the_pipeline(self, pipeline: Pipeline) -> None:
        words = "dub a.mp4 b.srt -o c.mkv --voice bella --segments 1,3-5 -f --crf 12 --seed 3"
        words += " --face-backend insightface --max-rate 1.3 --min-rate 0.8 --device cpu"
        words += " --duck-db -20 --model w --language en-gb --pace 1.2 --prosody plain"
        words += " --lips plain --audio only --subs burn"
        assert run(*words.split()).exit_code == 0
        options = DubOptions(
            voice="bella",
            language="en-gb",
            segments=frozenset({1, 3, 4, 5}),
            face_backend="insightface",
            max_rate=1.3,
            min_rate=0.8,
            pace=1.2,
            prosody="plain",
            lips="plain",
            audio="only",
            subs="burn",
            duck_db=-20.0,
            crf=12,
            seed=3,
            device="cpu",
            model="w",
            overwrite=True,
        )
        assert pipeline.calls == [(Path("a.mp4"), Path("b.srt"), Path("c.mkv"), options)]

    def test_defaults_are_those_of_the_library(self, pipeline: Pipeline) -> None:
        run("dub", "a.mp4")
        assert pipeline.calls == [(Path("a.mp4"), None, None, DubOptions())]

    def test_paths_may_have_spaces_and_any_letters(self, pipeline: Pipeline) -> None:
        run("dub", "my clip ñ 映画.mp4")
        assert pipeline.calls[0][0] == Path("my clip ñ 映画.mp4")

    def test_summary_names_segments_totals_and_output(self, pipeline: Pipeline) -> None:
        result = run("dub", "a.mp4")
        assert "00:00.500 - 00:02.000" in result.stdout
        assert "Hello [b]you[/b]." in result.stdout
        assert "1 dubbed, 50 frames, 2.00 s of video, took 3.0 s" in result.stdout
        assert result.stdout.splitlines()[-1] == "out.mp4"

    def test_json_is_one_object_with_the_documented_fields(self, pipeline: Pipeline) -> None:
        pipeline.work = lambda progress: print("a library talks")
        result = run("dub", "a.mp4", "--json")
        told = json.loads(result.stdout)
        fields = {"output", "frames", "duration_s", "segments", "timing", "peak_rss_mb"}
        assert fields <= told.keys()
        (segment,) = told["segments"]
        assert segment.keys() == {
            *("index", "start_s", "end_s", "text", "voice", "status"),
            *("reason", "natural_s", "rate", "face", "prosody", "cached"),
        }
        assert told["timing"]["total_s"] == 3.0

    def test_kept_segments_exit_5_and_still_print(self, pipeline: Pipeline) -> None:
        kept = replace(SEGMENT, status="voice_only", reason="no face")
        pipeline.report = replace(REPORT, segments=(kept,))
        result = run("dub", "a.mp4")
        assert result.exit_code == 5
        assert "1 voice only" in result.stdout
        assert "no face" in result.stdout

    def test_warnings_go_to_stderr(self, pipeline: Pipeline) -> None:
        pipeline.report = replace(REPORT, warnings=("line 7: skipped",))
        result = run("dub", "a.mp4")
        assert "warning: line 7: skipped" in result.stderr
        assert "line 7" not in result.stdout

    @pytest.mark.parametrize("segments", ["", "0", "a", "3-1", "1,,2", "-2", "1.5", "1-2-3"])
    def test_malformed_segments_are_a_usage_error(self, pipeline: Pipeline, segments: str) -> None:
        result = run("dub", "a.mp4", f"--segments={segments}")
        assert result.exit_code == 2
        assert "--segments" in result.stderr
        assert not pipeline.calls

    @pytest.mark.parametrize(
        "words",
        [
            "dub",
            "dub a.mp4 --max-rate 0.5",
            "dub a.mp4 --crf 99",
            "dub a.mp4 --face-backend magic",
            "dub a.mp4 --progress loud",
            "dub a.mp4 b.srt c.srt",
            "preview a.mp4 --segment 0",
            "speak hello",
            "nonsense",
        ],
    )
    def test_misused_words_exit_2_before_any_work(self, pipeline: Pipeline, words: str) -> None:
        assert run(*words.split()).exit_code == 2
        assert not pipeline.calls


class TestPlan:
    @pytest.mark.parametrize("words", ["plan a.mp4", "dub a.mp4 -n", "dub a.mp4 --dry-run"])
    def test_a_dry_run_is_a_plan(self, pipeline: Pipeline, words: str) -> None:
        result = run(*words.split())
        assert pipeline.calls == [(Path("a.mp4"), None, DubOptions())]
        for part in (
            "clip.mp4",
            "no face here",
            "heart: named voice",
            "mouth by a bridge",
            "1 cut: 00:01.250",
        ):
            assert part in result.stdout
        assert "warning: line 7 is skipped" in result.stderr

    def test_a_plan_has_its_own_exit_code(self, pipeline: Pipeline) -> None:
        pipeline.plan_exit_code = 5
        assert run("plan", "a.mp4").exit_code == 5

    def test_plan_as_json_is_one_object(self, pipeline: Pipeline) -> None:
        told = json.loads(run("plan", "a.mp4", "--json").stdout)
        assert told["segments"][0]["slot_s"] == 1.5


class TestErrors:
    @pytest.mark.parametrize(
        ("error", "code"),
        [
            (AvdubError("it broke", "mend it"), 1),
            (InputError("it broke", "mend it"), 3),
            (SubtitleError("it broke", "mend it", line=3), 3),
            (MediaError("it broke", "mend it", "moov atom"), 3),
            (FaceError("it broke", "mend it"), 3),
            (WeightsError("it broke", "mend it"), 4),
        ],
    )
    def test_known_errors_are_two_lines(
        self, pipeline: Pipeline, error: AvdubError, code: int
    ) -> None:
        pipeline.work = raising(error)
        result = run("dub", "a.mp4")
        assert result.exit_code == code
        assert result.stderr.splitlines() == ["error: it broke", "hint: mend it"]
        assert result.stdout == ""

    def test_long_messages_stay_on_one_line(self, pipeline: Pipeline) -> None:
        pipeline.work = raising(InputError("a " * 200 + "\nb", "c [red]d[/red]"))
        first, second = run("dub", "a.mp4").stderr.splitlines()
        assert first == "error: " + "a " * 200 + "b"
        assert second == "hint: c [red]d[/red]"

    def test_json_leaves_stdout_empty_on_errors(self, pipeline: Pipeline) -> None:
        pipeline.work = raising(InputError("it broke"))
        result = run("dub", "a.mp4", "--json")
        assert (result.stdout, result.stderr) == ("", "error: it broke\n")

    def test_a_full_disk_is_the_users_to_mend(self, pipeline: Pipeline) -> None:
        pipeline.work = raising(OSError(errno.ENOSPC, "No space left on device", "/out.mp4"))
        result = run("dub", "a.mp4")
        assert result.exit_code == 3
        assert result.stderr.startswith("error: the disk is full while writing /out.mp4\nhint: ")

    def test_unexpected_errors_point_to_debug(self, pipeline: Pipeline) -> None:
        pipeline.work = raising(ZeroDivisionError("oh"))
        result = run("dub", "a.mp4")
        assert result.exit_code == 1
        first, second = result.stderr.splitlines()
        assert first == "error: unexpected ZeroDivisionError: oh"
        assert "--debug" in second

    @pytest.mark.parametrize("words", ["--debug dub a.mp4", "dub a.mp4 --debug"])
    def test_debug_shows_the_traceback_and_keeps_the_code(
        self, pipeline: Pipeline, words: str
    ) -> None:
        pipeline.work = raising(InputError("it broke"))
        result = run(*words.split())
        assert result.exit_code == 3
        assert "Traceback (most recent call last)" in result.stderr
        assert result.stderr.endswith("error: it broke\n")

    def test_an_interrupt_exits_130(self, pipeline: Pipeline) -> None:
        pipeline.work = raising(KeyboardInterrupt())
        result = run("dub", "a.mp4")
        assert result.exit_code == 130
        assert "Traceback" not in result.stderr

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_cleans_up_and_exits_130(self, tmp_path: Path, number: int) -> None:
        code = """if True:
            import signal, sys, time, types
            from pathlib import Path

            # a shell's background jobs, and so tests run as one, start with SIGINT ignored
            signal.signal(signal.SIGINT, signal.default_int_handler)

            def dub(*args, **named):
                part = Path("half.part")
                part.touch()
                try:
                    print("started", file=sys.stderr, flush=True)
                    time.sleep(30)
                finally:
                    part.unlink()

            sys.modules["avdub.pipeline.run"] = types.SimpleNamespace(dub=dub)
            sys.argv = ["avdub", "dub", "a.mp4", "--no-manifest"]
            from avdub.cli import main
            main()
        """
        with subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])},
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stderr is not None
            assert process.stderr.readline() == "started\n"
            process.send_signal(number)
            assert process.stderr.read().startswith("error: interrupted\n")
        assert process.returncode == 130
        assert list(tmp_path.iterdir()) == []


class TestProgress:
    def test_without_a_terminal_it_is_plain_lines(self, pipeline: Pipeline) -> None:
        pipeline.work = ticking
        lines = run("dub", "a.mp4").stderr.splitlines()
        assert len(lines) == 1
        assert re.fullmatch(r"animate: 3 done in \d+\.\d s", lines[0])

    def test_jsonl_counts_stage_done_and_total(self, pipeline: Pipeline) -> None:
        pipeline.work = ticking
        lines = run("dub", "a.mp4", "--progress", "jsonl").stderr.splitlines()
        told = [json.loads(line) for line in lines]
        assert told[0] == {"stage": "animate", "done": 0, "total": 3}
        assert told[-1] == {"stage": "animate", "done": 3, "total": 3}

    def test_none_is_silent(self, pipeline: Pipeline) -> None:
        pipeline.work = ticking
        assert run("dub", "a.mp4", "--progress", "none").stderr == ""

    def test_bars_stay_out_of_the_results(self, pipeline: Pipeline) -> None:
        pipeline.work = ticking
        result = run("dub", "a.mp4", "--progress", "rich", "--json")
        assert "animate" in result.stderr
        assert json.loads(result.stdout)["frames"] == 50

    @pytest.mark.parametrize("kind", ["rich", "plain", "jsonl", "none"])
    def test_a_stage_left_early_still_ends(self, pipeline: Pipeline, kind: str) -> None:
        pipeline.work = lambda progress: next(iter(progress("abc", "animate")))
        assert run("dub", "a.mp4", "--progress", kind).exit_code == 0


class TestSpeech:
    def test_speak_writes_the_sound(self, pipeline: Pipeline, tmp_path: Path) -> None:
        target = tmp_path / "hi.wav"
        result = run("speak", "Hi.", "-o", str(target), "--seconds", "1.0", "--voice", "bella")
        assert result.exit_code == 0
        assert pipeline.calls == [("Hi.", DubOptions(voice="bella"), 1.0)]
        assert result.stdout == f"{target} (1.00 s)\n"
        assert target.read_bytes()[:4] == b"RIFF"

    def test_a_dash_reads_stdin(self, pipeline: Pipeline, tmp_path: Path) -> None:
        run("speak", "-", "-o", str(tmp_path / "hi.wav"), stdin="From a pipe.\n")
        assert pipeline.calls[0][0] == "From a pipe.\n"

    @pytest.mark.parametrize("name", ["hi.mp3", "missing/hi.wav", "there.wav", "folder.wav"])
    def test_an_output_that_cannot_be_is_refused_before_any_work(
        self, pipeline: Pipeline, tmp_path: Path, name: str
    ) -> None:
        (tmp_path / "there.wav").write_text("mine")
        (tmp_path / "folder.wav").mkdir()
        result = run("speak", "Hi.", "-o", str(tmp_path / name))
        assert result.exit_code == 3
        assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["error", "hint"]
        assert not pipeline.calls
        assert (tmp_path / "there.wav").read_text() == "mine"

    def test_force_replaces_the_output(self, pipeline: Pipeline, tmp_path: Path) -> None:
        target = tmp_path / "there.wav"
        target.write_text("old")
        assert run("speak", "Hi.", "-o", str(target), "-f").exit_code == 0
        assert target.read_bytes()[:4] == b"RIFF"

    def test_no_words_are_an_input_error(self, pipeline: Pipeline, tmp_path: Path) -> None:
        assert run("speak", " \n", "-o", str(tmp_path / "hi.wav")).exit_code == 3
        assert not pipeline.calls


@pytest.fixture
def voices(monkeypatch: pytest.MonkeyPatch) -> None:
    from avdub import checkpoint

    voice = checkpoint.Voice("heart", "en-us", "female", "warm", "Kokoro-82M", "Apache-2.0")
    monkeypatch.setattr(checkpoint, "list_voices", lambda folder: [voice])
    monkeypatch.setattr(checkpoint, "verify", lambda folder: [])


@pytest.mark.usefixtures("voices")
class TestVoices:
    def test_voices_are_listed_with_their_licence(self) -> None:
        out = run("voices").stdout
        assert "heart" in out
        assert "Apache-2.0" in out

    def test_voices_as_json(self) -> None:
        told = json.loads(run("voices", "--json").stdout)
        assert told["voices"][0]["name"] == "heart"


@pytest.mark.usefixtures("voices")
class TestDoctor:
    def test_a_whole_installation_is_well(self) -> None:
        result = run("doctor")
        assert result.exit_code == 0, result.output
        assert "auto is cpu" in result.stdout

    def test_damaged_weights_exit_4_and_are_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from avdub import checkpoint

        monkeypatch.setattr(checkpoint, "verify", lambda folder: ["voices.safetensors is damaged"])
        result = run("doctor", "--json")
        assert result.exit_code == 4
        assert "error: not usable: weights" in result.stderr
        states = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
        assert states["weights"]["state"] == "missing"
        assert states["weights"]["detail"] == "voices.safetensors is damaged"

    def test_a_missing_package_exits_4(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("avdub.cli.doctor.PACKAGES", ("no-such-package-of-ours",))
        assert run("doctor").exit_code == 4

    def test_a_missing_optional_package_is_a_note(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("avdub.cli.doctor.OPTIONAL", {"no-such-package-of-ours": "for fun"})
        result = run("doctor")
        assert result.exit_code == 0
        assert "not installed, for fun" in result.stdout


def test_the_demo_dubs_the_clip_it_made(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avdub.report import demo

    monkeypatch.setattr(demo, "write_clip", lambda path, progress: path.write_bytes(b"clip"))
    folder = tmp_path / "a demo"
    result = run("demo", str(folder))
    assert result.exit_code == 0
    assert pipeline.calls == [
        (folder / "demo.mp4", folder / "demo.srt", folder / "demo.dub.mp4", DubOptions())
    ]
    assert str(folder / "demo.mp4") in result.stdout
    assert "Hello" in (folder / "demo.srt").read_text()


def test_the_preview_says_where_it_is(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("avdub.report.preview")
    seen = []
    vars(module)["preview"] = lambda *args: (
        seen.append(args)
        or (
            Path("a.preview-2.mp4"),
            DubReport(Path("after.mp4"), 1, 1.0, ()),
        )
    )
    monkeypatch.setitem(sys.modules, "avdub.report.preview", module)
    result = run("preview", "a.mp4", "b.srt", "--segment", "2")
    assert result.stdout == "a.preview-2.mp4\n"
    assert seen[0][:4] == (Path("a.mp4"), Path("b.srt"), None, 2)
    assert seen[0][4] == DubOptions(segments=frozenset({2}))
