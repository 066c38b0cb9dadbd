"""The models of one family, opened when first needed and kept for the run.

A family may lack what the shipped one has: faces are then found, and mouths made, by the shipped
models. A mouth whose latents are not those of the speech is reached over a bridge: the shipped
SpeechToLatents hears the new speech.
"""

from copy import copy
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from avdub.checkpoint import (
    base_folder,
    has_voices,
    list_voices,
    load_module,
    load_voice,
    read_facts,
    read_manifest,
)
from avdub.errors import InputError, WeightsError
from avdub.faces.lips import Floats, load_template
from avdub.home import BASE, find_model
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.layers import fold_weight_norm
from avdub.models.placed import CPU
from avdub.models.speech_sr import SpeechSR, SpeechSRConfig
from avdub.models.sync import SyncExpert, SyncExpertConfig
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
from avdub.models.voice import VoiceEncoder
from avdub.text import FrontEnd, front_end
from avdub.text.plain import LANGUAGES
from avdub.timeline import SAMPLE_RATE

if TYPE_CHECKING:
    from avdub.models.speech_to_latents import SpeechToLatents

ORIGINAL = "original"  # the voice that is taken from the video itself
HEARD_S = 3  # our own voice encoders were trained on samples of up to so many seconds
LOWEST_24K, LOWEST_48K = 20_000, 40_000  # rates of the source from which SpeechSR is worth it
LIGHT_COST_S, HEAVY_COST_S = 0.35, 1.0  # of a second of speech, on two cores
SAME_LATENTS = "made from the speech's own latents"
BRIDGE = "bridge: the base model's SpeechToLatents hears the new speech, and moves the lips"


class Weights:
    """Of the model called `name`: base, an installed one, or a folder. Raises WeightsError.

    What speaks and listens is put on `device`; the mouth's model is where it was read, on the
    CPU, until it animates.
    """

    def __init__(self, name: str = BASE, device: torch.device = CPU) -> None:
        self.folder = find_model(name) or base_folder()
        self.name = name
        self.device = device

    @cached_property
    def text_to_latents(self) -> TextToLatents:
        model = load_module(self._file("text_to_latents"), TextToLatents, TextToLatentsConfig)
        fold_weight_norm(model)
        return model.to(self.device)

    @cached_property
    def speech_to_latents(self) -> "SpeechToLatents":
        """What makes the latents that the mouth understands, out of sound."""
        # transformers takes two seconds to import, and dubbing mostly does not listen
        from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig

        if self.is_bridged:
            return self._shipped.speech_to_latents
        file = self._file("speech_to_latents")
        return load_module(file, SpeechToLatents, SpeechToLatentsConfig).to(self.device)

    @cached_property
    def latents_to_speech(self) -> LatentsToSpeech:
        model = load_module(self._file("latents_to_speech"), LatentsToSpeech, LatentsToSpeechConfig)
        fold_weight_norm(model)
        return model.to(self.device)

    @cached_property
    def latents_to_face(self) -> LatentsToFace:
        if self.is_bridged:
            return self._shipped.latents_to_face
        return load_module(self._file("latents_to_face"), LatentsToFace, LatentsToFaceConfig)

    @cached_property
    def sync(self) -> SyncExpert:
        """Judges whether a mouth is in time; it hears what `speech_to_latents` makes."""
        if self.is_bridged:
            return self._shipped.sync
        return load_module(self._file("sync"), SyncExpert, SyncExpertConfig).to(self.device)

    def with_face(self, model: LatentsToFace) -> "Weights":
        """The same models with another face model; what is loaded is shared."""
        other = copy(self)
        other.__dict__["latents_to_face"] = model  # where cached_property keeps it
        return other

    def speech_sr(self, rate: int) -> SpeechSR | None:
        """The network that brings speech to a programme at `rate`; None where nothing is gained."""
        if rate >= LOWEST_48K and self._sr_48k is not None:
            return self._sr_48k
        return self._sr_24k if rate >= LOWEST_24K else None

    @cached_property
    def is_bridged(self) -> bool:
        """Whether the family has no face model for its own latents."""
        file = self._file("latents_to_face")
        if not file.is_file():
            return self.folder != base_folder()
        wanted = read_facts(self._file("text_to_latents"))["config"].get("latents")
        return bool(read_facts(file)["config"].get("latents") != wanted)

    @property
    def mouth(self) -> str:
        """How mouths are made, for people."""
        return BRIDGE if self.is_bridged else SAME_LATENTS

    @cached_property
    def front_end(self) -> FrontEnd:
        """How the text model's symbols are made from text; looks at the header only."""
        facts = read_facts(self._file("text_to_latents"))
        return front_end(facts["config"].get("front_end", BASE))

    @cached_property
    def speech_cost_s(self) -> float:
        """About how long a second of speech takes on two cores; looks at the header only."""
        config = read_facts(self._file("latents_to_speech"))["config"]
        return HEAVY_COST_S if config.get("hierarchical") else LIGHT_COST_S

    @cached_property
    def licences(self) -> tuple[str, ...]:
        """What the files of the family are under, as its manifest says."""
        try:
            listed = read_manifest(self.folder)
        except WeightsError:
            return ()
        return tuple(dict.fromkeys(str(facts["licence"]) for facts in listed.values()))

    @cached_property
    def faces(self) -> Path:
        """The folder of the face detector, mesh and template."""
        return self._own_or_shipped("faces")

    @cached_property
    def voice_activity(self) -> Path:
        """The network that knows speech from other sound."""
        return self._own_or_shipped("speech") / "silero_vad.onnx"

    @cached_property
    def template(self) -> Floats:
        return load_template(self.faces)

    @property
    def default_voice(self) -> str:
        """The first named voice, or the original speaker's where the family has none."""
        return list_voices(self.folder)[0].name if has_voices(self.folder) else ORIGINAL

    def voice_for(self, language: str) -> str:
        """The first named voice of a language, of its very region if there is one; the default
        voice where no voice speaks it."""
        voices = list_voices(self.folder) if has_voices(self.folder) else []
        region, spoken = language.lower(), language.lower().partition("-")[0]
        for wanted in (region, spoken):
            for voice in voices:
                tag = voice.language.lower()
                if wanted in (tag, tag.partition("-")[0]):
                    return voice.name
        return self.default_voice

    def speaks(self, name: str, language: str) -> bool:
        """Whether a voice was trained in a language; samples and the original may be of any."""
        voices = list_voices(self.folder) if has_voices(self.folder) else []
        tags = {v.name: v.language.lower().partition("-")[0] for v in voices}
        return tags.get(name, "") in ("", language.lower().partition("-")[0])

    def read_in(self, name: str, language: str) -> str:
        """The language in which a voice is to be read to: of its own region where `language` has
        none, as a British voice has not learned American sounds."""
        voices = list_voices(self.folder) if has_voices(self.folder) else []
        tags = {v.name: v.language for v in voices}
        own, asked = tags.get(name, ""), language.lower()
        is_readable = own.lower() in LANGUAGES
        return own if is_readable and own.lower().partition("-")[0] == asked else language

    def voice(self, name: str) -> dict[str, Tensor]:
        """Style vectors of a named voice: `text` and `speech`. Raises InputError."""
        if not has_voices(self.folder):
            raise InputError(
                f"there is no voice {name!r}: the model {self.name} has no named voices",
                "use --voice original, or a voice sample such as --voice FILE.wav",
            )
        return load_voice(name, self.folder)

    def voice_of(self, sample: Tensor) -> dict[str, Tensor]:
        """Style vectors of whoever speaks in `sample` (S,) at 16 kHz."""
        return {
            "text": _style(self.text_to_latents.voice, sample),
            "speech": _style(self.latents_to_speech.voice, sample),
        }

    @cached_property
    def _shipped(self) -> "Weights":
        return Weights(device=self.device)

    @cached_property
    def _sr_24k(self) -> SpeechSR | None:
        return self._sr("speech_sr_24k")

    @cached_property
    def _sr_48k(self) -> SpeechSR | None:
        return self._sr("speech_sr_48k")

    def _sr(self, kind: str) -> SpeechSR | None:
        file = self._file(kind)
        if not file.is_file():
            return None
        model = load_module(file, SpeechSR, SpeechSRConfig)
        fold_weight_norm(model)
        return model.to(self.device)

    def _own_or_shipped(self, part: str) -> Path:
        own = self.folder / part
        return own if own.is_dir() else base_folder() / part

    def _file(self, kind: str) -> Path:
        return self.folder / f"{kind}.safetensors"


def _style(encoder: VoiceEncoder, sample: Tensor) -> Tensor:
    """The style of a sample: of all of it, or the mean over cuts as long as those trained on."""
    if encoder.config.prompt_mel:
        return encoder.listen(sample)
    n = max(1, len(sample) // (HEARD_S * SAMPLE_RATE))
    return torch.stack([encoder.listen(cut) for cut in sample.tensor_split(n)]).mean(0)


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises InputError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here", "use --device cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(f"unknown device {name!r}", "use auto, cpu or cuda")
    return torch.device(name)
