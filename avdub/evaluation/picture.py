"""Pictures against pictures: PSNR, SSIM, sharpness, colour and seams, each inside a mask."""

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
IDENTICAL_DB = 100.0  # reported for equal pictures, whose PSNR has no bound
EDGE = 0.02  # weights between this and 1 - EDGE are the border of a patch
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


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
    luma = image.astype(np.float32) @ LUMA
    edges = np.abs(cv2.Laplacian(luma, cv2.CV_32F))
    chosen = edges if mask is None else edges[mask]
    return float(chosen.mean(dtype=np.float64)) if chosen.size else 0.0


def widened(mask: Mask, by_px: int) -> Mask:
    """`mask` (H, W) grown by `by_px` pixels in every direction."""
    if by_px < 1:
        return mask
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * by_px + 1, 2 * by_px + 1))
    return np.asarray(cv2.dilate(mask.astype(np.uint8), disc), bool)


def ssim(a: Image, b: Image, mask: Mask) -> float:
    """Mean structural similarity (Wang et al. 2004, their Gaussian window) of `a` and `b` (H, W, 3)
    over the pixels of `mask` (H, W); 1 for equal pictures, NaN for an empty mask.

    Both sides must be at least 11 pixels.
    """
    _, local = structural_similarity(
        a, b, channel_axis=-1, full=True, data_range=255, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False,
    )  # fmt: skip
    return float(local.mean(-1)[mask].mean()) if mask.any() else float("nan")


def lab_mean(image: Image, mask: Mask) -> Doubles:
    """Mean CIELAB colour L, a, b (3,) of sRGB `image` (H, W, 3) in `mask`; NaN for an empty mask.

    a runs from green (below 0) to red, b from blue (below 0) to yellow; 2.3 is just noticeable.
    """
    if not mask.any():
        return np.full(3, np.nan)
    chosen = image[mask][None].astype(np.float32) / 255
    lab = cv2.cvtColor(chosen, cv2.COLOR_RGB2LAB)
    return np.asarray(lab[0].mean(0), np.float64)


def inside(points: NDArray[np.floating], shape: tuple[int, int]) -> Mask:
    """The pixels of a picture of `shape` (H, W) within the polygon of `points` (K, 2) px."""
    drawn = np.zeros(shape, np.uint8)
    corners = np.rint(np.asarray(points, np.float64) * 16).astype(np.int32)
    cv2.fillPoly(drawn, [corners], 1, shift=4)
    return drawn > 0


def across_border(image: Image, weight: Floats, sigma: float) -> float:
    """Mean slope of luma across the border of a patch laid in with `weight` (H, W), in levels a px.

    Measured along the weight's own slope, after a Gaussian of `sigma` px, so that an edge counts
    and texture does not; NaN where the patch has no border.
    """
    border = (weight > EDGE) & (weight < 1 - EDGE)
    if not border.any():
        return float("nan")
    y, x = np.gradient(cv2.GaussianBlur(weight, (0, 0), sigma))
    length = np.maximum(np.hypot(x, y), 1e-6)
    luma = cv2.GaussianBlur(image.astype(np.float32) @ LUMA, (0, 0), sigma)
    down, right = np.gradient(luma)
    slope = np.abs(right * x + down * y) / length
    return float(slope[border].mean(dtype=np.float64))


def border_step(a: Image, b: Image, weight: Floats, sigma: float) -> float:
    """Mean difference of `b` from `a` (H, W, 3) just inside the border of a patch laid in with
    `weight` (H, W), in levels of 255, after a Gaussian of `sigma` px: what a box is seen by.
    """
    band = (weight > 0.5) & (weight < 1 - EDGE)
    if not band.any():
        return float("nan")
    apart = cv2.GaussianBlur(np.subtract(b, a, dtype=np.float32), (0, 0), sigma)
    return float(np.abs(apart)[band].mean(dtype=np.float64))
