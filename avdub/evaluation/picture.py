"""Pictures against pictures: PSNR, change and sharpness, each inside a mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
IDENTICAL_DB = 100.0  # reported for equal pictures, whose PSNR has no bound


def psnr(a: Image, b: Image, mask: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB of `a` and `b` (H, W, 3) over the pixels of `mask` (H, W).

    At most IDENTICAL_DB; so too where the mask is empty.
    """
    error = np.square(np.subtract(a, b, dtype=np.float32)).mean(-1)
    chosen = error if mask is None else error[mask]
    mean = float(chosen.mean(dtype=np.float64)) if chosen.size else 0.0
    return min(IDENTICAL_DB, 10 * float(np.log10(255**2 / max(mean, 1e-12))))


def change(a: Image, b: Image, mask: Mask | None = None) -> float:
    """Mean absolute difference of `a` and `b` (H, W, 3) in levels of 255; 0 for an empty mask."""
    error = np.abs(np.subtract(a, b, dtype=np.float32)).mean(-1)
    chosen = error if mask is None else error[mask]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else 0.0


def sharpness(image: Image, mask: Mask | None = None) -> float:
    """Mean absolute Laplacian of the luma of `image` (H, W, 3) inside `mask`, in levels."""
    luma = image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    edges = np.abs(cv2.Laplacian(luma, cv2.CV_32F))
    chosen = edges if mask is None else edges[mask]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else 0.0


def widened(mask: Mask, by_px: int) -> Mask:
    """`mask` (H, W) grown by `by_px` pixels in every direction."""
    if by_px < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc), bool)
