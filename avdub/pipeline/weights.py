"""The models of one family, opened when first needed and kept for the run."""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from avdub.checkpoint import base_folder, load_module, load_voice
from avdub.errors import InputError
from avdub.faces.lips import Floats, load_template
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig

if TYPE_CHECKING:
    from avdub.models.speech_to_latents import SpeechToLatents


class Weights:
    """Reads from `folder` (None: the shipped base family). Raises WeightsError when it cannot."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or base_folder()

    @cached_property
    def text_to_latents(self) -> TextToLatents:
        return load_module(self._file("text_to_latents"), TextToLatents, TextToLatentsConfig)

    @cached_property
    def speech_to_latents(self) -> "SpeechToLatents":
        # transformers takes two seconds to import, and dubbing does not listen
        from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig

        return load_module(self._file("speech_to_latents"), SpeechToLatents, SpeechToLatentsConfig)

    @cached_property
    def latents_to_speech(self) -> LatentsToSpeech:
        return load_module(self._file("latents_to_speech"), LatentsToSpeech, LatentsToSpeechConfig)

    @cached_property
    def latents_to_face(self) -> LatentsToFace:
        return load_module(self._file("latents_to_face"), LatentsToFace, LatentsToFaceConfig)

    @cached_property
    def faces(self) -> Path:
        """The folder of the face detector, mesh and template."""
        return self.folder / "faces"

    @cached_property
    def template(self) -> Floats:
        return load_template(self.faces)

    def voice(self, name: str) -> dict[str, Tensor]:
        """Style vectors of a voice: `text` and `speech`."""
        return load_voice(name, self.folder)

    def _file(self, kind: str) -> Path:
        return self.folder / f"{kind}.safetensors"


def choose_device(name: str) -> torch.device:
    """`auto` takes a GPU where there is one. Raises InputError for a device that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise InputError("there is no CUDA device here", "use --device cpu")
    if name not in ("cpu", "cuda"):
        raise InputError(f"unknown device {name!r}", "use auto, cpu or cuda")
    return torch.device(name)
