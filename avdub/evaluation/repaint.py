"""A real video painted anew: mouths made for frames whose real mouth is known, for measuring.

Short runs of frames go through the dub's own `meet_actor` and `Animator`. Exemplars are never the
frame that is painted nor near it in time, so nothing of the answer reaches the painter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from avdub.errors import FaceError
from avdub.evaluation.lips import latents_of
from avdub.evaluation.picture import Image, Mask
from avdub.faces.crop import Placement, crop, match_colour, mouth_mask, paste, points_in
from avdub.faces.lips import LIP_POINTS, Floats, lip_shape, to_frame
from avdub.faces.track import FaceTrack
from avdub.media.probe import MediaInfo
from avdub.media.video import Frame, FrameReader
from avdub.pipeline.actor import Actor, meet_actor
from avdub.pipeline.animate import Animator
from avdub.pipeline.drive import Drive
from avdub.pipeline.fade import FADE_S
from avdub.pipeline.paint import with_own_jaw
from avdub.pipeline.weights import Weights
from avdub.timeline import Span

RUN = 8  # consecutive frames painted at a time, so that flicker can be measured
APART_S = 0.2  # exemplars are further than this from every frame of the run
REAL, SOUND = "real", "sound"  # where lip shapes come from
OTHER_HALF, APART = "other-half", "apart"  # where exemplars come from


@dataclass(frozen=True)
class PaintChoice:
    """What is painted: `lips` REAL or SOUND, `exemplars` OTHER_HALF or APART, and a run of frames
    in every `every` frames."""

    lips: str = REAL
    exemplars: str = OTHER_HALF
    every: int = 25

    def __post_init__(self) -> None:
        assert self.lips in (REAL, SOUND), f"no lips {self.lips!r}"
        assert self.exemplars in (OTHER_HALF, APART), f"no exemplars {self.exemplars!r}"
        assert self.every >= RUN, "runs would overlap"


@dataclass(frozen=True)
class Repaint:
    """One frame (H, W, 3) as it was, as the model paints it, and with the nearest exemplar pasted.

    landmarks (468, 3) are the real ones; wanted (L, 2) is the lip shape asked for; both in px.
    """

    index: int
    real: Image
    painted: Image
    pasted: Image
    landmarks: Floats
    square: Placement
    wanted: Floats


def find_runs(track: FaceTrack, every: int, margin: int) -> list[Span]:
    """Runs of RUN frames, `every` frames apart, that with `margin` frames around may be painted."""
    first, last = track.frames.start + margin, track.frames.end - RUN - margin
    runs, n = [], first
    while n <= last:
        around = slice(n - margin - track.frames.start, n + RUN + margin - track.frames.start)
        if track.visible[around].all():
            runs.append(Span(n, n + RUN))
            n += every
        else:
            n += 1
    return runs


def allowed_exemplars(
    track: FaceTrack, times: NDArray[np.float64], run: Span, exemplars: str
) -> Mask:
    """Frames of the track (N,) that may be exemplars while `run` is painted.

    times (N,) in s. Never within APART_S of the run; with OTHER_HALF only from that half of the
    visible frames that the run does not lie in.
    """
    start = track.frames.start
    first, last = times[run.start - start], times[run.end - 1 - start]
    result = track.visible & ((times < first - APART_S) | (times > last + APART_S))
    if exemplars == OTHER_HALF:
        usable = np.flatnonzero(track.visible)
        middle = usable[len(usable) // 2]
        is_late = np.arange(len(times)) >= middle
        run_is_late = (run.start + run.end - 1) / 2 - start >= middle
        result = result & (is_late != run_is_late)
    return np.asarray(result, bool)


class Repainter:
    """Paints runs of `track` anew. Raises MediaError for SOUND where a video has none."""

    def __init__(
        self, info: MediaInfo, track: FaceTrack, weights: Weights, choice: PaintChoice
    ) -> None:
        self.info, self.track, self.choice = info, track, choice
        self.model, self.template = weights.latents_to_face, weights.template
        times = [info.frame_times[n] for n in track.frames.range()]
        self._times = np.array([float(t) for t in times])
        self._shapes = lip_shape(track.landmarks, self.template)
        self._heard: Floats | None = None
        if choice.lips == SOUND:
            at = torch.from_numpy(self._times)
            self._heard = self.model.lip_shapes(latents_of(info, weights), at).numpy()
        self._actors: dict[bytes, Actor] = {}
        self.margin = max(1, round(float(info.rate) * FADE_S))
        self.spans = find_runs(track, choice.every, self.margin)

    def runs(self) -> Iterator[list[Repaint]]:
        """Every run in order. Raises FaceError where no frame is left to take exemplars from."""
        for span in self.spans:
            actor = self.actor(span)
            with FrameReader(self.info, span) as reader:
                yield self._paint(actor, span, list(reader))

    def actor(self, run: Span) -> Actor:
        """The person as known without the frames that are forbidden while `run` is painted."""
        allowed = allowed_exemplars(self.track, self._times, run, self.choice.exemplars)
        key = allowed.tobytes()
        if key not in self._actors:
            if not allowed.any():
                raise FaceError("no frames are left for exemplars", "give a longer video")
            words = zip(allowed, self.track.reason, strict=True)
            reason = tuple("" if ok else word or "gap" for ok, word in words)
            shown = replace(self.track, visible=allowed, reason=reason)
            actor = meet_actor(self.info, shown, self.template, self.model.config.size)
            # all frames of the track may be painted, whichever may be looked at
            self._actors = {key: replace(actor, track=self.track)}
        return self._actors[key]

    def _paint(self, actor: Actor, run: Span, frames: list[Frame]) -> list[Repaint]:
        start = self.track.frames.start
        # the patch fades in and out at the ends of a drive, which must not reach the run
        wide = Span(run.start - self.margin, run.end + self.margin)
        lips = self._lips(actor, wide)
        drive = Drive(self.track.id, wide, lips)
        actors = {self.track.id: actor}
        animator = Animator(self.model, self.template, actors, [drive], self.info.rate)
        painted = [image for _, image in animator.animate(frames)]
        inside = slice(run.start - start, run.end - start)
        landmarks, own = self.track.landmarks[inside], self._shapes[inside]
        asked = with_own_jaw(actor.rest + lips[self.margin : -self.margin], own)
        wanted = to_frame(asked, landmarks, self.template)
        return [
            Repaint(
                frame.index,
                frame.image,
                painted[n],
                paste_nearest(actor, frame, landmarks[n], wanted[n]),
                landmarks[n],
                actor.placement(frame.index),
                wanted[n],
            )
            for n, frame in enumerate(frames)
        ]

    def _lips(self, actor: Actor, span: Span) -> Floats:
        """Lips (N, L, 2) of a span of frames, relative to the actor's rest."""
        inside = slice(span.start - self.track.frames.start, span.end - self.track.frames.start)
        if self._heard is not None:
            return np.asarray(self._heard[inside], np.float32)
        return np.asarray(self._shapes[inside] - actor.rest, np.float32)


def paste_nearest(actor: Actor, frame: Frame, landmarks: Floats, wanted: Floats) -> Image:
    """`frame` with the exemplar laid in whose lips are nearest to `wanted` (L, 2) px.

    Placed, colour-matched and faded as the dub does it; only the network is missing.
    """
    square = actor.placement(frame.index)
    n_lips = len(LIP_POINTS)
    away = actor.shapes.numpy()[:, :n_lips] - points_in(square, wanted)[:n_lips]
    nearest = int(np.linalg.norm(away, axis=2).mean(1).argmin())
    theirs = actor.native[nearest].permute(1, 2, 0).numpy() * 255
    mask = mouth_mask(landmarks, square, actor.size)
    ring = np.asarray(mask * (1 - mask) * 4, np.float32)
    patch = match_colour(theirs, crop(frame.image, square, actor.size), ring)
    return paste(frame.image, patch, square, mask)
