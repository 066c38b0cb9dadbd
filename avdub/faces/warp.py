"""Affine resampling of images without aliasing, for the mesh's region and the model's square."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
T = TypeVar("T", np.uint8, np.float32)


def compose(outer: Doubles, inner: Doubles) -> Doubles:
    """The affine (2, 3) that applies `inner` first, then `outer`."""
    full = np.vstack([inner, [0.0, 0.0, 1.0]])
    return np.asarray(outer @ full, np.float64)


def shrink(matrix: Doubles) -> float:
    """Source pixels per target pixel of an affine (2, 3) from source to target."""
    return float(1 / np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def resample(
    image: NDArray[T], matrix: Doubles, size: tuple[int, int], border: int = cv2.BORDER_REPLICATE
) -> NDArray[T]:
    """`image` (H, W[, C]) through `matrix` (source px → target px) into `size` (width, height).

    Averages areas when shrinking by 2 or more, in whole blocks laid from the image's corner, so
    that a still picture stays still; cubic when enlarging.
    """
    factor = int(shrink(matrix) + 1e-6)
    if factor >= 2:
        x0, y0, x1, y1 = _window(image.shape, matrix, size, factor)
        if x1 > x0 and y1 > y0:
            part = image[y0:y1, x0:x1]
            blocks = ((x1 - x0) // factor, (y1 - y0) // factor)
            image = cv2.resize(part, blocks, interpolation=cv2.INTER_AREA)
            half = (factor - 1) / 2
            back = np.array([[factor, 0, x0 + half], [0, factor, y0 + half]], np.float64)
            matrix = compose(matrix, back)
    flags = cv2.INTER_CUBIC if shrink(matrix) < 0.7 else cv2.INTER_LINEAR
    if image.dtype == np.float32 and image.ndim == 2:
        flags = cv2.INTER_LINEAR  # masks must not overshoot
    return cv2.warpAffine(image, matrix, size, flags=flags, borderMode=border)  # type: ignore[no-any-return]


def _window(
    shape: tuple[int, ...], matrix: Doubles, size: tuple[int, int], factor: int
) -> tuple[int, int, int, int]:
    """Source window x0, y0, x1, y1 the target needs, in whole blocks of `factor` pixels."""
    corners = np.array([[0, 0], [size[0], 0], [0, size[1]], list(size)], np.float64)
    back = cv2.invertAffineTransform(matrix)
    reach = corners @ back[:, :2].T + back[:, 2]
    limit = np.array([shape[1], shape[0]]) // factor * factor
    low = np.clip((reach.min(0) // factor - 2) * factor, 0, limit).astype(int)
    high = np.clip((reach.max(0) // factor + 3) * factor, 0, limit).astype(int)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
