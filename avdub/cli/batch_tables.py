"""A batch before and after its work, as tables for people and as one object for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from avdub.cli.batch_rows import FAILED, PARTLY, UNCHANGED, Row, Rows
from avdub.cli.batch_screen import STYLES, totals

if TYPE_CHECKING:
    from avdub.cli.screen import Screen
    from avdub.jobs.survey import Finding

STATES = {
    "new": "green",
    "changed": "yellow",
    "retry": "yellow",
    "unchanged": "",
    "left": "",
    "problem": "red",
}


def show_findings(screen: Screen, findings: list[Finding]) -> None:
    """What would be done with each file."""
    table = _table("video", "subtitles", "language", "output", "state", "why")
    for finding in findings:
        task = finding.task
        table.add_row(
            Text(str(task.video)),
            Text(task.subtitles.name if task.subtitles else "-"),
            task.language,
            Text(task.output.name),
            Text(finding.state, STATES[finding.state]),
            Text(finding.why),
        )
    screen.stdout.print(table)
    n_work = sum(row.is_work for row in Rows.of(findings).rows)
    screen.say(f"{n_work} of {len(findings)} would be dubbed")


def show_rows(screen: Screen, rows: Rows) -> None:
    """How each file came out; reasons and hints go to stderr."""
    for row in rows.rows:
        for warning in row.warnings:
            screen.warn(f"{row.name}: {warning}")
        if row.detail and screen.debug:
            screen.stderr.file.write(row.detail)
        if row.status == FAILED:
            screen.error(f"{row.name}: {row.why}", row.hint)
        elif row.status == PARTLY:
            screen.warn(f"{row.name}: {row.why}")
    table = _table("file", "language", "status", "segments", "time", "output")
    for row in rows.rows:
        table.add_row(
            Text(row.video.name),
            row.language,
            Text(row.status, STYLES.get(row.status, "")),
            _segments(row),
            "-" if row.seconds is None else f"{row.seconds:.1f} s",
            "-" if row.status == FAILED else Text(str(row.output)),
        )
    screen.stdout.print(table)
    screen.say(totals(rows))
    if any(row.status in (FAILED, PARTLY) and row.is_work for row in rows.rows):
        screen.say("what failed is tried again by the same command; --retry-failed tries only that")


def summary(rows: Rows) -> dict[str, Any]:
    """The object behind `--json`."""
    return {
        "files": [row.as_json() for row in rows.rows],
        "counts": rows.counts,
        "exit_code": rows.exit_code,
    }


def _segments(row: Row) -> str:
    counts = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in row.counts)
    return counts or ("-" if row.status != UNCHANGED else "all dubbed")


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table
