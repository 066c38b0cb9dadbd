"""The report of `avdub eval ablation`: every arm of the paper's ablation, clip by clip."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Cell, Column, Document, Origin, Plot, Section, Table
from avdub.evaluation.report.origin import faces_by, package
from avdub.evaluation.report.plots import Labels, Series, points

if TYPE_CHECKING:
    from avdub.evaluation.ablation import Ablation, ArmScore, Figure

NAMES = ("arms",)
MEASURES = ("opening", "width", "jaw", "amplitude", "closure", "distance", "confidence")

ARM = Column("arm", "which lip head, and which latents move it")
COLUMNS = (
    Column("opening", "correlation of the made lips' opening with the real mouth's, mean", 3),
    Column("width", "the same of the lips' width", 3),
    Column("jaw", "the same of the chin's height", 3),
    Column("amplitude", "deviation of the made opening over the real one's", 2),
    Column("closure", "opening in vowels less that at /p b m/, over the real difference", 2),
    Column("D", "the sync expert's distance of lips and the sound made with them", 3),
    Column("C", "by how much that lies below the median over all shifts", 3),
)
DEVIATION = Column("±", "deviation of the mean opening over the seeds", 3)
BEATEN = Column(
    "last arm better", "pairs of a clip and a seed where its opening correlates more", 0
)
PAIRS = Column("pairs", "of a clip and a seed that could be compared", 0)
VIDEO = Column("video", "the file")

TRUTH = ("the real mouth", "measured in the video itself at the clip's own timing")
EXPERT = (
    "avdub's sync expert",
    "sync.safetensors of the weights; the last arm learned from it, so it judges that one less "
    "independently than the others",
)


def ablation_report(found: "Ablation", origin: Origin, backend: str) -> Document:
    """All arms, and the opening of every clip under each, mean over the seeds."""
    rows = tuple(_row(arm, found.arms[-1]) for arm in found.arms)
    seeds = f"Every arm was trained from {found.seeds} seeds; figures are means over them."
    columns = (ARM, COLUMNS[0], DEVIATION, *COLUMNS[1:], BEATEN, PAIRS)
    arms = Section("Arms", (seeds,), (Table(columns, rows),))
    return Document(
        "What two-stage training brings",
        origin,
        (TRUTH, *faces_by(backend), (package("pocketsphinx"), "finds when words are said"), EXPERT),
        (arms, _clips(found.arms)),
        found.notes,
    )


def _row(arm: "ArmScore", last: "ArmScore") -> tuple[Cell, ...]:
    opening, *others = (_mean(getattr(arm, name)) for name in MEASURES)
    deviation = arm.opening.deviation if arm.opening else None
    compared = (None, None) if arm is last else (arm.beaten, arm.pairs)
    return (arm.name, opening, deviation, *others, *compared)


def _clips(arms: Sequence["ArmScore"]) -> Section:
    openings = [{video: _over_seeds(values) for video, values in arm.clips} for arm in arms]
    videos = [video for video, _ in arms[0].clips]
    columns = tuple(Column(arm.name, "the opening's correlation", 3) for arm in arms)
    rows = tuple((video, *(each[video] for each in openings)) for video in videos)
    clouds = [
        Series(arm.name, [x for x, _ in pairs], [y for _, y in pairs])
        for arm, each in zip(arms[:-1], openings, strict=False)
        if (pairs := _pairs(each, openings[-1]))
    ]
    labels = Labels("opening's correlation under the arm", "under the last arm")
    plots = (
        (Plot("arms", "A point a clip and arm, against the last arm", points(clouds, labels)),)
        if clouds
        else ()
    )
    table = Table((VIDEO, *columns), rows)
    return Section("Clips", ("Above the diagonal the last arm is nearer.",), (table,), plots)


def _pairs(a: dict[str, float | None], b: dict[str, float | None]) -> list[tuple[float, float]]:
    """Where both are known."""
    return [(x, y) for video, x in a.items() if x is not None and (y := b[video]) is not None]


def _over_seeds(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mean(figure: "Figure | None") -> float | None:
    return None if figure is None else figure.mean
