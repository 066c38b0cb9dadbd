"""What leads to speech, as products: the sound's energy, voices, lines, and lines once spoken."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from avdub.checkpoint import base_folder
from avdub.latents import Latents
from avdub.media.waveform import Waveform
from avdub.pipeline.cast import Cast, Voice
from avdub.pipeline.encode import Line
from avdub.pipeline.speak import Overlay
from avdub.pipeline.store import Form, Product
from avdub.pipeline.weights import ORIGINAL, Weights
from avdub.text import front_end
from avdub.timeline import Segment, Span

SPEAKS = ("text_to_latents", "latents_to_speech", "speech_sr_24k", "speech_sr_48k")


@dataclass(frozen=True)
class Spoken:
    """A line's speech: what moves its mouth, its sound over the original, its rate."""

    mouth: Latents
    overlay: Overlay
    rate: float


def voice_files(weights: Weights) -> list[Path]:
    """Whatever makes a voice of a sample."""
    return [weights.voice_activity, *_there(weights, SPEAKS[:2])]


def line_files(weights: Weights) -> list[Path]:
    """Whatever makes a line of a reading."""
    return _there(weights, SPEAKS[:1])


def speech_files(weights: Weights) -> list[Path]:
    """Whatever makes speech, and what moves a mouth, of a line."""
    bridge = [base_folder() / "speech_to_latents.safetensors"] if weights.is_bridged else []
    return [*_there(weights, SPEAKS), *bridge]


def mouth_files(weights: Weights) -> list[Path]:
    """Whatever makes lips of heard sound, and says when somebody speaks."""
    folder = base_folder() if weights.is_bridged else weights.folder
    heard = [folder / f"{name}.safetensors" for name in ("speech_to_latents", "latents_to_face")]
    return [file for file in (*heard, weights.voice_activity) if file.is_file()]


def _there(weights: Weights, names: Sequence[str]) -> list[Path]:
    files = [weights.folder / f"{name}.safetensors" for name in names]
    return [file for file in files if file.is_file()]


def voice_source(video: Path, name: str) -> Path | None:
    """The file a voice is taken from; None for a named one."""
    if name == ORIGINAL:
        return video
    path = Path(name).expanduser()
    return path if path.is_file() else None


def slots(segments: Sequence[Segment]) -> list[tuple[int, int, int, str | None]]:
    """All of segments but their words."""
    return [(s.index, s.start_ms, s.end_ms, s.speaker) for s in segments]


def _packed_cast(cast: Cast) -> Product:
    voices = list({id(voice): voice for voice in cast.voices.values()}.values())
    arrays = {
        f"{n}.{use}": style.cpu().numpy()
        for n, voice in enumerate(voices)
        for use, style in voice.styles.items()
    }
    number = {id(voice): n for n, voice in enumerate(voices)}
    facts = {
        "voices": [[voice.name, voice.origin] for voice in voices],
        "of": [[index, number[id(voice)]] for index, voice in cast.voices.items()],
    }
    return Product(arrays, facts)


def _unpacked_cast(product: Product) -> Cast:
    voices = [
        Voice(
            name,
            {use: torch.from_numpy(product.arrays[f"{n}.{use}"]) for use in ("text", "speech")},
            origin,
        )
        for n, (name, origin) in enumerate(product.facts["voices"])
    ]
    return Cast({index: voices[n] for index, n in product.facts["of"]})


def _packed_line(line: Line) -> Product:
    facts = {
        "chunks": line.chunks,
        "front_end": line.front_end.name,
        "emphasis": line.emphasis,
        "rises": line.rises,
    }
    return Product({"durations": line.durations.numpy()}, facts)


def _unpacked_line(product: Product) -> Line:
    facts = product.facts
    return Line(
        tuple(facts["chunks"]),
        torch.from_numpy(product.arrays["durations"]),
        front_end(facts["front_end"]),
        tuple((first, last) for first, last in facts["emphasis"]),
        tuple(facts["rises"]),
    )


def _packed_speech(spoken: Spoken) -> Product:
    over = spoken.overlay
    arrays = {
        "vec": spoken.mouth.vec.cpu().numpy(),
        "f0": spoken.mouth.f0.cpu().numpy(),
        "samples": over.speech.samples,
    }
    return Product(
        arrays, {"span": asdict(over.span), "rate": over.speech.rate, "pace": spoken.rate}
    )


def _unpacked_speech(product: Product) -> Spoken:
    arrays, facts = product.arrays, product.facts
    mouth = Latents(torch.from_numpy(arrays["vec"]), torch.from_numpy(arrays["f0"]))
    speech = Waveform(arrays["samples"], facts["rate"])
    return Spoken(mouth, Overlay(Span(**facts["span"]), speech), facts["pace"])


def _packed_energy(energy: NDArray[np.float32]) -> Product:
    return Product({"energy": energy})


def _unpacked_energy(product: Product) -> NDArray[np.float32]:
    return product.arrays["energy"]


ENERGY = Form("sound", 1, _packed_energy, _unpacked_energy)
VOICES = Form("voices", 1, _packed_cast, _unpacked_cast)
LINES = Form("lines", 1, _packed_line, _unpacked_line)
SPEECH = Form("speech", 1, _packed_speech, _unpacked_speech)
