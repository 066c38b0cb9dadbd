"""How much of a patch shows: it fades in and out where painted frames of a face begin and end."""

import numpy as np

from avdub.faces.lips import Floats
from avdub.faces.outline import Followed
from avdub.timeline import Span

FADE_S = 0.08  # at each end of a run of painted frames


def fading(track: Followed, frames: Span, n_fade: int) -> Floats:
    """Strength (N,) in `frames`: 0 where nothing may be painted, from there over `n_fade` to 1."""
    may = np.array([track.why(n) == "" for n in frames.range()], np.float32)
    padded = np.concatenate([[0], may, [0]])
    reach = [
        np.minimum.reduce([_shifted(padded, s) for s in range(-d, d + 1)]) for d in range(n_fade)
    ]
    return np.asarray(np.mean(reach, axis=0)[1:-1], np.float32)


def _shifted(values: Floats, by: int) -> Floats:
    """`values` moved by whole places, 0 beyond the ends."""
    out = np.zeros_like(values)
    by = int(np.clip(by, -len(values), len(values)))
    if by >= 0:
        out[by:] = values[: len(values) - by]
    else:
        out[:by] = values[-by:]
    return out
