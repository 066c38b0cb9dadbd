"""The options that only batches have, and the one that leaves manifests out."""

from pathlib import Path
from typing import Annotated

import typer

from avdub.cli.options import OUTPUT

FILES = "Files"

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
        rich_help_panel=FILES,
        help="Videos at once, each in a process with its own models (about 1 GB).",
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
