"""What `avdub eval picture` measured, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from avdub.evaluation.painting import ClipPicture, PictureReport, Quality

# heading, field of Quality, digits
AGAINST = (
    ("PSNR dB", "psnr_db", 1),
    ("SSIM", "ssim", 3),
    ("LMD px", "lmd_px", 2),
    ("LMD eyes", "lmd", 4),
    ("Fréchet", "frechet", 3),
    ("identity", "identity", 3),
    ("flicker", "flicker", 2),
    ("unrest", "unrest", 2),
)
LOOK = (
    ("sharpness", "sharpness", 2),
    ("of lips", "lips_sharpness", 2),
    ("over skin", "patch_over_surround", 2),
    ("seam", "seam", 2),
    ("step", "step", 1),
    ("open", "open_frames", 0),
    ("L", "l", 1),
    ("a", "a", 1),
    ("b", "b", 1),
    ("|a|", "abs_a", 1),
    ("|b|", "abs_b", 1),
)


def show_picture(screen: Screen, report: PictureReport) -> None:
    """Two tables with a line for the painter and one for the paste, of each clip and of all."""
    rows = (*report.clips, report.all)
    for columns in (AGAINST, LOOK):
        table = Table(box=None, pad_edge=False)
        for heading in ("video", "frames", "mouth", *(heading for heading, _, _ in columns)):
            table.add_column(heading, overflow="fold", no_wrap=heading != "video")
        for clip in rows:
            _add(table, clip, columns)
        screen.stdout.print(table)
    _say(screen, report)
    for clip in report.clips:
        if clip.problem:
            screen.warn(f"{clip.video}: {clip.problem}")


def _add(table: Table, clip: ClipPicture, columns: tuple[tuple[str, str, int], ...]) -> None:
    for name, found in (("painted", clip.painted), ("pasted", clip.pasted)):
        head = (Text(clip.video), str(clip.frames)) if name == "painted" else ("", "")
        table.add_row(*head, name, *(_cell(found, field, n) for _, field, n in columns))
    floor = {"frechet": clip.frechet_floor, "patch_over_surround": clip.real_over_surround}
    known = [(_number(floor.get(field), n)) for _, field, n in columns]
    table.add_row("", "", "real", *known)


def _say(screen: Screen, report: PictureReport) -> None:
    choice = report.choice
    screen.say(
        f"lips: {choice.lips}; exemplars: {choice.exemplars}, never within 0.2 s; "
        f"a run of 8 frames in every {choice.every}; pasted: the nearest exemplar without the model"
    )
    screen.say(
        f"Fréchet: over {report.features}, not FID; real: half of the real mouths from the others"
    )
    screen.say(
        "flicker, sharpness, seam: over the real mouth's, 1 is best; unrest: share of the movement "
        "that is error; step: levels off inside the border; LMD eyes: in inter-ocular distances"
    )
    screen.say(
        "L, a, b: CIELAB error of the inside of open mouths (a below 0: green, b above 0: yellow)"
    )
    if report.identity_problem:
        screen.say(f"identity not measured: {report.identity_problem}")


def _cell(found: Quality | None, field: str, digits: int) -> str:
    return _number(None if found is None else getattr(found, field), digits)


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
