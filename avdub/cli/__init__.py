"""The command line: words to options, results to tables. Commands import the work inside.

Loading this package must load neither torch nor numpy, or `--help` would be slow.
"""

import sys
import warnings
from typing import Annotated

import typer

from avdub.arenas import share_arenas
from avdub.cli import (
    adapt,
    batch,
    cache,
    config,
    demo,
    doctor,
    dub,
    evaluate,
    evaluate_picture,
    models,
    speech,
    train,
)
from avdub.cli.boundary import AvdubGroup, interrupts
from avdub.cli.configured import ConfiguredCommand
from avdub.cli.options import Debug, NoColor
from avdub.cli.screen import show_version

app = typer.Typer(
    cls=AvdubGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Version = Annotated[
    bool,
    typer.Option(
        "--version",
        callback=show_version,
        is_eager=True,
        expose_value=False,
        help="Print the version.",
    ),
]


@app.callback()
def about(debug: Debug = False, no_color: NoColor = False, version: Version = False) -> None:
    """Dub a video from a subtitle file: new speech, and lips that speak it."""


app.command("dub", cls=ConfiguredCommand)(dub.dub_command)
app.command("preview", cls=ConfiguredCommand)(dub.preview_command)
app.command("plan", cls=ConfiguredCommand)(dub.plan_command)
app.command("batch", cls=ConfiguredCommand)(batch.batch_command)
app.add_typer(config.app, name="config")
app.add_typer(cache.app, name="cache")
app.command("adapt")(adapt.adapt_command)
app.command("speak")(speech.speak_command)
app.command("voices")(speech.voices_command)
app.command("doctor")(doctor.doctor_command)
app.command("demo")(demo.demo_command)
app.add_typer(models.app, name="models")
app.add_typer(train.app, name="train")
evaluate.app.command("picture")(evaluate_picture.picture_command)
app.add_typer(evaluate.app, name="eval")


def main() -> None:
    """Entry point of the console script."""
    share_arenas()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries; users can do nothing about them
    interrupts.catch()
    try:
        app(prog_name="avdub")
    finally:
        interrupts.end()
