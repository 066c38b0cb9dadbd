"""Cold runs of the command line, each in a process of its own: wall time and peak memory.

Imports no models: a process that starts others passes its own memory on as the least they report.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from avdub.errors import AvdubError
from avdub.media.audio import iter_audio, read_sound
from avdub.media.probe import MediaInfo, probe
from avdub.media.subtitles import read_subtitles, write_srt
from avdub.media.video import FrameReader, FrameWriter, default_suffix
from avdub.media.waveform import Waveform
from avdub.progress import Progress, silent
from avdub.timeline import MS_PER_S, Segment

LONG_S = 120
LOOP_CRF = 18
FINISHED = {0, 5}  # exit codes of a run that did its work
COLD = ("--no-cache", "--progress", "none")
SENTENCE = "The ferry leaves the harbour at six in the morning, and it never waits for anybody. "
SHORT, LONG = SENTENCE, SENTENCE * 6  # their difference is the speed of speech without loading
PEAK_UNITS = 1 << 20 if sys.platform == "darwin" else 1 << 10  # of ru_maxrss, in a MB


@dataclass(frozen=True)
class Task:
    """A command line to time; `media_s` is the length of what it works on or makes."""

    name: str
    words: tuple[str, ...]
    media_s: float | None = None
    makes: Path | None = None  # a sound whose length is `media_s`


@dataclass(frozen=True)
class Run:
    """One cold run. `media_s` is the length of the video or the speech."""

    name: str
    wall_s: float
    peak_mb: float
    exit_code: int
    media_s: float | None = None


@dataclass(frozen=True)
class Benchmark:
    """All runs; `speak_rate` is seconds of work a second of speech once models are loaded."""

    runs: tuple[Run, ...]
    speak_rate: float | None
    growth_mb: float | None = None  # peak memory of the long dub over the short one's

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def measure_speed(
    video: Path,
    subtitles: Path,
    words: Sequence[str] = (),
    long_s: float | None = None,
    progress: Progress = silent,
) -> Benchmark:
    """Time dub, plan, preview and speak; `words` are added to each (--model, --voice).

    With `long_s` the clip is looped to about that length and dubbed too. Raises what reading the
    files raises, and AvdubError where a command fails.
    """
    info = probe(video)
    segments, _ = read_subtitles(subtitles)
    with TemporaryDirectory(prefix="avdub-speed-") as name:
        folder = Path(name)
        tasks = tasks_for(info, subtitles, segments[0].index, folder)
        if long_s is not None:
            tasks.append(_long_task(info, segments, long_s, folder))
        runs = tuple(
            time_command(replace(task, words=(*task.words, *words)))
            for task in progress(tasks, "commands", len(tasks))
        )
    by_name = {run.name: run for run in runs}
    dubs = [run.peak_mb for run in runs if run.name.startswith("dub")]
    growth = round(dubs[-1] - dubs[0], 1) if len(dubs) > 1 else None
    return Benchmark(runs, _speak_rate(by_name["speak short"], by_name["speak long"]), growth)


def tasks_for(info: MediaInfo, subtitles: Path, segment: int, folder: Path) -> list[Task]:
    """What is timed for every video; outputs go to `folder`."""
    video, cues, length = str(info.path), str(subtitles), float(info.end)
    made = str(folder / f"dub{default_suffix(info)}")
    tasks = [
        Task("dub", ("dub", video, cues, "-o", made, *COLD), length),
        Task("plan", ("plan", video, cues, *COLD), length),
        Task(
            "preview",
            (
                *("preview", video, cues, "--segment", str(segment), "--progress", "none"),
                *("-o", str(folder / "preview.mp4")),
            ),
        ),
    ]
    for name, text in (("short", SHORT), ("long", LONG)):
        made_wav = folder / f"{name}.wav"
        tasks.append(Task(f"speak {name}", ("speak", text, "-o", str(made_wav)), makes=made_wav))
    return tasks


def time_command(task: Task) -> Run:
    """Run `avdub` with the task's words in a fresh process. Raises AvdubError where it fails."""
    command = [sys.executable, "-m", "avdub", *task.words]
    begin = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None, "stderr is a pipe"
        told = process.stderr.read().decode(errors="replace")
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in FINISHED:
        last = next((s for s in told.splitlines() if s.startswith("error:")), told.strip()[-200:])
        raise AvdubError(
            f"avdub {task.words[0]} exited with {process.returncode}: {last}",
            "run that command alone with --debug",
        )
    media_s = read_sound(task.makes).seconds if task.makes is not None else task.media_s
    peak_mb = round(usage.ru_maxrss / PEAK_UNITS, 1)
    return Run(task.name, round(wall_s, 2), peak_mb, process.returncode, media_s)


def loop_clip(
    info: MediaInfo, segments: Sequence[Segment], seconds: float, video: Path, subtitles: Path
) -> int:
    """Write the clip again and again, and its cues with it, until it lasts `seconds`.

    Returns the number of turns.
    """
    wanted = Fraction(seconds).limit_denominator(MS_PER_S)
    n_turns = max(1, -(-wanted // info.end))
    turns = range(n_turns)
    times = tuple(turn * info.end + t for turn in turns for t in info.frame_times)
    end = n_turns * info.end
    audio = None if info.audio is None else replace(info.audio, start=Fraction(0), duration=end)
    whole = replace(info, frame_times=times, end=end, audio=audio)
    with FrameWriter(video, whole, _looped_sound(info, n_turns), LOOP_CRF) as writer:
        for turn in turns:
            with FrameReader(info) as reader:
                for frame in reader:
                    writer.write(frame.image, turn * info.end + frame.time)
    write_srt([_moved(s, turn * info.end) for turn in turns for s in segments], subtitles)
    return n_turns


def _looped_sound(info: MediaInfo, n_turns: int) -> Iterator[Waveform] | None:
    if info.audio is None:
        return None
    return (block for _ in range(n_turns) for block in iter_audio(info.path, info))


def _moved(segment: Segment, by: Fraction) -> Segment:
    by_ms = round(by * MS_PER_S)
    return replace(segment, start_ms=segment.start_ms + by_ms, end_ms=segment.end_ms + by_ms)


def _long_task(info: MediaInfo, segments: Sequence[Segment], seconds: float, folder: Path) -> Task:
    suffix = default_suffix(info)
    video, cues, made = folder / f"long{suffix}", folder / "long.srt", folder / f"long.dub{suffix}"
    n_turns = loop_clip(info, segments, seconds, video, cues)
    words = ("dub", str(video), str(cues), "-o", str(made), *COLD)
    return Task(f"dub x{n_turns}", words, n_turns * float(info.end))


def _speak_rate(short: Run, long: Run) -> float | None:
    """Seconds of work a second of speech, start and loading taken out."""
    (first, last) = ((run.wall_s, run.media_s or 0.0) for run in (short, long))
    work, speech = (b - a for a, b in zip(first, last, strict=True))
    return round(work / speech, 3) if speech > 0 else None
