"""Trained runs to a model folder: weights in float16, named voices, manifest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from avdub.checkpoint import (
    MANIFEST,
    Voice,
    load_module,
    read_facts,
    read_manifest,
    save_manifest,
    save_module,
    save_voices,
    sha256,
    write_manifest,
)
from avdub.errors import InputError
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
from avdub.text import front_end
from avdub.training.pack_latents import BASE
from avdub.training.speech_data import open_utterances, voice_mels

SAMPLES_A_VOICE = 24
APACHE, CC_BY = "Apache-2.0", "Apache-2.0; trained on CC BY 4.0 and public-domain speech"
LICENCES = {
    "speech_to_latents.safetensors": CC_BY,
    "text_to_latents.safetensors": APACHE,
    "latents_to_speech.safetensors": CC_BY,
    "latents_to_face.safetensors": "Apache-2.0; trained on GRID (CC BY 4.0)",
    "sync.safetensors": "Apache-2.0; trained on GRID (CC BY 4.0)",
    "voices.safetensors": APACHE,
    "faces/face_detection.onnx": "Apache-2.0 (MediaPipe BlazeFace)",
    "faces/face_mesh.onnx": "Apache-2.0 (MediaPipe face mesh)",
    "faces/template.npz": "Apache-2.0; measured on GRID (CC BY 4.0)",
    "speech/silero_vad.onnx": "MIT (Silero VAD)",
}


@dataclass(frozen=True)
class Description:
    """How a voice is shown to users."""

    language: str
    gender: str
    text: str
    origin: str
    licence: str


KOKORO = "Kokoro-82M"
TEACHERS = {
    "heart": Description(
        "en-US", "female", "warm and clear, the best trained", "hibari-tts", APACHE
    ),
    "river": Description("en-US", "female", "even, relaxed", f"{KOKORO} af_river", APACHE),
    "alloy": Description("en-US", "female", "bright, brisk", f"{KOKORO} af_alloy", APACHE),
    "emma": Description("en-GB", "female", "measured", f"{KOKORO} bf_emma", APACHE),
    "michael": Description("en-US", "male", "calm, low", f"{KOKORO} am_michael", APACHE),
    "puck": Description("en-US", "male", "young, friendly", f"{KOKORO} am_puck", APACHE),
    "fenrir": Description("en-US", "male", "lively", f"{KOKORO} am_fenrir", APACHE),
    "george": Description("en-GB", "male", "deep, measured", f"{KOKORO} bm_george", APACHE),
    "dora": Description("es-ES", "female", "clear", f"{KOKORO} ef_dora", APACHE),
    "alex": Description("es-ES", "male", "firm", f"{KOKORO} em_alex", APACHE),
}


def export_voices(packs: Sequence[Path], names: Sequence[str], folder: Path, seed: int = 0) -> None:
    """Average style vectors of `names` over cuts of their speech, into `folder`."""
    text = load_module(folder / "text_to_latents.safetensors", TextToLatents, TextToLatentsConfig)
    speech = load_module(
        folder / "latents_to_speech.safetensors", LatentsToSpeech, LatentsToSpeechConfig
    )
    data = open_utterances(packs, False, False, front_end(text.config.front_end))
    generator = torch.Generator().manual_seed(seed)
    found: dict[str, tuple[Voice, Mapping[str, Tensor]]] = {}
    for name in names:
        if name not in data.by_speaker or name not in TEACHERS:
            known = ", ".join(sorted(TEACHERS))
            raise InputError(f"no speech of voice {name!r} in these packs", f"known are {known}")
        cuts = [data.sample_of(name, generator) for _ in range(SAMPLES_A_VOICE)]
        with torch.inference_mode():
            styles = {
                use: voice(*voice_mels(cuts, voice.mel)).mean(0, keepdim=True)
                for use, voice in (("text", text.voice), ("speech", speech.voice))
            }
        about = TEACHERS[name]
        voice = Voice(name, about.language, about.gender, about.text, about.origin, about.licence)
        found[name] = (voice, styles)
    save_voices(folder, found)


def set_sharpness(folder: Path, amount: float) -> None:
    """Keep in the folder's LatentsToSpeech how much its formants are raised when it speaks."""
    file = folder / "latents_to_speech.safetensors"
    model = load_module(file, LatentsToSpeech, LatentsToSpeechConfig)
    model.config = replace(model.config, sharpen=amount)
    save_result(file, model, str(read_facts(file).get("family", BASE)))


def leave_out_light(folder: Path) -> None:
    """Let the folder's painter add no light, until it is adapted to somebody.

    What it learns of one face's teeth it paints into others' dark mouths.
    """
    file = folder / "latents_to_face.safetensors"
    model = load_module(file, LatentsToFace, LatentsToFaceConfig).with_light(False)
    save_module(file, model, model.config)


def save_result(file: Path, model: TextToLatents | LatentsToSpeech, family: str) -> None:
    """Write a trained model of a family into a model folder, whose manifest stays true.

    Imported weights are kept in full precision, so what goes on from them is too.
    """
    dtype = torch.float16 if family == BASE else None
    save_module(file, model, model.config, family, dtype)
    if not (file.parent / MANIFEST).is_file():
        return
    listing = read_manifest(file.parent)
    if file.name in listing:
        facts = {**listing[file.name], "sha256": sha256(file), "bytes": file.stat().st_size}
        if facts.pop("source_sha256", None):
            facts["origin"] = f"trained further from {facts.get('origin', 'imported weights')}"
        save_manifest(file.parent, {**listing, file.name: facts})


def finish(folder: Path) -> None:
    """Write the manifest of a model folder."""
    write_manifest(folder, LICENCES)
