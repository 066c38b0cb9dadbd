"""A finished dub against its original: does the new mouth follow the new sound, is the rest left
alone, are frames and length the same.

Everything is measured again on the output file: faces are tracked anew, the sound is heard anew.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError
from avdub.evaluation.lips import IN_TIME_MS, LipSync, even, even_times, lip_sync, predicted_opening
from avdub.evaluation.untouched import PictureScore, compare_pictures, painted_jobs
from avdub.faces.boxes import overlap
from avdub.faces.lips import Floats, lip_shape, opening
from avdub.faces.track import FaceTrack
from avdub.media.probe import MediaInfo, probe
from avdub.pipeline.follow import find_faces
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job, Plan, make_plan
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent

Doubles = NDArray[np.float64]
SAME_FACE = 0.3  # overlap of boxes from which two tracks show one face
LEAST_DB = 42.0  # what is not dubbed keeps this
LEAST_CORRELATION = 0.5


@dataclass(frozen=True)
class Files:
    """What is compared: the original, its dub and the subtitles (None: beside the original)."""

    original: Path
    dub: Path
    subtitles: Path | None = None


@dataclass(frozen=True)
class SegmentSync:
    """A painted segment: the new mouth against what the new sound predicts, None if unknown."""

    index: int
    start_s: float
    end_s: float
    frames: int
    sync: LipSync | None


@dataclass(frozen=True)
class DubScore:
    """Everything measured of one dub; `tolerance_s` is a frame's length."""

    frames: int
    dub_frames: int
    duration_s: float
    dub_duration_s: float
    tolerance_s: float
    picture: PictureScore
    sync: LipSync | None
    segments: tuple[SegmentSync, ...]

    @property
    def misses(self) -> tuple[str, ...]:
        """What a good dub would not do, a sentence each; empty when all is well."""
        p, sync = self.picture, self.sync
        off_s = abs(self.dub_duration_s - self.duration_s)
        found = [
            (self.frames != self.dub_frames, f"{self.dub_frames} frames, not {self.frames}"),
            (off_s > self.tolerance_s + 1e-6, f"the length is off by {1000 * off_s:.0f} ms"),
            (_below(p.outside_min_db, LEAST_DB), f"pictures outside the cues below {LEAST_DB} dB"),
            (_below(p.beside_min_db, LEAST_DB), f"pictures beside the mouth below {LEAST_DB} dB"),
            (not p.mouth_change, "no mouth changed"),
            (sync is None, "the new mouth could not be measured"),
            (
                sync is not None and sync.correlation < LEAST_CORRELATION,
                f"the mouth follows the sound at less than {LEAST_CORRELATION}",
            ),
            (
                sync is not None and abs(sync.best_shift_ms) > IN_TIME_MS,
                f"the mouth is more than {IN_TIME_MS:.0f} ms out of time",
            ),
        ]
        return tuple(sentence for is_missed, sentence in found if is_missed)

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return {**asdict(self), "misses": list(self.misses)}


def measure_dub(
    files: Files,
    options: DubOptions | None = None,
    progress: Progress = silent,
) -> DubScore:
    """Measure a dub; `options` must be those it was made with (voice, segments, model).

    Raises InputError where the dub is no dub of the original, and what reading them raises.
    """
    options = options or DubOptions()
    weights = Weights(options.model)
    info = probe(files.dub)
    plan = make_plan(files.original, files.subtitles, options, progress, weights)
    if (info.width, info.height) != (plan.info.width, plan.info.height):
        raise InputError(
            f"{files.dub} is {info.width}x{info.height}, "
            f"the original {plan.info.width}x{plan.info.height}",
            "compare a dub with the video it was made from",
        )
    jobs = painted_jobs(plan)
    whole, segments = None, tuple[SegmentSync, ...]()
    if jobs:
        spoken = [job.segment for job in jobs]
        tracks, _ = find_faces(info, spoken, weights, options, progress)
        painted = painted_opening(plan, jobs, list(tracks.values()), weights.template)
        whole, segments = _syncs(info, jobs, painted, predicted_opening(info, weights))
    return DubScore(
        len(plan.info.frame_times),
        len(info.frame_times),
        float(plan.info.end),
        float(info.end),
        float(1 / plan.info.rate),
        compare_pictures(plan, info, progress),
        whole,
        segments,
    )


def painted_opening(
    plan: Plan, jobs: Sequence[Job], tracks: Sequence[FaceTrack], template: Floats
) -> Doubles:
    """Lip opening in the dub's own `tracks` at each frame of the jobs' faces, NaN elsewhere (N,).

    Each face's mean is taken out, so that faces at rest agree.
    """
    gaps = {track.id: opening(lip_shape(track.landmarks, template)) for track in tracks}
    found = np.full(len(plan.info.frame_times), np.nan)
    for face in {job.face for job in jobs if job.face is not None}:
        values = np.full(len(found), np.nan)
        frames = {n for job in jobs if job.face == face for n in job.frames.range()}
        for n in frames:
            track = _same_face(plan.tracks[face], tracks, n)
            if track is not None:
                values[n] = gaps[track.id][n - track.frames.start]
        known = ~np.isnan(values)
        if known.any():
            found[known] = values[known] - values[known].mean()
    return found


def _syncs(
    info: MediaInfo, jobs: Sequence[Job], painted: Doubles, predicted: Doubles
) -> tuple[LipSync | None, tuple[SegmentSync, ...]]:
    """Painted against predicted openings over all jobs, and for each alone."""
    n = len(info.frame_times)
    painted = np.pad(painted, (0, max(0, n - len(painted))), constant_values=np.nan)[:n]
    times, rate = even_times(info)
    a, b = even(info, painted, times), even(info, predicted, times)
    each = []
    for job in jobs:
        inside = np.zeros(n, bool)
        inside[job.frames.start : job.frames.end] = True
        s = job.segment
        each.append(
            SegmentSync(
                s.index, float(s.start), float(s.end), len(job.frames), lip_sync(a, b, rate, inside)
            )
        )
    return lip_sync(a, b, rate), tuple(each)


def _same_face(face: FaceTrack, tracks: Sequence[FaceTrack], n: int) -> FaceTrack | None:
    """The dub's track that shows the original's `face` at frame `n`, both paintable there."""
    if face.why(n):
        return None
    box = face.box[n - face.frames.start]
    near = [(overlap(box, t.box[n - t.frames.start]), t) for t in tracks if not t.why(n)]
    best = max(near, key=lambda pair: pair[0], default=None)
    return best[1] if best is not None and best[0] >= SAME_FACE else None


def _below(value: float | None, bound: float) -> bool:
    return value is not None and value < bound
