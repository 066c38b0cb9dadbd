"""Lips over time: how well two mouths move together, and by how much one runs late."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from avdub.errors import FaceError, MediaError
from avdub.faces.detect import Detector
from avdub.faces.lips import opening
from avdub.faces.track import FaceTrack, Tracker
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo
from avdub.media.video import FrameReader
from avdub.media.waveform import resample
from avdub.pipeline.weights import Weights
from avdub.timeline import SAMPLE_RATE, SAMPLES_PER_STEP

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]

REACH_MS = 400.0  # shifts looked at, to either side
COMMON_STEP_MS = 20.0  # of the mean curve over clips of different rates
MIN_PAIRS = 10  # frames below which a correlation says nothing
IN_TIME_MS = 40.0
FAR_MS = 200.0  # shifts from here on are out of sync for certain


@dataclass(frozen=True)
class LipSync:
    """`correlation` at shift 0; the best one and its shift in ms (positive: b runs late).

    `curve` holds the correlation at each of `shifts_ms`, a frame apart; 0 where it is unknown.
    `sharpness` is the best correlation less the mean one at shifts of 200 to 400 ms either way:
    what lips lose when they are out of time.
    """

    correlation: float
    best_correlation: float
    best_shift_ms: float
    shifts_ms: tuple[float, ...]
    curve: tuple[float, ...]
    sharpness: float | None = None


@dataclass(frozen=True)
class Openings:
    """Lip openings frame by frame where the face is seen, in inter-ocular distances (N,)."""

    real: tuple[float, ...]
    made: tuple[float, ...]

    @classmethod
    def of(cls, real: Doubles, made: Doubles, seen: Mask) -> "Openings":
        """Of two mouths (N,), rounded to what the mesh can tell."""
        return cls(*(tuple(np.round(values[seen], 4).tolist()) for values in (real, made)))


def lip_sync(
    opening_a: ArrayLike,
    opening_b: ArrayLike,
    rate: float | Fraction,
    where: Mask | None = None,
) -> LipSync | None:
    """Correlate two openings (N,) at `rate` per second over shifts of ±400 ms.

    `where` (N,) names the frames of `a` that count; NaN counts nowhere. The peak is placed between
    frames by a parabola. None where a curve cannot be drawn: too few frames, or nothing moves.
    """
    a, b = (np.array(x, np.float64) for x in (opening_a, opening_b))
    assert a.shape == b.shape, "openings differ in length"
    if where is not None:
        a[~where] = np.nan
    reach = int(np.floor(REACH_MS / 1000 * float(rate) + 1e-6))
    curve = np.array([correlation(a, b, shift) for shift in range(-reach, reach + 1)])
    if np.isnan(curve[reach]):
        return None
    shifts = 1000 / float(rate) * np.arange(-reach, reach + 1, dtype=np.float64)
    return _peak(shifts, curve)


def mean_sync(each: Sequence[LipSync]) -> LipSync:
    """The curves of several clips, of whatever rates, averaged over common shifts."""
    assert each, "nothing to average"
    n = int(REACH_MS / COMMON_STEP_MS)
    shifts = COMMON_STEP_MS * np.arange(-n, n + 1, dtype=np.float64)
    curves = [np.interp(shifts, sync.shifts_ms, sync.curve) for sync in each]
    return _peak(shifts, np.mean(curves, axis=0))


def predicted_opening(info: MediaInfo, weights: Weights) -> Doubles:
    """What the video's own sound predicts: lip opening relative to rest at each frame (N,).

    Raises MediaError for a video without sound.
    """
    vec = latents_of(info, weights)
    times = torch.tensor([float(t) for t in info.frame_times], dtype=torch.float64)
    shapes = weights.latents_to_face.lip_shapes(vec, times)
    return opening(shapes.numpy()).astype(np.float64)


def latents_of(info: MediaInfo, weights: Weights) -> Tensor:
    """Latents of the video's own sound (T, D). Raises MediaError for a video without sound."""
    sound = read_audio(info.path, info)
    wav = None if sound is None else resample(sound.mono(), SAMPLE_RATE).samples[:, 0]
    if wav is None or len(wav) < SAMPLES_PER_STEP:
        raise MediaError(f"{info.path} has no sound", "give a video in which somebody speaks")
    return weights.speech_to_latents.listen(torch.from_numpy(wav))


def main_face(info: MediaInfo, detector: Detector) -> FaceTrack:
    """The track that may be painted longest; raises FaceError where there is none."""
    tracker = Tracker(detector, info.rate)
    with FrameReader(info) as reader:
        for frame in reader:
            tracker.feed(frame.index, frame.image)
    track = max(tracker.finish(), key=lambda t: int(t.visible.sum()), default=None)
    if track is None or not track.visible.any():
        raise FaceError(f"{info.path} shows no usable face", "give a video with a frontal face")
    return track


def even_times(info: MediaInfo) -> tuple[Doubles, float]:
    """Evenly spaced seconds (N,) over the video, and their rate."""
    n_frames = len(info.frame_times)
    rate = n_frames / float(info.end) if info.end else float(info.rate)
    return np.arange(n_frames) / rate, rate


def even(info: MediaInfo, values: ArrayLike, times: Doubles) -> Doubles:
    """Values of the frames (N,) read at `times`; unknown (NaN) beside an unknown frame."""
    return np.interp(times, [float(t) for t in info.frame_times], np.asarray(values, np.float64))


def _peak(shifts_ms: Doubles, curve: Doubles) -> LipSync:
    """The measures of a correlation `curve` over evenly spaced shifts; NaN is no candidate."""
    peak = int(np.nanargmax(curve))
    height, offset = float(curve[peak]), 0.0
    if 0 < peak < len(curve) - 1:
        left, right = float(curve[peak - 1]), float(curve[peak + 1])
        bend = left - 2 * height + right
        if bend < 0:  # false for NaN
            offset = 0.5 * (left - right) / bend
            height -= 0.25 * (left - right) * offset
    step = float(shifts_ms[1] - shifts_ms[0])
    return LipSync(
        float(curve[len(curve) // 2]),
        height,
        float(shifts_ms[peak]) + offset * step,
        tuple(shifts_ms.tolist()),
        tuple(np.nan_to_num(curve).tolist()),
        _sharpness(shifts_ms, curve, height),
    )


def _sharpness(shifts_ms: Doubles, curve: Doubles, height: float) -> float | None:
    far = curve[np.abs(shifts_ms) >= FAR_MS - 1e-6]
    far = far[~np.isnan(far)]
    return height - float(far.mean()) if len(far) else None


def correlation(a: Doubles, b: Doubles, shift: int = 0) -> float:
    """Pearson's r of a[n] with b[n + shift]; NaN for too few pairs or no movement."""
    n = len(a) - abs(shift)
    x = a[max(0, -shift) :][: max(n, 0)]
    y = b[max(0, shift) :][: max(n, 0)]
    known = ~(np.isnan(x) | np.isnan(y))
    if known.sum() < MIN_PAIRS:
        return float("nan")
    x, y = x[known] - x[known].mean(), y[known] - y[known].mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 1e-12 else float("nan")
