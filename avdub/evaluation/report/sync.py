"""The report of `avdub eval sync`: what our expert finds, or what SyncNet says of videos."""

from pathlib import Path
from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Cell, Column, Document, Origin, Plot, Section, Table
from avdub.evaluation.report.origin import faces_by, file_hash
from avdub.evaluation.report.plots import Labels, Series, line, points

if TYPE_CHECKING:
    from avdub.evaluation.sync import SyncScore
    from avdub.evaluation.syncnet import SyncNetScore

NAMES = ("shifts", "syncnet")

VIDEO = Column("video", "the file")
TRIALS = Column(
    "trials",
    "windows of 2 s, each at every shift that is put on its sound; the expert hears by "
    "convolution, so a window at another shift is hardly another trial",
    0,
)
WITHIN = Column("within a frame", "share of the trials whose shift is told to a frame", 1, "%")
OFFSET = Column(
    "own offset",
    "median of what the expert finds beyond the shift put on: what the video has by itself",
    0,
    "ms",
    is_signed=True,
)
PROBLEM = Column("problem", "why there are no figures")
SHIFT = Column("shift", "by how much the sound was made late", 0, "ms", is_signed=True)
ERROR = Column("median error", "of the shift that is told, over the trials", 0, "ms")

FRAMES = Column("frames", "judged: the longest stretch with a visible face, at 25/s", 0)
LSE_D = Column("LSE-D", "SyncNet's distance of picture and sound at the best shift", 3)
LSE_C = Column("LSE-C", "by how much that lies below the median over shifts of ±15 frames", 3)
LATE = Column("offset", "the best shift; positive: the sound is late", 0, "ms", is_signed=True)

TRUTH = (
    "the shift put on",
    "known exactly, as the sound of real clips is moved on purpose; it is avdub's sync expert "
    "(sync.safetensors of the weights) that stands trial",
)


def sync_report(score: "SyncScore", origin: Origin, backend: str) -> Document:
    """All clips, and all trials by the shift that was put on."""
    clips: list[tuple[Cell, ...]] = [
        (c.video, c.trials, 100 * c.within_frame, None, c.offset_ms, "")
        if c.trials
        else (c.video, c.trials, None, None, None, c.problem)
        for c in score.clips
    ]
    clips.append(("all", score.trials, 100 * score.within_frame, score.error_ms, None, ""))
    columns = (VIDEO, TRIALS, WITHIN, ERROR, OFFSET, PROBLEM)
    sections = [Section("Shifts found, by clip", (), (Table(columns, tuple(clips)),))]
    if score.shifts:
        each = [(s.shift_ms, s.trials, 100 * s.within_frame, s.error_ms) for s in score.shifts]
        curve = Series("", [row[0] for row in each], [row[2] for row in each])
        labels = Labels("shift put on the sound (ms)", "told within a frame (%)")
        plot = Plot("shifts", "Share of shifts told within a frame", line(curve, labels, 0, 102))
        table = Table((SHIFT, TRIALS, WITHIN, ERROR), tuple(each))
        sections.append(Section("Shifts found, by shift", (), (table,), (plot,)))
    judges = (TRUTH, *faces_by(backend))
    return Document("The sync expert on trial", origin, judges, tuple(sections))


def syncnet_report(score: "SyncNetScore", origin: Origin, backend: str, file: Path) -> Document:
    """LSE-D and LSE-C of all clips; `file` holds the weights that judged them."""
    rows: list[tuple[Cell, ...]] = [
        (c.video, c.frames, None, None, None, c.problem)
        if c.problem
        else (c.video, c.frames, c.distance, c.confidence, c.offset_ms, "")
        for c in score.clips
    ]
    rows.append(("mean", None, score.distance, score.confidence, None, ""))
    judged = [Series(c.video, [c.distance], [c.confidence]) for c in score.clips if not c.problem]
    plot = Plot("syncnet", "LSE-C against LSE-D, a point a clip", points(judged, _SYNCNET_LABELS))
    table = Table((VIDEO, FRAMES, LSE_D, LSE_C, LATE, PROBLEM), tuple(rows))
    judge = (
        "SyncNet",
        f"weights that the user brought ({file.name}, {file_hash(file)}), read by avdub's own copy "
        "of the network; they know nothing of avdub",
    )
    section = Section("Sync by SyncNet", (), (table,), (plot,))
    return Document("Sync by SyncNet", origin, (judge, *faces_by(backend)), (section,))


_SYNCNET_LABELS = Labels("LSE-D (nearer is better)", "LSE-C (more is better)")
