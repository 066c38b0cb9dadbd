"""The actor: what is known of a tracked face before its mouth is painted anew.

Exemplars are frames of the same person, spread over his mouth shapes and cut out of the video.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.faces.crop import ANCHOR_POINTS, Placement, crop, place, points_in
from avdub.faces.lips import SHAPE_POINTS, Floats, lip_shape, opening
from avdub.faces.track import FaceTrack, yaw
from avdub.media.probe import MediaInfo
from avdub.media.video import read_frames
from avdub.models.latents_to_face import inner_lips

Image = NDArray[np.uint8]
K = 6  # exemplars a track
GATHERED = 1.5  # pixels gathered a side over the video's own: resampling twice at 1 would blur
LARGEST = 768  # pixels a side gathered at most; beyond this the patch is enlarged
REST_SHARE = 0.2  # of the frames with the least opening make the rest shape
SMOOTH_S = 0.08  # of the square's placement
MOST_MET = 6  # actors known at a time; each holds pictures
STILL_POINTS = ANCHOR_POINTS  # mesh points that keep their place when the mouth changes


@dataclass(frozen=True)
class Actor:
    """What is known of a track's face: where it sits, how it rests, what it looks like."""

    track: FaceTrack
    placements: tuple[Placement, ...]
    rest: Floats  # (L, 2)
    chosen: tuple[int, ...]  # frames of the exemplars
    images: Tensor  # (K, 3, S, S)
    native: Tensor  # (K, 3, R, R)
    shapes: Tensor  # (K, L, 2) in the unit square
    still: Tensor  # (K, A, 2)
    inner: Tensor  # (K, 1, S/2, S/2)

    @property
    def size(self) -> int:
        return int(self.native.shape[-1])

    def placement(self, frame: int) -> Placement:
        return self.placements[frame - self.track.frames.start]


def meet_actor(info: MediaInfo, track: FaceTrack, template: Floats, size: int) -> Actor:
    """Choose the track's exemplars, spread over its mouth shapes, and cut them out of the video."""
    placements = place(track.landmarks, float(info.rate) * SMOOTH_S)
    shapes = lip_shape(track.landmarks, template)
    gaps = opening(shapes)
    usable = np.flatnonzero(track.visible)
    quiet = usable[gaps[usable] <= np.quantile(gaps[usable], REST_SHARE)]
    chosen = choose_exemplars(gaps, yaw(track.landmarks), usable)
    start = track.frames.start
    pictures = read_frames(info, [start + int(i) for i in chosen])
    side = max(placements[int(i)].side_px for i in chosen)
    native_size = int(np.clip(round(GATHERED * side), size, LARGEST))
    images = [pictures[start + int(i)] for i in chosen]
    squares = [placements[int(i)] for i in chosen]
    exemplar_shapes = points_of(track.landmarks[chosen][:, SHAPE_POINTS], squares)
    return Actor(
        track,
        placements,
        np.asarray(shapes[quiet].mean(0), np.float32),
        tuple(start + int(i) for i in chosen),
        stacked([crop(a, b, size) for a, b in zip(images, squares, strict=True)]),
        stacked([crop(a, b, native_size) for a, b in zip(images, squares, strict=True)]),
        exemplar_shapes,
        points_of(track.landmarks[chosen][:, STILL_POINTS], squares),
        inner_lips(exemplar_shapes[None], size // 2)[0],
    )


def choose_exemplars(gaps: Floats, yaws: Floats, usable: NDArray[np.intp]) -> NDArray[np.intp]:
    """K frames whose openings are spread over the usable range, each near the usual pose."""
    order = usable[np.argsort(gaps[usable], kind="stable")]
    straight = np.abs(yaws - np.median(yaws[usable]))
    groups = np.array_split(order, min(K, len(order)))
    picked = [int(group[np.argmin(straight[group])]) for group in groups]
    while len(picked) < K:
        picked.append(picked[-1])
    return np.asarray(picked, np.intp)


class Troupe(Mapping[int, Actor]):
    """Actors by track, each met when first needed, and of many the latest kept."""

    def __init__(self, tracks: Mapping[int, FaceTrack], meet: Callable[[int], Actor]) -> None:
        self.tracks = tracks
        self.meet = meet
        self._met: OrderedDict[int, Actor] = OrderedDict()

    def __getitem__(self, track: int) -> Actor:
        if track not in self._met:
            if track not in self.tracks:
                raise KeyError(track)
            self._met[track] = self.meet(track)
            while len(self._met) > MOST_MET:
                self._met.popitem(last=False)
        self._met.move_to_end(track)
        return self._met[track]

    def leave(self, frame: int) -> None:
        """Forget those who do not appear any more from `frame` on."""
        for track in [k for k, actor in self._met.items() if actor.track.frames.end <= frame]:
            del self._met[track]

    def __iter__(self) -> Iterator[int]:
        return iter(self.tracks)

    def __len__(self) -> int:
        return len(self.tracks)


def placed_on(actor: Actor, device: torch.device) -> Actor:
    """The actor's exemplars on the device that paints, sent once."""
    return replace(
        actor,
        images=actor.images.to(device),
        native=actor.native.to(device),
        shapes=actor.shapes.to(device),
        still=actor.still.to(device),
        inner=actor.inner.to(device),
    )


def stacked(images: Sequence[Image]) -> Tensor:
    """uint8 (S, S, 3) each → (N, 3, S, S) in 0–1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def points_of(points: Floats, squares: Sequence[Placement]) -> Tensor:
    """Frame px (N, C, 2+) → unit-square coordinates (N, C, 2)."""
    return torch.from_numpy(
        np.stack([points_in(p, each) for p, each in zip(squares, points, strict=True)])
    )
