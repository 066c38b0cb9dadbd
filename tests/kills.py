"""Dubs that are killed at any moment and run again, by the real command in a process of its own.

`python -m tests.kills` kills many and prints the table of the reliability report; exit code 1 if
anything was lost, left behind or different from what an undisturbed run makes.
"""

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import av

import avdub
from avdub.jobs.cache import DiskCache, entries
from avdub.jobs.manifest import read_manifest
from tests.conftest import FACES
from tests.make import make_tone
from tests.tiny import make_face_clip, save_tiny_family

SRT = """1
00:00:00,120 --> 00:00:00,680
Hello there.

2
00:00:00,800 --> 00:00:01,320
Good day.

3
00:00:01,440 --> 00:00:01,840
Well.

4
00:00:02,000 --> 00:00:02,520
It rains.

5
00:00:02,700 --> 00:00:03,600
And then it stops.
"""
N_FRAMES, SECONDS = 95, 3.8
# where a run is: until the first face is looked for, by the last thing its progress told, and from
# the last picture to the end of the process
STAGES = ("starting", "faces", "speech", "lips", "picture", "ending")
AFTER = "output in place"
LIMIT_S = 600
POLITE = (signal.SIGTERM, signal.SIGINT)
OUTPUT, MANIFEST = "out.mp4", "out.mp4.avdub.json"


class Run:
    """A dub in a process of its own, followed while it runs."""

    def __init__(self, words: Sequence[str], output: Path) -> None:
        self.output = output
        self.lines: list[tuple[float, str]] = []
        self.seen_size: int | None = None  # of the output, when it first had its name
        environment = {**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "avdub", *words],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.began = time.monotonic()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append((time.monotonic() - self.began, line))

    def look(self) -> None:
        """What lies at the output's name now."""
        if self.seen_size is None and self.output.exists():
            self.seen_size = self.output.stat().st_size

    def starts(self) -> dict[str, float]:
        """When each stage that was reached began, in s after the process did."""
        starts = {"starting": 0.0}
        for when, line in list(self.lines):
            if not line.startswith('{"stage"'):
                continue
            told = json.loads(line)
            starts.setdefault(told["stage"], when)
            if told["done"] == told["total"]:
                following = {"speech": "lips", "picture": "ending"}.get(told["stage"])
                if following:
                    starts.setdefault(following, when)
        return starts

    def stage(self) -> str:
        """The last one that has begun."""
        return list(self.starts())[-1]

    def wait_for(self, stage: str, delay: float) -> None:
        """Until so many s after a stage began, or the end."""
        while self.process.poll() is None:
            self.look()
            begun = self.starts().get(stage)
            if begun is not None and time.monotonic() - self.began >= begun + delay:
                return
            time.sleep(0.004)

    def end(self) -> tuple[int, str]:
        """Exit code and what stderr says apart from progress, once it has ended."""
        latest = time.monotonic() + LIMIT_S
        while self.process.poll() is None and time.monotonic() < latest:
            self.look()
            time.sleep(0.004)
        if self.process.poll() is None:
            self.process.kill()
        code = self.process.wait()
        self._reader.join()
        self.process.stderr.close()  # type: ignore[union-attr]
        self.look()
        return code, "".join(line for _, line in self.lines if not line.startswith("{"))


class Rig:
    """Tiny models, a clip of a face, its subtitles, and the dub of a run that nothing disturbed.

    `options` are those of that dub.
    """

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        (root / "model").mkdir()
        self.model = save_tiny_family(root / "model", FACES)
        self.clip = make_face_clip(
            root / "face.mp4", n_frames=N_FRAMES, audio=make_tone(SECONDS, 16_000)
        )
        self.subtitles = root / "s.srt"
        self.subtitles.write_text(SRT, encoding="utf-8")
        whole = self.run(folder := self.folder("whole"), *options)
        code, shown = whole.end()
        assert code == 0, shown
        self.starts, self.seconds = whole.starts(), time.monotonic() - whole.began
        self.output, self.cache = folder / OUTPUT, folder.with_suffix(".cache")
        self.content = decoded(self.output)
        self.kept = {entry.path.relative_to(self.cache) for entry in entries(self.cache)}

    def folder(self, name: str) -> Path:
        """A new folder for one output."""
        (path := self.root / name).mkdir()
        return path

    def run(self, folder: Path, *more: str, cache: Path | None = None) -> Run:
        """Start a dub into a folder, with the cache beside that."""
        output = folder / OUTPUT
        words = ["dub", str(self.clip), str(self.subtitles), "-o", str(output)]
        words += ["--model", str(self.model), "--max-rate", "3", "--progress", "jsonl"]
        words += ["--cache-dir", str(cache or folder.with_suffix(".cache")), *more]
        return Run(words, output)

    def length(self, stage: str) -> float:
        """How long a stage took undisturbed, in s."""
        names = [*STAGES, AFTER]
        ends = {**self.starts, AFTER: self.seconds}
        return ends[names[names.index(stage) + 1]] - ends[stage]

    def differences(self, folder: Path) -> list[str]:
        """What is wrong with a finished dub, its manifest and its folder."""
        found = {path.name for path in folder.iterdir()}
        wrong = [] if found == {OUTPUT, MANIFEST} else [f"the folder holds {sorted(found)}"]
        if OUTPUT in found and decoded(folder / OUTPUT) != self.content:
            wrong.append("the output differs")
        manifest = read_manifest(folder / OUTPUT)
        if manifest is None or not manifest.is_done or set(manifest.statuses) != {"dubbed"}:
            wrong.append("the manifest is not that of a whole dub")
        return wrong

    def cache_faults(self, cache: Path, whole: bool = True) -> list[str]:
        """What is wrong with what was kept; `whole`: everything of an undisturbed run is there."""
        store, listed = DiskCache(cache), list(entries(cache))
        broken = [e.path.name for e in listed if store.get(e.kind, e.path.stem) is None]
        missing = self.kept - {entry.path.relative_to(cache) for entry in listed}
        wrong = [f"{len(broken)} products in the cache are damaged"] if broken else []
        return wrong + ([f"{len(missing)} products are missing"] if whole and missing else [])


def decoded(path: Path) -> str:
    """A hash of every frame, its time, and all sound of a file."""
    made = hashlib.sha256()
    with av.open(str(path)) as container:
        for frame in container.decode(*container.streams.video, *container.streams.audio):
            made.update(f"{frame.pts} {frame.time_base} ".encode())
            made.update(frame.to_ndarray().tobytes())
    return made.hexdigest()


@dataclass
class Trial:
    """How one kill went."""

    stage: str
    number: int
    parts: int = 0  # unfinished files that it left
    resumed_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


def kill_and_resume(
    rig: Rig, name: str, stage: str, share: float, number: int, *options: str
) -> Trial:
    """Send a signal at a share of a stage's usual length, look at what is there, and run again."""
    folder = rig.folder(name)
    run = rig.run(folder, *options)
    run.wait_for(stage, share * rig.length(stage))
    trial = Trial(run.stage(), number)
    run.process.send_signal(number)
    code, shown = run.end()
    was_whole = (folder / OUTPUT).exists()
    trial.stage = AFTER if was_whole else trial.stage
    trial.parts = sum(path.name.startswith(".avdub") for path in folder.iterdir())
    if was_whole and decoded(folder / OUTPUT) != rig.content:
        trial.wrong.append("something half made had the output's name")
    if number in POLITE:
        trial.wrong += impolite(trial, code, shown)
    elif code not in (-number, 0):
        trial.wrong.append(f"exit code {code}: {shown}")
    cache = folder.with_suffix(".cache")
    trial.wrong += rig.cache_faults(cache, whole=False)
    again = rig.run(folder, *options, *(["--force"] if was_whole else []))
    code, shown = again.end()
    trial.resumed_s = time.monotonic() - again.began
    if code:
        trial.wrong.append(f"run again, exit code {code}: {shown}")
    size = (folder / OUTPUT).stat().st_size if (folder / OUTPUT).exists() else None
    if not was_whole and again.seen_size != size:
        trial.wrong.append("the output grew after it had its name")
    trial.wrong += rig.differences(folder) + rig.cache_faults(cache)
    if not trial.wrong:
        shutil.rmtree(folder)
        shutil.rmtree(cache)
    return trial


def impolite(trial: Trial, code: int, shown: str) -> list[str]:
    """What is wrong with how a run ended that was asked to end."""
    wrong = [f"{trial.parts} unfinished files were left"] if trial.parts else []
    if code == 0:  # it was through
        return wrong
    lines = [line.split(":")[0] for line in shown.splitlines() if line]
    if code != 130 or lines != ["error", "hint"]:
        # before the program is read, only Python and the system can answer
        is_early = trial.stage == "starting" and code == -trial.number
        wrong += [] if is_early else [f"exit code {code}: {shown}"]
    return wrong


def plan(times: int, seed: int) -> list[tuple[str, float, int]]:
    """Stage, share of it and signal of each kill: `times` by SIGKILL, a fifth more politely."""
    chance = random.Random(seed)
    numbers = [signal.SIGKILL] * times + [POLITE[n % 2] for n in range(times // 5)]
    moments = [(STAGES[n % len(STAGES)], chance.random()) for n in range(len(numbers))]
    chance.shuffle(moments)
    return [(*moment, number) for moment, number in zip(moments, numbers, strict=True)]


def table(trials: Sequence[Trial]) -> str:
    """Kills by stage and signal, what they left, and how long running again took."""
    head = "| killed while | SIGKILL | SIGTERM | SIGINT | left an unfinished file | went wrong |"
    rows = [head, "|---|---|---|---|---|---|"]
    for stage in (*STAGES, AFTER):
        here = [trial for trial in trials if trial.stage == stage]
        if here:
            by = Counter(trial.number for trial in here)
            counts = [by[n] for n in (signal.SIGKILL, *POLITE)]
            counts += [sum(t.parts > 0 for t in here), sum(bool(t.wrong) for t in here)]
            rows.append(f"| {stage} | {' | '.join(map(str, counts))} |")
    return "\n".join(rows)


def main() -> int:
    """Kill as often as asked; print the table, and what went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.kills")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1, help="how many at a time")
    asked = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # jobs in the background ignore it
    root, trials = Path(tempfile.mkdtemp(prefix="kills")), []
    try:
        rig = Rig(root)
        with ThreadPoolExecutor(asked.jobs) as pool:
            moments = enumerate(plan(asked.times, asked.seed))
            going = [pool.submit(kill_and_resume, rig, f"kill{n}", *each) for n, each in moments]
            for each in as_completed(going):
                trials.append(each.result())
                sys.stderr.write(f"{len(trials)}: {trials[-1]}\n" if trials[-1].wrong else "")
    finally:
        shutil.rmtree(root)
        print(table(trials))  # of those that ended, whatever happened
    wrong = [trial for trial in trials if trial.wrong]
    again = sorted(trial.resumed_s for trial in trials)
    print(f"\n{len(trials)} kills, {len(wrong)} went wrong. Undisturbed {rig.seconds:.1f} s;")
    print(f"run again {again[0]:.1f} to {again[-1]:.1f} s, median {again[len(again) // 2]:.1f} s.")
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
