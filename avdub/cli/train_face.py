"""`avdub train latents-to-face` and `sync`: what learns from faces."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avdub.cli import train_prepare
from avdub.cli.train_options import (
    Batch,
    ModelFolder,
    Packs,
    Rate,
    RunFolder,
    Seed,
    Steps,
    log_to_stderr,
)
from avdub.cli.train_prepare import Encoder, Latents

if TYPE_CHECKING:
    from avdub.models.latents_to_face import LatentsToFace
    from avdub.models.sync import SyncExpert
    from avdub.training.pack_latents import LatentsKind


Painter = Annotated[
    str | None,
    typer.Option(
        "--start",
        show_default=False,
        help="Model whose painter stage paint goes on from: base, or a folder. Default: a new one.",
    ),
]


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
    sync_expert: Annotated[
        bool,
        typer.Option(
            "--sync-loss/--no-sync-loss",
            help="Let the model folder's sync expert judge the lips too (stages 1 and 2).",
        ),
    ] = False,
    start: Painter = None,
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
    from avdub.training import latents_to_face as face
    from avdub.training.loop import TrainConfig

    log_to_stderr()
    if stage not in ("paint", *face.STAGES):
        raise InputError(f"there is no stage {stage!r}", "use paint, 1 or 2")
    out = out or _family_of(latents)
    kind = _held_latents(pack, latents)
    file, template = out / "latents_to_face.safetensors", load_template(train_prepare.faces_of(out))
    config = TrainConfig(steps, batch, lr, warmup=50, seed=seed, bf16=False)
    if stage == "paint":
        begun = _painter(start) if start else None
        sizes = replace(begun.config, light=True) if begun else LatentsToFaceConfig(kind.width)
        model = face.train_painter(pack, template, run, face.PaintRecipe(config, sizes), begun)
    else:
        model = _face_to_teach(file, kind, stage, seed)
        recipe_of_lips = face.LipRecipe(config, face.STAGES[stage])
        expert = _expert(out) if sync_expert else None
        model = face.train_lips(model, pack, template, run, recipe_of_lips, expert)
    save_module(file, model, model.config, "base" if latents is Encoder.base else "hierspeechpp")


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

    log_to_stderr()
    kind = _held_latents(pack, Encoder.base)
    config = TrainConfig(steps, batch, lr, warmup=100, seed=seed, bf16=False)
    recipe = Recipe(config, SyncExpertConfig(latents=kind.width))
    model = train_sync(pack, load_template(train_prepare.faces_of(out)), run, recipe)
    save_module(out / "sync.safetensors", model, model.config)


def _family_of(latents: Encoder) -> Path:
    """The folder of the family whose latents these are, where that is not the shipped one."""
    from avdub.registry.store import family_folder

    if latents is not Encoder.mms:
        raise typer.BadParameter(f"{latents} latents need the model folder", param_hint="--out")
    return family_folder()


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


def _painter(name: str) -> "LatentsToFace":
    """The face model of a family or folder. Raises WeightsError."""
    from avdub.checkpoint import base_folder, load_module
    from avdub.home import find_model
    from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig

    folder = find_model(name) or base_folder()
    return load_module(folder / "latents_to_face.safetensors", LatentsToFace, LatentsToFaceConfig)


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


def _expert(folder: Path) -> "SyncExpert":
    from avdub.checkpoint import load_module
    from avdub.models.sync import SyncExpert, SyncExpertConfig

    return load_module(folder / "sync.safetensors", SyncExpert, SyncExpertConfig)
