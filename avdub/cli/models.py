"""`models`: what there is, bringing the published weights, checking and removing them."""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from avdub.cli import options as opt
from avdub.cli.boundary import AvdubGroup
from avdub.cli.dub import working
from avdub.cli.models_survey import survey_models
from avdub.cli.models_tables import show_imported, show_licences, show_models, show_pull
from avdub.cli.screen import Screen
from avdub.errors import InputError, WeightsError
from avdub.registry import catalogue
from avdub.registry.catalogue import BY_NAME, HIERSPEECHPP, MMS, XLS_R

app = typer.Typer(
    cls=AvdubGroup,
    no_args_is_help=True,
    help="See, bring, check and remove models.",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Kind(StrEnum):
    """What a file can be imported as."""

    text_to_latents = catalogue.TEXT_TO_LATENTS
    latents_to_speech = catalogue.LATENTS_TO_SPEECH
    speech_sr_24k = catalogue.SPEECH_SR_24K
    speech_sr_48k = catalogue.SPEECH_SR_48K
    speech_to_latents = catalogue.SPEECH_TO_LATENTS


class Encoder(StrEnum):
    """Which wav2vec 2.0 a speech_to_latents is."""

    mms_300m = MMS
    xls_r_300m = XLS_R


class Pullable(StrEnum):
    """What can be downloaded."""

    hierspeechpp = HIERSPEECHPP
    mms_300m = MMS
    xls_r_300m = XLS_R


Files = Annotated[
    list[Path],
    typer.Argument(
        metavar="FILES",
        show_default=False,
        help="Official .pth, .pt, .bin or .safetensors files, or Hugging Face folders.",
    ),
]
As = Annotated[
    Kind | None,
    typer.Option(
        "--as", metavar="KIND", show_default=False, help="What the one file is, if not found out."
    ),
]
EncoderName = Annotated[
    Encoder | None,
    typer.Option("--name", show_default=False, help="Which encoder a speech_to_latents is."),
]
Only = Annotated[
    list[Kind] | None,
    typer.Option(
        "--only", metavar="KIND", show_default=False, help="Only this part; may be repeated."
    ),
]
Name = Annotated[str, typer.Argument(metavar="[NAME]", help="A name of `avdub models list`.")]
Pulled = Annotated[
    Pullable, typer.Argument(metavar="NAME", show_default=False, help="What to download.")
]
Removed = Annotated[
    str, typer.Argument(metavar="NAME", show_default=False, help="A name of `avdub models list`.")
]
Accept = Annotated[
    bool, typer.Option("--accept-license", help="Agree to a non-commercial licence.")
]
Offline = Annotated[bool, typer.Option("--offline", help="Never use the network.")]
Replace = Annotated[bool, typer.Option("--force", "-f", help="Replace what is installed.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("list")
def list_command(
    ctx: typer.Context,
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Show every model: what it gives, its licence, and whether it is here."""
    screen = Screen.of(ctx)
    surveys = survey_models()
    if as_json:
        screen.print_json({"models": [survey.as_json() for survey in surveys]})
    else:
        show_models(screen, surveys)


@app.command("import")
def import_command(
    ctx: typer.Context,
    *,
    files: Files,
    kind: As = None,
    encoder: EncoderName = None,
    force: Replace = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Bring official HierSpeech++ files; each is recognised, checked and kept without loss."""
    if kind and len(files) > 1:
        raise typer.BadParameter("--as says what one file is; give the others on their own")
    screen = Screen.of(ctx)
    with working(screen, progress) as shown:
        from avdub.registry.convert import Incoming

        incoming = [Incoming(path, kind, encoder) for path in files]
        new = _install(incoming, force, shown)
    _say_imported(screen, new)


@app.command("pull")
def pull_command(
    ctx: typer.Context,
    *,
    name: Pulled,
    only: Only = None,
    offline: Offline = False,
    accept_license: Accept = False,
    force: Replace = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Download published files from the Hugging Face hub and import them."""
    screen = Screen.of(ctx)
    repository, wanted = _wanted(name, only, force)
    if not wanted:
        screen.say(f"{name} is already installed; pass --force to replace it")
        return
    model = BY_NAME[name]
    show_pull(screen, model, repository, wanted)
    if model.non_commercial and not accept_license:
        _agree(f"use {name} for non-commercial purposes only?", "pass --accept-license to agree")
    with working(screen, progress) as shown:
        from avdub.registry.convert import Incoming
        from avdub.registry.pull import discard, fetch

        paths = fetch(repository, wanted, offline, sys.stderr.isatty())
        encoder = name if name in (MMS, XLS_R) else None
        new = _install(
            [
                Incoming(path, file.kind, encoder, f"{repository.repo}: {file.path}")
                for path, file in zip(paths, wanted, strict=True)
            ],
            force,
            shown,
        )
        discard(repository)
    _say_imported(screen, new)


@app.command("verify")
def verify_command(
    ctx: typer.Context,
    name: Name = "base",
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Check every file of a model against its manifest; exit code 4 if something is wrong."""
    from avdub.registry.store import check

    folder, problems = check(name, _open_other)
    screen = Screen.of(ctx)
    if as_json:
        screen.print_json({"model": name, "folder": str(folder), "problems": problems})
    else:
        for problem in problems:
            screen.say(problem)
        if not problems:
            screen.say(f"{name} is whole: every file in {folder} is as listed and opens")
    if problems:
        mend = "install avdub again" if name == "base" else "import it again with --force"
        raise WeightsError(f"{name} has {len(problems)} damaged or missing file(s)", mend)


@app.command("licenses")
def licenses_command(
    ctx: typer.Context,
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Show the licence of every model, installed or not."""
    from avdub.checkpoint import base_folder, read_manifest

    files = {file: str(facts["licence"]) for file, facts in read_manifest(base_folder()).items()}
    screen = Screen.of(ctx)
    if as_json:
        screen.print_json(
            {"models": [asdict(model) for model in catalogue.MODELS], "base_files": files}
        )
    else:
        show_licences(screen, files)


@app.command("remove")
def remove_command(
    ctx: typer.Context,
    name: Removed,
    yes: Yes = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Delete an imported model; only files that avdub itself put there."""
    from avdub.registry.store import listed_files, remove

    screen = Screen.of(ctx)
    folder, files = listed_files(name)
    if not yes:
        screen.say(f"these files in {folder} would be deleted: {', '.join(files)}")
        _agree("delete them?", "pass --yes to delete them without being asked")
    remove(folder, files)
    screen.say(f"deleted {len(files)} files of {name} from {folder}")


def _install(incoming: list[Any], force: bool, progress: Any) -> list[Any]:
    """Convert all, then put all in place."""
    from avdub.registry.convert import convert
    from avdub.registry.store import family_folder, install, present

    folder = family_folder()
    new = convert(incoming, () if force else present(folder), progress)
    install(new, folder, progress)
    return new


def _say_imported(screen: Screen, new: list[Any]) -> None:
    from avdub.registry.store import family_folder, installed

    folder = family_folder()
    show_imported(screen, folder, new, installed(folder))


def _wanted(name: str, only: list[Kind] | None, force: bool) -> tuple[Any, list[Any]]:
    """The repository and those of its files that are asked for and not here yet."""
    from avdub.registry.store import family_folder, installed

    repository = catalogue.REPOSITORIES[name]
    kinds = {file.kind for file in repository.files}
    foreign = [str(kind) for kind in only or () if kind not in kinds]
    if foreign:
        raise typer.BadParameter(f"{name} has no {', '.join(foreign)}", param_hint="--only")
    there = {} if force else installed(family_folder())
    if (
        name in (MMS, XLS_R)
        and there.get(catalogue.SPEECH_TO_LATENTS, {}).get("model", name) != name
    ):
        raise InputError(
            f"another speech_to_latents is installed ({there['speech_to_latents']['model']})",
            "pass --force to replace it",
        )
    asked = set(only or kinds) - set(there)
    return repository, [file for file in repository.files if file.kind in asked]


def _agree(question: str, otherwise: str) -> None:
    """An answer from a person at a terminal; raises InputError without one or for a no."""
    if not sys.stdin.isatty():
        raise InputError("this needs your agreement, and nobody is there to ask", otherwise)
    if not typer.confirm(question, err=True):
        raise InputError("nothing was done", otherwise)


def _open_other(file: Path) -> None:
    """Open what is no safetensors file, with what a dub opens it with."""
    from avdub.faces.detect import make_detector
    from avdub.faces.lips import load_template
    from avdub.media.voice_activity import VoiceActivity

    if file.suffix == ".npz":
        load_template(file.parent)
    elif file.parent.name == "faces":
        make_detector(file.parent)  # its two networks belong together
    else:
        VoiceActivity(file)
