"""What is known of each file of a batch while it runs: the rows behind the live table and JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from avdub.jobs.batch import Event
    from avdub.jobs.survey import Finding

WAITING, RUNNING, INTERRUPTED = "waiting", "running", "interrupted"
DONE, PARTLY, FAILED, UNCHANGED, LEFT = "done", "partly", "failed", "unchanged", "left"
ORDER = (DONE, PARTLY, FAILED, UNCHANGED, LEFT, RUNNING, INTERRUPTED, WAITING)


@dataclass
class Row:
    """One file: where it stands, why, and how its segments came out."""

    video: Path
    subtitles: Path | None
    language: str
    output: Path
    status: str
    why: str = ""
    hint: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float | None = None
    detail: str = ""
    stage: str = ""
    done: int = 0
    total: int | None = None
    since: float = 0.0
    is_work: bool = False

    @property
    def is_over(self) -> bool:
        return self.status not in (WAITING, RUNNING, INTERRUPTED)

    @property
    def name(self) -> str:
        return f"{self.video.name} [{self.language}]"

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {
            "video": str(self.video),
            "subtitles": str(self.subtitles) if self.subtitles else None,
            "language": self.language,
            "output": str(self.output),
            "status": self.status,
            "message": self.why,
            "hint": self.hint,
            "segments": dict(self.counts),
            "warnings": list(self.warnings),
            "seconds": self.seconds,
        }


@dataclass
class Rows:
    """All files of a batch. `told` hears of every row that begins, moves or ends."""

    rows: list[Row]
    told: Callable[[Row, str], None] = lambda row, what: None
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, findings: Sequence[Finding]) -> Rows:
        """Before the work."""
        return cls([_row(finding) for finding in findings])

    @property
    def work(self) -> list[Row]:
        """Those that are to be dubbed."""
        return [row for row in self.rows if row.is_work]

    @property
    def counts(self) -> dict[str, int]:
        """How many stand where, without zeros."""
        number = {status: sum(row.status == status for row in self.rows) for status in ORDER}
        return {status: n for status, n in number.items() if n}

    @property
    def exit_code(self) -> int:
        """5 where a file failed or has segments that are not dubbed, else 0."""
        return 5 if any(_needs_attention(row) for row in self.rows) else 0

    def interrupt(self) -> None:
        """The user will not wait for those that are being dubbed."""
        for row in self.rows:
            row.status = INTERRUPTED if row.status == RUNNING else row.status

    def hear(self, event: Event) -> None:
        """Take in what a worker told."""
        from avdub.jobs.batch import Ended, Started

        row = self.rows[event.number]
        if isinstance(event, Started):
            row.status, row.since = RUNNING, time.monotonic()
            self.told(row, "began")
        elif isinstance(event, Ended):
            ended = event.outcome
            failed, well = ended.status == FAILED, ended.exit_code == 0
            row.status = FAILED if failed else DONE if well else PARTLY
            row.why, row.hint, row.detail = ended.message, ended.hint, ended.detail
            row.counts, row.warnings, row.seconds = ended.counts, ended.warnings, ended.seconds
            self.told(row, "ended")
        else:
            row.stage, row.done, row.total = event.stage, event.done, event.total
            self.told(row, "moved")


def _needs_attention(row: Row) -> bool:
    kept = any(status != "dubbed" for status, _ in row.counts)
    return row.status in (FAILED, PARTLY) or (row.status == UNCHANGED and kept)


def _row(finding: Finding) -> Row:
    from avdub.jobs.survey import WORK, State

    task, state = finding.task, finding.state
    status = {State.PROBLEM: FAILED, State.UNCHANGED: UNCHANGED, State.LEFT: LEFT}
    return Row(
        *(task.video, task.subtitles, task.language, task.output),
        status=status.get(state, WAITING),
        why=finding.why,
        hint=finding.hint,
        counts=finding.counts if state is State.UNCHANGED else (),
        is_work=state in WORK,
    )
