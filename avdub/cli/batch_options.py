"""The options that only batches have, and the one that leaves manifests out."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from avdub.cli.options import CACHE, OUTPUT

FILES, WORKERS = "Files", "Workers"


class EngineKind(StrEnum):
    """What does the work."""

    local = "local"
    ray = "ray"


Inputs = Annotated[
    list[Path],
    typer.Argument(
        metavar="FOLDER|FILE...",
        show_default=False,
        help="Folders of videos and subtitles, or single videos with subtitles beside them.",
    ),
]
OutputFolder = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FOLDER",
        show_default=False,
        rich_help_panel=OUTPUT,
        help="Where to write, with the folders of the inputs kept. Default: beside each video.",
    ),
]
Pattern = Annotated[
    str,
    typer.Option(
        "--pattern",
        metavar="GLOB",
        rich_help_panel=FILES,
        help="Only videos of folders with such a name; with a slash, such a path in the folder.",
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", rich_help_panel=FILES, help="Folders in folders, too.")
]
Lang = Annotated[
    list[str],
    typer.Option(
        "--lang",
        metavar="CODE",
        show_default=False,
        rich_help_panel=FILES,
        help="Only subtitles in these languages, several as es,en or given again. "
        "Default: all there are.",
    ),
]
Language = Annotated[
    str | None,
    typer.Option(
        "--language",
        metavar="CODE",
        show_default=False,
        rich_help_panel=FILES,
        help="Language of subtitles whose name has none. Default: the first --lang, else en.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        min=1,
        max=256,
        rich_help_panel=WORKERS,
        help="Videos at once, each in a process with its own models (about 1 GB). With --engine "
        "ray, workers on this machine where no --address is given.",
    ),
]
EngineOption = Annotated[
    EngineKind,
    typer.Option(
        "--engine",
        rich_help_panel=WORKERS,
        help="Processes of this machine, or a Ray cluster (`pip install 'avdub[ray]'`), where the "
        "segments of a video are made on many machines at once.",
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--address",
        metavar="HOST:PORT",
        show_default=False,
        rich_help_panel=WORKERS,
        help="The Ray cluster, or `auto`. Default: $RAY_ADDRESS, else one is started here.",
    ),
]
CpusPerWorker = Annotated[
    float,
    typer.Option(
        "--cpus-per-worker", min=0.1, rich_help_panel=WORKERS, help="What a job of Ray asks for."
    ),
]
GpusPerWorker = Annotated[
    float | None,
    typer.Option(
        "--gpus-per-worker",
        min=0.0,
        show_default=False,
        rich_help_panel=WORKERS,
        help="Also a part of one, such as 0.25. Default: 1 with --device cuda, else 0.",
    ),
]
MemoryGb = Annotated[
    float,
    typer.Option(
        "--memory-gb",
        min=0.0,
        rich_help_panel=WORKERS,
        help="Memory that a job of Ray asks for. HierSpeech++ needs 2.",
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries",
        min=0,
        max=100,
        rich_help_panel=WORKERS,
        help="How often a job of Ray is begun again whose machine or process died.",
    ),
]
TimeoutMinutes = Annotated[
    float,
    typer.Option(
        "--timeout-minutes",
        min=0.0,
        rich_help_panel=WORKERS,
        help="A worker that tells nothing for so long is ended. 0: never.",
    ),
]
Store = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        show_default=False,
        rich_help_panel=CACHE,
        help="Keep it in a store that machines share in place of a folder, such as "
        "s3://bucket/avdub (any that fsspec knows; nothing is dropped there).",
    ),
]
RetryFailed = Annotated[
    bool,
    typer.Option("--retry-failed", rich_help_panel=FILES, help="Only what failed before."),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Only show what would be done with each file.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        "-f",
        rich_help_panel=OUTPUT,
        help="Make everything again, and replace outputs that avdub did not make.",
    ),
]
KeepManifest = Annotated[
    bool,
    typer.Option(
        "--manifest/--no-manifest",
        rich_help_panel=OUTPUT,
        help="Say in <output>.avdub.json what the dub was made from and how it came out.",
    ),
]
