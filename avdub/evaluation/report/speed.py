"""The report of `avdub eval speed`: wall time and memory of cold runs; it has no plots."""

from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Column, Document, Origin, Section, Table

if TYPE_CHECKING:
    from avdub.evaluation.speed import Benchmark

COLUMNS = (
    Column("command", "run in a process of its own, models not yet loaded"),
    Column("wall", "from the start of the process to its end", 1, "s"),
    Column("peak", "the most resident memory, as the system tells when the process ends", 0, "MB"),
    Column("of media", "length of the video or of the speech", 1, "s"),
    Column("wall/media", "the one over the other", 2),
    Column("exit", "0: done; 5: done, but some segments kept their picture or sound", 0),
)
JUDGE = (
    "the operating system",
    "its monotonic clock and the resource usage of each process; figures are of this machine and "
    "of what else ran on it",
)


def speed_report(bench: "Benchmark", origin: Origin) -> Document:
    """All runs, the speed of speaking, and how memory grows."""
    rows = tuple(
        (
            *(run.name, run.wall_s, run.peak_mb, run.media_s),
            run.wall_s / run.media_s if run.media_s else None,
            run.exit_code,
        )
        for run in bench.runs
    )
    sentences = []
    if bench.speak_rate is not None:
        sentences.append(
            f"Speaking after loading takes {bench.speak_rate:.3f} s a second of speech (the "
            "difference of two runs)."
        )
    if bench.growth_mb is not None:
        sentences.append(f"The long dub's peak lies {bench.growth_mb:+.0f} MB over the short's.")
    section = Section("Cold runs", tuple(sentences), (Table(COLUMNS, rows),))
    return Document("Speed", origin, (JUDGE,), (section,))
