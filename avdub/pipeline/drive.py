"""Latents to lips: what a segment wants of the mouth of a face in each of its frames."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Protocol

import torch

from avdub.faces.lips import Floats
from avdub.latents import Latents
from avdub.media.probe import MediaInfo
from avdub.models.latents_to_face import LatentsToFace
from avdub.pipeline.digest import digest
from avdub.timeline import STEP_RATE, Span


class Driven(Protocol):
    """Frames of a track, with lips (N, L, 2) relative to rest wanted in them, of a `segment`.

    `parts` is all that the lips and the pictures depend on, None where that is unknown.
    """

    @property
    def track(self) -> int: ...

    @property
    def frames(self) -> Span: ...

    @property
    def lips(self) -> Floats: ...

    @property
    def segment(self) -> int | None: ...

    @property
    def parts(self) -> tuple[object, ...] | None: ...


@dataclass(frozen=True)
class Drive:
    """A mouth for `frames`: wanted lips (N, L, 2) relative to rest."""

    track: int
    frames: Span
    lips: Floats
    segment: int | None = None
    parts: tuple[object, ...] | None = None


@dataclass(frozen=True, eq=False)
class SegmentDrive:
    """A segment's mouth in a video: `latents`, which begin at `start` s, are asked for and their
    lips made each time these are needed."""

    segment: int
    track: int
    frames: Span
    start: Fraction
    info: MediaInfo
    model: LatentsToFace
    latents: Callable[[], Latents]

    @property
    def lips(self) -> Floats:
        return drive(self.model, self.latents(), self.track, self.frames, self._times()).lips

    @cached_property
    def parts(self) -> tuple[object, ...]:
        return digest(self.info.path, self.latents().vec, self._times()), self.frames

    def _times(self) -> tuple[Fraction, ...]:
        """Of the frames, in s from the latents' start."""
        return tuple(self.info.frame_times[n] - self.start for n in self.frames.range())


def drive(
    model: LatentsToFace, latents: Latents, track: int, frames: Span, times: Sequence[Fraction]
) -> Drive:
    """Lips for `frames`, whose times are seconds from the latents' start."""
    at = torch.tensor([float(t) for t in times], dtype=torch.float64)
    assert latents.seconds * STEP_RATE >= 1, "no latents to drive a mouth with"
    return Drive(track, frames, model.lip_shapes(latents.vec, at).numpy())
