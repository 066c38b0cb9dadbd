"""Progress for people and programs: bars, plain lines or JSON lines, all on stderr."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.text import Text

from avdub.cli.options import ProgressKind
from avdub.progress import Progress, silent

T = TypeVar("T")
PLAIN_EVERY_S = 5.0
JSONL_EVERY_S = 0.2


@contextmanager
def showing(kind: ProgressKind | None, console: Console) -> Iterator[Progress]:
    """The progress function of a run; None chooses bars on a terminal and plain lines elsewhere."""
    if kind is None:
        kind = ProgressKind.rich if console.is_terminal else ProgressKind.plain
    if kind is ProgressKind.rich:
        with _bars(console) as bars:
            yield _RichProgress(bars)
    elif kind is ProgressKind.plain:
        yield _LineProgress(console, _plain_line, PLAIN_EVERY_S)
    elif kind is ProgressKind.jsonl:
        yield _LineProgress(console, _json_line, JSONL_EVERY_S)
    else:
        yield silent


class _SpeedColumn(ProgressColumn):
    """Items a second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="progress.data.speed")


def _bars(console: Console) -> Bars:
    return Bars(
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


class _RichProgress:
    """One bar a stage."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars

    def __call__(self, items: Iterable[T], stage: str, total: int | None = None) -> Iterable[T]:
        task = self._bars.add_task(stage, total=_length(items, total))
        n_done = 0
        try:
            for item in items:
                yield item
                n_done += 1
                self._bars.update(task, completed=n_done)
            self._bars.update(task, total=n_done)
        finally:
            self._bars.stop_task(task)


class _LineProgress:
    """A line every few seconds and at the end of each stage."""

    def __init__(self, console: Console, line: Callable[..., str], every_s: float) -> None:
        self._console = console
        self._line = line
        self._every_s = every_s

    def __call__(self, items: Iterable[T], stage: str, total: int | None = None) -> Iterable[T]:
        total = _length(items, total)
        start = last = time.monotonic()
        n_done = 0
        self._write(self._line(stage, n_done, total, 0.0))
        for item in items:
            yield item
            n_done += 1
            now = time.monotonic()
            if now - last >= self._every_s and n_done != total:
                last = now
                self._write(self._line(stage, n_done, total, now - start))
        self._write(self._line(stage, n_done, n_done, time.monotonic() - start))

    def _write(self, line: str) -> None:
        if line:
            self._console.file.write(line + "\n")
            self._console.file.flush()


def _length(items: Iterable[object], total: int | None) -> int | None:
    return len(items) if total is None and isinstance(items, Sized) else total


def _plain_line(stage: str, done: int, total: int | None, elapsed_s: float) -> str:
    if not done and total != 0:
        return ""
    speed = done / elapsed_s if elapsed_s else 0.0
    if done == total:
        return f"{stage}: {done} done in {elapsed_s:.1f} s"
    left = f", {(total - done) / speed:.0f} s left" if total and speed else ""
    return f"{stage}: {done}{f'/{total}' if total else ''} ({speed:.1f}/s{left})"


def _json_line(stage: str, done: int, total: int | None, elapsed_s: float) -> str:
    return json.dumps({"stage": stage, "done": done, "total": total})
