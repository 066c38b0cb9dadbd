"""`demo`: a clip to try avdub on, made on the spot and dubbed."""

from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.screen import Screen
from avdub.cli.tables import show_report
from avdub.pipeline.options import DubOptions

D = opt.DEFAULTS

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to put the files.")]


def demo_command(
    ctx: typer.Context,
    *,
    folder: Folder = Path("avdub-demo"),
    voice: opt.Voice = D.voice,
    device: opt.Device = D.device,
    model: opt.Model = D.model,
    force: opt.Force = D.overwrite,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Make a small clip of a real face with subtitles, and dub it."""
    options = DubOptions(voice=voice, device=device, model=model, overwrite=force)
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.pipeline.run import dub
        from avdub.report.demo import make_demo

        files = make_demo(folder, force, shown)
        report = dub(files.video, files.subtitles, files.dub, options, shown)
    show_report(screen, report)
    screen.say(f"made from {files.video} and {files.subtitles}")
    raise typer.Exit(report.exit_code)
