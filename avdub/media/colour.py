"""Colours and orientation: decoded pictures to upright RGB and back, losing as little as possible.

The matrix and range always come from the stream's own tags, so that decoding and encoding again
gives the same picture. Knows nothing of files.
"""

import math
from dataclasses import dataclass

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

UNTAGGED = 2  # "unspecified" for primaries, transfer and matrix
RGB_MATRIX = 0
BT709, BT601 = 1, 5
LIMITED, FULL = 1, 2
SUPPORTED_MATRICES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}  # tag to swscale's number
HDR_TRANSFERS = {16: "PQ (HDR10)", 18: "HLG"}
SHARP = (
    Interpolation.BICUBIC
    | Interpolation.ACCURATE_RND
    | Interpolation.FULL_CHR_H_INT
    | Interpolation.FULL_CHR_H_INP
)


@dataclass(frozen=True)
class Colour:
    """The four colour tags of a stream, as ITU-T H.273 numbers; 2 (0 for range): not tagged."""

    primaries: int = UNTAGGED
    transfer: int = UNTAGGED
    matrix: int = UNTAGGED
    range: int = 0

    def swscale_matrix(self, height: int) -> int:
        """The matrix to convert with; without a usable tag, what players assume for the size."""
        return SUPPORTED_MATRICES.get(self.matrix, BT709 if height >= 720 else BT601)

    @property
    def swscale_range(self) -> int:
        return FULL if self.range == FULL else LIMITED


@dataclass(frozen=True)
class Orientation:
    """How stored pixels become upright: mirror left to right if asked, then turn clockwise."""

    rotation: int = 0
    mirrored: bool = False

    def __post_init__(self) -> None:
        assert self.rotation in (0, 90, 180, 270), f"bad rotation {self.rotation}"

    @property
    def swaps_sides(self) -> bool:
        return self.rotation in (90, 270)

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) as stored → as displayed."""
        if self.mirrored:
            image = image[:, ::-1]
        return np.ascontiguousarray(np.rot90(image, -self.rotation // 90))

    def undo(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(H, W, 3) as displayed → as stored."""
        image = np.rot90(image, self.rotation // 90)
        return image[:, ::-1] if self.mirrored else image


def orientation_of(matrix: NDArray[np.int32]) -> Orientation:
    """Orientation of a 3 × 3 display matrix, to the nearest quarter turn.

    A stored pixel (x, y), y down, is shown at (x, y, 1) @ matrix.
    """
    (a, b, _), (c, d, _), _ = matrix.astype(float)
    quarter_turns = round(math.atan2(-c, d) / (math.pi / 2))
    return Orientation(quarter_turns % 4 * 90, bool(a * d < b * c))


def frame_orientation(frame: av.VideoFrame) -> Orientation:
    """The orientation a decoded frame carries."""
    side_data = frame.side_data.get("DISPLAYMATRIX")
    if side_data is None:
        return Orientation()
    return orientation_of(np.frombuffer(bytes(side_data), np.int32)[:9].reshape(3, 3))


def to_rgb(frame: av.VideoFrame, colour: Colour, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Decoded frame → stored-orientation RGB (H, W, 3) of `size` (width, height)."""
    width, height = size
    matrix = colour.swscale_matrix(height)
    rgb = frame.reformat(
        width=width,
        height=height,
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=colour.swscale_range,
        dst_color_range=FULL,
        interpolation=SHARP,
    )
    image: NDArray[np.uint8] = rgb.to_ndarray()
    return image


def from_rgb(
    image: NDArray[np.uint8], colour: Colour, pixel_format: str, height: int | None = None
) -> av.VideoFrame:
    """RGB (H, W, 3) → a frame to encode, with the stream's own matrix and range.

    `height` is that of the whole picture where `image` is a part of it.
    """
    matrix = colour.swscale_matrix(height or image.shape[0])
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
    return frame.reformat(
        format=pixel_format,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=FULL,
        dst_color_range=colour.swscale_range,
        interpolation=SHARP,
    )
