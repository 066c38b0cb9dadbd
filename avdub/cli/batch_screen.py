"""A batch as it runs: a live table on a terminal, else lines for people or programs, on stderr."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from avdub.cli.batch_rows import DONE, FAILED, PARTLY, RUNNING, Row, Rows
from avdub.cli.options import ProgressKind

STYLES = {DONE: "green", PARTLY: "yellow", FAILED: "red", RUNNING: "cyan"}
REFRESH_HZ = 4
SPARE_LINES = 6  # of a terminal, around the table
BAR_WIDTH = 20
JSONL_EVERY_S = 1.0


@contextmanager
def showing_rows(kind: ProgressKind | None, console: Console, rows: Rows) -> Iterator[None]:
    """Show how the rows change; None chooses the table on a terminal and lines elsewhere."""
    if kind is None:
        kind = ProgressKind.rich if console.is_terminal else ProgressKind.plain
    if kind is ProgressKind.rich:
        view = _Table(rows, console)
        with Live(view, console=console, refresh_per_second=REFRESH_HZ):
            yield
        return
    if kind is ProgressKind.plain:
        rows.told = _Lines(console, rows).tell
    elif kind is ProgressKind.jsonl:
        rows.told = _JsonLines(console).tell
    yield


class _Table:
    """Drawn anew a few times a second: the files at work, the last that ended, and the sum."""

    def __init__(self, rows: Rows, console: Console) -> None:
        self._rows, self._console = rows, console

    def __rich__(self) -> Group:
        room = max(4, self._console.height - SPARE_LINES)
        running = [row for row in self._rows.work if row.status == RUNNING][:room]
        over = [row for row in self._rows.work if row.is_over]
        shown = over[len(over) - max(0, min(len(over), room - len(running))) :]
        table = Table(box=None, pad_edge=False, expand=False)
        for heading in ("file", "language", "stage", "", "time"):
            table.add_column(heading, no_wrap=True, overflow="ellipsis")
        for row in [*shown, *running]:
            table.add_row(
                Text(row.video.name),
                row.language,
                _stage(row),
                _bar(row),
                _clock(_seconds(row)),
            )
        return Group(table, Text(totals(self._rows)))


class _Lines:
    """A line where a file begins, enters a stage, and ends."""

    def __init__(self, console: Console, rows: Rows) -> None:
        self._console, self._rows = console, rows

    def tell(self, row: Row, what: str) -> None:
        if what == "began":
            self._write(f"{row.name}: began")
        elif what == "ended":
            over = sum(each.is_over for each in self._rows.work)
            reason = f": {row.why}" if row.why else ""
            took = f" in {row.seconds:.1f} s" if row.seconds is not None else ""
            where = f"{over} of {len(self._rows.work)}"
            self._write(f"{row.name}: {row.status}{took}{reason} ({where})")
        elif not row.done and row.total != 0:
            self._write(f"{row.name}: {row.stage}")

    def _write(self, line: str) -> None:
        self._console.file.write(line + "\n")
        self._console.file.flush()


class _JsonLines:
    """An object a line, for programs."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._last: dict[str, float] = {}

    def tell(self, row: Row, what: str) -> None:
        name, now = str(row.output), time.monotonic()
        if what == "moved" and row.done not in (0, row.total):
            if now - self._last.get(name, 0.0) < JSONL_EVERY_S:
                return
            self._last[name] = now
        said: dict[str, object] = {"output": name, "status": row.status}
        if what == "moved":
            said |= {"stage": row.stage, "done": row.done, "total": row.total}
        self._console.file.write(json.dumps(said) + "\n")
        self._console.file.flush()


def totals(rows: Rows) -> str:
    """`3 done, 1 failed, 2 running, 6 waiting; 01:12`."""
    counts = ", ".join(f"{n} {status}" for status, n in rows.counts.items())
    return f"{counts}; {_clock(time.monotonic() - rows.began)}"


def _stage(row: Row) -> Text:
    what = row.stage or "starting" if row.status == RUNNING else row.status
    reason = f": {row.why}" if row.why and row.is_over else ""
    return Text(what + reason, STYLES.get(row.status, ""))


def _bar(row: Row) -> ProgressBar | Text:
    if row.status != RUNNING:
        return Text(", ".join(f"{n} {status.replace('_', ' ')}" for status, n in row.counts))
    pulse = row.total is None
    return ProgressBar(total=row.total, completed=row.done, width=BAR_WIDTH, pulse=pulse)


def _seconds(row: Row) -> float:
    return row.seconds if row.seconds is not None else time.monotonic() - row.since


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes:02}:{rest:02}"
