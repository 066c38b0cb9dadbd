"""Ctrl-C, and being asked to end: what is said, and what is not taken for something else."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import avdub
from avdub.cli import app
from avdub.cli.boundary import Interrupts, interrupts
from tests.test_cli import Pipeline, pipeline, raising

__all__ = ["pipeline"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("dub a.mp4", "run it again to go on from here"),
        ("plan a.mp4", "run it again to go on from here"),
        ("dub a.mp4 --no-cache", "nothing unfinished was left"),
    ],
)
def test_the_hint_says_whether_the_work_is_kept(
    words: str,
    hint: str,
    pipeline: Pipeline,
) -> None:
    pipeline.work = raising(KeyboardInterrupt())
    result = CliRunner().invoke(app, words.split())
    assert result.exit_code == 130
    assert result.stderr == f"error: interrupted\nhint: {hint}\n"


def test_a_setting_that_keeps_nothing_is_known(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AVDUB_CACHE", "false")
    pipeline.work = raising(KeyboardInterrupt())
    result = CliRunner().invoke(app, ["dub", "a.mp4"])
    assert "nothing unfinished was left" in result.stderr


def test_an_error_that_an_interrupt_has_become_is_an_interrupt(
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(interrupts, "came", True)
    pipeline.work = raising(ImportError("numpy failed to import"))
    result = CliRunner().invoke(app, ["dub", "a.mp4"])
    assert result.exit_code == 130
    assert result.stderr.startswith("error: interrupted\n")


def test_an_error_without_an_interrupt_stays_an_error(
    pipeline: Pipeline,
) -> None:
    pipeline.work = raising(ImportError("numpy failed to import"))
    assert CliRunner().invoke(app, ["dub", "a.mp4"]).exit_code == 1


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        Interrupts().catch()
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_amid_an_import_that_swallows_it_exits_130(tmp_path: Path, number: int) -> None:
    code = """if True:
        import signal, sys, time

        signal.signal(signal.SIGINT, signal.default_int_handler)

        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name != "avdub.pipeline.run":
                    return None
                try:
                    print("started", file=sys.stderr, flush=True)
                    time.sleep(30)
                except KeyboardInterrupt:
                    raise ImportError("it failed to import") from None

        sys.meta_path.insert(0, Finder())
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
        told = process.stderr.read()
    assert process.returncode == 130
    assert told == "error: interrupted\nhint: run it again to go on from here\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_after_the_work_is_done_comes_too_late(number: int) -> None:
    code = f"""if True:
        import atexit, os, signal, sys

        signal.signal(signal.SIGINT, signal.default_int_handler)
        atexit.register(os.kill, os.getpid(), {number:d})
        sys.argv = ["avdub", "--version"]
        from avdub.cli import main
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("avdub ")
