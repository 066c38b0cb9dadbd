"""`avdub train`: everything that made the shipped weights, as commands that resume."""

from pathlib import Path
from typing import Annotated

import typer

from avdub.cli import train_face, train_prepare
from avdub.cli.train_options import (
    Batch,
    ModelFolder,
    Packs,
    Rate,
    RunFolder,
    Seed,
    Start,
    StartRate,
    Steps,
    log_to_stderr,
)

app = typer.Typer(no_args_is_help=True, help="Train the four models; each command resumes.")
app.add_typer(train_prepare.app, name="prepare")

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

    log_to_stderr()
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

    log_to_stderr()
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
    critic: Annotated[
        int, typer.Option(min=0, help="Channels of a critic of base's sound; 0: none.")
    ] = 0,
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

    log_to_stderr()
    source = _file_of(start, SPEECH) if start else out / SPEECH if stage == 2 else None
    begun = load_module(source, LatentsToSpeech, LatentsToSpeechConfig) if source else None
    text = None
    if stage == 2:
        is_own = start is None or (out / TEXT).is_file()
        words = out / TEXT if is_own else _file_of(start or "", TEXT)
        text = load_module(words, TextToLatents, TextToLatentsConfig)
    config = TrainConfig(steps, batch, lr or _rate(start), warmup=50, seed=seed)
    recipe = recipe_for(config, begun.config if begun else LatentsToSpeechConfig(), critic)
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


app.command("latents-to-face")(train_face.latents_to_face)
app.command("sync")(train_face.sync)


@app.command("export")
def export(
    pack: Packs,
    out: ModelFolder,
    voice: Annotated[list[str], typer.Option("--voice", help="A voice of the packs to name.")],
    sharpen: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            show_default=False,
            help="How much base's speech raises its formants, which training flattens.",
        ),
    ] = None,
    light: Annotated[
        bool,
        typer.Option(
            "--light/--no-light",
            help="Whether painted mouths get the residual of light before they are adapted to "
            "somebody: learned from one face, it is wrong on others.",
        ),
    ] = True,
) -> None:
    """Give the model folder its named voices and its manifest."""
    from avdub.training.export import export_voices, finish, leave_out_light, set_sharpness

    export_voices(pack, voice, out)
    if not light:
        leave_out_light(out)
    if sharpen is not None:
        set_sharpness(out, sharpen)
    finish(out)
