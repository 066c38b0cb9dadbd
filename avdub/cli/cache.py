"""`cache`: what dubs keep for later ones: how much it is, where it lies, and removing it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from avdub.cli import options as opt
from avdub.cli.screen import Screen
from avdub.home import user_cache

if TYPE_CHECKING:
    from avdub.pipeline.store import Store

GB, MB = 1_000_000_000, 1_000_000
MEANINGS = {
    "adapt": "face generators adapted to an actor",
    "detections": "faces found, where following them was not finished",
    "faces": "faces followed through a video",
    "lines": "how long the sounds of a line last",
    "lips": "how far the speakers open their mouths",
    "mouths": "painted mouths",
    "prosody": "how original lines are spoken",
    "sound": "how loud a video is",
    "speech": "lines spoken",
    "stretches": "stretches of new pictures, encoded",
    "voices": "voices taken from a sound",
}

app = typer.Typer(
    no_args_is_help=True,
    help="What dubs keep, so that an interrupted one goes on and an edited one is soon made.",
)

Days = Annotated[
    float,
    typer.Option(
        "--older-than",
        metavar="DAYS",
        min=0.0,
        help="Only what was not used for so many days. 0: everything.",
    ),
]


@dataclass(frozen=True)
class Kept:
    """Whether anything is kept, where (None: in the user's cache folder), and how much."""

    used: bool
    folder: Path | None
    size_gb: float


def open_store(kept: Kept) -> Store:
    """The store that options ask for."""
    if not kept.used:
        from avdub.pipeline.store import NOTHING

        return NOTHING
    from avdub.jobs.cache import DiskCache

    return DiskCache(kept.folder, round(kept.size_gb * GB))


@app.command("show")
def show_command(
    ctx: typer.Context,
    cache_dir: opt.CacheDir = None,
    cache_size: opt.CacheSize = opt.CACHE_GB,
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Show what is kept, by kind, and where."""
    from avdub.jobs.cache import entries

    folder = (cache_dir or user_cache()).expanduser().absolute()
    sizes: dict[str, list[int]] = {}
    for entry in entries(folder):
        sizes.setdefault(entry.kind, []).append(entry.size)
    screen, total = Screen.of(ctx), sum(map(sum, sizes.values()))
    if as_json:
        kinds = {kind: {"count": len(s), "bytes": sum(s)} for kind, s in sorted(sizes.items())}
        bound = round(cache_size * GB)
        screen.print_json(
            {"folder": str(folder), "kinds": kinds, "bytes": total, "bound_bytes": bound}
        )
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("kind", "count", "MB", "what"):
        table.add_column(heading, justify="right" if heading in ("count", "MB") else "left")
    for kind, each in sorted(sizes.items()):
        table.add_row(kind, str(len(each)), _mb(sum(each)), MEANINGS.get(kind, ""))
    if sizes:
        screen.stdout.print(table)
    screen.say(f"{_mb(total)} MB of at most {cache_size:g} GB in {folder}")


@app.command("clear")
def clear_command(
    ctx: typer.Context,
    older_than: Days = 0.0,
    cache_dir: opt.CacheDir = None,
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Remove what is kept; nothing else that lies in the folder."""
    from avdub.jobs.cache import clear

    folder = (cache_dir or user_cache()).expanduser().absolute()
    n_files, n_bytes = clear(folder, older_than)
    screen = Screen.of(ctx)
    if as_json:
        screen.print_json({"folder": str(folder), "removed": n_files, "bytes": n_bytes})
        return
    screen.say(f"{n_files} files, {_mb(n_bytes)} MB, removed from {folder}")


def _mb(size: int) -> str:
    return f"{size / MB:.1f}"
