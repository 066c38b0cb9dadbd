"""`avdub eval`: measures of speech, lips, sync, finished dubs and speed, as tables or JSON."""

from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.evaluate_tables import show_dub, show_lips, show_speech, show_speed, show_sync
from avdub.cli.screen import Screen
from avdub.pipeline.options import DubOptions

app = typer.Typer(no_args_is_help=True, help="Measure speech, lips, sync, finished dubs and speed.")
D = opt.DEFAULTS
VIDEO_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".mpg", ".avi")

TextFile = Annotated[
    Path, typer.Option("--text", metavar="FILE", help="Sentences to say, one a line.")
]
Whisper = Annotated[
    Path,
    typer.Option(
        "--whisper", metavar="FOLDER", help="A faster-whisper model: model.bin and its files."
    ),
]
Voices = Annotated[
    list[str] | None,
    typer.Option("--voice", metavar="NAME", help="Who speaks; give it once for each voice."),
]
Sounds = Annotated[
    Path | None,
    typer.Option(
        "--sounds",
        metavar="FOLDER",
        show_default=False,
        help="Judge these sound files instead of our voice, one a line, by name.",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, show_default=False, help="Only the first N.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        min=0.1,
        max=600.0,
        metavar="S",
        show_default=False,
        help="Ask each line to take this long. Default: natural, and the fit is tried apart.",
    ),
]
Videos = Annotated[
    list[Path], typer.Argument(metavar="VIDEO...", help="Videos of a speaker, or folders of them.")
]
HeldOut = Annotated[
    bool,
    typer.Option("--held-out", help="Only those that `avdub train` leaves out by their names."),
]
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


@app.command("speech")
def speech_command(
    ctx: typer.Context,
    *,
    text: TextFile,
    whisper: Whisper,
    voice: Voices = None,
    sounds: Sounds = None,
    limit: Limit = None,
    seconds: Seconds = None,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Word error rate (Whisper), quality (DNSMOS P.808) and fit of spoken sentences."""
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.evaluation import speech

        lines = speech.read_lines(text, limit)
        judges = speech.make_judges(whisper)
        if sounds is not None:
            spoken = [speech.recorded_lines(lines, sounds)]
        else:
            names: list[str | None] = [*voice] if voice else [None]
            each = [DubOptions(voice=v, seed=seed, model=model) for v in names]
            spoken = [speech.spoken_lines(lines, options, seconds) for options in each]
        flat = (item for group in spoken for item in group)
        scores = speech.judge(flat, judges, shown, len(lines) * len(spoken))
    if as_json:
        screen.print_json({"voices": [score.as_json() for score in scores]})
    else:
        show_speech(screen, scores)


@app.command("lips")
def lips_command(
    ctx: typer.Context,
    *,
    videos: Videos,
    held_out: HeldOut = False,
    limit: Limit = None,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Lips made from a video's own sound against its real lips: correlation and best shift."""
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.evaluation.lips import measure_lips
        from avdub.pipeline.weights import Weights

        chosen = _videos(videos, held_out)[:limit]
        score = measure_lips(chosen, Weights(model), face_backend.value, shown)
    if as_json:
        screen.print_json(score.as_json())
    else:
        show_lips(screen, score)


@app.command("sync")
def sync_command(
    ctx: typer.Context,
    *,
    videos: Videos,
    held_out: HeldOut = False,
    limit: Limit = None,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """The sync expert on trial: does it find the shift of real clips moved out of sync?

    Windows of 2 s, their sound moved by up to 240 ms either way.
    """
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.evaluation.sync import measure_sync
        from avdub.pipeline.weights import Weights

        chosen = _videos(videos, held_out)[:limit]
        score = measure_sync(chosen, Weights(model), face_backend.value, shown)
    if as_json:
        screen.print_json(score.as_json())
    else:
        show_sync(screen, score)


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
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.evaluation.dub import Files, measure_dub

        score = measure_dub(Files(original, dub, subtitles), options, shown)
    if as_json:
        screen.print_json(score.as_json())
    else:
        show_dub(screen, score)


@app.command("speed")
def speed_command(
    ctx: typer.Context,
    *,
    video: opt.Video,
    subtitles: NeededSubtitles,
    voice: opt.Voice = D.voice,
    model: opt.Model = D.model,
    long: Long = None,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Cold runs of dub, plan, preview and speak: wall time and peak memory of each process."""
    words = ["--model", model, *(["--voice", voice] if voice else [])]
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.evaluation.speed import measure_speed

        bench = measure_speed(video, subtitles, words, long, shown)
    if as_json:
        screen.print_json(bench.as_json())
    else:
        show_speed(screen, bench)


def _videos(paths: list[Path], held_out: bool) -> list[Path]:
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
