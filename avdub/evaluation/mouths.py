"""The mouth of a video over time, real or predicted, as three numbers a frame.

All are in inter-ocular distances without head pose: lip opening, lip width and how low the chin is.
Predicted shapes are relative to rest and are put on the real mouth's own rest.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.errors import MediaError
from avdub.evaluation.lips import even_times, main_face
from avdub.faces.detect import Detector
from avdub.faces.lips import Floats, jaw, lip_shape, opening, width
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.waveform import Samples, resample
from avdub.pipeline.actor import REST_SHARE
from avdub.pipeline.weights import Weights
from avdub.timeline import SAMPLE_RATE, SAMPLES_PER_STEP, STEP_RATE

Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Mouth:
    """opening, width and jaw (N,) at even times; NaN where the mouth is not seen."""

    opening: Doubles
    width: Doubles
    jaw: Doubles


@dataclass(frozen=True)
class Clip:
    """A video heard and seen: its sound (S,) at 16 kHz, the latents of it (T, D), its real lips.

    `lips` (N, L, 2) at the even `times` (N,) seconds, `known` where the face is seen, `rest` (L, 2)
    the mean of the fifth of the frames that are least open, as in painting.
    """

    info: MediaInfo
    wav: Samples
    vec: Tensor
    times: Doubles
    rate: float
    lips: Doubles
    known: Mask
    rest: Doubles

    @property
    def mouth(self) -> Mouth:
        """The real mouth."""
        return mouth_of(np.where(self.known[:, None, None], self.lips, np.nan))

    @property
    def rest_opening(self) -> float:
        return float(mouth_of(self.rest[None]).opening[0])


def read_clip(path: Path, weights: Weights, detector: Detector) -> Clip:
    """Hear and see a video. Raises MediaError, and FaceError where no face is usable."""
    info = probe(path)
    sound = read_audio(path, info)
    wav = None if sound is None else resample(sound.mono(), SAMPLE_RATE).samples[:, 0]
    if wav is None or len(wav) < SAMPLES_PER_STEP:
        raise MediaError(f"{path} has no sound", "give a video in which somebody speaks")
    track = main_face(info, detector)
    at = np.array([float(info.frame_times[n]) for n in track.frames.range()])
    shapes = lip_shape(track.landmarks, weights.template)
    times, rate = even_times(info)
    lips = _at(times, at, shapes)
    seen = np.interp(times, at, track.visible.astype(float), left=0.0, right=0.0) > 0.99
    vec = weights.speech_to_latents.listen(torch.from_numpy(wav))
    return Clip(info, wav, vec, times, rate, lips, seen, rest_of(shapes[track.visible]))


def rest_of(shapes: Floats) -> Doubles:
    """Shapes (N, L, 2) → the mean of those that are least open (L, 2)."""
    gaps = opening(shapes)
    return np.asarray(shapes[gaps <= np.quantile(gaps, REST_SHARE)].mean(0), np.float64)


def predicted_mouth(clip: Clip, vec: Tensor, weights: Weights) -> Mouth:
    """The mouth that latents (T, D) give the clip's person at the clip's times."""
    shapes = weights.latents_to_face.lip_shapes(vec, torch.from_numpy(clip.times))
    return mouth_of(clip.rest + shapes.numpy().astype(np.float64))


def predicted_steps(vec: Tensor, weights: Weights) -> Tensor:
    """Lips relative to rest, one shape a step: vec (T, D) → (T, L, 2)."""
    middles = (torch.arange(len(vec), dtype=torch.float64) + 0.5) / STEP_RATE
    return weights.latents_to_face.lip_shapes(vec, middles)


def real_steps(clip: Clip) -> tuple[Tensor, Mask]:
    """The real lips, one shape a step (T, L, 2), and where they are known (T,)."""
    middles = (np.arange(len(clip.vec)) + 0.5) / STEP_RATE
    known = np.interp(middles, clip.times, clip.known.astype(float), left=0.0, right=0.0) > 0.99
    return torch.from_numpy(_at(middles, clip.times, clip.lips).astype(np.float32)), known


def mouth_of(shapes: Doubles) -> Mouth:
    """Shapes (N, L, 2) as three numbers a frame."""
    flat = np.asarray(shapes, np.float32)
    return Mouth(*(np.asarray(part(flat), np.float64) for part in (opening, width, jaw)))


def _at(times: Doubles, own: Doubles, shapes: NDArray[np.floating]) -> Doubles:
    """Shapes (N, L, 2) of the times `own` (N,) at other `times` (M,) → (M, L, 2)."""
    flat = shapes.reshape(len(shapes), -1)
    columns = [np.interp(times, own, column) for column in flat.T]
    return np.stack(columns, 1).reshape(len(times), *shapes.shape[1:])
