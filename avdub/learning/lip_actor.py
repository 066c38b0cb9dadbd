"""How wide one actor opens his mouth: the lip head's output stretched to his own way of speaking.

On people it never heard the head is right in time and too small. A few seconds of speech cannot
teach it better timing, but tell how much, and with what shape, this mouth opens.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from avdub.faces.lips import Doubles, Floats, opening
from avdub.learning.actor_frames import LEARN, UNUSED, Roles
from avdub.models.latents_to_face import LatentsToFace

LEAST, MOST = 1.0, 2.5  # gains
GAINS = np.linspace(LEAST, MOST, 31)
ALLOWANCE = 1.02  # of the least error; within it the largest gain is taken
MIN_CORRELATION = 0.2  # below, this mouth does not speak what is heard
MIN_TRACK_FRAMES = 20  # below, a track is too short to tell whether it speaks
MIN_LEARNED, MIN_HELD_OUT = 50, 20  # frames


@dataclass(frozen=True)
class Spoken:
    """N frames while somebody is heard: lips that the head makes of the sound and real ones, both
    (N, L, 2) and relative to rest; track numbers (N,) and roles (N,)."""

    made: Floats
    real: Floats
    tracks: NDArray[np.int64]
    roles: Roles

    def where(self, mask: NDArray[np.bool_]) -> "Spoken":
        return Spoken(self.made[mask], self.real[mask], self.tracks[mask], self.roles[mask])


def joined(parts: Sequence[Spoken]) -> Spoken:
    """All frames of all parts."""
    return Spoken(
        np.concatenate([p.made for p in parts]),
        np.concatenate([p.real for p in parts]),
        np.concatenate([p.tracks for p in parts]),
        np.concatenate([p.roles for p in parts]),
    )


@dataclass(frozen=True)
class LipFit:
    """`gain` of the opening and `change` (2L,), what a unit of the head's opening adds to its lips.

    On held-out frames: mean error of the opening before and after, in inter-ocular distances, its
    correlation, and its spread over the real one's, before and after.
    """

    gain: float
    change: Doubles
    errors: tuple[float, float]
    correlation: float
    amplitudes: tuple[float, float]


def fit_lips(spoken: Spoken) -> tuple[LipFit | None, str]:
    """What makes the head's opening as wide, and its lips as shaped, as the actor's; or why not.

    Least squares would shrink what correlates little: of all gains whose error on the learned
    frames is nearly the least, the largest is taken. It is used where it lowers the errors of the
    opening and of the whole shape on held-out frames.
    """
    spoken = spoken.where(_speaks(spoken))
    learned = spoken.where(spoken.roles == LEARN)
    held = spoken.where((spoken.roles != LEARN) & (spoken.roles != UNUSED))
    if len(learned.roles) < MIN_LEARNED or len(held.roles) < MIN_HELD_OUT:
        return None, "too little is seen of who is heard"
    made, real = _openings(learned)
    if _correlation(made, real) < MIN_CORRELATION:
        return None, "no mouth moves with the sound"
    errors = np.array([np.abs(gain * made - real).mean() for gain in GAINS])
    gain = float(GAINS[np.flatnonzero(errors <= ALLOWANCE * errors.min())[-1]])
    change = gain * _way(learned.real, real) - _way(learned.made, made)
    made, real = _openings(held)
    before, after = (float(np.abs(each * made - real).mean()) for each in (1, gain))
    changed = stretched(held.made, change)
    shapes = [float(np.abs(each - held.real).mean()) for each in (held.made, changed)]
    if after >= before or shapes[1] > shapes[0]:
        return None, "wider lips are not nearer to the real ones"
    correlation = _correlation(made, real)
    if correlation < MIN_CORRELATION:
        return None, "no mouth moves with the sound"
    ratio = float(made.std() / max(float(real.std()), 1e-9))
    return LipFit(gain, change, (before, after), correlation, (ratio, gain * ratio)), ""


def stretched(lips: Floats, change: Doubles) -> Floats:
    """Lips (N, L, 2) with `change` (2L,) added for each unit of their opening."""
    added = opening(lips).astype(np.float64)[:, None] * change
    return np.asarray(lips + added.reshape(lips.shape), np.float32)


def widen(model: LatentsToFace, fit: LipFit) -> LatentsToFace:
    """A copy whose lip head makes what `stretched` makes of its output, by its last layer alone."""
    widened = copy.deepcopy(model)
    last = widened.lips.lips
    assert last.bias is not None, "the head's last layer has a bias"
    measure = torch.from_numpy(
        opening(np.eye(len(fit.change), dtype=np.float32).reshape(len(fit.change), -1, 2))
    )
    change = torch.from_numpy(fit.change).float()
    with torch.no_grad():
        last.weight += change[:, None, None] * (measure @ last.weight[..., 0])[None, :, None]
        last.bias += change * (measure @ last.bias)
    return widened


def _speaks(spoken: Spoken) -> NDArray[np.bool_]:
    """Frames (N,) of the tracks that move with the sound."""
    made, real = _openings(spoken)
    result = np.zeros(len(made), bool)
    for track in np.unique(spoken.tracks):
        mine = spoken.tracks == track
        result[mine] = (
            mine.sum() >= MIN_TRACK_FRAMES
            and _correlation(made[mine], real[mine]) > MIN_CORRELATION
        )
    return result


def _openings(spoken: Spoken) -> tuple[Doubles, Doubles]:
    made, real = (opening(lips).astype(np.float64) for lips in (spoken.made, spoken.real))
    return made, real


def _way(lips: Floats, gaps: Doubles) -> Doubles:
    """How lips (N, L, 2) change with a unit of their opening (2L,), by least squares from rest."""
    rows = lips.reshape(len(lips), -1).astype(np.float64)
    return np.asarray(gaps @ rows / max(float(gaps @ gaps), 1e-12), np.float64)


def _correlation(a: Doubles, b: Doubles) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size > 1e-12 else 0.0
