"""The Whisper-base encoder as a feature teacher, read from a CTranslate2 `model.bin`.

The file is a plain little-endian dump, so nothing is unpickled. Architecture: Radford et al. 2022
(arXiv 2212.04356), encoder only: two convolutions, six pre-norm transformer layers of 512 channels.
"""

import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from avdub.errors import WeightsError
from avdub.models.spectral import mel_filters

CHANNELS, HEADS, LAYERS, WINDOW_S = 512, 8, 6, 30
DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


class WhisperFeatures(nn.Module):
    """16 kHz sound to the hidden states after chosen encoder layers."""

    def __init__(self, model_bin: Path, layers: tuple[int, ...] = (3, 6)) -> None:
        super().__init__()
        weights = _read_dump(model_bin)
        self.layers = layers
        self.weights = nn.ParameterDict(
            {
                k.removeprefix("encoder/").replace("/", "__"): nn.Parameter(v, requires_grad=False)
                for k, v in weights.items()
                if k.startswith("encoder/")
            }
        )
        self.register_buffer("mel", mel_filters(80, 400, 16_000, 0, 8000))
        self.register_buffer("window", torch.hann_window(400))
        self.mel: Tensor
        self.window: Tensor

    def get(self, name: str) -> Tensor:
        weight: Tensor = self.weights[name.replace("/", "__")]
        return weight

    def log_mel(self, wav: Tensor) -> Tensor:
        """(B, S) → (B, 80, S // 160), Whisper's scaling."""
        spec = torch.stft(wav, 400, 160, window=self.window, return_complex=True)[..., :-1]
        log = (self.mel @ spec.abs().square()).clamp(min=1e-10).log10()
        log = torch.maximum(log, log.amax((1, 2), keepdim=True) - 8)
        return (log + 4) / 4

    @torch.inference_mode()
    def forward(self, wav: Tensor) -> Tensor:
        """(B, S ≤ 30 s) → (B, S // 320, 512 × layers), channels of the layers side by side."""
        n_steps = wav.shape[1] // 320
        wav = F.pad(wav, (0, WINDOW_S * 16_000 - wav.shape[1]))
        x = self.log_mel(wav)
        with torch.autocast("cpu", torch.bfloat16):
            x = F.gelu(F.conv1d(x, self.get("conv1/weight"), self.get("conv1/bias"), padding=1))
            x = F.gelu(F.conv1d(x, self.get("conv2/weight"), self.get("conv2/bias"), 2, 1))
            x = x.transpose(1, 2).float() + self.get("position_encodings/encodings")
            kept = []
            for i in range(max(self.layers)):
                x = self._layer(x, f"layer_{i}")
                if i + 1 in self.layers:
                    kept.append(x[:, :n_steps])
        return torch.cat(kept, 2)

    def _layer(self, x: Tensor, at: str) -> Tensor:
        h = self._norm(x, f"{at}/self_attention")
        q, k, v = self._linear(h, f"{at}/self_attention/linear_0").chunk(3, -1)
        heads = [torch.unflatten(t, -1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v)]
        mixed = F.scaled_dot_product_attention(heads[0], heads[1], heads[2])
        mixed = mixed.transpose(1, 2).flatten(2)
        x = x + self._linear(mixed, f"{at}/self_attention/linear_1")
        h = F.gelu(self._linear(self._norm(x, f"{at}/ffn"), f"{at}/ffn/linear_0"))
        return x + self._linear(h, f"{at}/ffn/linear_1")

    def _norm(self, x: Tensor, at: str) -> Tensor:
        gamma, beta = self.get(f"{at}/layer_norm/gamma"), self.get(f"{at}/layer_norm/beta")
        return F.layer_norm(x.float(), (CHANNELS,), gamma, beta)

    def _linear(self, x: Tensor, at: str) -> Tensor:
        return F.linear(x, self.get(f"{at}/weight"), self.get(f"{at}/bias"))


def _read_dump(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise WeightsError(f"{path} is missing", "join the Whisper-base model parts into model.bin")
    with path.open("rb") as file:
        _number(file, "I")
        _string(file)
        _number(file, "I")
        return dict(_tensor(file) for _ in range(_number(file, "I")))


def _tensor(file: BinaryIO) -> tuple[str, Tensor]:
    name = _string(file)
    shape = [_number(file, "I") for _ in range(_number(file, "B"))]
    dtype = DTYPES[_number(file, "B")]
    data = np.frombuffer(file.read(_number(file, "I")), dtype).reshape(shape)
    return name, torch.from_numpy(data.astype(np.float32))


def _string(file: BinaryIO) -> str:
    return file.read(_number(file, "H")).rstrip(b"\0").decode()


def _number(file: BinaryIO, code: str) -> int:
    size = struct.calcsize("<" + code)
    return int(struct.unpack("<" + code, file.read(size))[0])
