"""The teacher's file format and shapes, with random weights of one layer."""

import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from avdub.errors import WeightsError
from avdub.training.whisper import CHANNELS, WhisperFeatures, _read_dump

TYPES = {np.dtype(np.float32): 0, np.dtype(np.int8): 1, np.dtype(np.float16): 4}


def string(text: str) -> bytes:
    data = text.encode() + b"\0"
    return struct.pack("<H", len(data)) + data


def write_dump(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    parts = [struct.pack("<I", 6), string("WhisperSpec"), struct.pack("<II", 3, len(arrays))]
    for name, array in arrays.items():
        shape = struct.pack(f"<B{array.ndim}I", array.ndim, *array.shape)
        kind = struct.pack("<BI", TYPES[array.dtype], array.nbytes)
        parts += [string(name), shape, kind, array.tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def test_a_dump_is_read_back(tmp_path: Path) -> None:
    arrays = {
        "encoder/a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "decoder/b": np.array([1, -2], np.int8),
        "encoder/é": np.array([0.5], np.float16),
    }
    found = _read_dump(write_dump(tmp_path / "model.bin", arrays))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == torch.float32
        np.testing.assert_array_equal(found[name].numpy(), array.astype(np.float32))


def test_a_missing_dump_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model\.bin is missing"):
        WhisperFeatures(tmp_path / "model.bin")


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> WhisperFeatures:
    rng = np.random.default_rng(0)

    def random(*shape: int) -> np.ndarray:
        return (rng.standard_normal(shape) * 0.02).astype(np.float16)

    c, layer = CHANNELS, "encoder/layer_0"
    arrays = {
        "encoder/conv1/weight": random(c, 80, 3),
        "encoder/conv1/bias": random(c),
        "encoder/conv2/weight": random(c, c, 3),
        "encoder/conv2/bias": random(c),
        "encoder/position_encodings/encodings": random(1500, c),
        "decoder/unused": random(3),
    }
    for name, out, inner in (
        ("self_attention/linear_0", 3 * c, c),
        ("self_attention/linear_1", c, c),
        ("ffn/linear_0", 4 * c, c),
        ("ffn/linear_1", c, 4 * c),
    ):
        arrays[f"{layer}/{name}/weight"] = random(out, inner)
        arrays[f"{layer}/{name}/bias"] = random(out)
    for name in ("self_attention", "ffn"):
        arrays[f"{layer}/{name}/layer_norm/gamma"] = 1 + random(c)
        arrays[f"{layer}/{name}/layer_norm/beta"] = random(c)
    path = write_dump(tmp_path_factory.mktemp("whisper") / "model.bin", arrays)
    return WhisperFeatures(path, layers=(1,))


def test_features_come_50_times_a_second(features: WhisperFeatures) -> None:
    out = features(torch.zeros(1, 16_000 + 100))
    assert out.shape == (1, 50, CHANNELS)
    assert torch.isfinite(out).all()


def test_only_the_encoder_is_kept(features: WhisperFeatures) -> None:
    assert not [name for name in features.weights if "unused" in name]
    assert not [p for p in features.parameters() if p.requires_grad]


def test_mel_values_lie_within_two_units(features: WhisperFeatures) -> None:
    mel = features.log_mel(torch.randn(1, 16_000, generator=torch.Generator().manual_seed(0)))
    assert mel.shape == (1, 80, 100)
    assert float(mel.max() - mel.min()) <= 2
