"""Batches in real processes with tiny models: what fails, dies or is interrupted hurts no other."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import avdub
from avdub.cli import app
from avdub.jobs.batch import Ended, LocalWorkers, Stage, Started, works_of
from avdub.jobs.manifest import manifest_path, read_manifest
from avdub.jobs.pairing import Choice, find_pairs
from avdub.jobs.survey import survey
from avdub.jobs.worker import Outcome, Work, explained, perform
from avdub.media.probe import probe
from avdub.pipeline.options import DubOptions
from avdub.progress import silent
from tests.jobs.schema import problems
from tests.make import make_clip, make_tone
from tests.pipeline.test_plan import write_srt

PATIENCE_S = 60


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings and nothing kept but the test's own."""
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three small clips with a cue each: a, b and c."""
    for name in "abc":
        make_clip(tmp_path / f"{name}.mp4", n_frames=10, audio=make_tone(0.4))
        write_srt(tmp_path / f"{name}.srt", (0, 400, "Hi."))
    return tmp_path


def works(folder: Path, options: DubOptions) -> list[Work]:
    return works_of(survey(find_pairs([folder], Choice()).tasks, options))


def outcomes(engine: LocalWorkers, todo: list[Work]) -> dict[int, Outcome]:
    with closing(engine.run(todo)) as events:
        return {e.number: e.outcome for e in events if isinstance(e, Ended)}


def manifest(output: Path) -> dict[str, object]:
    found = read_manifest(output)
    assert found is not None
    assert list(problems(found.content)) == []
    return dict(found.content)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*"))


def test_files_are_dubbed_told_of_and_have_manifests(folder: Path, options: DubOptions) -> None:
    engine = LocalWorkers(2)
    with closing(engine.run(works(folder, options))) as told:
        events = list(told)
    assert [e.number for e in events if isinstance(e, Started)] == [0, 1, 2]
    assert {e.number for e in events if isinstance(e, Stage) and e.stage == "picture"} == {0, 1, 2}
    ended = [e for e in events if isinstance(e, Ended)]
    assert {e.number for e in ended} == {0, 1, 2}
    # bars have no face: the voice is new, the picture is kept
    assert {(e.outcome.status, e.outcome.exit_code) for e in ended} == {("done", 5)}
    for name in "abc":
        output = folder / f"{name}.dub.mp4"
        assert len(probe(output).frame_times) == 10
        assert manifest(output)["status"] == "done"
    assert left_behind(folder) == []
    assert engine.workers == []


def test_a_worker_does_many_files(folder: Path, options: DubOptions) -> None:
    engine = LocalWorkers(1)
    pids = set()
    with closing(engine.run(works(folder, options))) as events:
        for event in events:
            if isinstance(event, Started):
                pids.add(engine.workers[0].process.pid)
    assert len(pids) == 1


def test_a_file_that_fails_leaves_a_manifest_and_the_others(
    folder: Path, options: DubOptions
) -> None:
    todo = works(folder, options)
    (folder / "b.mp4").write_text("broken after the survey")
    ended = outcomes(LocalWorkers(1), todo)
    assert [ended[n].status for n in range(3)] == ["done", "failed", "done"]
    assert "cannot be opened as a video" in ended[1].message
    told = manifest(folder / "b.dub.mp4")
    assert told["status"] == "failed"
    assert told["error"]["message"] == ended[1].message
    assert not (folder / "b.dub.mp4").exists()
    assert left_behind(folder) == []


def test_a_killed_worker_fails_its_file_alone(folder: Path, options: DubOptions) -> None:
    engine = LocalWorkers(2)
    ended: dict[int, Outcome] = {}
    with closing(engine.run(works(folder, options))) as events:
        for event in events:
            if isinstance(event, Stage) and event.number == 0 and 0 not in ended:
                (worker,) = (w for w in engine.workers if w.work and w.work.number == 0)
                os.kill(worker.process.pid, signal.SIGKILL)
            if isinstance(event, Ended):
                ended[event.number] = event.outcome
    assert [ended[n].status for n in range(3)] == ["failed", "done", "done"]
    assert ended[0].message == "the worker process was ended by SIGKILL"
    assert manifest(folder / "a.dub.mp4")["status"] == "failed"
    assert not (folder / "a.dub.mp4").exists()
    assert left_behind(folder) == []


def test_closing_early_ends_the_workers_and_leaves_nothing(
    folder: Path, options: DubOptions
) -> None:
    engine = LocalWorkers(2)
    with closing(engine.run(works(folder, options))) as events:
        next(event for event in events if isinstance(event, Stage))
        processes = [worker.process for worker in engine.workers]
    assert not any(process.is_alive() for process in processes)
    assert left_behind(folder) == []
    assert list(folder.glob("*.dub.mp4")) == []


@pytest.mark.skipif(os.name != "posix", reason="stops a process by a signal")
def test_a_worker_that_hangs_is_ended_and_fails_its_file_alone(
    folder: Path, options: DubOptions
) -> None:
    engine = LocalWorkers(2, patience_s=12.0)
    ended: dict[int, Outcome] = {}
    with closing(engine.run(works(folder, options))) as events:
        for event in events:
            if isinstance(event, Stage) and event.number == 0 and 0 not in ended:
                (worker,) = (w for w in engine.workers if w.work and w.work.number == 0)
                os.kill(worker.process.pid, signal.SIGSTOP)
            if isinstance(event, Ended):
                ended[event.number] = event.outcome
    assert [ended[n].status for n in range(3)] == ["failed", "done", "done"]
    assert "told nothing for 0.2 minutes and was ended" in ended[0].message
    assert manifest(folder / "a.dub.mp4")["status"] == "failed"
    assert left_behind(folder) == []


def test_no_work_starts_no_process() -> None:
    engine = LocalWorkers(3)
    assert list(engine.run([])) == []


class TestPerform:
    """A task in this process, as a worker does it."""

    def test_an_output_that_appeared_meanwhile_is_not_replaced(
        self, folder: Path, options: DubOptions
    ) -> None:
        work, *_ = works(folder, options)
        (folder / "a.dub.mp4").write_bytes(b"mine")
        outcome = perform(work_in(work), silent)
        assert (outcome.status, outcome.exit_code) == ("failed", 3)
        assert "appeared meanwhile" in outcome.message
        assert (folder / "a.dub.mp4").read_bytes() == b"mine"

    def test_an_unexpected_error_is_explained_and_keeps_its_traceback(
        self, folder: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*args: object, **named: object) -> None:
            raise ZeroDivisionError("oh")

        monkeypatch.setattr("avdub.pipeline.run.perform", broken)
        outcome = perform(work_in(works(folder, options)[0]), silent)
        assert outcome.message == "unexpected ZeroDivisionError: oh"
        assert "Traceback" in outcome.detail
        assert manifest(folder / "a.dub.mp4")["error"]["kind"] == "AvdubError"

    @pytest.mark.parametrize(
        ("error", "said"),
        [
            (MemoryError(), "not enough memory"),
            (OSError(28, "No space left on device", "/x"), "No space left on device: /x"),
        ],
    )
    def test_errors_of_the_machine_are_explained(self, error: Exception, said: str) -> None:
        assert explained(error, Path("/a/.s"), Path("/a")).message == said


def work_in(work: Work) -> Work:
    return Work(**{**vars(work), "scratch": ".scratch"})


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["batch", *words], prog_name="avdub")


class TestCommand:
    def test_without_ray_installed_its_engine_is_one_clear_error(
        self, folder: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("avdub.jobs.cluster", "avdub.jobs.ray_engine"):
            monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.setitem(sys.modules, "ray", None)
        result = run(str(folder), "--engine", "ray", "--model", str(weights))
        assert result.exit_code == 4
        assert result.stderr.splitlines() == [
            "error: --engine ray needs Ray, which is not installed",
            "hint: pip install 'avdub[ray]'",
        ]

    def test_a_dry_run_lists_everything_and_makes_nothing(
        self, folder: Path, weights: Path
    ) -> None:
        (folder / "b.srt").unlink()
        before = sorted(folder.iterdir())
        result = run(str(folder), "--dry-run", "--model", str(weights), "--progress", "none")
        assert result.exit_code == 5
        assert "2 of 3 would be dubbed" in result.stdout
        assert "no subtitles beside b.mp4" in " ".join(result.stdout.split())
        assert sorted(folder.iterdir()) == before

    def test_what_is_done_is_skipped_and_its_exit_code_stays(
        self, folder: Path, weights: Path
    ) -> None:
        words = (str(folder / "a.mp4"), "--model", str(weights), "--json", "--progress", "none")
        first, second = run(*words), run(*words)
        assert (first.exit_code, second.exit_code) == (5, 5)
        told = json.loads(second.stdout)
        assert told["counts"] == {"unchanged": 1}
        (file,) = json.loads(first.stdout)["files"]
        assert file["status"] == "partly"
        assert file["segments"] == {"voice_only": 1}
        assert file["message"].startswith("segment 1: ")
        assert file["output"] == str(folder / "a.dub.mp4")

    def test_all_dubbed_is_exit_code_0(
        self, tmp_path: Path, face_clip: Path, weights: Path
    ) -> None:
        (tmp_path / "face.mp4").symlink_to(face_clip)
        write_srt(tmp_path / "face.en.srt", (400, 1000, "Hello there."))
        out = tmp_path / "out"
        result = run(str(tmp_path), "-o", str(out), "--model", str(weights), "--lang", "en")
        assert result.exit_code == 0, result.output
        assert (out / "face.en.dub.mp4").is_file()
        assert manifest_path(out / "face.en.dub.mp4").is_file()
        lines = result.stderr.splitlines()
        assert "face.mp4 [en]: began" in lines
        assert any(line.startswith("face.mp4 [en]: done in ") for line in lines)

    @pytest.mark.parametrize(
        ("words", "code"),
        [
            (("nowhere",), 3),
            ((".", "--lang", "fr"), 3),
            ((".", "--jobs", "0"), 2),
            ((), 2),
        ],
    )
    def test_misuse_is_an_error_before_any_work(
        self, folder: Path, words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(folder)
        assert run(*words).exit_code == code

    def test_an_unknown_voice_is_an_error_before_any_work(
        self, folder: Path, weights: Path
    ) -> None:
        result = run(str(folder), "--model", str(weights), "--voice", "nobody")
        assert result.exit_code == 3
        assert "nobody" in result.stderr


MARK = "AVDUB_TEST_MARK"


def marked(mark: str) -> list[int]:
    """Living processes that carry a mark."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            carries = f"{MARK}={mark}".encode() in (place / "environ").read_bytes()
            state = (place / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if carries and state != "Z":
            found.append(int(place.name))
    return found


def are_gone(mark: str) -> bool:
    """Whether all processes that carry a mark end within PATIENCE_S."""
    until = time.monotonic() + PATIENCE_S
    while marked(mark):
        if time.monotonic() > until:
            return False
        time.sleep(0.2)
    return True


@pytest.fixture
def running(folder: Path, weights: Path) -> Iterator[subprocess.Popen[str]]:
    """`avdub batch` of long clips by two workers, while they look for faces."""
    long = make_clip(folder / "a.mp4", n_frames=1500, size=(160, 120), audio=make_tone(1.0))
    for name in "bc":
        shutil.copyfile(long, folder / f"{name}.mp4")
    for name in "abc":
        write_srt(folder / f"{name}.srt", (0, 59_000, "Hi."))
    command = [sys.executable, "-m", "avdub", "batch", str(folder), "--model", str(weights)]
    source = str(Path(avdub.__file__).parents[1])
    environment = {**os.environ, MARK: str(folder), "PYTHONPATH": source}
    # a shell's background jobs, and so tests run as one, start with SIGINT ignored
    unignored = [
        *(sys.executable, "-c"),
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
        "os.execv(sys.argv[1], sys.argv[1:])",
    ]
    with subprocess.Popen(
        [*unignored, *command, "--jobs", "2"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.endswith(": faces\n"):
                break
        yield process
        process.kill()


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")
class TestEnds:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_ends_all_processes_and_leaves_no_half_output(
        self, running: subprocess.Popen[str], folder: Path, number: int
    ) -> None:
        assert len(marked(str(folder))) >= 3
        os.kill(running.pid, number)
        out, err = running.communicate(timeout=PATIENCE_S)
        assert running.returncode == 130
        assert "interrupted, 0 of 3 files were done" in err
        assert "Traceback" not in err
        assert out.count("interrupted") == 3  # two files and the sum
        # multiprocessing's own helper notices only then that it is not needed any more
        assert are_gone(str(folder))
        assert left_behind(folder) == []
        assert list(folder.glob("*.dub.mp4*")) == []

    def test_workers_end_when_their_parent_is_killed(
        self, running: subprocess.Popen[str], folder: Path
    ) -> None:
        os.kill(running.pid, signal.SIGKILL)
        running.wait(PATIENCE_S)
        assert are_gone(str(folder))
        assert left_behind(folder) == []
        assert list(folder.glob("*.dub.mp4*")) == []
