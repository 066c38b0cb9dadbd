"""Batches on a real Ray cluster of two machines' processes, one of which dies amid the work."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import avdub
from avdub.errors import InputError
from avdub.jobs.batch import Ended, LocalWorkers, works_of
from avdub.jobs.manifest import read_manifest
from avdub.jobs.pairing import Choice, find_pairs
from avdub.jobs.survey import make_folders, survey
from avdub.jobs.worker import Work
from avdub.pipeline.options import DubOptions
from tests.make import make_tone
from tests.pipeline.test_cached_dub import assert_same
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not installed (extra `ray`)"
)
CUES = ((120, 560, "Hello there."), (640, 1000, "Good day."))
SOURCE = str(Path(avdub.__file__).parents[1])
ENVIRONMENT = {**os.environ, "PYTHONPATH": SOURCE, "RAY_USAGE_STATS_ENABLED": "0"}
# a shell's background jobs, and so tests run as one, start with SIGINT ignored
UNIGNORED = (
    *(sys.executable, "-c"),
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL);"
    "os.execv(sys.argv[1], sys.argv[1:])",
)


class Machines:
    """The cluster, in a process of its own."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.address = str(self._answer()["address"])
        self._is_whole = True

    def kill(self) -> None:
        """End the second machine."""
        self._is_whole = False
        self._order("kill")

    def mend(self) -> None:
        if not self._is_whole:
            self._order("add")
        self._is_whole = True

    def _order(self, word: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()
        assert self._answer() == {"done": word}

    def _answer(self) -> dict[str, object]:
        assert self._process.stdout is not None
        return dict(json.loads(self._process.stdout.readline()))


@dataclass(frozen=True)
class Ran:
    """How a batch went: its exit code, its rows by video, and what it told on the way."""

    code: int
    files: dict[str, dict[str, Any]]
    lines: list[str]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Machines]:
    command = [sys.executable, "-m", "tests.jobs.ray_cluster"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=ENVIRONMENT, cwd=SOURCE, text=True, **pipes) as process:
        yield Machines(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(60)


@pytest.fixture
def machines(cluster: Machines) -> Machines:
    cluster.mend()
    return cluster


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of a face with two cues, under three names: a, b and c."""
    folder = tmp_path_factory.mktemp("clips")
    clip = make_face_clip(folder / "a.mp4", n_frames=28, audio=make_tone(1.12, 16_000))
    for name in "bc":
        shutil.copyfile(clip, folder / f"{name}.mp4")
    for name in "abc":
        write_srt(folder / f"{name}.srt", *CUES)
    return folder


@pytest.fixture(scope="module")
def local(clips: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clip as a process of this machine dubs it."""
    folder = tmp_path_factory.mktemp("local")
    options = DubOptions(model=str(weights), max_rate=3.0)
    found = survey(find_pairs([clips / "a.mp4"], Choice(output=folder)).tasks, options)
    make_folders(found)
    with closing(LocalWorkers().run(works_of(found))) as events:
        (ended,) = (event for event in events if isinstance(event, Ended))
    assert ended.outcome.message == ""
    return folder / "a.dub.mp4"


@pytest.fixture
def batch(clips: Path, weights: Path, tmp_path: Path, machines: Machines) -> Callable[..., Ran]:
    """Runs `avdub batch` on the cluster; `seen` hears every line and may act on it."""

    def run(
        *words: str,
        seen: Callable[[list[str], "subprocess.Popen[str]"], None] = lambda lines, process: None,
        inputs: Sequence[Path] = (clips,),
    ) -> Ran:
        command = [
            *(*UNIGNORED, sys.executable, "-m", "avdub", "batch", *map(str, inputs)),
            *("-o", str(tmp_path / "out"), "--model", str(weights), "--max-rate", "3"),
            *("--engine", "ray", "--address", machines.address, "--memory-gb", "0"),
            *("--json", "--progress", "plain", *words),
        ]
        environment = {**ENVIRONMENT, "AVDUB_HOME": str(tmp_path / "home")}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        lines: list[str] = []
        with subprocess.Popen(
            command, env=environment, cwd=tmp_path, text=True, start_new_session=True, **pipes
        ) as process:
            assert process.stderr is not None
            assert process.stdout is not None
            for line in process.stderr:
                lines.append(line.rstrip())
                seen(lines, process)
            told = process.stdout.read()
        assert told, lines
        files = {Path(each["video"]).name: each for each in json.loads(told)["files"]}
        return Ran(process.wait(), files, lines)

    return run


def test_an_address_where_nobody_answers_is_an_error_at_once() -> None:
    from avdub.jobs.ray_engine import Choices, RayWorkers

    nobody = RayWorkers(Choices("127.0.0.1:9"))
    work = Work(0, "/v.mp4", "/v.srt", "/o.mp4", {"model": "base"})
    with pytest.raises(InputError, match=r"no Ray cluster answers at 127\.0\.0\.1:9"):
        next(nobody.run([work]))


@pytest.mark.parametrize("address", ["ray://host:10001", "http://host"])
def test_a_client_outside_the_cluster_is_told_to_go_inside(address: str) -> None:
    from avdub.jobs.ray_engine import Choices, RayWorkers

    work = Work(0, "/v.mp4", "/v.srt", "/o.mp4", {"model": "base"})
    with pytest.raises(InputError, match="is for Ray clients") as caught:
        next(RayWorkers(Choices(address)).run([work]))
    assert caught.value.hint == "run it on one of its machines, with --address auto"


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*"))


def kill_amid(machines: Machines) -> Callable[[list[str], object], None]:
    """Ends a machine once both work."""
    killed: list[bool] = []

    def seen(lines: list[str], _: object) -> None:
        if not killed and sum(line.endswith("]: began") for line in lines) == 2:
            killed.append(True)
            machines.kill()

    return seen


def test_a_machine_that_dies_costs_only_time(
    batch: Callable[..., Ran], machines: Machines, local: Path, tmp_path: Path
) -> None:
    ran = batch("--cache-dir", str(tmp_path / "cache"), seen=kill_amid(machines))
    assert ran.code == 0, ran.lines
    assert [file["status"] for file in ran.files.values()] == ["done"] * 3
    again = [warning for file in ran.files.values() for warning in file["warnings"]]
    assert len(again) == 1
    assert "was begun again: its " in again[0]
    for name in "abc":
        output = tmp_path / "out" / f"{name}.dub.mp4"
        assert_same(output, local)
        made = read_manifest(output)
        assert made is not None
        assert made.statuses == ("dubbed", "dubbed")
        assert not str(made.content["model"]["name"]).startswith("/tmp/avdub-models")
    assert left_behind(tmp_path / "out") == []


def test_what_may_not_be_tried_again_fails_alone(
    batch: Callable[..., Ran], machines: Machines, tmp_path: Path
) -> None:
    words = ("--cache-dir", str(tmp_path / "cache"), "--retries", "0")
    ran = batch(*words, seen=kill_amid(machines))
    assert ran.code == 5
    failed = [file for file in ran.files.values() if file["status"] == "failed"]
    assert len(failed) == 1
    assert "ended unfinished: its " in failed[0]["message"]
    told = read_manifest(Path(failed[0]["output"]))
    assert told is not None
    assert told.content["status"] == "failed"
    assert not Path(failed[0]["output"]).exists()
    assert [file["status"] for file in ran.files.values()].count("done") == 2


def test_machines_that_share_no_cache_hand_their_work_over(
    batch: Callable[..., Ran], clips: Path, local: Path, tmp_path: Path
) -> None:
    ran = batch("--no-cache", inputs=[clips / "a.mp4", clips / "b.mp4"])
    assert ran.code == 0, ran.lines
    # the mouths were painted and encoded apart, so the splice had them from this machine
    assert "a.mp4 [en]: mouths" in ran.lines
    had = []
    for name in "ab":
        assert_same(tmp_path / "out" / f"{name}.dub.mp4", local)
        made = read_manifest(tmp_path / "out" / f"{name}.dub.mp4")
        assert made is not None
        had += [set(kinds) for kinds in made.content["run"]["cached"].values()]
    assert all("stretches" in kinds for kinds in had)
    assert not (tmp_path / "home" / "cache").exists()


@pytest.mark.parametrize("stage", ["mouths", "picture"])
def test_ctrl_c_ends_all_jobs_and_leaves_no_half_output(
    batch: Callable[..., Ran], stage: str, tmp_path: Path
) -> None:
    sent: list[bool] = []

    def interrupt(lines: list[str], process: "subprocess.Popen[str]") -> None:
        if not sent and lines[-1].endswith(f": {stage}"):
            sent.append(True)
            os.kill(process.pid, signal.SIGINT)

    ran = batch("--cache-dir", str(tmp_path / "cache"), seen=interrupt)
    assert sent
    assert not any("Traceback" in line for line in ran.lines)
    assert left_behind(tmp_path / "out") == []
    statuses = [file["status"] for file in ran.files.values()]
    if statuses == ["done"] * 3:  # what is encoded already is spliced in no time
        assert stage == "picture"
        return
    assert ran.code == 130
    assert any("interrupted, " in line for line in ran.lines)
    assert "interrupted" in statuses
    for output in (tmp_path / "out").glob("*.mp4"):  # one may have been spliced just then
        made = read_manifest(output)
        assert made is not None
        assert made.is_done
    assert len(list((tmp_path / "out").glob("*.mp4"))) < 3
