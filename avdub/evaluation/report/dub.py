"""The report of `avdub eval dub`: a finished dub against its original."""

from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Cell, Column, Document, Origin, Plot, Section, Table
from avdub.evaluation.report.origin import faces_by
from avdub.evaluation.report.plots import Labels, Series, curves

if TYPE_CHECKING:
    from avdub.evaluation.dub import DubScore
    from avdub.evaluation.lips import LipSync

NAMES = ("shifts",)

R = "Pearson's r"
SEGMENTS = (
    Column("segment", "as in the subtitles, counted from 1"),
    Column("start", "of the segment", 2, "s"),
    Column("end", "of the segment", 2, "s"),
    Column("frames", "in which a mouth was painted", 0),
    Column(
        "correlation",
        "of the opening of the lips, which the mesh measures in the dub, with the opening that "
        "avdub's face model predicts from the dub's own sound, heard anew; at shift 0",
        3,
        R,
    ),
    Column("best", "the highest correlation over shifts of ±400 ms", 3, R),
    Column(
        "at", "the shift of that; positive: the sound is later than the lips", 0, "ms",
        is_signed=True,
    ),
)  # fmt: skip
WHAT = Column("what", "what is compared, by its pixels or its clock")
UNIT = Column("in", "the unit")
LENGTHS = (WHAT, UNIT, Column("dub", "of the dub", 3), Column("original", "of the original", 3))
PSNR = (
    Column("PSNR", "of the dub against the original, frame by frame; beside the mouth inside the "
           "dubbed spans"),
    Column("least", "over frames", 1, "dB"),
    Column("mean", "over frames", 1, "dB"),
)  # fmt: skip
CHANGES = (WHAT, UNIT, Column("mean", "over frames", 2))
JUDGES = (
    (
        "avdub's face model",
        "predicts what the lips should do from the dub's sound; it is the kind of model that made "
        "the dub, so the correlation tells whether lips and sound of the file fit, not whether "
        "the model is right (for that see avdub eval lips, which takes real lips)",
    ),
    ("PSNR, change, sharpness", "formulas over the pixels of both videos"),
)


def dub_report(score: "DubScore", origin: Origin, backend: str) -> Document:
    """Segments, lengths, what was left alone and what was missed."""
    p = score.picture
    segments: list[tuple[Cell, ...]] = [
        (str(s.index), s.start_s, s.end_s, s.frames, *_sync(s.sync)) for s in score.segments
    ]
    segments.append(("all", None, None, None, *_sync(score.sync)))
    lengths = Table(
        LENGTHS,
        (
            ("number of frames", "", score.dub_frames, score.frames),
            ("length", "s", score.dub_duration_s, score.duration_s),
        ),
    )
    alone = Table(
        PSNR,
        (
            ("outside the dubbed spans", p.outside_min_db, p.outside_mean_db),
            ("beside the mouth", p.beside_min_db, p.beside_mean_db),
        ),
    )
    changes = Table(
        CHANGES,
        (
            ("change of the mouth", "levels of 255", p.mouth_change),
            ("change beside it", "levels of 255", p.beside_change),
            ("sharpness of the mouth", "new/old", p.sharpness),
        ),
    )
    misses = tuple(f"Missed: {miss}." for miss in score.misses) or ("Nothing was missed.",)
    sections = (
        Section("Lips and sound", (), (Table(SEGMENTS, tuple(segments)),), _plots(score)),
        Section("What was left alone", misses, (lengths, alone, changes)),
    )
    judges = (*faces_by(backend), *JUDGES)
    return Document("A dub against its original", origin, judges, sections)


def _sync(sync: "LipSync | None") -> tuple[Cell, ...]:
    if sync is None:
        return None, None, None
    return sync.correlation, sync.best_correlation, sync.best_shift_ms


def _plots(score: "DubScore") -> tuple[Plot, ...]:
    """Correlation against shift, a curve a segment and one over all."""
    each = [
        Series(f"segment {s.index}", s.sync.shifts_ms, s.sync.curve)
        for s in score.segments
        if s.sync is not None
    ]
    if score.sync is None or not each:
        return ()
    whole = Series("all", score.sync.shifts_ms, score.sync.curve)
    labels = Labels("shift (ms)", R)
    caption = (
        "Correlation of lips and sound against shift, a curve a segment; right of 0 the sound is "
        "taken later"
    )
    return (Plot("shifts", caption, curves(each, labels, whole, are_named=True)),)
