"""The model's square: a still, aligned crop of the lower face, and the way back into the picture.

`crop` and `paste` are inverse up to the mask. Nothing here finds faces or knows what is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from avdub.faces.lips import JAW_POINTS, rigid
from avdub.faces.smoothing import calm
from avdub.faces.warp import compose, resample

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Image = NDArray[np.uint8]

SIDE = 2.1  # the square's side in inter-ocular distances: the mouth is 0.4 of it wide
TOP = 0.13  # its upper edge below the eyes, at the lower lids; the lower edge is below an open jaw
TREMBLE = 0.004  # the mesh's own jitter, as a share of the side (of 1 rad, of the scale)
# Points that speech does not move: left, right, distance from the midline, height below the eyes,
# in inter-ocular distances of the neutral template. Their mean depth is near the mouth's, so
# turning the head does not shift the square off the mouth.
_ANCHORS = (
    *((168, 168, 0.0, -0.115), (6, 6, 0.0, 0.012), (197, 197, 0.0, 0.132), (195, 195, 0.0, 0.242)),
    *((5, 5, 0.0, 0.361), (151, 151, 0.0, -0.689), (193, 417, 0.122, -0.089)),
    *((122, 351, 0.093, 0.046), (188, 412, 0.154, 0.119), (196, 419, 0.089, 0.159)),
    *((174, 399, 0.156, 0.225), (217, 437, 0.216, 0.306), (236, 456, 0.156, 0.322)),
    *((198, 420, 0.221, 0.404), (126, 355, 0.279, 0.390), (142, 371, 0.364, 0.475)),
    *((209, 429, 0.278, 0.473), (100, 329, 0.386, 0.347), (101, 330, 0.544, 0.424)),
    *((36, 266, 0.480, 0.565), (119, 348, 0.525, 0.304), (118, 347, 0.710, 0.326)),
    *((117, 346, 0.836, 0.293), (133, 362, 0.279, 0.010), (33, 263, 0.721, -0.010)),
    *((226, 446, 0.821, 0.035), (111, 340, 0.905, 0.222), (143, 372, 0.996, 0.104)),
    *((116, 345, 1.006, 0.310), (108, 337, 0.267, -0.692), (103, 332, 0.805, -0.768)),
    *((54, 284, 0.960, -0.587), (21, 251, 1.052, -0.367), (162, 389, 1.100, -0.131)),
)
ANCHOR_POINTS = tuple(p for left, right, _, _ in _ANCHORS for p in (left, right))
_GOAL = np.array([p for _, _, x, y in _ANCHORS for p in ((-x, y), (x, y))])
_GOAL = (_GOAL - [0, TOP]) / SIDE + [0.5, 0]
_UPPER_EDGE = (205, 203, 98, 2, 327, 423, 425)  # from cheek to cheek under the nose
_INSET = 0.07  # how far the mask stays inside the face's sides
_BELOW = 0.07  # how far it reaches below the chin, for a jaw that opens
_BLOCK = 12  # areas begin and end at multiples of it, so that shrinking by 2, 3 or 4 is the same
_AROUND = 3  # pixels that resampling needs around a mask


@dataclass(frozen=True)
class Placement:
    """A square in a frame: matrix (2, 3) float64 maps frame px (x, y) to the unit square."""

    matrix: Doubles

    @property
    def side_px(self) -> float:
        """Side of the square in frame pixels."""
        return float(1 / np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    @property
    def inverse(self) -> Doubles:
        """Matrix (2, 3) from the unit square to frame px."""
        return np.asarray(cv2.invertAffineTransform(self.matrix), np.float64)

    def pixels(self, size: int) -> Doubles:
        """Matrix (2, 3) from frame px to the px of a crop of `size`."""
        return compose(np.array([[size, 0, -0.5], [0, size, -0.5]], np.float64), self.matrix)


@dataclass(frozen=True)
class Area:
    """Columns x0 to x1 and rows y0 to y1 (half open) of a square of `size` pixels."""

    size: int
    x0: int
    y0: int
    x1: int
    y1: int

    @classmethod
    def whole(cls, size: int) -> "Area":
        """All of the square."""
        return cls(size, 0, 0, size, size)

    @classmethod
    def around(cls, masks: Sequence[Floats]) -> "Area":
        """What pasting with any of `masks` (size, size) needs; all of the square if none shows."""
        size = len(masks[0])
        shown = np.logical_or.reduce([mask > 0 for mask in masks])
        y, x = (np.flatnonzero(shown.any(axis)) for axis in (1, 0))
        if not len(x):
            return cls.whole(size)
        x0, y0 = (max(0, (int(at[0]) - _AROUND) // _BLOCK * _BLOCK) for at in (x, y))
        x1, y1 = (min(size, -(-(int(at[-1]) + 1 + _AROUND) // _BLOCK) * _BLOCK) for at in (x, y))
        return cls(size, x0, y0, x1, y1)

    @property
    def part(self) -> tuple[int, int, int, int]:
        """x0, y0, x1, y1."""
        return self.x0, self.y0, self.x1, self.y1

    def of(self, image: NDArray[Any]) -> NDArray[Any]:
        """The area of a picture (size, size, ...) → (h, w, ...)."""
        return image[self.y0 : self.y1, self.x0 : self.x1]

    def pixels(self, placement: Placement) -> Doubles:
        """Matrix (2, 3) from frame px to the area's px."""
        matrix = placement.pixels(self.size)
        matrix[:, 2] -= [self.x0, self.y0]
        return matrix


def place(landmarks: Floats, sigma: float = 2.0) -> tuple[Placement, ...]:
    """Squares for consecutive frames from `landmarks` (N, 468, 3).

    A least-squares similarity of the still points of the upper face to a neutral one; its centre,
    side and angle are freed from jitter with `sigma` in frames (zero phase, real jerks stay).
    """
    points = landmarks[:, ANCHOR_POINTS, :2].astype(np.float64)
    scale, turn, shift = rigid(points, np.broadcast_to(_GOAL, points.shape))
    centre = np.einsum("nji,nj->ni", turn, 0.5 - shift) / scale[:, None]
    angle = np.unwrap(np.arctan2(turn[:, 1, 0], turn[:, 0, 0]))
    side = 1 / float(np.median(scale))
    noise = TREMBLE * np.array([side, side, 1.0, 1.0])
    track = calm(np.column_stack([centre, np.log(scale), angle]), sigma, noise)
    return tuple(_placement(*row) for row in track)


def _placement(x: float, y: float, log_scale: float, angle: float) -> Placement:
    cos, sin = np.cos(angle) * np.exp(log_scale), np.sin(angle) * np.exp(log_scale)
    turn = np.array([[cos, -sin], [sin, cos]])
    return Placement(np.hstack([turn, (0.5 - turn @ [x, y])[:, None]]))


def crop(image: Image, placement: Placement, size: int, area: Area | None = None) -> Image:
    """The square of `image` (H, W, 3) as (size, size, 3); outside the frame its edge repeats.

    With `area` only that part of the square → (h, w, 3).
    """
    area = area or Area.whole(size)
    assert area.size == size, "the area is of a square of another size"
    return resample(image, area.pixels(placement), (area.x1 - area.x0, area.y1 - area.y0))


def paste(
    image: Image,
    patch: NDArray[Any],
    placement: Placement,
    mask: Floats,
    area: Area | None = None,
) -> Image:
    """A copy of `image` (H, W, 3) with `patch` (size, size, 3) laid in at the frame's resolution.

    mask (size, size) in [0, 1] weighs the patch; pixels where the warped mask is 0 stay exact.
    With `area` patch and mask are (h, w) of the square, outside of which the mask is 0.
    """
    area = area or Area.whole(len(mask))
    assert patch.shape[:2] == mask.shape, "patch and mask differ in size"
    assert mask.shape == (area.y1 - area.y0, area.x1 - area.x0), "patch and area differ in size"
    result = image.copy()
    box = window(placement, image.shape, area)
    if box is None:
        return result
    x0, y0, x1, y1 = box
    back = cv2.invertAffineTransform(area.pixels(placement))
    back[:, 2] -= [x0, y0]
    extent = (x1 - x0, y1 - y0)
    weight = resample(mask.astype(np.float32), back, extent, cv2.BORDER_CONSTANT)
    whole = patch if patch.dtype == np.uint8 else np.clip(np.rint(patch), 0, 255).astype(np.uint8)
    laid = resample(whole, back, extent).astype(np.float32)
    under = image[y0:y1, x0:x1]
    laid -= under
    laid *= cv2.merge([np.clip(weight, 0, 1)] * 3)
    laid += under  # exactly what was there where the weight is 0
    result[y0:y1, x0:x1] = np.rint(laid, out=laid).astype(np.uint8)
    return result


def window(
    placement: Placement, shape: Sequence[int], area: Area | None = None
) -> tuple[int, int, int, int] | None:
    """The part x0, y0, x1, y1 of a frame of `shape` the square (or `area`) touches, None if
    outside."""
    back = placement.inverse
    left, top, right, bottom = np.array(area.part) / area.size if area else (0, 0, 1, 1)
    corners = np.array([[left, top], [right, top], [left, bottom], [right, bottom]])
    corners = corners @ back[:, :2].T + back[:, 2]
    limit = [shape[1], shape[0]]
    x0, y0 = np.clip(np.floor(corners.min(0)), 0, limit).astype(int)
    x1, y1 = np.clip(np.ceil(corners.max(0)) + 1, 0, limit).astype(int)
    return (int(x0), int(y0), int(x1), int(y1)) if x1 > x0 and y1 > y0 else None


def points_in(placement: Placement, landmarks: NDArray[Any]) -> Floats:
    """Frame px (..., 2 or 3) → coordinates in the unit square (..., 2)."""
    matrix = placement.matrix
    return np.asarray(landmarks[..., :2] @ matrix[:, :2].T + matrix[:, 2], np.float32)


def mouth_mask(landmarks: Floats, placement: Placement, size: int, feather: float = 0.06) -> Floats:
    """Mouth and jaw of `landmarks` (468, 3) as a mask (size, size) float32, 0 at the border.

    From under the nose to below the chin, inside the cheeks; rises from its contour to 1 over
    `feather` (a fraction of the square).
    """
    contour = _contour(points_in(placement, landmarks)) * size - 0.5
    fine = 4  # drawn at 1/16 px, so that the mask moves smoothly with the face
    blur = max(0.25 * feather * size, 0.4)
    # beyond this the mask is 0, also once blurred
    around = int(4 * blur) + 3
    x0, y0 = np.clip(np.floor(contour.min(0)).astype(int) - around, 0, size)
    x1, y1 = np.clip(np.ceil(contour.max(0)).astype(int) + around, 0, size)
    mask = np.zeros((size, size), np.float32)
    if x1 <= x0 or y1 <= y0:
        return mask
    inside = np.zeros((y1 - y0, x1 - x0), np.uint8)
    corners = np.rint((contour - [x0, y0]) * 2**fine).astype(np.int32)
    cv2.fillPoly(inside, [corners], 255, lineType=cv2.LINE_AA, shift=fine)
    inside[[0, -1]] = 0
    inside[:, [0, -1]] = 0
    depth = cv2.distanceTransform((inside > 127).astype(np.uint8), cv2.DIST_L2, 5)
    rise = np.clip((depth - 0.5) / max(feather * size, 1), 0, 1)
    soft = cv2.GaussianBlur(rise * rise * (3 - 2 * rise), (0, 0), blur)
    mask[y0:y1, x0:x1] = np.where(depth > 0, soft, 0)
    return mask


def _contour(points: Floats) -> Floats:
    """Closed contour (K, 2) of the region to paint, from the mesh (468, 2) in the unit square."""
    jaw = points[list(JAW_POINTS)].copy()
    upper = points[list(_UPPER_EDGE)]
    middle = (points[61] + points[291]) / 2
    aside = np.linspace(-1, 1, len(jaw))[:, None] ** 2  # 1 at the ears, 0 at the chin
    down = points[152] - points[2]
    down /= max(float(np.hypot(*down)), 1e-6)
    jaw += (middle - jaw) * (_INSET / 0.5) * aside + down * _BELOW * (1 - aside)
    jaw = jaw[(jaw - upper.mean(0)) @ down > 0]
    return np.asarray(np.concatenate([upper, jaw[::-1]]), np.float32)


def match_colour(patch: NDArray[Any], target: NDArray[Any], ring_mask: Floats) -> Image:
    """`patch` (size, size, 3) with the mean and spread that `target` has where `ring_mask` weighs.

    One gain and one shift a channel, bounded (gain 0.8 to 1.25, shift 24 levels), so a wrong ring
    cannot do harm.
    """
    ringed = np.flatnonzero(ring_mask)
    weight = ring_mask.reshape(-1)[ringed].astype(np.float64)
    total = weight.sum()
    if total < 1:
        return np.asarray(np.clip(np.rint(patch), 0, 255), np.uint8)
    ours, theirs = (each.reshape(-1, 3)[ringed].astype(np.float64) for each in (patch, target))
    mean, aim = weight @ ours / total, weight @ theirs / total
    spread = np.sqrt(weight @ (ours - mean) ** 2 / total)
    wanted = np.sqrt(weight @ (theirs - aim) ** 2 / total)
    gain = np.clip((wanted + 2) / (spread + 2), 0.8, 1.25)
    shift = mean * (1 - gain) + np.clip(aim - mean, -24, 24)
    # whole rows at a time: numpy is slow at going through three channels again and again
    width = patch.shape[1]
    rows = patch.reshape(len(patch), -1).astype(np.float32)
    rows *= np.tile(gain, width).astype(np.float32)
    rows += np.tile(shift, width).astype(np.float32)
    matched = np.clip(np.rint(rows, out=rows), 0, 255, out=rows)
    return matched.astype(np.uint8).reshape(patch.shape)
