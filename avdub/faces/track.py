"""Faces over time: detections joined into tracks, each in one shot, smoothed, with honest gaps.

`Tracker` takes one frame at a time and keeps landmarks only, never pictures.
"""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from avdub.faces.boxes import overlap
from avdub.faces.crop import crop, place
from avdub.faces.detect import Detection, box_of
from avdub.faces.lips import interocular
from avdub.faces.outline import Followed
from avdub.faces.shots import ShotCuts
from avdub.faces.smoothing import steady
from avdub.timeline import Span

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

MAX_GAP_S = 0.25  # shorter losses are bridged, but not painted
MIN_TRACK_S = 0.3
LOOK_EVERY_S = 0.4  # full search for faces while some are followed,
SEARCH_EVERY_S = 0.12  # ... and while there is none
DEEP_EVERY = 4  # while some are followed, one search in so many also looks for small faces
MAX_YAW = 45.0  # degrees
MIN_EYES = 12.0  # inter-ocular px below which a mouth is not worth painting
LOOK_SIZE = 12  # pixels a side of the remembered lower faces
COVERED_LEVEL = 20.0  # mean change of the lower face from which it counts as hidden, in levels,
COVERED_HUE = 0.03  # ... and in shares of red, green and blue; speech stays below 0.04 and 15
_ACROSS = ((234, 454), (127, 356), (93, 323), (33, 263))  # left and right at the same depth


class FindsFaces(Protocol):
    """What the tracker needs of a Detector."""

    def detect(self, image: Image, deep: bool | None = None) -> list[Detection]: ...

    def refine(self, image: Image, landmarks: Floats) -> Detection | None: ...


@dataclass(frozen=True)
class FaceTrack(Followed):
    """One face in one shot.

    frames: consecutive frame indexes (N); landmarks (N, 468, 3) float32 smoothed, px; box (N, 4);
    visible (N,) bool: may be painted; reason: N words, "" where visible, else "gap" (interpolated),
    "profile", "tiny" or "occluded"; identity: mean ArcFace embedding if the backend has one.
    """

    id: int
    frames: Span
    landmarks: Floats
    box: Floats
    visible: NDArray[np.bool_]
    reason: tuple[str, ...]
    shot: int
    identity: Floats | None = None

    def at(self, frame: int) -> Floats | None:
        """Landmarks (468, 3) of `frame`, None outside the track."""
        return self.landmarks[frame - self.frames.start] if frame in self.frames else None


@dataclass
class _Open:
    """A track being followed: what was found, by frame."""

    found: dict[int, Detection] = field(default_factory=dict)
    looks: dict[int, Image] = field(default_factory=dict)  # tiny pictures of the lower face
    last: int = -1
    suspended: bool = False  # by what looked like a cut; only a full search resumes it

    def add(self, index: int, detection: Detection, image: Image) -> None:
        self.found[index] = detection
        square = place(detection.landmarks[None])[0]
        self.looks[index] = crop(image, square, LOOK_SIZE)
        self.last = max(self.last, index)
        self.suspended = False

    @property
    def newest(self) -> Detection:
        return self.found[self.last]


class Tracker:
    """Follows faces through a video, one frame at a time, at `rate` frames/s (about is enough)."""

    def __init__(self, detector: FindsFaces, rate: Fraction | float = 25) -> None:
        self._detector = detector
        self._rate = float(rate)
        self._gap = max(1, round(MAX_GAP_S * self._rate))
        self._shots = ShotCuts()
        self._open: list[_Open] = []
        self._closed: list[_Open] = []
        self._next_look = 0
        self._n_looks = 0
        self._n_frames = 0

    @property
    def cuts(self) -> list[int]:
        """Frames where a new shot begins, so far."""
        return self._shots.cuts

    def feed(self, index: int, image: Image) -> None:
        """Take frame `index` (H, W, 3); indexes must be consecutive from 0."""
        assert index == self._n_frames, f"frame {index} is out of order"
        self._n_frames += 1
        cut = self._shots.feed(index, image)
        for track in self._open:
            track.suspended |= cut
        self._follow(index, image)
        lost = any(track.last == index - 1 for track in self._open)
        if cut or lost or index >= self._next_look:
            self._look(index, image)
            pause = LOOK_EVERY_S if self._open else SEARCH_EVERY_S
            self._next_look = index + max(1, round(pause * self._rate))
        self._close(index)

    def finish(self) -> list[FaceTrack]:
        """All tracks, by first frame; call once, after the last frame."""
        self._closed += self._open
        self._open = []
        edges = [0, *self._shots.finish(), self._n_frames]
        pieces = [
            (shot, piece, track.looks)
            for track in self._closed
            for shot, (start, end) in enumerate(pairwise(edges))
            for piece in _runs(track.found, start, end, self._gap)
            if len(piece) >= MIN_TRACK_S * self._rate
        ]
        pieces.sort(key=lambda item: (min(item[1]), item[1][min(item[1])].box[0]))
        return [_finished(n, *piece, self._rate) for n, piece in enumerate(pieces)]

    def _follow(self, index: int, image: Image) -> None:
        for track in [each for each in self._open if not each.suspended]:
            found = self._detector.refine(image, track.newest.landmarks)
            if found is not None and _plausible(track.newest, found):
                track.add(index, found, image)
        self._merge(index)

    def _look(self, index: int, image: Image) -> None:
        """Join what a full search finds to the open tracks, or open new ones."""
        self._n_looks += 1
        brief = bool(self._open) and self._n_looks % DEEP_EVERY != 0
        for found in self._detector.detect(image, False if brief else None):
            track = _best_match(self._open, found)
            if track is None:
                track = _Open()
                self._open.append(track)
            if track.last < index:
                track.add(index, found, image)
            elif found.identity is not None:
                known = track.newest
                track.found[index] = replace(known, identity=found.identity)

    def _merge(self, index: int) -> None:
        """Two tracks that have come to follow one face: the younger ends."""
        here = [track for track in self._open if track.last == index]
        for n, younger in enumerate(here):
            for older in here[:n]:
                if overlap(older.newest.box, younger.newest.box) > 0.5:
                    del younger.found[index]
                    younger.last = max(younger.found, default=-1)
                    break
        self._open = [track for track in self._open if track.found]

    def _close(self, index: int) -> None:
        over = [track for track in self._open if index - track.last > self._gap]
        self._closed += over
        self._open = [track for track in self._open if index - track.last <= self._gap]


def _plausible(before: Detection, now: Detection) -> bool:
    """A face does not jump by half its width or change its size by a third from frame to frame."""
    size, new_size = (float((d.box[2:] - d.box[:2]).mean()) for d in (before, now))
    moved = np.abs((before.box[:2] + before.box[2:]) - (now.box[:2] + now.box[2:])).max() / 2
    return bool(moved < 0.5 * size and 0.67 < new_size / size < 1.5)


def _best_match(tracks: list[_Open], found: Detection) -> _Open | None:
    """The track whose box overlaps most and whose landmarks lie near, if any."""

    def distance(track: _Open) -> float:
        gaps = track.newest.landmarks[:, :2] - found.landmarks[:, :2]
        return float(np.hypot(*gaps.T).mean() / max(np.ptp(found.landmarks[:, 0]), 1))

    near = [t for t in tracks if overlap(t.newest.box, found.box) > 0.3 and distance(t) < 0.3]
    return min(near, key=distance, default=None)


def _runs(
    found: dict[int, Detection], start: int, end: int, gap: int
) -> list[dict[int, Detection]]:
    """The detections in [start, end), split where more than `gap` frames are missing."""
    runs: list[dict[int, Detection]] = []
    previous: int | None = None
    for index in sorted(n for n in found if start <= n < end):
        if previous is None or index - previous - 1 > gap:
            runs.append({})
        runs[-1][index] = found[index]
        previous = index
    return runs


def _finished(
    number: int, shot: int, found: dict[int, Detection], looks: dict[int, Image], rate: float
) -> FaceTrack:
    known = np.array(sorted(found))
    span = Span(int(known[0]), int(known[-1]) + 1)
    raw = _filled(np.stack([found[n].landmarks for n in known]), known - span.start, len(span))
    landmarks = steady(raw, rate)
    is_gap = np.ones(len(span), bool)
    is_gap[known - span.start] = False
    covered = np.zeros(len(span), bool)
    covered[known - span.start] = _covered(np.stack([looks[n] for n in known]))
    reason = _reasons(landmarks, is_gap, covered)
    identities = [d.identity for d in found.values() if d.identity is not None]
    return FaceTrack(
        id=number,
        frames=span,
        landmarks=landmarks,
        box=np.stack([box_of(each) for each in landmarks]),
        visible=np.array([not word for word in reason]),
        reason=reason,
        shot=shot,
        identity=np.mean(identities, axis=0) if identities else None,
    )


def _filled(landmarks: Floats, known: NDArray[np.int_], length: int) -> Floats:
    """Landmarks at `known` places spread to all of `length`, linear in between."""
    where = np.arange(length)
    right = np.clip(np.searchsorted(known, where), 0, len(known) - 1)
    left = np.where(known[right] == where, right, np.maximum(right - 1, 0))
    share = (where - known[left]) / np.maximum(known[right] - known[left], 1)
    low, high = landmarks[left], landmarks[right]
    return np.asarray(low + (high - low) * share[:, None, None], np.float32)


def yaw(landmarks: Floats) -> Floats:
    """How far each head (N, 468, 3) is turned to a side, in degrees."""
    across = sum(landmarks[:, right] - landmarks[:, left] for left, right in _ACROSS)
    assert not isinstance(across, int)
    sideways = np.hypot(across[:, 0], across[:, 1])
    return np.asarray(np.degrees(np.arctan2(across[:, 2], sideways)), np.float32)


def _covered(looks: Image) -> NDArray[np.bool_]:
    """Frames (N,) of `looks` (N, LOOK_SIZE, LOOK_SIZE, 3) where something hides the lower face.

    The skin around the mouth must differ both in level and in hue from what it mostly is in this
    track, so neither speech nor a change of light counts.
    """
    margin = LOOK_SIZE // 4
    face = looks[:, margin:-1, margin:-margin].astype(np.float64)
    hue = face / np.maximum(face.sum(-1, keepdims=True), 1)
    level_change = np.abs(face - np.median(face, axis=0)).mean((1, 2, 3))
    hue_change = np.abs(hue - np.median(hue, axis=0)).sum(-1).mean((1, 2))
    limit = max(COVERED_LEVEL, 2.5 * float(np.median(level_change)))
    return np.asarray((level_change > limit) & (hue_change > COVERED_HUE))


def _reasons(
    landmarks: Floats, is_gap: NDArray[np.bool_], covered: NDArray[np.bool_]
) -> tuple[str, ...]:
    profile = np.abs(yaw(landmarks)) > MAX_YAW
    tiny = interocular(landmarks) < MIN_EYES
    words = np.select([is_gap, profile, tiny, covered], ["gap", "profile", "tiny", "occluded"], "")
    return tuple(str(word) for word in words)
