"""The sync expert on trial: real clips whose sound is shifted on purpose, and what it finds."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.errors import FaceError, InputError, MediaError
from avdub.evaluation.lips import latents_of, main_face
from avdub.faces.detect import Detector, make_detector
from avdub.faces.lips import lip_shape
from avdub.media.probe import probe
from avdub.models.sync import SyncExpert
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.timeline import STEP_RATE

WINDOW_STEPS, HOP_STEPS = 2 * STEP_RATE, STEP_RATE // 4
SHIFT_STEPS = 12  # the largest put on: 240 ms, ± 6 frames of 25 frames/s
MS_PER_STEP = 1000 / STEP_RATE

Doubles = NDArray[np.float64]
NO_TRIALS: Doubles = np.zeros((3, 0))


@dataclass(frozen=True)
class ClipSync:
    """One video: trials, the share told within a frame, and the offset it has by itself."""

    video: str
    trials: int
    within_frame: float
    offset_ms: float
    problem: str = ""


@dataclass(frozen=True)
class ShiftSync:
    """All trials at one shift (positive: sound made late), the share told within a frame of its
    video, and their median error."""

    shift_ms: float
    trials: int
    within_frame: float
    error_ms: float


@dataclass(frozen=True)
class SyncScore:
    """All clips; `within_frame` is the share of all trials, `error_ms` their median error;
    `shifts` has the same by the shift that was put on."""

    clips: tuple[ClipSync, ...]
    trials: int
    within_frame: float
    error_ms: float
    shifts: tuple[ShiftSync, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def measure_sync(
    videos: Sequence[Path],
    weights: Weights,
    backend: str = "mediapipe",
    progress: Progress = silent,
) -> SyncScore:
    """Put every video's windows of 2 s to the expert at shifts of up to 240 ms either way.

    Raises InputError where no video can be measured, WeightsError.
    """
    expert = weights.sync
    _ = weights.speech_to_latents
    detector = make_detector(weights.faces, backend, threads=1)
    clips, told = [], [NO_TRIALS]
    for path in progress(videos, "sync", len(videos)):
        clip, trials_of_clip = _clip(path, weights, expert, detector)
        clips.append(clip)
        told.append(trials_of_clip)
    each = np.concatenate(told, axis=1)
    trials = sum(clip.trials for clip in clips)
    if not trials:
        why = clips[0].problem if clips else "there is no video"
        raise InputError(f"no sync could be measured: {why}", "give videos of a person who speaks")
    share = sum(clip.within_frame * clip.trials for clip in clips) / trials
    return SyncScore(tuple(clips), trials, share, float(np.median(each[1])), _by_shift(each))


def _by_shift(each: Doubles) -> tuple[ShiftSync, ...]:
    """Trials (3, N) grouped by their shift, rising."""
    found = []
    for shift in np.unique(each[0]):
        _, missed, is_found = each[:, each[0] == shift]
        found.append(
            ShiftSync(float(shift), len(missed), float(is_found.mean()), float(np.median(missed)))
        )
    return tuple(found)


def _clip(
    path: Path, weights: Weights, expert: SyncExpert, detector: Detector
) -> tuple[ClipSync, Doubles]:
    """One video and its trials (3, N): shift put on in ms, error in ms, whether within a frame."""
    try:
        info = probe(path)
        vec = latents_of(info, weights)
        track = main_face(info, detector)
    except (FaceError, MediaError) as error:
        return ClipSync(path.name, 0, 0.0, 0.0, error.message), NO_TRIALS
    times = np.array([float(info.frame_times[n]) for n in track.frames.range()])
    middles = (np.arange(len(vec)) + 0.5) / STEP_RATE
    shapes = lip_shape(track.landmarks, weights.template).reshape(len(times), -1)
    lips = np.stack([np.interp(middles, times, column) for column in shapes.T], 1)
    known = np.interp(middles, times, track.visible.astype(float), 0, 0) > 0.99
    rows = torch.from_numpy(lips.astype(np.float32)).view(len(lips), -1, 2)
    told = [
        (wanted, found)
        for start in _windows(known)
        for wanted, found in _trials(expert, vec, rows, start)
    ]
    if not told:
        return ClipSync(path.name, 0, 0.0, 0.0, "less than 2 s of one visible face"), NO_TRIALS
    wanted, found = np.array(told).T * MS_PER_STEP
    missed = np.abs(found - wanted)
    is_found = missed <= 1000 / float(info.rate)
    offset = float(np.median(found - wanted))
    clip = ClipSync(path.name, len(told), float(is_found.mean()), offset)
    return clip, np.stack([wanted, missed, is_found])


def _windows(known: np.ndarray[Any, np.dtype[np.bool_]]) -> Iterator[int]:
    """Starts of the windows in which the face is seen throughout."""
    for start in range(0, len(known) - WINDOW_STEPS + 1, HOP_STEPS):
        if known[start : start + WINDOW_STEPS].all():
            yield start


def _trials(
    expert: SyncExpert, vec: Tensor, lips: Tensor, start: int
) -> Iterator[tuple[int, float]]:
    """(steps the sound was made late, steps the expert says) for every even shift."""
    reach = expert.config.reach
    shifts = list(range(-SHIFT_STEPS, SHIFT_STEPS + 1, 2))
    at = torch.arange(WINDOW_STEPS + 2 * reach) + start - reach
    sounds = torch.stack([vec[(at - d).clamp(0, len(vec) - 1)].T for d in shifts])
    seen = lips[start : start + WINDOW_STEPS].expand(len(shifts), -1, -1, -1)
    found, _ = expert.shift(sounds, seen)
    yield from zip(shifts, found.tolist(), strict=True)
