"""The pose-free lip shape that supervises mouths, and its way back onto a head.

A rigid 3D fit of the stable points to a neutral template takes head pose and scale out of the lips
and the jaw. Template coordinates: origin between the eyes, x to the image's right, y down, unit =
inter-ocular distance (between the eyes' centres).
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avdub.errors import WeightsError

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
LIP_POINTS = _OUTER + _INNER  # each ring: image-left corner, along the bottom, back on the top
JAW_POINTS = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361)
SHAPE_POINTS = LIP_POINTS + JAW_POINTS  # the L = 57 points of a lip shape
EYE_CORNERS = (33, 133, 362, 263)  # outer, inner, inner, outer from image left to right
STABLE_POINTS = (
    *(33, 133, 263, 362, 246, 466, 7, 249),  # eye corners and the lids beside them
    *(168, 6, 197, 195, 5, 4, 1, 19, 122, 351, 188, 412, 174, 399, 196, 419, 3, 248),  # nose
    *(9, 151, 10, 108, 337, 109, 338, 67, 297, 103, 332, 54, 284),  # forehead
    *(21, 251, 162, 389, 127, 356, 234, 454),  # temples
    *(143, 372, 116, 345, 117, 346, 118, 347, 111, 340, 227, 447),  # cheekbones
)
_GAPS = ((13, 14), (82, 87), (312, 317))  # upper and lower inner lip, three columns
_AT = {point: n for n, point in enumerate(SHAPE_POINTS)}


def load_template(folder: Path) -> Floats:
    """The neutral face (468, 3) in template coordinates from `folder`/template.npz.

    Raises WeightsError if the file is missing or is no template.
    """
    path = folder / "template.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            template = file["landmarks"]
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"no face template at {path}", "reinstall avdub") from error
    if template.shape != (468, 3):
        raise WeightsError(f"{path} holds no 468-point face", "reinstall avdub")
    return np.asarray(template, np.float32)


def make_template(landmarks: Floats, rounds: int = 5) -> Floats:
    """A neutral template from real meshes (N, 468, 3): those with closed lips, averaged.

    Rigid generalised Procrustes over the stable points; then mirrored onto itself, so that it looks
    straight ahead.
    """
    openings = _distance(landmarks, 13, 14) / interocular(landmarks)
    closed = landmarks[openings <= np.quantile(openings, 0.3)].astype(np.float64)
    opened = landmarks[openings >= np.quantile(openings, 0.9)].astype(np.float64)
    # upper and lower lips coincide when closed, so left and right are paired on open ones
    partners = _partners(_mean(opened, rounds))
    mean = _mean(closed, rounds)
    return _normal((mean + mean[partners] * [-1, 1, 1]) / 2).astype(np.float32)


def lip_shape(landmarks: Floats, template: Floats) -> Floats:
    """Lips and jaw of each frame without pose and scale: (N, 468, 3) → (N, L, 2)."""
    scale, turn, shift = pose(landmarks, template)
    points = np.einsum("nij,npj->npi", turn, landmarks[:, SHAPE_POINTS].astype(np.float64))
    return np.asarray((points * scale[:, None, None] + shift[:, None])[..., :2], np.float32)


def to_frame(shape: Floats, landmarks: Floats, template: Floats) -> Floats:
    """Put lip shapes (N, L, 2) onto the heads of `landmarks` (N, 468, 3) → (N, L, 2) px.

    Each point keeps the depth it has in that frame.
    """
    scale, turn, shift = pose(landmarks, template)
    own = np.einsum("nij,npj->npi", turn, landmarks[:, SHAPE_POINTS].astype(np.float64))
    depth = (own * scale[:, None, None] + shift[:, None])[..., 2:]
    points = (np.concatenate([shape, depth], -1) - shift[:, None]) / scale[:, None, None]
    return np.asarray(np.einsum("nji,npj->npi", turn, points)[..., :2], np.float32)


def pose(landmarks: Floats, template: Floats) -> tuple[Doubles, Doubles, Doubles]:
    """Scale (N,), rotation (N, 3, 3), shift (N, 3) that take each frame's head to the template.

    Least squares over STABLE_POINTS (Kabsch): template = scale * rotation @ point + shift.
    """
    points = landmarks[:, STABLE_POINTS].astype(np.float64)
    goal = template[list(STABLE_POINTS)].astype(np.float64)
    return rigid(points, np.broadcast_to(goal, points.shape))


def rigid(points: Doubles, goal: Doubles) -> tuple[Doubles, Doubles, Doubles]:
    """Least-squares similarity of `points` onto `goal`, both (N, K, D): scale, rotation, shift."""
    centre, aim = points.mean(1), goal.mean(1)
    a, b = points - centre[:, None], goal - aim[:, None]
    u, s, vt = np.linalg.svd(np.swapaxes(b, 1, 2) @ a)
    sign = np.ones_like(s)
    sign[:, -1] = np.sign(np.linalg.det(u @ vt))  # a rotation, never a mirror image
    turn = (u * sign[:, None]) @ vt
    scale = (s * sign).sum(1) / np.maximum((a**2).sum((1, 2)), 1e-12)
    shift = aim - scale[:, None] * np.einsum("nij,nj->ni", turn, centre)
    return scale, turn, shift


def opening(shape: Floats) -> Floats:
    """Mean vertical gap of the inner lips (N,) of `shape` (N, L, 2), in inter-ocular distances."""
    gaps = [shape[:, _AT[low], 1] - shape[:, _AT[up], 1] for up, low in _GAPS]
    return np.asarray(np.mean(gaps, axis=0), np.float32)


def width(shape: Floats) -> Floats:
    """Distance of the lips' corners (N,) of `shape` (N, L, 2), in inter-ocular distances."""
    across = shape[:, _AT[291]] - shape[:, _AT[61]]
    return np.asarray(np.hypot(across[:, 0], across[:, 1]), np.float32)


def jaw(shape: Floats) -> Floats:
    """How far the chin lies below the eyes (N,) of `shape` (N, L, 2), in inter-ocular distances."""
    return np.asarray(shape[:, [_AT[148], _AT[152], _AT[377]], 1].mean(1), np.float32)


def interocular(landmarks: NDArray[np.floating]) -> Floats:
    """Distance of the eyes' centres in 3D px (N,) of `landmarks` (N, 468, 3)."""
    outer_left, inner_left, inner_right, outer_right = EYE_CORNERS
    left = (landmarks[:, outer_left] + landmarks[:, inner_left]) / 2
    right = (landmarks[:, outer_right] + landmarks[:, inner_right]) / 2
    return np.asarray(np.linalg.norm(right - left, axis=-1), np.float32)


def _distance(landmarks: Floats, a: int, b: int) -> Floats:
    return np.asarray(np.linalg.norm(landmarks[:, a] - landmarks[:, b], axis=-1), np.float32)


def _mean(meshes: Doubles, rounds: int) -> Doubles:
    mean: Doubles = meshes[0]
    for _ in range(rounds):
        mean = _facing(_normal(np.mean([_moved(mesh, mean) for mesh in meshes], axis=0)))
    return mean


def _moved(mesh: Doubles, goal: Doubles) -> Doubles:
    stable = list(STABLE_POINTS)
    scale, turn, shift = rigid(mesh[None, stable], goal[None, stable])
    return np.asarray(scale[0] * mesh @ turn[0].T + shift[0], np.float64)


def _partners(mesh: Doubles) -> NDArray[np.intp]:
    """For each point the one on the other side of the face, itself on the midline (468,)."""
    facing = _facing(_normal(mesh))
    gaps = np.linalg.norm(facing[:, None] - (facing * [-1, 1, 1])[None], axis=-1)
    gaps += gaps.T
    partners = np.arange(len(mesh))
    free = np.ones(len(mesh), bool)
    for a, b in zip(*np.unravel_index(gaps.argsort(axis=None), gaps.shape), strict=True):
        if free[a] and free[b]:
            partners[a], partners[b] = b, a
            free[[a, b]] = False
    return partners


def _normal(mesh: Doubles) -> Doubles:
    """Origin between the eyes, unit inter-ocular distance."""
    middle = mesh[list(EYE_CORNERS)].mean(0)
    return np.asarray((mesh - middle) / float(interocular(mesh[None])[0]), np.float64)


def _facing(mesh: Doubles) -> Doubles:
    """Turned so that the eyes lie along x and forehead to chin in the image plane."""
    outer_left, inner_left, inner_right, outer_right = EYE_CORNERS
    across = mesh[inner_right] + mesh[outer_right] - mesh[inner_left] - mesh[outer_left]
    across /= np.linalg.norm(across)
    down = mesh[152] - mesh[10]
    down -= across * (across @ down)
    down /= np.linalg.norm(down)
    return np.asarray(mesh @ np.stack([across, down, np.cross(across, down)]).T, np.float64)
