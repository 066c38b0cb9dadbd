"""Runs that are killed: the next one goes on, and ends as if nothing had happened."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import avdub
from avdub.jobs.cache import DiskCache
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import dub
from tests.make import make_tone
from tests.pipeline.test_cached_dub import assert_same
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip

CUES = (
    *((120, 680, "Hello there."), (800, 1320, "Good day."), (1440, 1840, "Well.")),
    *((2000, 2520, "It rains."), (2700, 3600, "And then it stops.")),
)
CHILD = """if True:
    import json, os, signal, sys
    from pathlib import Path
    from avdub.jobs.cache import DiskCache
    from avdub.pipeline.animate import Animator
    from avdub.pipeline.options import DubOptions
    from avdub.pipeline.run import dub

    clip, srt, output, model, cache, moment = sys.argv[1:]
    left = int(moment)  # items of work until the process kills itself; 0: never
    painted, paint = [], Animator._paint_actor

    def painting(animator, actor, wanted, pictures):
        painted.append(wanted.segment)
        return paint(animator, actor, wanted, pictures)

    def progress(items, stage, total=None):
        global left
        for item in items:
            yield item
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    Animator._paint_actor = painting
    options = DubOptions(model=model, overwrite=True, max_rate=3.0)
    store = DiskCache(Path(cache))
    report = dub(Path(clip), Path(srt), Path(output), options, progress, store=store)
    told = [[s.index, s.status, s.cached] for s in report.segments]
    print(json.dumps({"segments": told, "painted": painted}))
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    return make_face_clip(path, n_frames=95, audio=make_tone(3.8, 16_000))


@pytest.fixture(scope="module")
def whole(clip: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dub of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    options = DubOptions(model=str(weights), max_rate=3.0)
    return dub(clip, write_srt(folder / "s.srt", *CUES), folder / "out.mp4", options).output


class Killed:
    """Runs of one dub in processes of their own, on one cache."""

    def __init__(self, clip: Path, weights: Path, folder: Path) -> None:
        self.folder, self.output = folder, folder / "out.mp4"
        srt = write_srt(folder / "s.srt", *CUES)
        words = (clip, srt, self.output, weights, folder / "cache")
        self.command = [sys.executable, "-c", CHILD, *map(str, words)]

    def run(self, moment: int = 0) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*self.command, str(moment)],
            env={**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self) -> dict[str, list]:
        process = self.run()
        told, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        return json.loads(told)


@pytest.fixture
def killed(clip: Path, weights: Path, tmp_path: Path) -> Killed:
    return Killed(clip, weights, tmp_path)


def test_a_run_killed_again_and_again_ends_like_one_that_was_not(
    killed: Killed, whole: Path
) -> None:
    rng = random.Random(5)
    # 95 frames are watched, 5 lines spoken, then the picture is made; the first run ends while it
    # watches, the second in the picture, and the third has nothing to watch any more
    moments = (rng.randrange(10, 90), rng.randrange(105, 160), rng.randrange(10, 60))
    for moment in moments:
        process = killed.run(moment)
        process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL
        assert not killed.output.exists()
    told = killed.finish()
    assert [status for _, status, _ in told["segments"]] == ["dubbed"] * 5
    assert all("speech" in cached for _, _, cached in told["segments"])
    assert_same(killed.output, whole)


def test_what_was_painted_before_the_kill_is_not_painted_again(killed: Killed, whole: Path) -> None:
    process = killed.run(95 + 5 + 60)  # in the picture, when the first lines are through
    process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL
    told = killed.finish()
    from_before = [n for n, _, cached in told["segments"] if "mouths" in cached]
    assert 1 in from_before
    assert not set(from_before) & set(told["painted"])
    assert 5 in told["painted"]
    assert_same(killed.output, whole)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_a_kill_at_any_moment_costs_only_time(killed: Killed, whole: Path, seed: int) -> None:
    process = killed.run()
    time.sleep(random.Random(seed).uniform(1, 20))
    process.kill()
    process.communicate(timeout=300)
    killed.finish()
    assert_same(killed.output, whole)


def test_two_runs_at_once_share_a_cache(killed: Killed, clip: Path, whole: Path) -> None:
    other = killed.folder / "other.mp4"
    command = [str(other) if word == str(killed.output) else word for word in killed.command]
    first = killed.run()
    killed.command = command
    second = killed.run()
    for process in (first, second):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    assert_same(killed.output, whole)
    assert_same(other, whole)


def test_damaged_products_are_made_again(
    killed: Killed, clip: Path, weights: Path, whole: Path
) -> None:
    killed.finish()
    kept = sorted((killed.folder / "cache").rglob("*.product"))
    rng = random.Random(2)
    for file in kept:
        data = bytearray(file.read_bytes())
        if rng.random() < 0.5:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        else:
            del data[rng.randrange(len(data)) :]
        file.write_bytes(data)
    options = DubOptions(model=str(weights), overwrite=True, max_rate=3.0)
    cache = DiskCache(killed.folder / "cache")
    report = dub(clip, killed.folder / "s.srt", killed.output, options, store=cache)
    assert [s.cached for s in report.segments] == [()] * 5
    assert_same(killed.output, whole)
    assert sorted((killed.folder / "cache").rglob("*.product")) == kept
