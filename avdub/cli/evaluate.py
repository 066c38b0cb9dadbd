"""`avdub eval`: measures of speech, lips, sync, finished dubs and speed, as tables or JSON."""

from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.evaluate_ablation import ablation_command
from avdub.cli.evaluate_lips import lips_command, sync_command
from avdub.cli.evaluate_report import (
    EvalGroup,
    Report,
    check_wanted,
    origin,
    write_wanted,
)
from avdub.cli.evaluate_speech import speech_command
from avdub.cli.evaluate_tables import show_dub, show_speed
from avdub.cli.screen import Screen
from avdub.pipeline.options import DubOptions

app = typer.Typer(
    cls=EvalGroup,
    no_args_is_help=True,
    help="Measure speech, lips, sync, finished dubs and speed.",
)
D = opt.DEFAULTS

Original = Annotated[Path, typer.Argument(metavar="ORIGINAL", help="The video before the dub.")]
Dub = Annotated[Path, typer.Argument(metavar="DUB", help="What avdub made of it.")]
NeededSubtitles = Annotated[Path, typer.Argument(metavar="SUBTITLES", help="Its subtitles.")]
Long = Annotated[
    float | None,
    typer.Option(
        "--long",
        min=1.0,
        metavar="S",
        show_default=False,
        help="Also dub the clip looped to this many seconds (120 is usual); compares memory.",
    ),
]


app.command("speech")(speech_command)
app.command("lips")(lips_command)
app.command("sync")(sync_command)
app.command("ablation")(ablation_command)


@app.command("dub")
def dub_command(
    ctx: typer.Context,
    *,
    original: Original,
    dub: Dub,
    subtitles: opt.Subtitles = None,
    segments: opt.Segments = None,
    voice: opt.Voice = D.voice,
    language: opt.Language = D.language,
    max_rate: opt.MaxRate = D.max_rate,
    min_rate: opt.MinRate = D.min_rate,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """A finished dub: its mouth against its sound, and what was left alone.

    Give the options the dub was made with.
    """
    options = DubOptions(
        voice=voice,
        language=language,
        segments=segments,
        face_backend=face_backend.value,
        max_rate=max_rate,
        min_rate=min_rate,
        model=model,
    )
    from avdub.evaluation.report.dub import NAMES, dub_report

    screen = Screen.of(ctx)
    check_wanted(report, NAMES, force)
    with working(screen, progress) as shown:
        from avdub.evaluation.dub import Files, measure_dub

        score = measure_dub(Files(original, dub, subtitles), options, shown)
    if as_json:
        screen.print_json(score.as_json())
    else:
        show_dub(screen, score)
    if report is not None:
        from avdub.pipeline.weights import Weights

        document = dub_report(score, origin(ctx, Weights(model)), options.face_backend)
        write_wanted(screen, report, document, as_json)


@app.command("speed")
def speed_command(
    ctx: typer.Context,
    *,
    video: opt.Video,
    subtitles: NeededSubtitles,
    voice: opt.Voice = D.voice,
    model: opt.Model = D.model,
    long: Long = None,
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Cold runs of dub, plan, preview and speak: wall time and peak memory of each process."""
    from avdub.evaluation.report.speed import speed_report

    check_wanted(report, (), force)
    words = ["--model", model, *(["--voice", voice] if voice else [])]
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.evaluation.speed import measure_speed

        bench = measure_speed(video, subtitles, words, long, shown)
    if as_json:
        screen.print_json(bench.as_json())
    else:
        show_speed(screen, bench)
    if report is not None:
        from avdub.pipeline.weights import Weights

        write_wanted(screen, report, speed_report(bench, origin(ctx, Weights(model))), as_json)
