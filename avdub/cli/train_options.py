"""The options that the training commands share."""

import logging
from pathlib import Path
from typing import Annotated

import typer

Packs = Annotated[
    list[Path], typer.Option("--pack", help="A prepared pack; give it once for each.")
]
RunFolder = Annotated[
    Path, typer.Option("--run", help="Folder for checkpoints and log.jsonl; resumes from it.")
]
ModelFolder = Annotated[
    Path, typer.Option("--out", help="Model folder: weights are read from and written to it.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps in all.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Items a step.")]
Rate = Annotated[float, typer.Option("--lr", help="Peak learning rate.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of data order and initial weights.")]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        show_default=False,
        help="Model to go on from, and whose sizes to take: hierspeechpp as imported, base, or a "
        "folder. Default: a new model of base's sizes.",
    ),
]
StartRate = Annotated[
    float | None,
    typer.Option("--lr", help="Peak learning rate.", show_default="1e-3, or 1e-4 with --start"),
]


def log_to_stderr() -> None:
    """What the training loop logs is this command's progress."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
