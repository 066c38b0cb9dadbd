"""`adapt`: learn a video's actor alone, ahead of its dubs."""

import os
from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.screen import Screen
from avdub.errors import InputError
from avdub.pipeline.options import DubOptions

D = opt.DEFAULTS

Video = Annotated[
    Path, typer.Argument(metavar="VIDEO", show_default=False, help="The video with the actor.")
]
Seconds = Annotated[
    float, typer.Option("--seconds", min=5.0, max=3600.0, help="How long to learn at most.")
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        show_default=False,
        help="Also write the adapted face generator (.safetensors) there.",
    ),
]


def adapt_command(
    ctx: typer.Context,
    *,
    video: Video,
    seconds: Seconds = D.adapt_seconds,
    output: Output = None,
    model: opt.Model = D.model,
    seed: opt.Seed = D.seed,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    force: opt.Force = D.overwrite,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Fine-tune the face generator on a video's own actor, and say what that gained.

    A later `avdub dub --adapt` with the same options takes it from the cache. Exit code 5 where
    nothing was gained.
    """
    options = DubOptions(
        model=model, seed=seed, face_backend=face_backend.value, adapt=True, adapt_seconds=seconds
    )
    screen = Screen.of(ctx)
    if output is not None:
        _check_output(output, force)
    with working(screen, progress) as shown:
        from avdub.checkpoint import save_module
        from avdub.media.probe import probe
        from avdub.pipeline.adapt import adapt
        from avdub.pipeline.weights import Weights

        made = adapt(probe(video), Weights(model), options, shown)
    if output is not None and made.report.kept:
        save_module(output, made.model, made.model.config)
    if as_json:
        file = str(made.file) if made.file else None
        screen.print_json({**made.report.as_json(), "file": file})
    else:
        for warning in made.warnings:
            screen.warn(warning)
        if made.report.kept:
            screen.say(made.report.sentence)
    raise typer.Exit(0 if made.report.kept else 5)


def _check_output(path: Path, overwrite: bool) -> None:
    """Raise InputError, before any work, if the weights cannot be written."""
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: only .safetensors files are written", "end the name so")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist", "make it first")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"the folder {path.parent} cannot be written to", "choose another folder")
    if path.exists() and (path.is_dir() or not overwrite):
        raise InputError(f"{path} already exists", "pass --force to replace it")
