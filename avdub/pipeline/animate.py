"""Latents and exemplars to new mouths: chooses exemplars, drives lips, paints frames in batches.

A frame is changed only where its face may be painted (FaceTrack.visible); everything else passes
through as it came.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.faces.crop import (
    ANCHOR_POINTS,
    Area,
    Placement,
    crop,
    match_colour,
    mouth_mask,
    paste,
    place,
    points_in,
)
from avdub.faces.lips import SHAPE_POINTS, Floats, jaw, lip_shape, opening, to_frame
from avdub.faces.track import FaceTrack, yaw
from avdub.latents import Latents
from avdub.media.probe import MediaInfo
from avdub.media.video import Frame, read_frames
from avdub.models.face_fields import JAW
from avdub.models.latents_to_face import Exemplars, LatentsToFace, Target, inner_lips, render
from avdub.models.placed import device_of, moved
from avdub.timeline import STEP_RATE, Span

Image = NDArray[np.uint8]
K = 6  # exemplars a track
GATHERED = 1.5  # pixels gathered a side over the video's own: resampling twice at 1 would blur
LARGEST = 768  # pixels a side gathered at most; beyond this the patch is enlarged
REST_SHARE = 0.2  # of the frames with the least opening make the rest shape
FADE_S = 0.08  # the patch fades in and out at the ends of a run of painted frames
SMOOTH_S = 0.08  # of the square's placement
BATCH = 8
KEPT_JAW = 0.75  # of the difference to an own jaw that hangs lower than the wanted one
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


@dataclass(frozen=True)
class Drive:
    """A segment's mouth for `frames`: wanted lips (N, L, 2) relative to rest."""

    track: int
    frames: Span
    lips: Floats


def drive(
    model: LatentsToFace, latents: Latents, track: int, frames: Span, times: Sequence[Fraction]
) -> Drive:
    """Lips for `frames`, whose times are seconds from the latents' start."""
    at = torch.tensor([float(t) for t in times], dtype=torch.float64)
    assert latents.seconds * STEP_RATE >= 1, "no latents to drive a mouth with"
    return Drive(track, frames, model.lip_shapes(latents.vec, at).numpy())


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
    exemplar_shapes = _points(track.landmarks[chosen][:, SHAPE_POINTS], squares)
    return Actor(
        track,
        placements,
        np.asarray(shapes[quiet].mean(0), np.float32),
        tuple(start + int(i) for i in chosen),
        _stack([crop(a, b, size) for a, b in zip(images, squares, strict=True)]),
        _stack([crop(a, b, native_size) for a, b in zip(images, squares, strict=True)]),
        exemplar_shapes,
        _points(track.landmarks[chosen][:, STILL_POINTS], squares),
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


class Animator:
    """Paints the frames that drives ask for; `frames` may be any iterable of consecutive frames."""

    def __init__(
        self,
        model: LatentsToFace,
        template: Floats,
        actors: dict[int, Actor],
        drives: Sequence[Drive],
        rate: Fraction,
    ) -> None:
        self.model, self.template = model, template
        self.device = device_of(model)
        self.actors = {k: _placed(actor, self.device) for k, actor in actors.items()}
        self.drives = drives
        self.fade_frames = max(1, round(float(rate) * FADE_S))
        self.painted = 0
        self.strength = {id(d): self._strength(d) for d in drives}

    def animate(self, frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        """Every frame in order, the driven ones with a new mouth."""
        waiting: list[Frame] = []
        for frame in frames:
            waiting.append(frame)
            if len(waiting) == BATCH:
                yield from self._paint(waiting)
                waiting = []
        yield from self._paint(waiting)

    def unpainted(self, actor_id: int, frames: Span) -> str:
        """Why some frames of a segment keep their picture, "" where all are painted."""
        track = self.actors[actor_id].track
        why = [track.why(n) for n in frames.range()]
        kept = [w for w in why if w]
        if not kept:
            return ""
        n = "no frame" if len(kept) == len(why) else f"{len(why) - len(kept)} of {len(why)} frames"
        return f"{n} painted: {', '.join(sorted(set(kept)))}"

    def _paint(self, frames: Sequence[Frame]) -> Iterator[tuple[Fraction, Image]]:
        pictures = {f.index: f.image for f in frames}
        for actor_id, actor in self.actors.items():
            wanted = [
                (f.index, d)
                for f in frames
                if (d := self._driving(actor_id, f.index)) is not None
                and self.strength[id(d)][f.index - d.frames.start] > 0
            ]
            if wanted:
                self._paint_actor(actor, wanted, pictures)
        for frame in frames:
            yield frame.time, pictures[frame.index]

    def _driving(self, actor_id: int, frame: int) -> Drive | None:
        """The drive of this face at this frame; of overlapping ones the later segment's."""
        found = [d for d in self.drives if d.track == actor_id and frame in d.frames]
        return found[-1] if found else None

    def _strength(self, drive: Drive) -> Floats:
        """How much of the patch shows, per frame of the drive: 0 where not paintable, faded."""
        actor = self.actors[drive.track]
        may = np.array([actor.track.why(n) == "" for n in drive.frames.range()], np.float32)
        padded = np.concatenate([[0], may, [0]])
        n = self.fade_frames
        reach = [
            np.minimum.reduce([_shifted(padded, s) for s in range(-d, d + 1)]) for d in range(n)
        ]
        return np.asarray(np.mean(reach, axis=0)[1:-1], np.float32)

    def _paint_actor(
        self, actor: Actor, wanted: Sequence[tuple[int, Drive]], pictures: dict[int, Image]
    ) -> None:
        size = self.model.config.size
        first = actor.track.frames.start
        landmarks = actor.track.landmarks[[n - first for n, _ in wanted]]
        squares = [actor.placement(n) for n, _ in wanted]
        lips = np.stack([d.lips[n - d.frames.start] for n, d in wanted])
        wanted_shapes = with_own_jaw(actor.rest + lips, lip_shape(landmarks, self.template))
        on_head = to_frame(wanted_shapes, landmarks, self.template)
        masks = [mouth_mask(m, p, size) for m, p in zip(landmarks, squares, strict=True)]
        target = Target(
            _stack([crop(pictures[n], p, size) for (n, _), p in zip(wanted, squares, strict=True)]),
            torch.from_numpy(np.stack(masks))[:, None],
            _points(on_head, squares),
            _points(landmarks[:, STILL_POINTS], squares),
        )
        outlines = [mouth_mask(m, p, actor.size) for m, p in zip(landmarks, squares, strict=True)]
        area = Area.around(outlines)
        patches = self._patches(actor, target, [n for n, _ in wanted], area)
        for (n, d), square, outline, patch in zip(wanted, squares, outlines, patches, strict=True):
            strength = float(self.strength[id(d)][n - d.frames.start])
            mask = area.of(outline)
            before = crop(pictures[n], square, actor.size, area)
            matched = match_colour(patch, before, np.asarray(mask * (1 - mask) * 4))
            pictures[n] = paste(pictures[n], matched, square, np.asarray(mask * strength), area)
            self.painted += 1

    @torch.inference_mode()
    def _patches(
        self, actor: Actor, target: Target, frames: Sequence[int], area: Area
    ) -> NDArray[np.float32]:
        """(N, h, w, 3) in 0–255: `area` of the new square."""
        banned = torch.tensor([[own == frame for own in actor.chosen] for frame in frames])
        images, shapes, still, inner = (
            t[None] for t in (actor.images, actor.shapes, actor.still, actor.inner)
        )
        exemplars = Exemplars(images, shapes, still, banned.to(self.device), inner)
        in_bf16 = self.device.type == "cpu" and multiplies_bf16()
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
            mouth = self.model(moved(target, self.device), exemplars)
        made = render(mouth, actor.native[None], actor.size, area.part)
        return np.asarray((made * 255).permute(0, 2, 3, 1).contiguous().cpu().numpy(), np.float32)


@cache
def multiplies_bf16() -> bool:
    """Whether convolutions in bfloat16 are the faster ones on this processor.

    They are where it multiplies whole tiles; elsewhere they take up to twice as long as float32.
    """
    tell = getattr(torch.cpu, "get_capabilities", dict)  # torch 2.11 does not tell
    abilities: dict[str, object] = tell()
    return bool(abilities.get("amx_bf16"))


def with_own_jaw(wanted: Floats, own: Floats) -> Floats:
    """Wanted lip shapes (N, L, 2) whose jaw gives way to the frame's own where that hangs lower.

    What lies below a chin cannot be painted away, so lifting an open jaw would leave two chins.
    """
    result = wanted.copy()
    share = np.where(jaw(own) > jaw(wanted), KEPT_JAW, 0).astype(np.float32)[:, None, None]
    result[:, JAW] += share * (own[:, JAW] - wanted[:, JAW])
    return result


def _placed(actor: Actor, device: torch.device) -> Actor:
    """The actor's exemplars on the device that paints, sent once."""
    return replace(
        actor,
        images=actor.images.to(device),
        native=actor.native.to(device),
        shapes=actor.shapes.to(device),
        still=actor.still.to(device),
        inner=actor.inner.to(device),
    )


def _shifted(values: Floats, by: int) -> Floats:
    """`values` moved by whole places, 0 beyond the ends."""
    out = np.zeros_like(values)
    by = int(np.clip(by, -len(values), len(values)))
    if by >= 0:
        out[by:] = values[: len(values) - by]
    else:
        out[:by] = values[-by:]
    return out


def _stack(images: Sequence[Image]) -> Tensor:
    """uint8 (S, S, 3) each → (N, 3, S, S) in 0–1."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def _points(points: Floats, squares: Sequence[Placement]) -> Tensor:
    """Frame px (N, C, 2+) → unit-square coordinates (N, C, 2)."""
    return torch.from_numpy(
        np.stack([points_in(p, each) for p, each in zip(squares, points, strict=True)])
    )
