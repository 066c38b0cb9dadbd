"""A Fréchet distance between real and painted mouths, over an inner layer of the shipped face mesh.

Like FID in form and in nothing else: another network, local features inside the mouth mask instead
of one vector a picture, and each channel scaled by how much it varies over the real mouths. Only
distances of the same layer over the same clips may be compared.
"""

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from avdub.errors import WeightsError
from avdub.evaluation.picture import Image, Mask

Doubles = NDArray[np.float64]
Floats = NDArray[np.float32]

FILE, LAYER = "face_mesh.onnx", "p_re_lu_6"  # the last layer on the 48 × 48 grid, 32 channels
NAME = f"inner layer {LAYER} of {FILE}"
INPUT, CELLS, CHANNELS = 192, 48, 32
_GRAPH, _OUTPUT, _NAME = 0x3A, 0x62, 0x0A  # tags of ModelProto.graph, .output and its .name


def with_output(model: bytes, tensor: str) -> bytes:
    """An ONNX file that also gives out its inner `tensor`.

    Protocol buffers merge a message that occurs twice, so a second graph that holds nothing but one
    more output, laid behind the file, adds that output to the first.
    """
    name = _field(_NAME, tensor.encode())
    return model + _field(_GRAPH, _field(_OUTPUT, name))


def _field(tag: int, payload: bytes) -> bytes:
    """A length-delimited field of a protocol buffer."""
    length, size = bytearray(), len(payload)
    while size > 0x7F:
        length.append(size & 0x7F | 0x80)
        size >>= 7
    length.append(size)
    return bytes([tag]) + bytes(length) + payload


class LocalFeatures:
    """Features of small patches of a mouth crop. Raises WeightsError for a damaged file."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            model = with_output(path.read_bytes(), LAYER)
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's own exceptions share no public base class
            raise WeightsError(f"no layer {LAYER} in {path}", "reinstall avdub") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, crop: Image, mask: Mask) -> Floats:
        """crop (S, S, 3) RGB, mask (CELLS, CELLS) → a row a cell of the mask (n, CHANNELS)."""
        if crop.shape[0] != INPUT:
            crop = np.asarray(cv2.resize(crop, (INPUT, INPUT), interpolation=cv2.INTER_AREA))
        given = np.divide(crop[None], 255, dtype=np.float32)
        (grid,) = self._session.run([LAYER], {self._input: given})
        return np.asarray(grid[0].transpose(1, 2, 0)[mask], np.float32)


@dataclass(frozen=True)
class Spread:
    """A Gaussian over features: mean (C,) and covariance (C, C) of `n` rows."""

    mean: Doubles
    covariance: Doubles
    n: int

    @classmethod
    def of(cls, rows: NDArray[np.floating]) -> "Spread":
        """rows (n, C), n at least 2."""
        given = rows.astype(np.float64)
        assert len(given) > 1, "one row has no spread"
        return cls(given.mean(0), np.cov(given, rowvar=False), len(given))

    def scaled(self, by: Doubles) -> "Spread":
        """Every channel times `by` (C,)."""
        return Spread(self.mean * by, self.covariance * by * by[:, None], self.n)


def frechet(real: NDArray[np.floating], made: NDArray[np.floating], scale: Doubles) -> float:
    """Squared Fréchet distance of the Gaussians of two sets of rows (n, C), a channel.

    scale (C,) is what each channel is divided by: the deviation of real rows.
    """
    by = 1 / np.maximum(scale, 1e-6)
    a, b = Spread.of(real).scaled(by), Spread.of(made).scaled(by)
    root = _root(a.covariance)
    cross = np.linalg.eigvalsh(root @ b.covariance @ root).clip(min=0)
    apart = float(np.square(a.mean - b.mean).sum())
    trace = float(np.trace(a.covariance) + np.trace(b.covariance) - 2 * np.sqrt(cross).sum())
    return max(0.0, apart + trace) / len(scale)


def _root(covariance: Doubles) -> Doubles:
    """Symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(values.clip(min=0))) @ vectors.T, np.float64)
