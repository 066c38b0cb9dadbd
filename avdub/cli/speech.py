"""`speak` and `voices`: the speech half alone."""

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.screen import Screen
from avdub.cli.tables import show_voices
from avdub.errors import InputError
from avdub.pipeline.options import DubOptions

D = opt.DEFAULTS

SpokenText = Annotated[
    str,
    typer.Argument(metavar="TEXT", show_default=False, help="What to say; - reads it from stdin."),
]
SoundFile = Annotated[
    Path, typer.Option("--output", "-o", metavar="FILE.wav", help="The sound file to write.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        min=0.1,
        max=600.0,
        metavar="S",
        show_default=False,
        help="Speak for exactly this long. Default: as long as is natural.",
    ),
]


def speak_command(
    ctx: typer.Context,
    *,
    text: SpokenText,
    output: SoundFile,
    voice: opt.Voice = D.voice,
    seconds: Seconds = None,
    language: opt.Language = D.language,
    max_rate: opt.MaxRate = D.max_rate,
    min_rate: opt.MinRate = D.min_rate,
    pace: opt.Pace = D.pace,
    device: opt.Device = D.device,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    force: opt.Force = D.overwrite,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Say a text into a WAV file, 16 kHz mono."""
    options = DubOptions(
        voice=voice,
        language=language,
        max_rate=max_rate,
        min_rate=min_rate,
        pace=pace,
        device=device,
        seed=seed,
        model=model,
        overwrite=force,
    )
    screen = Screen.of(ctx)
    _check_output(output, force)
    words = typer.get_text_stream("stdin").read() if text == "-" else text
    if not words.strip():
        raise InputError("there is no text to speak", "give some words, or - to read from stdin")
    with working(screen, opt.ProgressKind.none):
        from avdub.media.audio import write_wav
        from avdub.pipeline.run import speak_text

        sound = speak_text(words, options, seconds)
        write_wav(output, sound)
    screen.say(f"{output} ({sound.seconds:.2f} s)")


def voices_command(
    ctx: typer.Context,
    *,
    model: opt.Model = D.model,
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """List the voices."""
    from avdub.checkpoint import has_voices, list_voices
    from avdub.home import find_model

    folder = find_model(model)
    voices = [] if folder and not has_voices(folder) else list_voices(folder)
    screen = Screen.of(ctx)
    if as_json:
        screen.print_json({"voices": [asdict(voice) for voice in voices]})
    elif not voices:
        screen.say(f"{model} has no named voices: use --voice original or --voice FILE.wav")
    else:
        show_voices(screen, voices)


def _check_output(path: Path, overwrite: bool) -> None:
    """Raise InputError, before any work, if the WAV cannot be written."""
    if path.suffix.lower() != ".wav":
        raise InputError(f"{path}: only .wav files can be written", "end the name in .wav")
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name the file to write in it")
    if not path.parent.is_dir():
        raise InputError(
            f"the folder {path.parent} does not exist", "make it first or name another"
        )
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise InputError(f"the folder {path.parent} cannot be written to", "choose another folder")
    if path.exists() and not overwrite:
        raise InputError(f"{path} already exists", "pass --force to replace it")
