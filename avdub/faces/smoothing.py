"""Zero-phase smoothing over time: no lag, and straight or evenly bent movements pass unchanged."""

import numpy as np
from numpy.typing import NDArray

from avdub.faces.lips import STABLE_POINTS, interocular, rigid

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

HEAD_S = 0.06  # kernel widths of the smoothing, in seconds: the head as a whole,
STABLE_S = 0.12  # what is fixed to the skull,
LIPS_S = 0.025  # and everything that speaks, which must not be damped
TREMBLE = 0.005  # the mesh's own jitter, in inter-ocular distances


def smooth(values: NDArray[np.floating], sigma: float) -> Doubles:
    """Smooth (N, ...) along its first axis; `sigma` is the kernel's width in frames.

    A Gaussian corrected to keep polynomials up to the third degree; the ends are continued by point
    reflection. Below a third of a frame nothing is changed.
    """
    given = np.asarray(values, np.float64)
    if sigma < 1 / 3 or len(given) < 3:
        return given.copy()
    kernel = _kernel(sigma)
    reach = len(kernel) // 2
    flat = given.reshape(len(given), -1)
    padded = _continued(flat, reach)
    result = np.zeros_like(flat)
    for offset, weight in enumerate(kernel):
        result += weight * padded[offset : offset + len(flat)]
    return result.reshape(given.shape)


def _kernel(sigma: float) -> Doubles:
    reach = max(1, int(np.ceil(3 * sigma)))
    t = np.arange(-reach, reach + 1, dtype=np.float64)
    bell = np.exp(-0.5 * (t / sigma) ** 2)
    m0, m2, m4 = (float((bell * t**power).sum()) for power in (0, 2, 4))
    return np.asarray(bell * (m4 - m2 * t**2) / (m0 * m4 - m2 * m2), np.float64)


def _continued(flat: Doubles, reach: int) -> Doubles:
    """Rows added at both ends by reflection through the end points."""
    last = len(flat) - 1
    back = np.minimum(np.arange(reach, 0, -1), last)
    before = 2 * flat[0] - flat[back]
    after = 2 * flat[last] - flat[last - back[::-1]]
    return np.concatenate([before, flat, after])


def calm(values: NDArray[np.floating], sigma: float, noise: Doubles | float) -> Doubles:
    """Smooth (N, ...) where it only trembles, keep what really moves.

    What smoothing would take away is put back in the measure by which it exceeds `noise` (same
    unit, broadcast against `values`) over a few frames, so jerks and steps stay where they are.
    """
    given = np.asarray(values, np.float64)
    smoothed = smooth(given, sigma)
    removed = given - smoothed
    power = removed**2
    padded = np.concatenate([power[:1], power, power[-1:]])
    nearby = (padded[:-2] + 2 * power + padded[2:]) / 4
    kept = nearby / (nearby + np.square(noise) + 1e-12)
    return np.asarray(smoothed + removed * kept, np.float64)


def steady(landmarks: Floats, rate: float) -> Floats:
    """Zero-phase smoothing (N, 468, 3): the head's jitter goes, speech stays.

    The movement of the head as a whole is smoothed apart from what moves on it; there the stable
    points are held hard and all others lightly.
    """
    points = landmarks.astype(np.float64)
    stable = list(STABLE_POINTS)
    base = points[:, stable].mean(0, keepdims=True)
    scale, turn, shift = rigid(points[:, stable], np.broadcast_to(base, points[:, stable].shape))
    own = np.einsum("nij,npj->npi", turn, points) * scale[:, None, None] + shift[:, None]
    held = smooth(own, LIPS_S * rate)
    held[:, stable] = smooth(own[:, stable], STABLE_S * rate)
    # back through the head's own movement, itself freed from jitter
    back = np.einsum("nji,npj->npi", turn, held - shift[:, None]) / scale[:, None, None]
    wobble = (points[:, stable] - back[:, stable]).mean(1)
    centre = points[:, stable].mean(1)
    path = calm(centre, HEAD_S * rate, TREMBLE * float(np.median(interocular(landmarks)))) - centre
    return np.asarray(back + wobble[:, None] + path[:, None], np.float32)
