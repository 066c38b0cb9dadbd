"""The report of `avdub eval lips`: a table and three plots for every set-up."""

from itertools import product
from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Cell, Column, Document, Origin, Plot, Section, Table
from avdub.evaluation.report.origin import VOICE_ACTIVITY, faces_by, package
from avdub.evaluation.report.plots import Labels, Series, chosen_panels, curves, dots, panels

if TYPE_CHECKING:
    from avdub.evaluation.lip_table import ClipLips, LipScore, LipTable
    from avdub.evaluation.lips import LipSync

SOURCES = {"sound": "sound", "text": "words", "cascade": "words, by way of their sound"}
DRIVEN = {
    "matched": "driven by their own {}",
    "mismatched": "driven by another clip's {}",
    "silent": "driven by silence",
}
KINDS = ("openings", "correlations", "shifts")
NAMES = tuple("_".join(parts) for parts in product(SOURCES, ("matched", "mismatched"), KINDS))

R, EYES = "Pearson's r", "0.01 eyes' distances"
VIDEO = Column("video", "the file")
FRAMES = Column("frames", "in which the mesh sees the face; the others count nowhere", 0)
OPENING = Column(
    "opening",
    "correlation over frames, at shift 0, of the made lips' opening with the real lips', which the "
    "mesh measures in the video; both in the eyes' distance and without head pose",
    3,
    R,
)
SPOKEN = Column("spoken", "the same where Silero hears speech, as pauses are easy", 3, R)
WIDTH = Column("width", "the same of the width between the corners of the lips", 3, R)
JAW = Column("jaw", "the same of how low the chin is", 3, R)
AMPLITUDE = Column(
    "amplitude", "standard deviation of the made opening over the real one's", 2, "made/real"
)
BEST = Column(
    "best",
    "the highest correlation of the opening over shifts of ±400 ms; in the last row, of the mean "
    "curve",
    3,
    R,
)
AT = Column("at", "the shift of that; positive: the made lips are late", 0, "ms", is_signed=True)
SHARPNESS = Column(
    "sharpness", "the highest correlation less the mean one at 200 to 400 ms either way", 2, R
)
CLOSURE = Column(
    "/pbm/",
    "opening in vowels less that at /p b m/, as a share of the same of the real lips; pocketsphinx "
    "finds the phonemes of the known words in the sound; the mean counts each phoneme once",
    2,
    "made/real",
)
PAUSE = Column(
    "pause",
    "mean opening of the made lips above rest where Silero hears no speech, or of all frames where "
    "silence drives them; the mean counts each frame once",
    1,
    EYES,
)
PAUSE_STD = Column("pause, deviation", "its standard deviation", 1, EYES)
PAUSE_REAL = Column("pause, real", "mean opening of the real lips above rest there", 1, EYES)
PAUSE_REAL_STD = Column("pause, real deviation", "its standard deviation", 1, EYES)
DISTANCE = Column(
    "D",
    "1 - cosine of the made lips and the sound that drives them at the best shift, by avdub's own "
    "sync expert; "
    "reckoned as LSE-D is, but not comparable with SyncNet's",
    3,
)
CONFIDENCE = Column(
    "C", "by how much D lies below the median over all shifts; reckoned as LSE-C is", 3
)
PROBLEM = Column("problem", "why there are no figures")

MEASURED = (OPENING, SPOKEN, WIDTH, JAW, AMPLITUDE, BEST, AT, SHARPNESS)
MOVING = (VIDEO, FRAMES, *MEASURED, DISTANCE, CONFIDENCE, PROBLEM)
SEEN = (VIDEO, FRAMES, CLOSURE, PAUSE, PAUSE_STD, PAUSE_REAL, PAUSE_REAL_STD)
STILL = (VIDEO, FRAMES, AMPLITUDE, PAUSE, PAUSE_STD, PROBLEM)
EXPERT = (
    "avdub's sync expert",
    "tells whether lips and sound fit (sync.safetensors of the weights); it is avdub's own, and "
    "lips that learned from it are not judged independently by D and C",
)


def lip_report(table: "LipTable", origin: Origin, backend: str) -> Document:
    """Every set-up with its clips; `backend` is what found the faces."""
    aligner = (
        package("pocketsphinx"),
        "tells when each phoneme is spoken, by its own US English model; knows nothing of avdub",
    )
    real = table.real
    sentences = (
        () if real is None else (f"Real lips: D {real.distance:.3f}, C {real.confidence:.3f}.",)
    )
    sections = [_section(score, sentences) for score in table.scores]
    judges = (*faces_by(backend), VOICE_ACTIVITY, aligner, EXPERT)
    return Document("Lips against real lips", origin, judges, tuple(sections), table.notes)


def _section(score: "LipScore", real: tuple[str, ...]) -> Section:
    source = SOURCES[score.source]
    title = f"Lips from {source}, {DRIVEN[score.setup].format(source)}"
    if score.setup == "silent":
        rows = (*(_clip_row(clip, STILL) for clip in score.clips), _mean_row(score, STILL))
        return Section(title, (), (Table(STILL, rows),))
    rows = (*(_clip_row(clip, MOVING) for clip in score.clips), _mean_row(score, MOVING))
    tables = [Table(MOVING, rows)]
    sentences = list(real)
    if score.setup == "matched":
        seen = (_clip_row(clip, SEEN) for clip in score.clips if clip.frames)
        tables.append(Table(SEEN, (*seen, _mean_row(score, SEEN))))
        if score.worst is not None and score.in_time is not None:
            sentences.append(
                f"Worst clip {score.worst:.3f}; {score.in_time:.0%} of the clips peak within 40 ms "
                "of shift 0."
            )
    return Section(title, tuple(sentences), tuple(tables), _plots(score))


def _clip_row(clip: "ClipLips", columns: tuple[Column, ...]) -> tuple[Cell, ...]:
    opening = clip.sync.correlation if clip.sync else None
    values = _values(clip, opening, clip.sync)
    values |= {VIDEO: clip.video, FRAMES: clip.frames, PROBLEM: clip.problem}
    return tuple(values[column] for column in columns)


def _mean_row(score: "LipScore", columns: tuple[Column, ...]) -> tuple[Cell, ...]:
    values = _values(score, score.correlation, score.mean)
    values |= {VIDEO: "mean", FRAMES: None, PROBLEM: ""}
    return tuple(values[column] for column in columns)


def _values(
    x: "ClipLips | LipScore", opening: float | None, sync: "LipSync | None"
) -> dict[Column, Cell]:
    """All that is measured of clips and meant over them."""
    rest, expert = x.pauses, x.expert
    return {
        OPENING: opening,
        SPOKEN: x.spoken,
        WIDTH: x.width,
        JAW: x.jaw,
        AMPLITUDE: x.amplitude,
        BEST: sync.best_correlation if sync else None,
        AT: sync.best_shift_ms if sync else None,
        SHARPNESS: sync.sharpness if sync else None,
        CLOSURE: x.closure.share if x.closure else None,
        PAUSE: _hundredths(rest.mean if rest else None),
        PAUSE_STD: _hundredths(rest.std if rest else None),
        PAUSE_REAL: _hundredths(rest.real_mean if rest else None),
        PAUSE_REAL_STD: _hundredths(rest.real_std if rest else None),
        DISTANCE: expert.distance if expert else None,
        CONFIDENCE: expert.confidence if expert else None,
    }


def _plots(score: "LipScore") -> tuple[Plot, ...]:
    """Opening against opening, the clips' correlations, and correlation against shift."""
    measured = sorted(
        (clip for clip in score.clips if clip.sync is not None),
        key=lambda clip: -clip.sync.correlation if clip.sync else 0.0,
    )
    syncs = [(clip.video, clip.sync) for clip in measured if clip.sync is not None]
    if not syncs or score.mean is None:
        return ()
    start = f"{score.source}_{score.setup}"
    clouds = [
        Series(f"{sync.correlation:.2f}  {clip.video}", clip.openings.real, clip.openings.made)
        for clip, (_, sync) in zip(measured, syncs, strict=True)
        if clip.openings is not None
    ]
    mean = Series(f"mean of {len(syncs)}", score.mean.shifts_ms, score.mean.curve)
    singles = [Series(name, sync.shifts_ms, sync.curve) for name, sync in syncs]
    found = [
        Plot(
            f"{start}_correlations",
            "Correlation of the made opening with the real one at shift 0, a point a clip",
            dots([(name, s.correlation) for name, s in syncs], R, score.correlation),
        ),
        Plot(
            f"{start}_shifts",
            "Correlation of the openings against shift: single clips faint, their mean strong; "
            "right of 0 the made lips are taken later than the real ones",
            curves(singles, Labels("shift (ms)", R), mean),
        ),
    ]
    if clouds:
        n = len(chosen_panels(clouds))
        which = "" if n == len(clouds) else f", {n} of {len(clouds)} clips evenly by correlation"
        labels = Labels("real opening (eyes' distances)", "made opening (eyes' distances)")
        caption = (
            "Made against real opening, a point a frame, with the correlation of each clip; on the "
            f"line they are alike{which}"
        )
        found.insert(0, Plot(f"{start}_openings", caption, panels(clouds, labels)))
    return tuple(found)


def _hundredths(value: float | None) -> float | None:
    return None if value is None else 100 * value
