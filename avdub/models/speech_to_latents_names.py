"""Names of a published wav2vec 2.0's weights, and SpeechToLatents' names for them.

Knows the state dicts that Hugging Face's transformers writes (facebook/mms-300m,
facebook/wav2vec2-xls-r-300m), of any age; must not know transformers itself.
"""

import re
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

LAYERS = 7  # HierSpeech++ takes the hidden state after the seventh
PREFIX = "wav2vec2."  # of models with a head, such as Wav2Vec2ForPreTraining
POSITIONS = "encoder.pos_conv_embed.conv."
NEW_WEIGHT_NORM = {
    f"{POSITIONS}weight_g": f"{POSITIONS}parametrizations.weight.original0",
    f"{POSITIONS}weight_v": f"{POSITIONS}parametrizations.weight.original1",
}
KEPT = ("feature_extractor.", "feature_projection.", POSITIONS, "encoder.layers.")
SIGNS = (
    "feature_extractor.conv_layers.1.layer_norm.weight",  # wav2vec 2.0 base has no such norm
    "feature_projection.projection.weight",
    "encoder.layers.0.attention.k_proj.weight",
)


def is_wav2vec2(names: Iterable[str]) -> bool:
    """True for the weight names of a wav2vec 2.0 with a norm in every convolution layer."""
    bare = {name.removeprefix(PREFIX) for name in names}
    has_positions = any(name.startswith(POSITIONS) for name in bare)
    return has_positions and all(sign in bare for sign in SIGNS)


def from_hub(state: Mapping[str, Tensor], layers: int = LAYERS) -> dict[str, Tensor]:
    """A published state dict → SpeechToLatents' one, with `mean` 0 and `std` 1.

    Later layers, the last norm and everything of pre-training are left out. What is missing is
    missing in the result, too: loading it strictly says so.
    """
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        bare = name.removeprefix(PREFIX)
        bare = NEW_WEIGHT_NORM.get(bare, bare)
        layer = re.match(r"encoder\.layers\.(\d+)\.", bare)
        if bare.startswith(KEPT) and (layer is None or int(layer[1]) < layers):
            ours[f"encoder.{bare}"] = tensor
    bias = ours.get("encoder.feature_projection.projection.bias")
    if bias is not None:
        ours |= {"mean": torch.zeros(len(bias)), "std": torch.ones(len(bias))}
    return ours
