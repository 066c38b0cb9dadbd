"""The report of `avdub eval picture`: painted mouths and pasted ones against the real ones."""

from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Cell, Column, Document, Origin, Plot, Section, Table
from avdub.evaluation.report.origin import faces_by
from avdub.evaluation.report.plots import Labels, Series, scatter

if TYPE_CHECKING:
    from avdub.evaluation.painting import ClipPicture, PictureReport

NAMES = ("psnr",)

HEAD = (
    Column("video", "the file"),
    Column("frames", "painted and judged, in runs of 8", 0),
    Column(
        "mouth",
        "painted by the model, or pasted from the nearest exemplar without it; real: the real "
        "mouths of every other run against the rest, or by themselves",
    ),
)
# Column and its field of `Quality`
AGAINST = (
    (Column("PSNR", "inside the mouth mask, against the same frame's real picture", 1, "dB"),
     "psnr_db"),
    (Column("SSIM", "the same place and picture", 3), "ssim"),
    (Column("LMD", "mean distance of the lips that the mesh finds again from those it finds in the "
            "real picture", 2, "px"), "lmd_px"),
    (Column("LMD, scaled", "the same over the eyes' distance", 4, "eyes' distances"), "lmd"),
    (Column("Fréchet", "between features of real and made mouths, in an inner layer of the face "
            "mesh network; not FID, and no figure of other clips compares with it", 3), "frechet"),
    (Column("identity", "cosine of ArcFace embeddings of made and real face", 3), "identity"),
    (Column("flicker", "change from frame to frame inside the mouth; 1: as real", 2, "made/real"),
     "flicker"),
    (Column("unrest", "change of the error from frame to frame, as a share of the real change", 2),
     "unrest"),
)  # fmt: skip
LOOK = (
    (Column("sharpness", "inside the mouth mask; 1: as real", 2, "made/real"), "sharpness"),
    (Column("of lips", "the same of lips and mouth alone", 2, "made/real"), "lips_sharpness"),
    (Column("over skin", "sharpness inside the mask over that of the skin around it", 2),
     "patch_over_surround"),
    (Column("seam", "slope across the patch's border; above 1 it shows", 2, "made/real"), "seam"),
    (Column("step", "difference just inside the border", 1, "levels of 255"), "step"),
    (Column("open", "frames with an open mouth, of whose inside the colour is told", 0),
     "open_frames"),
    (Column("L", "mean error of the lightness of the mouth's inside", 1, "CIELAB"), "l"),
    (Column("a", "the same from green (below 0) to red", 1, "CIELAB"), "a"),
    (Column("b", "the same from blue (below 0) to yellow", 1, "CIELAB"), "b"),
    (Column("size of a", "the same without its sign", 1, "CIELAB"), "abs_a"),
    (Column("size of b", "the same without its sign", 1, "CIELAB"), "abs_b"),
)  # fmt: skip
FORMULAS = (
    "PSNR, SSIM, sharpness, seam, colour",
    "formulas over the pixels of both pictures; they know nothing of avdub's models",
)


def picture_report(report: "PictureReport", origin: Origin, backend: str) -> Document:
    """Painter, paste and real mouths of each clip and of all frames together."""
    choice = report.choice
    rows = (*(clip for clip in report.clips if clip.frames), report.all)
    sentences = (
        f"Lips: {choice.lips}; exemplars: {choice.exemplars}, never within 0.2 s; a run of 8 "
        f"frames in every {choice.every}.",
    )
    tables = tuple(
        Table(
            (*HEAD, *(column for column, _ in columns)),
            tuple(line for clip in rows for line in _lines(clip, columns)),
        )
        for columns in (AGAINST, LOOK)
    )
    judges = [FORMULAS, *faces_by(backend), ("Fréchet's features", report.features)]
    notes = [f"{clip.video}: {clip.problem}" for clip in report.clips if clip.problem]
    if report.identity_problem:
        notes.append(f"identity: {report.identity_problem}")
    else:
        judges.append(("ArcFace", "of the user's own insightface pack; knows nothing of avdub"))
    section = Section("Painted mouths", sentences, tables, _plots(report))
    title = "Painted mouths against the real ones"
    return Document(title, origin, tuple(judges), (section,), tuple(notes))


def _lines(
    clip: "ClipPicture", columns: tuple[tuple[Column, str], ...]
) -> tuple[tuple[Cell, ...], ...]:
    """A line each for the painter, the paste and the real mouths."""
    floor = {"frechet": clip.frechet_floor, "patch_over_surround": clip.real_over_surround}
    return (
        *(
            (clip.video, clip.frames, name, *(getattr(found, field, None) for _, field in columns))
            for name, found in (("painted", clip.painted), ("pasted", clip.pasted))
        ),
        (clip.video, clip.frames, "real", *(floor.get(field) for _, field in columns)),
    )


def _plots(report: "PictureReport") -> tuple[Plot, ...]:
    """Painted against pasted PSNR, a point a clip."""
    clips = [
        Series(clip.video, [clip.pasted.psnr_db], [clip.painted.psnr_db])
        for clip in report.clips
        if clip.painted is not None
        and clip.pasted is not None
        and clip.painted.psnr_db is not None
        and clip.pasted.psnr_db is not None
    ]
    if not clips:
        return ()
    labels = Labels("pasted: PSNR (dB)", "painted: PSNR (dB)")
    caption = "PSNR of painted against pasted mouths, a point a clip; above the line painting wins"
    return (Plot("psnr", caption, scatter(clips, labels)),)
