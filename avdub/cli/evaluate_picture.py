"""`avdub eval picture`: painted mouths against the real ones of the same frames."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.evaluate_lips import HeldOut, Limit, Videos, find_videos
from avdub.cli.evaluate_picture_tables import show_picture
from avdub.cli.evaluate_report import Report, check_wanted, origin, write_wanted
from avdub.cli.screen import Screen

D = opt.DEFAULTS
RUN = 8  # frames; `avdub.evaluation.repaint.RUN`, which would load torch


class LipSource(StrEnum):
    """Where the lip shapes come from."""

    real = "real"
    sound = "sound"


class ExemplarSource(StrEnum):
    """Where exemplars come from."""

    other_half = "other-half"
    apart = "apart"


Lips = Annotated[
    LipSource,
    typer.Option(
        "--lips",
        help="real: each frame's own lip shape, the painter at its best. "
        "sound: from the clip's own sound, the whole face branch.",
    ),
]
ExemplarsOption = Annotated[
    ExemplarSource,
    typer.Option(
        "--exemplars",
        help="other-half: only from the half of the clip that is not painted. "
        "apart: from anywhere 0.2 s away.",
    ),
]
Every = Annotated[
    int,
    typer.Option("--every", min=RUN, metavar="N", help=f"A run of {RUN} frames in every N."),
]
Sheets = Annotated[
    Path | None,
    typer.Option(
        "--sheets",
        metavar="FOLDER",
        show_default=False,
        help="Write a PNG for each run: real mouths above, painted ones, pasted ones below.",
    ),
]


def picture_command(
    ctx: typer.Context,
    *,
    videos: Videos,
    held_out: HeldOut = False,
    limit: Limit = None,
    lips: Lips = LipSource.real,
    exemplars: ExemplarsOption = ExemplarSource.other_half,
    every: Every = 25,
    sheets: Sheets = None,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Painted mouths against the real ones of the same frames, beside pasting an exemplar.

    PSNR, SSIM, lip distance, a Fréchet distance, flicker, sharpness, seam and colour.
    """
    from avdub.evaluation.report.picture import NAMES, picture_report

    screen = Screen.of(ctx)
    check_wanted(report, NAMES, force)
    with working(screen, progress) as shown:
        from avdub.evaluation.painting import measure_picture
        from avdub.evaluation.repaint import PaintChoice
        from avdub.pipeline.weights import Weights

        chosen = find_videos(videos, held_out)[:limit]
        choice = PaintChoice(lips.value, exemplars.value, every)
        weights = Weights(model)
        found = measure_picture(chosen, weights, choice, face_backend.value, sheets, shown)
    if as_json:
        screen.print_json(found.as_json())
    else:
        show_picture(screen, found)
    if report is not None:
        document = picture_report(found, origin(ctx, weights), face_backend.value)
        write_wanted(screen, report, document, as_json)
