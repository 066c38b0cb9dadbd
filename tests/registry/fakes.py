"""Official checkpoints of a few numbers, and stand-ins for the modules that they become."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from avdub.models import official

SIGNS = {
    "text.weight": "text_to_latents",
    "speech.weight": "latents_to_speech",
    "sr.weight": "speech_sr",
    "wav2vec2.weight": "speech_to_latents",
}
SIGN_OF = {
    "text_to_latents": "text.weight",
    "latents_to_speech": "speech.weight",
    "speech_sr_24k": "sr.weight",
    "speech_sr_48k": "sr.weight",
    "speech_to_latents": "wav2vec2.weight",
}
SHAPE = (3, 4)


@dataclass(frozen=True)
class TinyConfig:
    kind: str = ""


class Tiny(nn.Module):
    def __init__(self, config: TinyConfig) -> None:
        super().__init__()
        self.config = config
        self.weight = nn.Parameter(torch.zeros(SHAPE))
        self.bias = nn.Parameter(torch.zeros(SHAPE[0]))


def recognise(names: Collection[str]) -> str | None:
    return next((kind for sign, kind in SIGNS.items() if sign in names), None)


def convert(kind: str, state: Mapping[str, Tensor]) -> nn.Module:
    wanted = {SIGN_OF[kind]: SHAPE, "bias": SHAPE[:1]}
    missing = [name for name in wanted if name not in state]
    extra = [name for name in state if name not in wanted]
    misshapen = [
        f"{name}: {tuple(state[name].shape)} instead of {shape}"
        for name, shape in wanted.items()
        if name in state and tuple(state[name].shape) != shape
    ]
    if missing or extra or misshapen:
        raise official.OfficialMismatch(missing, extra, misshapen)
    module = Tiny(TinyConfig(kind))
    module.load_state_dict({"weight": state[SIGN_OF[kind]], "bias": state["bias"]})
    return module


FAKE = SimpleNamespace(
    recognise=recognise, convert=convert, OfficialMismatch=official.OfficialMismatch
)


def tiny_state(kind: str, seed: int = 0) -> dict[str, Tensor]:
    """A state dict that the stand-ins take for a checkpoint of `kind`."""
    generator = torch.Generator().manual_seed(seed)
    return {
        SIGN_OF[kind]: torch.randn(SHAPE, generator=generator),
        "bias": torch.randn(SHAPE[0], generator=generator),
    }


def save_tiny(path: Path, kind: str, seed: int = 0, **more: Any) -> Path:
    """Write such a checkpoint; with `more`, as the `model` of a training state."""
    path.parent.mkdir(parents=True, exist_ok=True)
    state = tiny_state(kind, seed)
    torch.save({"model": state, **more} if more else state, path)
    return path
