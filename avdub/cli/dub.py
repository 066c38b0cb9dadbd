"""`dub`, `plan` and `preview`: a video and its subtitles."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import typer

from avdub.cli import options as opt
from avdub.cli.progress import showing
from avdub.cli.screen import Screen
from avdub.cli.tables import show_plan, show_report
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import DubReport
from avdub.progress import Progress

D = opt.DEFAULTS


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
    device: opt.Device = D.device,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    adapt: opt.Adapt = D.adapt,
    adapt_seconds: opt.AdaptSeconds = D.adapt_seconds,
    crf: opt.Crf = D.crf,
    duck_db: opt.DuckDb = D.duck_db,
    force: opt.Force = D.overwrite,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Dub a video: speak its subtitles and make the mouths fit.

    Exit code 0 when every segment is dubbed, 5 when some kept their picture or sound.
    """
    options = DubOptions(
        voice=voice,
        language=language,
        segments=segments,
        face_backend=face_backend.value,
        adapt=adapt,
        adapt_seconds=adapt_seconds,
        max_rate=max_rate,
        min_rate=min_rate,
        pace=pace,
        prosody=prosody.value,
        duck_db=duck_db,
        crf=crf,
        seed=seed,
        device=device,
        model=model,
        overwrite=force,
    )
    screen = Screen.of(ctx)
    if dry_run:
        raise typer.Exit(_plan(screen, video, subtitles, options, progress, as_json))
    with working(screen, progress) as shown:
        from avdub.pipeline.run import dub

        report = dub(video, subtitles, output, options, shown)
    raise typer.Exit(_show(screen, report, as_json))


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
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Show what a dub would do, and every problem, without making anything."""
    options = DubOptions(
        voice=voice,
        language=language,
        segments=segments,
        face_backend=face_backend.value,
        max_rate=max_rate,
        min_rate=min_rate,
        pace=pace,
        prosody=prosody.value,
        device=device,
        model=model,
    )
    raise typer.Exit(_plan(Screen.of(ctx), video, subtitles, options, progress, as_json))


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
    options = DubOptions(
        voice=voice,
        language=language,
        segments=frozenset({segment}),
        face_backend=face_backend.value,
        adapt=adapt,
        adapt_seconds=adapt_seconds,
        adapt_video=video if adapt else None,
        max_rate=max_rate,
        min_rate=min_rate,
        pace=pace,
        prosody=prosody.value,
        crf=crf,
        seed=seed,
        device=device,
        model=model,
        overwrite=force,
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


def _plan(
    screen: Screen,
    video: Path,
    subtitles: Path | None,
    options: DubOptions,
    kind: opt.ProgressKind | None,
    as_json: bool,
) -> int:
    """Print the plan; returns the exit code."""
    with working(screen, kind) as shown:
        from avdub.pipeline.plan import make_plan

        plan = make_plan(video, subtitles, options, shown)
    if as_json:
        screen.print_json(plan.as_json())
    else:
        show_plan(screen, plan)
    exit_code: int = plan.exit_code
    return exit_code
