"""`avdub eval lips` and `avdub eval sync`: lips against real ones, and whether they are in time."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.evaluate_lips_tables import show_lips, show_sync, show_syncnet
from avdub.cli.evaluate_report import Report, check_wanted, origin, write_wanted
from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from avdub.evaluation.lip_table import LipOptions

D = opt.DEFAULTS
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".mpg", ".avi")


class LipSource(StrEnum):
    """By which way the latents that move the lips are made."""

    sound = "sound"
    text = "text"
    both = "both"


class LipSetup(StrEnum):
    """Which sound drives the lips."""

    matched = "matched"
    mismatched = "mismatched"
    silent = "silent"


Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO...", help="Videos of a speaker, or folders of them.")
]
HeldOut = Annotated[
    bool,
    typer.Option("--held-out", help="Only those that `avdub train` leaves out by their names."),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, show_default=False, help="Only the first N.")
]
From = Annotated[
    LipSource,
    typer.Option(
        "--from",
        help="What the lips are made from: the clip's sound, its words (<video>.txt or subtitles "
        "beside it, or a GRID name) said anew at the clip's own timing, or both in turn.",
    ),
]
Setups = Annotated[
    list[LipSetup] | None,
    typer.Option(
        "--setup",
        show_default="matched",
        help="Which sound drives the lips: the clip's own, another clip's, or silence; repeat it "
        "for several.",
    ),
]
WordTimes = Annotated[
    Path | None,
    typer.Option(
        "--words",
        metavar="TSV",
        show_default=False,
        help="Word times of the clips: columns clip, start_s, end_s, word. Default: "
        "<folder>_words.tsv beside their folder, else pocketsphinx finds them.",
    ),
]
SyncNetFile = Annotated[
    Path | None,
    typer.Option(
        "--syncnet",
        metavar="FILE",
        show_default=False,
        help="SyncNet's published weights (syncnet_v2.model): tell LSE-D and LSE-C of the videos, "
        "originals or dubs, instead of trying our expert.",
    ),
]


def lips_command(
    ctx: typer.Context,
    *,
    videos: Videos,
    source: From = LipSource.sound,
    setup: Setups = None,
    words: WordTimes = None,
    held_out: HeldOut = False,
    limit: Limit = None,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Predicted lips against the real lips of videos: movement, timing, closure, rest.

    Closure at /p b m/ needs pocketsphinx and a transcript.
    """
    from avdub.evaluation.report.lips import NAMES, lip_report

    screen = Screen.of(ctx)
    check_wanted(report, NAMES, force)
    with working(screen, progress) as shown:
        from avdub.evaluation.lip_table import measure_lips
        from avdub.pipeline.weights import Weights

        options = _options(source, setup or [LipSetup.matched], words, face_backend)
        chosen = find_videos(videos, held_out)[:limit]
        weights = Weights(model)
        table = measure_lips(chosen, weights, options, shown)
    if as_json:
        screen.print_json(table.as_json())
    else:
        show_lips(screen, table)
    if report is not None:
        document = lip_report(table, origin(ctx, weights), face_backend.value)
        write_wanted(screen, report, document, as_json)


def sync_command(
    ctx: typer.Context,
    *,
    videos: Videos,
    syncnet: SyncNetFile = None,
    held_out: HeldOut = False,
    limit: Limit = None,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """The sync expert on trial: does it find the shift of real clips moved out of sync?

    Windows of 2 s, their sound moved by up to 240 ms either way. With --syncnet: the literature's
    LSE-D and LSE-C.
    """
    from avdub.evaluation.report.sync import NAMES

    screen = Screen.of(ctx)
    check_wanted(report, NAMES, force)
    with working(screen, progress) as shown:
        from avdub.evaluation.sync import SyncScore, measure_sync
        from avdub.evaluation.syncnet import SyncNetScore, measure_syncnet
        from avdub.pipeline.weights import Weights

        chosen = find_videos(videos, held_out)[:limit]
        weights = Weights(model)
        args = (weights, face_backend.value, shown)
        score: SyncScore | SyncNetScore
        if syncnet is None:
            score = measure_sync(chosen, *args)
        else:
            score = measure_syncnet(chosen, syncnet, *args)
    if as_json:
        screen.print_json(score.as_json())
    elif isinstance(score, SyncNetScore):
        show_syncnet(screen, score)
    else:
        show_sync(screen, score)
    if report is not None:
        from avdub.evaluation.report import sync as made

        if isinstance(score, SyncNetScore):
            assert syncnet is not None, "SyncNet's score comes from its file"
            document = made.syncnet_report(score, origin(ctx, weights), face_backend.value, syncnet)
        else:
            document = made.sync_report(score, origin(ctx, weights), face_backend.value)
        write_wanted(screen, report, document, as_json)


def find_videos(paths: list[Path], held_out: bool) -> list[Path]:
    """Files as they are, folders as their videos by name. Raises InputError where none is left."""
    from avdub.errors import InputError

    found: list[Path] = []
    for path in paths:
        inside = path.iterdir() if path.is_dir() else ()
        found += sorted(p for p in inside if p.suffix.lower() in VIDEO_SUFFIXES)
        found += [] if path.is_dir() else [path]
    if held_out:
        from avdub.training.prepare import is_held_out

        found = [path for path in found if is_held_out(path.stem)]
    if not found:
        raise InputError("there is no such video", "give videos, or folders that hold some")
    return found


def _options(
    source: LipSource, setups: list[LipSetup], words: Path | None, backend: opt.FaceBackend
) -> "LipOptions":
    from avdub.evaluation.lip_table import LipOptions
    from avdub.evaluation.setups import Setup, Source

    sources = (Source.SOUND, Source.TEXT) if source is LipSource.both else (Source(source),)
    return LipOptions(sources, tuple(Setup(s) for s in dict.fromkeys(setups)), words, backend.value)
