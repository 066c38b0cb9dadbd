"""Scores as the measures give them, small and with figures that are easily found again."""

import math

from avdub.evaluation.closure import Closure, Pauses
from avdub.evaluation.dub import DubScore, SegmentSync
from avdub.evaluation.expert import Agreement
from avdub.evaluation.lip_table import ClipLips, LipScore, LipTable
from avdub.evaluation.lips import LipSync, Openings, mean_sync
from avdub.evaluation.painting import ClipPicture, PictureReport, Quality
from avdub.evaluation.repaint import PaintChoice
from avdub.evaluation.report.document import Document, Origin, Table
from avdub.evaluation.setups import Setup, Source
from avdub.evaluation.speech_score import LineScore, Slot, VoiceScore
from avdub.evaluation.sync import ClipSync, ShiftSync, SyncScore
from avdub.evaluation.syncnet import SyncNetClip, SyncNetScore
from avdub.evaluation.untouched import PictureScore

ORIGIN = Origin(("avdub", "eval", "lips", "my clips"), (("avdub", "1.2.3"), ("model", "base")))


def curve(height: float) -> LipSync:
    shifts = tuple(40.0 * n for n in range(-10, 11))
    heights = tuple(height * math.exp(-((ms / 120) ** 2)) for ms in shifts)
    return LipSync(height, height + 0.01, -12.4, shifts, heights, 0.66)


def clip(name: str, height: float) -> ClipLips:
    real = tuple(0.001 * n for n in range(75))
    pairs = Openings(real, tuple(height * x + 0.01 for x in real))
    closes, rests = Closure(3, 9, 0.02, 0.12, 0.0, 0.2, 0.5), Pauses(20, 0.013, 0.004, 0.021, 0.009)
    agrees = Agreement(0.25, 0.4375, 0.0)
    return ClipLips(
        name, 75, curve(height), 0.5, 0.7, None, 0.91, closes, rests, agrees, openings=pairs
    )


CLIPS = (
    clip("good.mp4", 0.9),
    clip("a|b_c.mp4", 0.4),
    ClipLips("dark.mp4", problem="no face"),
)
STILL = ClipLips("good.mp4", 75, amplitude=0.01, pauses=Pauses(75, 0.05, 0.001, None, None))
MATCHED = LipScore(
    Source.SOUND, Setup.MATCHED, CLIPS, 0.65, 0.5, 0.7, None, 0.91, 0.4, 1.0,
    mean_sync([curve(0.9), curve(0.4)]), CLIPS[0].closure, CLIPS[0].pauses, CLIPS[0].expert,
)  # fmt: skip
SILENT = LipScore(
    Source.TEXT, Setup.SILENT, (STILL,), None, None, None, None, 0.01, None, None, None, None,
    STILL.pauses, None,
)  # fmt: skip
LIPS = LipTable((MATCHED, SILENT), Agreement(0.2, 0.5, 0.0), ("closure needs a package",))

SYNC = SyncScore(
    (ClipSync("a.mp4", 26, 0.75, 12.3), ClipSync("b.mp4", 0, 0.0, 0.0, "no face")),
    26,
    0.75,
    11.0,
    (ShiftSync(-40.0, 13, 0.5, 21.0), ShiftSync(40.0, 13, 1.0, 1.0)),
)
SYNCNET = SyncNetScore(
    (SyncNetClip("a.mp4", 75, 7.25, 6.5, 40.0), SyncNetClip("b.mp4", problem="no face")), 7.25, 6.5
)

QUALITY = Quality(33.31, 0.934, 0.0109, 0.56, 0.024, None, 0.92, 1.14, 0.61, 0.57, 0.38, 1.01,
                  1.3, 0.7, -9.2, 1.2, 9.2, 1.2, 8)  # fmt: skip
PASTED = Quality(31.25, 0.901, 0.0215, 1.1, 0.015, None, 0.51, 1.13, 0.69, 0.69, 0.43, 1.0,
                 1.5, None, None, None, None, None, 0)  # fmt: skip
PICTURE = PictureReport(
    (
        ClipPicture("a.mp4", 24, QUALITY, PASTED, 0.089, 0.62),
        ClipPicture("b.mp4", 0, None, None, None, None, "no usable face"),
    ),
    ClipPicture("all", 24, QUALITY, PASTED, 0.089, 0.62),
    PaintChoice(),
    "a layer",
    "no pack",
)

DUB = DubScore(
    50, 49, 2.0, 1.96, 0.04, PictureScore(None, None, 43.21, 44.5, 5.0, 0.4, 0.87), curve(0.8),
    (SegmentSync(3, 0.1, 1.9, 45, curve(0.7)), SegmentSync(4, 2.0, 2.5, 9, None)),
)  # fmt: skip


def line(voice: str, errors: int, p808: float | None, problem: str = "") -> LineScore:
    heard = "" if problem else "five *words* that were heard"
    return LineScore(
        voice, "five words that were said", heard, 5, errors, 21, 2 * errors, p808, 1.5, 1.25,
        miss_ms=7.0, slot=Slot(2.0, 1.5), problem=problem,
    )  # fmt: skip


VOICES = [
    VoiceScore("heart", (line("heart", 0, 4.0), line("heart", 1, 3.5)), (100.0, 150.0, 200.0)),
    VoiceScore("michael", (line("michael", 2, 3.0), line("michael", 5, None, "nothing to say"))),
]


def column(table: Table, heading: str) -> list[str]:
    """The cells of a column as they are shown."""
    n = [each.heading for each in table.columns].index(heading)
    return [table.columns[n].cell(row[n]) for row in table.rows]


def tables_of(document: Document) -> list[Table]:
    return [table for section in document.sections for table in section.tables]
