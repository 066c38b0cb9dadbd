"""Disks, clocks and signals that fail a real run: nothing is lost, nothing half made is left.

More and larger ones are in `python -m tests.kills`, `tests.together` and `tests.full_disk`.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

import avdub
from avdub.jobs.cache import DiskCache, clear, entries
from avdub.pipeline.clock import Clock
from avdub.pipeline.store import Product
from tests.full_disk import filled_meanwhile, full_cache, may_mount, read_only_input
from tests.kills import Rig, Trial, decoded, impolite, kill_and_resume, plan
from tests.make import make_clip
from tests.together import at_once

DAY_S = 86_400
KEYS = [f"{n:064x}" for n in range(6)]
needs_disks = pytest.mark.skipif(not may_mount(), reason="mounting small disks needs root")


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # or children ignore it
    try:
        return Rig(tmp_path_factory.mktemp("rig"), "--crf", "1")
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "share", "number"),
    [
        ("faces", 0.7, signal.SIGKILL),
        ("picture", 0.6, signal.SIGKILL),
        ("ending", 0.1, signal.SIGKILL),
        ("lips", 0.5, signal.SIGTERM),
        ("picture", 0.3, signal.SIGINT),
    ],
)
def test_a_run_that_is_ended_goes_on_and_ends_whole(
    rig: Rig, stage: str, share: float, number: int
) -> None:
    trial = kill_and_resume(rig, f"{stage}{number}", stage, share, number, "--crf", "1")
    assert trial.wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("option", ["", "--force"])
def test_two_runs_of_one_output_leave_one_whole_one(rig: Rig, option: str) -> None:
    ends, wrong = at_once(rig, f"pair{option}", "--crf", "1", *option.split())
    assert wrong == []
    assert "done" in ends


@needs_disks
@pytest.mark.slow
def test_a_disk_that_fills_up_is_told_and_the_next_run_goes_on(rig: Rig) -> None:
    assert filled_meanwhile(rig, "filled", "picture") == []


@needs_disks
@pytest.mark.slow
@pytest.mark.parametrize(("size", "stage"), [(4096, ""), (64 << 20, "speech")])
def test_a_full_cache_costs_a_warning_and_no_run(rig: Rig, size: int, stage: str) -> None:
    assert full_cache(rig, f"cache{size}", size, stage) == []


@needs_disks
@pytest.mark.slow
def test_nothing_is_needed_beside_the_input(rig: Rig) -> None:
    assert read_only_input(rig, "fixed") == []


def test_the_check_tells_a_clean_end_from_others() -> None:
    trial = Trial("faces", signal.SIGTERM)
    assert impolite(trial, 130, "error: interrupted\nhint: again\n") == []
    assert impolite(trial, 0, "") == []
    assert impolite(trial, -signal.SIGTERM, "") != []
    assert impolite(trial, 130, "Traceback (most recent call last)\n") != []
    trial.parts = 1
    assert impolite(trial, 130, "error: interrupted\nhint: again\n") != []


def test_kills_are_spread_over_all_stages() -> None:
    moments = plan(50, 0)
    stages = [stage for stage, _, number in moments if number == signal.SIGKILL]
    assert len(stages) == 50
    assert {number for _, _, number in moments[50:]} == {signal.SIGTERM, signal.SIGINT}
    assert all(stages.count(stage) >= 4 for stage in {stage for stage, _, _ in moments})


WRITER = """if True:
    import resource, sys
    from pathlib import Path
    from avdub.errors import MediaError
    from avdub.media.audio import iter_audio
    from avdub.media.probe import probe
    from avdub.media.retouch import Repaint
    from avdub.media.splice import write_dub
    from avdub.timeline import Span

    video, output, limit = sys.argv[1:]
    info = probe(Path(video))
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    noise = Repaint((Span(0, 40),), lambda frames: ((f.time, f.image) for f in frames))
    try:
        write_dub(info, Path(output), noise, None, crf=0)
    except MediaError as error:
        print(error.message, "|", error.hint)
        raise SystemExit(error.exit_code)
"""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("limit", [0, 700, 4000])
def test_a_file_that_can_grow_no_more_is_one_error_and_leaves_nothing(
    tmp_path: Path, suffix: str, limit: int
) -> None:
    video = make_clip(tmp_path / "in.mp4", n_frames=40, options={"crf": "0"})
    (folder := tmp_path / "out").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", WRITER, str(video), str(folder / f"out{suffix}"), str(limit)],
        env={**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "cannot be written | free some space on the disk" in done.stdout
    assert list(folder.iterdir()) == []


def test_a_video_in_a_folder_without_rights_is_refused_beside_it_before_any_work() -> None:
    user = 65_534 if os.geteuid() == 0 else os.geteuid()  # root is held to no rights
    code = (
        "import sys; from pathlib import Path; from avdub.media.splice import check_output\n"
        "from avdub.errors import InputError\n"
        "video, output = map(Path, sys.argv[1:])\n"
        "check_output(output / 'out.mp4', video, False)\n"
        "try:\n    check_output(video.with_name('out.mp4'), video, False)\n"
        "except InputError as error:\n    print(error.message)\n"
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        for folder in ("in", "out"):
            (root / folder).mkdir(0o777)
            (root / folder).chmod(0o777)
        video = make_clip(root / "in" / "a.mp4")
        video.chmod(0o644)
        (root / "in").chmod(0o555)
        # what may be imported is for root alone in some places
        load = f"import os, avdub.media.splice; os.getuid() or os.setuid({user}); "
        done = subprocess.run(
            [sys.executable, "-c", load + code, str(video), str(root / "out")],
            env={**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])},
            capture_output=True,
            text=True,
            check=False,
        )
        (root / "in").chmod(0o755)
    assert done.stderr == ""
    assert done.stdout == f"the folder {video.parent} cannot be written to\n"


class TestClocks:
    def put(self, cache: DiskCache, key: str, used_s: float) -> Path:
        cache.put("speech", key, Product({"a": np.zeros(100_000)}))
        (path,) = [e.path for e in entries(cache.folder or Path()) if e.path.stem == key]
        os.utime(path, (used_s, used_s))
        return path

    @pytest.mark.parametrize("shift_s", [-50 * 365 * DAY_S, -DAY_S, DAY_S, 3650 * DAY_S])
    def test_what_was_kept_under_another_clock_is_found(
        self, tmp_path: Path, shift_s: float
    ) -> None:
        cache = DiskCache(tmp_path)
        path = self.put(cache, KEYS[0], time.time() + shift_s)
        assert cache.get("speech", KEYS[0]) is not None
        assert abs(path.stat().st_mtime - time.time()) < 60

    def test_what_a_wrong_clock_put_into_the_future_does_not_stay_for_ever(
        self, tmp_path: Path
    ) -> None:
        now = time.time()
        cache = DiskCache(tmp_path, bound=2_500_000)  # three products of 0.8 MB
        ahead = self.put(cache, KEYS[0], now + 3650 * DAY_S)
        self.put(DiskCache(tmp_path, bound=2_500_000), KEYS[1], now)  # looks through all
        assert abs(ahead.stat().st_mtime - now) < 60
        os.utime(ahead, (now - 100, now - 100))  # time goes by, and others are used
        for n, key in enumerate(KEYS[2:]):
            self.put(DiskCache(tmp_path, bound=2_500_000), key, now - 50 + n)
        assert not ahead.exists()

    def test_a_clock_set_back_between_runs_drops_nothing_that_fits(self, tmp_path: Path) -> None:
        now = time.time()
        for n, key in enumerate(KEYS[:3]):
            self.put(DiskCache(tmp_path), key, now + (DAY_S if n % 2 else -DAY_S))
        self.put(cache := DiskCache(tmp_path), KEYS[3], now)
        assert all(cache.get("speech", key) is not None for key in KEYS[:4])

    def test_clearing_what_is_old_spares_what_is_ahead(self, tmp_path: Path) -> None:
        path = self.put(DiskCache(tmp_path), KEYS[0], time.time() + 3650 * DAY_S)
        assert clear(tmp_path, older_than_days=1)[0] == 0
        assert path.exists()

    def test_a_clock_that_jumps_in_a_stage_makes_no_negative_time(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wall = iter([1e9, 2e9, 5e8, 1.0, 3e9])
        monkeypatch.setattr(time, "time", lambda: next(wall))
        clock = Clock()
        with clock.stage("plan"):
            time.time()
        assert all(seconds >= 0 for seconds in clock.total().values())

    def test_a_dub_under_a_clock_that_runs_backwards_is_the_same(
        self, weights: Path, face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from avdub.jobs.record import Record
        from avdub.pipeline.options import DubOptions
        from avdub.pipeline.run import dub

        subtitles = tmp_path / "s.srt"
        subtitles.write_text("1\n00:00:00,120 --> 00:00:00,680\nHello there.\n")
        options = DubOptions(model=str(weights), max_rate=3.0)
        began, forwards = time.time(), time.time

        def backwards() -> float:
            return began - 1000 * (forwards() - began)

        made = []
        for name in ("now.mp4", "back.mp4"):
            if name == "back.mp4":
                monkeypatch.setattr(time, "time", backwards)
            output, store = tmp_path / name, DiskCache(tmp_path / "cache")
            record = Record.begin(face_clip, subtitles, output, options)
            report = dub(face_clip, subtitles, output, options, store=store)
            record.keep(report)
            made.append(report)
        assert decoded(tmp_path / "now.mp4") == decoded(tmp_path / "back.mp4")
        assert "stretches" in made[1].segments[0].cached
        told = json.loads((tmp_path / "back.mp4.avdub.json").read_text())
        assert all(seconds >= 0 for seconds in told["run"]["timing"].values())
