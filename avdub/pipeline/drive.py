"""Latents to lips: what a segment wants of the mouth of a face in each of its frames."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch

from avdub.faces.lips import Floats
from avdub.latents import Latents
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
    """A segment's mouth in a video, whose lips are made when first needed."""

    segment: int
    track: int
    frames: Span
    times: tuple[Fraction, ...]  # of the frames, in s from the latents' start
    mouth: Latents
    model: LatentsToFace
    video: Path

    @cached_property
    def lips(self) -> Floats:
        return drive(self.model, self.mouth, self.track, self.frames, self.times).lips

    @cached_property
    def parts(self) -> tuple[object, ...]:
        return digest(self.video, self.mouth.vec, self.times), self.frames


def drive(
    model: LatentsToFace, latents: Latents, track: int, frames: Span, times: Sequence[Fraction]
) -> Drive:
    """Lips for `frames`, whose times are seconds from the latents' start."""
    at = torch.tensor([float(t) for t in times], dtype=torch.float64)
    assert latents.seconds * STEP_RATE >= 1, "no latents to drive a mouth with"
    return Drive(track, frames, model.lip_shapes(latents.vec, at).numpy())
