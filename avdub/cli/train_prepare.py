"""`avdub train prepare`: corpora and videos to packs."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from avdub.models.speech_to_latents import SpeechToLatents

app = typer.Typer(no_args_is_help=True, help="Make training data: teacher speech, packs, faces.")

Corpus = Annotated[Path, typer.Argument(help="Folder of sound, or of video with sound.")]
Pack = Annotated[Path, typer.Argument(help="The pack to write.")]
ModelFolder = Annotated[Path, typer.Option("--model", help="Model folder with the weights so far.")]
EncoderFolder = Annotated[
    Path | None,
    typer.Option(
        "--model",
        show_default=False,
        help="Model folder with the encoder. Default: the shipped one, or the imported one.",
    ),
]


class Encoder(StrEnum):
    """Whose latents."""

    base = "base"
    mms = "mms-300m"
    xls_r = "xls-r-300m"


Latents = Annotated[
    Encoder,
    typer.Option(
        "--latents",
        help="Whose latents: base, or an encoder of HierSpeech++'s kind that you have imported.",
    ),
]


class FrontEnds(StrEnum):
    """For whose text model."""

    base = "base"
    hierspeechpp = "hierspeechpp"


@app.command("teacher")
def teacher(
    *,
    out: Annotated[Path, typer.Argument(help="The corpus folder to write.")],
    prompts: Annotated[
        list[Path] | None, typer.Option("--prompts", help="`file|text` listings to read from.")
    ] = None,
    voice: Annotated[
        str, typer.Option(help="heart, or a Kokoro voice such as am_michael; ef_dora is Spanish.")
    ] = "heart",
    kokoro: Annotated[
        Path | None, typer.Option(help="Folder with the Kokoro model and voice packs.")
    ] = None,
    n_prompts: Annotated[int, typer.Option(help="Sentences from the prompts.")] = 2000,
    n_made: Annotated[int, typer.Option(help="Sentences from the grammar.")] = 1400,
    n_words: Annotated[int, typer.Option(help="Lists of dictionary words.")] = 500,
    seed: Annotated[int, typer.Option(help="Seed of the sentences.")] = 1,
    threads: Annotated[int, typer.Option(min=0, help="Threads of Kokoro; 0: one a core.")] = 0,
) -> None:
    """Let a teacher voice read sentences; sound and phoneme durations are kept."""
    from avdub.errors import InputError
    from avdub.training.sentences import read_prompts, sentences_for
    from avdub.training.sentences_es import sentences_for_es
    from avdub.training.teacher import HibariTeacher, KokoroTeacher, Teacher, make_corpus

    if voice != "heart" and kokoro is None:
        raise InputError(f"voice {voice} needs the Kokoro model", "give its folder with --kokoro")
    speaker: Teacher = HibariTeacher() if kokoro is None else KokoroTeacher(kokoro, voice, threads)
    if speaker.language == "es":
        lines = sentences_for_es((n_made, n_words), seed)
    else:
        lines = sentences_for(read_prompts(prompts or []), (n_prompts, n_made, n_words), seed)
    n = make_corpus(speaker, lines, out)
    typer.echo(f"{n} new utterances in {out}")


@app.command("speech")
def speech(
    corpus: Corpus,
    pack: Pack,
    whisper: Annotated[
        Path | None,
        typer.Option(
            show_default=False,
            help="Whisper-base model.bin (CTranslate2), whose features base's latents are learned "
            "from. Only packs for `train speech-to-latents` need it.",
        ),
    ] = None,
    front_end: Annotated[
        FrontEnds,
        typer.Option(help="Whose phonemes and F0: base's, or HierSpeech++'s, found by YAAPT."),
    ] = FrontEnds.base,
    speaker: Annotated[
        str | None, typer.Option(help="Name of the one speaker; default: from the file names.")
    ] = None,
) -> None:
    """Sound, F0, phonemes and teacher features of a corpus into a pack.

    Phonemes need the text: a teacher corpus, or metadata.csv with a line `file|text` for each.
    """
    from avdub.text import front_end as front_end_of
    from avdub.training.prepare import list_corpus, prepare_speech

    front = front_end_of(front_end)
    items = list_corpus(corpus, speaker, front)
    n_steps = prepare_speech(items, whisper, pack, front=front)
    n_said = sum(bool(item.utterance.phonemes) for item in items)
    typer.echo(f"{n_steps / 3000:.1f} minutes in {pack}, {n_said} of {len(items)} with text")


@app.command("latents")
def latents(
    pack: Annotated[list[Path], typer.Argument(help="Packs to add latents to.")],
    model: EncoderFolder = None,
    latents: Latents = Encoder.base,
) -> None:
    """Add SpeechToLatents' latents to packs."""
    from avdub.training.speech_data import write_latents

    write_latents(_load_encoder(latents, model), pack, latents)


@app.command("faces")
def faces(
    *,
    folder: Annotated[Path, typer.Argument(help="Folder of videos of talking faces.")],
    pack: Pack,
    model: EncoderFolder = None,
    latents: Latents = Encoder.base,
    speaker: Annotated[
        str | None, typer.Option(help="Name of the one person; default: from the file names.")
    ] = None,
    held_out: Annotated[bool, typer.Option(help="The clips kept aside, not the others.")] = False,
    every: Annotated[int, typer.Option(min=1, help="Take every n-th clip.")] = 1,
) -> None:
    """Aligned crops, meshes and latents of videos into a face pack."""
    from avdub.training.face_data import list_videos, prepare_faces, write_clip_latents

    videos = list_videos(folder, speaker, held_out, every)
    encoder = _load_encoder(latents, model)
    n = prepare_faces(videos, faces_of(model), pack)
    write_clip_latents(encoder, pack, {path.stem: path for path, _ in videos}, latents)
    typer.echo(f"{n} frames in {pack}")


def faces_of(model: Path | None) -> Path:
    """The face networks of a model folder, or the shipped ones where it has none."""
    from avdub.checkpoint import base_folder

    own = model / "faces" if model else None
    return own if own and own.is_dir() else base_folder() / "faces"


def _load_encoder(latents: Encoder, model: Path | None) -> "SpeechToLatents":
    """The encoder of that kind in `model`, else in its usual place. Raises WeightsError."""
    from avdub.checkpoint import base_folder, load_module
    from avdub.errors import WeightsError
    from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig
    from avdub.registry.store import encoder_of, family_folder

    is_base = latents is Encoder.base
    usual = base_folder() if is_base else family_folder()
    places = [model, usual] if model else [usual]
    for place in places:
        file = place / "speech_to_latents.safetensors"
        if file.is_file() and (is_base or encoder_of(place) in (latents, "")):
            encoder = load_module(file, SpeechToLatents, SpeechToLatentsConfig)
            if encoder.hears_samples != is_base:
                return encoder
    hint = "leave out --model" if is_base else f"import it with `avdub models pull {latents}`"
    where = " or ".join(str(place) for place in places)
    raise WeightsError(f"there is no {latents} encoder in {where}", hint)


@app.command("predicted")
def predicted(
    pack: Annotated[Path, typer.Argument(help="A GRID face pack.")],
    model: ModelFolder,
    voice: Annotated[list[str], typer.Option("--voice", help="Voices that take turns.")],
) -> None:
    """Add stage 2's latents: predicted from the clips' words, at the clips' timing."""
    from avdub.checkpoint import load_module, load_voice
    from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
    from avdub.training.predicted import write_predicted

    text = load_module(model / "text_to_latents.safetensors", TextToLatents, TextToLatentsConfig)
    write_predicted(text, {v: load_voice(v, model)["text"] for v in voice}, pack)
