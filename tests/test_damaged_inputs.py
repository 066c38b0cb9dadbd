"""Over two hundred damaged inputs: no traceback, no hang, no half output, the right exit code."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from avdub.cli import app
from tests.damaged import Case, check, run_all

LIMIT_S = 60


def dubbing(models: Path) -> Callable[[Case, Path], tuple[int, str]]:
    """Dubs a case into a folder → exit code and what was shown; one that hangs is stopped."""

    def run(case: Case, out: Path) -> tuple[int, str]:
        words = ["dub", "--model", str(models), "--no-cache", "--no-manifest", "--progress", "none"]
        words += ["-o", str(out / "out.mp4"), "--", str(case.video), str(case.subtitles)]
        signal.signal(signal.SIGALRM, _stop)
        signal.alarm(LIMIT_S)
        try:
            result = CliRunner().invoke(app, words)
        finally:
            signal.alarm(0)
        strange = "" if isinstance(result.exception, SystemExit | None) else "Traceback: "
        return result.exit_code, f"{strange}{result.exception or ''}\n{result.output}"

    return run


def _stop(number: int, frame: object) -> None:
    raise TimeoutError(f"still running after {LIMIT_S} s")


@pytest.mark.timeout(900)
def test_damaged_inputs_are_dubbed_or_refused_and_nothing_is_left(weights: Path) -> None:
    found = list(run_all(dubbing(weights)))
    assert [f"{case.name}: {wrong}" for case, _, _, wrong in found if wrong] == []
    assert len(found) >= 200
    assert max(spent for _, _, spent, _ in found) < LIMIT_S


CASE = Case("a", "b", Path("a.mp4"), Path("a.srt"))
REFUSED = "error: a.mp4 is empty\nhint: copy it again\n"


@pytest.mark.parametrize(
    ("code", "shown", "left", "wrong"),
    [
        (3, REFUSED, set(), ""),
        (0, "", {"out.mp4"}, ""),
        (5, "", {"out.mp4"}, ""),
        (3, "Traceback (most recent call last)", set(), "a traceback"),
        (3, "no.", set(), "not refused in two lines: no."),
        (3, REFUSED, {".avdub.part.mp4"}, "left ['.avdub.part.mp4'] with exit code 3"),
        (0, "", set(), "left [] with exit code 0"),
        (1, "hm", set(), "exit code 1: hm"),
    ],
)
def test_the_check_tells_good_from_bad(code: int, shown: str, left: set[str], wrong: str) -> None:
    assert check(CASE, code, shown, left) == wrong
