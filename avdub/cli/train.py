"""`avdub train`: everything that made the shipped weights, as commands that resume."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avdub.cli import train_prepare
from avdub.cli.train_prepare import Encoder, Latents

if TYPE_CHECKING:
    from avdub.models.latents_to_face import LatentsToFace
    from avdub.training.pack_latents import LatentsKind

app = typer.Typer(no_args_is_help=True, help="Train the four models; each command resumes.")
app.add_typer(train_prepare.app, name="prepare")

Packs = Annotated[
    list[Path], typer.Option("--pack", help="A prepared pack; give it once for each.")
]
RunFolder = Annotated[
    Path, typer.Option("--run", help="Folder for checkpoints and log.jsonl; resumes from it.")
]
ModelFolder = Annotated[
    Path, typer.Option("--out", help="Model folder: weights are read from and written to it.")
]
Steps = Annotated[int, typer.Option("--steps", min=1, help="Optimiser steps in all.")]
Batch = Annotated[int, typer.Option("--batch", min=1, help="Items a step.")]
Rate = Annotated[float, typer.Option("--lr", help="Peak learning rate.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of data order and initial weights.")]
Start = Annotated[
    str | None,
    typer.Option(
        "--start",
        show_default=False,
        help="Model to go on from, and whose sizes to take: hierspeechpp as imported, base, or a "
        "folder. Default: a new model of base's sizes.",
    ),
]
StartRate = Annotated[
    float | None,
    typer.Option("--lr", help="Peak learning rate.", show_default="1e-3, or 1e-4 with --start"),
]
TEXT, SPEECH = "text_to_latents.safetensors", "latents_to_speech.safetensors"


@app.command("speech-to-latents")
def speech_to_latents(
    *,
    pack: Packs,
    run: RunFolder,
    out: ModelFolder,
    steps: Steps = 1800,
    batch: Batch = 20,
    lr: Rate = 2e-3,
    seed: Seed = 0,
) -> None:
    """Teach the small w2v-BERT Whisper-base's features, phonemes and mel."""
    from avdub.checkpoint import save_module
    from avdub.training.loop import TrainConfig
    from avdub.training.speech_data import set_scale
    from avdub.training.speech_to_latents import Recipe, train_speech_to_latents

    _log()
    config = TrainConfig(steps, batch, lr, warmup=min(200, steps), seed=seed)
    model = train_speech_to_latents(pack, run, Recipe(config))
    set_scale(model, pack)
    save_module(out / "speech_to_latents.safetensors", model, model.config)


@app.command("text-to-latents")
def text_to_latents(
    *,
    pack: Packs,
    run: RunFolder,
    out: ModelFolder,
    start: Start = None,
    steps: Steps = 2000,
    batch: Batch = 16,
    lr: StartRate = None,
    seed: Seed = 0,
) -> None:
    """Train Text-to-Vec on teacher speech with known durations, or go on from a model.

    HierSpeech++'s finds the durations itself; its packs are prepared with --front-end hierspeechpp
    and --latents mms-300m.
    """
    from avdub.checkpoint import load_module
    from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
    from avdub.training.export import save_result
    from avdub.training.loop import TrainConfig
    from avdub.training.text_to_latents import recipe_for, train_text_to_latents

    _log()
    source = _file_of(start, TEXT) if start else None
    begun = load_module(source, TextToLatents, TextToLatentsConfig) if source else None
    config = TrainConfig(steps, batch, lr or _rate(start), seed=seed)
    recipe = recipe_for(config, begun.config if begun else TextToLatentsConfig())
    model = train_text_to_latents(pack, run, recipe, begun)
    save_result(out / TEXT, model, _family(source))


@app.command("latents-to-speech")
def latents_to_speech(
    *,
    pack: Packs,
    run: RunFolder,
    out: ModelFolder,
    stage: Annotated[int, typer.Option(min=1, max=2, help="2 hears predicted latents.")] = 1,
    start: Start = None,
    steps: Steps = 2500,
    batch: Batch = 14,
    lr: StartRate = None,
    seed: Seed = 0,
) -> None:
    """Train the speech synthesizer: stage 1 on real latents, stage 2 on predicted ones.

    Stage 2 goes on from --out's synthesizer, unless --start names another, and hears --out's text
    model, or where there is none --start's.
    """
    from avdub.checkpoint import load_module
    from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
    from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
    from avdub.training.export import save_result
    from avdub.training.latents_to_speech import recipe_for, train_latents_to_speech
    from avdub.training.loop import TrainConfig

    _log()
    source = _file_of(start, SPEECH) if start else out / SPEECH if stage == 2 else None
    begun = load_module(source, LatentsToSpeech, LatentsToSpeechConfig) if source else None
    text = None
    if stage == 2:
        is_own = start is None or (out / TEXT).is_file()
        words = out / TEXT if is_own else _file_of(start or "", TEXT)
        text = load_module(words, TextToLatents, TextToLatentsConfig)
    config = TrainConfig(steps, batch, lr or _rate(start), warmup=50, seed=seed)
    recipe = recipe_for(config, begun.config if begun else LatentsToSpeechConfig())
    model = train_latents_to_speech(pack, run, recipe, begun, text)
    save_result(out / SPEECH, model, _family(source))


def _file_of(name: str, file: str) -> Path:
    """A file of the model that --start names. Raises WeightsError."""
    from avdub.checkpoint import base_folder
    from avdub.home import find_model

    return (find_model(name) or base_folder()) / file


def _family(source: Path | None) -> str:
    """The family of the weights that a training went on from."""
    from avdub.checkpoint import read_facts

    return str(read_facts(source).get("family", "base")) if source else "base"


def _rate(start: str | None) -> float:
    """A tenth where there is something to lose."""
    return 1e-4 if start else 1e-3


@app.command("latents-to-face")
def latents_to_face(
    *,
    pack: Packs,
    run: RunFolder,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            show_default=False,
            help="Model folder to read from and write to. Default with mms-300m, whose latents "
            "HierSpeech++ speaks: the imported family.",
        ),
    ] = None,
    latents: Latents = Encoder.base,
    stage: Annotated[
        str, typer.Option(help="paint (the generator), 1 (lips, real latents) or 2 (predicted).")
    ] = "paint",
    steps: Steps = 1500,
    batch: Batch = 12,
    lr: Rate = 1e-3,
    seed: Seed = 0,
) -> None:
    """Train the talking-face generator and its lip head, in this order: paint, 1, 2.

    With other latents than base, stage 1 is enough: the lip head is new, the painter the shipped
    one.
    """
    from avdub.checkpoint import save_module
    from avdub.errors import InputError
    from avdub.faces.lips import load_template
    from avdub.models.latents_to_face import LatentsToFaceConfig
    from avdub.registry.store import family_folder
    from avdub.training import latents_to_face as face
    from avdub.training.loop import TrainConfig

    _log()
    if stage not in ("paint", *face.STAGES):
        raise InputError(f"there is no stage {stage!r}", "use paint, 1 or 2")
    if out is None and latents is not Encoder.mms:
        raise typer.BadParameter(f"{latents} latents need the model folder", param_hint="--out")
    out = out or family_folder()
    kind = _held_latents(pack, latents)
    file, template = out / "latents_to_face.safetensors", load_template(train_prepare.faces_of(out))
    config = TrainConfig(steps, batch, lr, warmup=50, seed=seed, bf16=stage == "paint")
    if stage == "paint":
        recipe = face.PaintRecipe(config, LatentsToFaceConfig(latents=kind.width))
        model = face.train_painter(pack, template, run, recipe)
    else:
        model = _face_to_teach(file, kind, stage, seed)
        recipe_of_lips = face.LipRecipe(config, face.STAGES[stage])
        model = face.train_lips(model, pack, template, run, recipe_of_lips)
    save_module(file, model, model.config, "base" if latents is Encoder.base else "hierspeechpp")


@app.command("sync")
def sync(
    *,
    pack: Packs,
    run: RunFolder,
    out: ModelFolder,
    steps: Steps = 1000,
    batch: Batch = 32,
    lr: Rate = 1e-3,
    seed: Seed = 0,
) -> None:
    """Train the sync expert on face packs: is this mouth in time with this sound?"""
    from avdub.checkpoint import save_module
    from avdub.faces.lips import load_template
    from avdub.models.sync import SyncExpertConfig
    from avdub.training.loop import TrainConfig
    from avdub.training.sync import Recipe, train_sync

    _log()
    kind = _held_latents(pack, Encoder.base)
    config = TrainConfig(steps, batch, lr, warmup=100, seed=seed, bf16=False)
    recipe = Recipe(config, SyncExpertConfig(latents=kind.width))
    model = train_sync(pack, load_template(train_prepare.faces_of(out)), run, recipe)
    save_module(out / "sync.safetensors", model, model.config)


def _held_latents(packs: list[Path], latents: Encoder) -> "LatentsKind":
    """What the packs hold. Raises InputError where that is not `latents`."""
    from avdub.errors import InputError
    from avdub.training.face_data import latents_kind

    kind = latents_kind(packs)
    if kind.name != latents:
        raise InputError(
            f"the packs hold {kind}, not {latents} latents",
            f"give --latents {kind.name}, or prepare the packs with --latents {latents}",
        )
    return kind


def _face_to_teach(file: Path, kind: "LatentsKind", stage: str, seed: int) -> "LatentsToFace":
    """The model in `file`. Stage 1 on other latents than base may start from the shipped painter,
    and gives a painter the lip head that those latents need."""
    from avdub.checkpoint import base_folder, load_module
    from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
    from avdub.training.latents_to_face import fresh_lips

    starts_anew = stage == "1" and kind.name != Encoder.base
    source = base_folder() / file.name if starts_anew and not file.is_file() else file
    model = load_module(source, LatentsToFace, LatentsToFaceConfig)
    if starts_anew and model.config.latents != kind.width:
        model = fresh_lips(model, kind.width, seed)
    return model


@app.command("export")
def export(
    pack: Packs,
    out: ModelFolder,
    voice: Annotated[list[str], typer.Option("--voice", help="A voice of the packs to name.")],
) -> None:
    """Give the model folder its named voices and its manifest."""
    from avdub.training.export import export_voices, finish

    export_voices(pack, voice, out)
    finish(out)


def _log() -> None:
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
