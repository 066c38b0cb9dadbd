"""`dub`, `plan` and `preview`: a video and its subtitles."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import typer

from avdub.cli import options as opt
from avdub.cli import track_options as tracks
from avdub.cli.batch_options import KeepManifest
from avdub.cli.cache import Kept, open_store
from avdub.cli.chosen import chosen_options
from avdub.cli.progress import showing
from avdub.cli.screen import Screen
from avdub.cli.tables import show_plan, show_report
from avdub.errors import InputError
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import DubReport
from avdub.progress import Progress

D = opt.DEFAULTS


@dataclass(frozen=True)
class Asked:
    """What is to be dubbed, and how."""

    video: Path
    subtitles: Path | None
    options: DubOptions


@contextmanager
def working(screen: Screen, kind: opt.ProgressKind | None) -> Iterator[Progress]:
    """Progress for the work; what libraries print meanwhile goes to stderr, not among results."""
    with redirect_stdout(sys.stderr), showing(kind, screen.stderr) as progress:
        yield progress


def dub_command(
    ctx: typer.Context,
    *,
    video: opt.Video,
    subtitles: opt.Subtitles = None,
    output: opt.Output = None,
    segments: opt.Segments = None,
    dry_run: opt.DryRun = False,
    voice: opt.Voice = D.voice,
    language: opt.Language = D.language,
    max_rate: opt.MaxRate = D.max_rate,
    min_rate: opt.MinRate = D.min_rate,
    pace: opt.Pace = D.pace,
    prosody: opt.ProsodyOption = opt.Prosody(D.prosody),
    lips: opt.LipsOption = opt.Lips(D.lips),
    device: opt.Device = D.device,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    adapt: opt.Adapt = D.adapt,
    adapt_seconds: opt.AdaptSeconds = D.adapt_seconds,
    crf: opt.Crf = D.crf,
    duck_db: opt.DuckDb = D.duck_db,
    audio: tracks.AudioOption = tracks.Audio(D.audio),
    subs: tracks.SubsOption = tracks.Subs(D.subs),
    force: opt.Force = D.overwrite,
    cache: opt.Cache = True,
    cache_dir: opt.CacheDir = None,
    cache_size: opt.CacheSize = opt.CACHE_GB,
    manifest: KeepManifest = True,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Dub a video: speak its subtitles and make the mouths fit.

    Exit code 0 when every segment is dubbed, 5 when some kept their picture or sound.
    """
    options = chosen_options(ctx)
    screen, asked = Screen.of(ctx), Asked(video, subtitles, options)
    kept = Kept(cache, cache_dir, cache_size)
    if dry_run:
        raise typer.Exit(_plan(screen, asked, progress, as_json, kept))
    raise typer.Exit(_dub(screen, asked, output, progress, as_json, kept, manifest))


def plan_command(
    ctx: typer.Context,
    *,
    video: opt.Video,
    subtitles: opt.Subtitles = None,
    segments: opt.Segments = None,
    voice: opt.Voice = D.voice,
    language: opt.Language = D.language,
    max_rate: opt.MaxRate = D.max_rate,
    min_rate: opt.MinRate = D.min_rate,
    pace: opt.Pace = D.pace,
    prosody: opt.ProsodyOption = opt.Prosody(D.prosody),
    device: opt.Device = D.device,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    cache: opt.Cache = True,
    cache_dir: opt.CacheDir = None,
    cache_size: opt.CacheSize = opt.CACHE_GB,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Show what a dub would do, and every problem, without making anything."""
    options = chosen_options(ctx)
    asked, kept = Asked(video, subtitles, options), Kept(cache, cache_dir, cache_size)
    raise typer.Exit(_plan(Screen.of(ctx), asked, progress, as_json, kept))


def preview_command(
    ctx: typer.Context,
    *,
    video: opt.Video,
    subtitles: opt.Subtitles = None,
    segment: opt.Segment = 1,
    output: opt.Output = None,
    voice: opt.Voice = D.voice,
    language: opt.Language = D.language,
    max_rate: opt.MaxRate = D.max_rate,
    min_rate: opt.MinRate = D.min_rate,
    pace: opt.Pace = D.pace,
    prosody: opt.ProsodyOption = opt.Prosody(D.prosody),
    lips: opt.LipsOption = opt.Lips(D.lips),
    device: opt.Device = D.device,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    adapt: opt.Adapt = D.adapt,
    adapt_seconds: opt.AdaptSeconds = D.adapt_seconds,
    crf: opt.Crf = D.crf,
    force: opt.Force = D.overwrite,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Dub one segment and show it beside the original, with a second around it.

    Default output: <video>.preview-N.mp4 beside the video.
    """
    options = chosen_options(
        ctx, segments=frozenset({segment}), adapt_video=video if adapt else None
    )
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.report.preview import preview

        made, report = preview(video, subtitles, output, segment, options, shown)
    _show_adaptation(screen, report)
    screen.say(str(made))
    for each in report.segments:
        if each.reason:
            screen.warn(each.reason)
    raise typer.Exit(report.exit_code)


def _dub(
    screen: Screen,
    asked: Asked,
    output: Path | None,
    kind: opt.ProgressKind | None,
    as_json: bool,
    kept: Kept,
    manifest: bool,
) -> int:
    """Dub, and print what was done; returns the exit code."""
    record = None
    with working(screen, kind) as shown:
        from avdub.pipeline.run import dub

        if manifest:
            from avdub.jobs.record import Record

            record = Record.begin(asked.video, asked.subtitles, output, asked.options)
        store = open_store(kept)
        report = dub(asked.video, asked.subtitles, output, asked.options, shown, store=store)
    if record is not None:
        try:
            record.keep(report)
        except InputError as error:  # the dub itself is whole
            screen.warn(error.message)
    return _show(screen, report, as_json)


def _show(screen: Screen, report: DubReport, as_json: bool) -> int:
    """Print what was done; returns the exit code."""
    if as_json:
        screen.print_json(report.as_json())
    else:
        show_report(screen, report)
        _show_adaptation(screen, report)
    return report.exit_code


def _show_adaptation(screen: Screen, report: DubReport) -> None:
    if report.adaptation is not None and report.adaptation.kept:
        screen.say(report.adaptation.sentence)
    if report.lips is not None and report.lips.errors is not None:
        screen.say(report.lips.sentence)


def _plan(
    screen: Screen, asked: Asked, kind: opt.ProgressKind | None, as_json: bool, kept: Kept
) -> int:
    """Print the plan; returns the exit code."""
    with working(screen, kind) as shown:
        from avdub.pipeline.plan import make_plan
        from avdub.pipeline.store import Memory

        memory = Memory(open_store(kept))
        plan = make_plan(asked.video, asked.subtitles, asked.options, shown, memory=memory)
    if as_json:
        screen.print_json(plan.as_json())
    else:
        show_plan(screen, plan)
    exit_code: int = plan.exit_code
    return exit_code
