"""What a dub left alone: both videos side by side, and the mouths that may differ."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from avdub.evaluation.picture import Image, Mask, change, psnr, sharpness, widened
from avdub.faces.crop import Placement, mouth_mask, place
from avdub.faces.lips import Floats
from avdub.faces.warp import resample
from avdub.media.probe import MediaInfo
from avdub.media.video import FrameReader
from avdub.pipeline.actor import SMOOTH_S
from avdub.pipeline.plan import Job, Plan
from avdub.progress import Progress, silent

MASK_SIZE = 256  # pixels a side the mouth mask is drawn at
WIDEN_SHARE, WIDEN_PX = 0.04, 8  # of the square's side, and at least half a coding block


@dataclass(frozen=True)
class PictureScore:
    """PSNR in dB per frame, least and mean: outside the dubbed spans, and inside them beside the
    mouth. Changes are in levels of 255; `sharpness` is the new mouth's over the old one's. None
    where no frame is of that kind.
    """

    outside_min_db: float | None
    outside_mean_db: float | None
    beside_min_db: float | None
    beside_mean_db: float | None
    mouth_change: float | None
    beside_change: float | None
    sharpness: float | None


def painted_jobs(plan: Plan) -> list[Job]:
    """The jobs that get a new mouth."""
    return [job for job in plan.jobs if job.line and job.face is not None and len(job.frames)]


def compare_pictures(plan: Plan, dub: MediaInfo, progress: Progress = silent) -> PictureScore:
    """Stream both videos side by side, frame for frame."""
    masks = MouthMasks(plan)
    tally = _Tally()
    with FrameReader(plan.info) as before, FrameReader(dub) as after:
        pairs = zip(before, after, strict=False)  # a missing frame is reported, not compared
        for a, b in progress(pairs, "compare", len(plan.info.frame_times)):
            tally.add(a.image, b.image, masks.at(a.index, a.image.shape))
    return tally.score()


@dataclass(frozen=True)
class Mouth:
    """Where a frame was painted: `mask` (H, W) and a slightly wider one for what leaks."""

    mask: Mask
    wide: Mask


class MouthMasks:
    """The region that a dub may change, frame by frame, from the original's tracks."""

    def __init__(self, plan: Plan) -> None:
        self._jobs = painted_jobs(plan)
        self._tracks = plan.tracks
        sigma = float(plan.info.rate) * SMOOTH_S
        faces = {job.face for job in self._jobs if job.face is not None}
        self._squares = {face: place(plan.tracks[face].landmarks, sigma) for face in faces}

    def at(self, frame: int, shape: Sequence[int]) -> Mouth | None:
        """The mouths of `frame` in a picture of `shape`; None outside all painted spans."""
        jobs = [job for job in self._jobs if frame in job.frames]
        if not jobs:
            return None
        mask, wide = np.zeros(shape[:2], bool), np.zeros(shape[:2], bool)
        for landmarks, square in self._faces(jobs, frame):
            one = _mouth_in_frame(landmarks, square, shape)
            mask |= one > 0.5
            by = max(WIDEN_PX, round(WIDEN_SHARE * square.side_px))
            wide |= widened(one > 0, by)
        return Mouth(mask, wide)

    def _faces(self, jobs: Sequence[Job], frame: int) -> Iterator[tuple[Floats, Placement]]:
        for face in {job.face for job in jobs if job.face is not None}:
            track = self._tracks[face]
            if not track.why(frame):
                n = frame - track.frames.start
                yield track.landmarks[n], self._squares[face][n]


@dataclass
class _Tally:
    outside: list[float] = field(default_factory=list)
    beside: list[float] = field(default_factory=list)
    beside_change: list[float] = field(default_factory=list)
    mouth_change: list[float] = field(default_factory=list)
    sharp_before: list[float] = field(default_factory=list)
    sharp_after: list[float] = field(default_factory=list)

    def add(self, a: Image, b: Image, mouth: Mouth | None) -> None:
        if mouth is None:
            self.outside.append(psnr(a, b))
            return
        self.beside.append(psnr(a, b, ~mouth.wide))
        self.beside_change.append(change(a, b, ~mouth.wide))
        if mouth.mask.any():
            self.mouth_change.append(change(a, b, mouth.mask))
            self.sharp_before.append(sharpness(a, mouth.mask))
            self.sharp_after.append(sharpness(b, mouth.mask))

    def score(self) -> PictureScore:
        before = sum(self.sharp_before)
        return PictureScore(
            min(self.outside, default=None),
            _mean(self.outside),
            min(self.beside, default=None),
            _mean(self.beside),
            _mean(self.mouth_change),
            _mean(self.beside_change),
            sum(self.sharp_after) / before if before else None,
        )


def _mouth_in_frame(landmarks: Floats, square: Placement, shape: Sequence[int]) -> Floats:
    mask = mouth_mask(landmarks, square, MASK_SIZE)
    back = np.asarray(cv2.invertAffineTransform(square.pixels(MASK_SIZE)), np.float64)
    return resample(mask, back, (shape[1], shape[0]), cv2.BORDER_CONSTANT)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None
