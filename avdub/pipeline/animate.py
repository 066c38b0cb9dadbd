"""New mouths in a stream of frames: has painted what drives ask for, and lays patches in.

A frame is changed only where its face may be painted (FaceTrack.visible); everything else passes
through as it came. Frames are painted in chunks that depend on their segment alone, so that a
segment looks the same to the last bit whatever else is painted or known already.
"""

import logging
import time
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, partial
from itertools import takewhile
from typing import TypeVar

import torch

from avdub.faces.lips import Floats
from avdub.faces.outline import Followed
from avdub.media.video import Frame
from avdub.models.latents_to_face import LatentsToFace
from avdub.pipeline.actor import (
    Actor,
    Troupe,
    placed_on,
)
from avdub.pipeline.digest import digest
from avdub.pipeline.drive import Driven
from avdub.pipeline.fade import FADE_S, fading
from avdub.pipeline.paint import Painter
from avdub.pipeline.patches import Album, Image, Patch, Piece
from avdub.pipeline.report import in_words
from avdub.pipeline.store import Memory, numerics
from avdub.pipeline.tracks import Tracks
from avdub.timeline import Span

BATCH = 8
CHUNKS_A_PIECE = 8  # that are kept together: what an interrupted run loses, and what is held
MOST_DRIVEN = 4  # drives whose lips are held: those of faces that speak at one time
T = TypeVar("T")
log = logging.getLogger(__name__)


class Unpainted(Exception):
    """Mouths that could not be painted: why, by segment. All others were tried."""

    def __init__(self, reasons: dict[int, str]) -> None:
        super().__init__(f"segments {sorted(reasons)} cannot be painted")
        self.reasons = reasons


@dataclass(frozen=True)
class _Chunk:
    """Frames that are painted together, in one batch."""

    drive: Driven
    frames: tuple[int, ...]
    piece: Piece

    @property
    def is_last(self) -> bool:
        return self.frames[-1] == self.piece.frames[-1]


class Animator:
    """Paints the frames that drives ask for; `frames` may be any iterable of rising frames."""

    def __init__(
        self,
        model: LatentsToFace,
        template: Floats,
        actors: Mapping[int, Actor],
        drives: Sequence[Driven],
        rate: Fraction,
        memory: Memory | None = None,
    ) -> None:
        self.painter = Painter(model, template)
        self.device = self.painter.device
        self.actors, self.outlines = _cast(actors, self.device)
        self.drives = drives
        self.rate = rate
        self.fade_frames = max(1, round(float(rate) * FADE_S))
        self.painted = 0
        self.paint_s = 0.0  # spent on what was not kept from an earlier run
        self.failed: dict[int, str] = {}
        self.only: Collection[int] | None = None  # segments that are painted; None: all
        self.strength = {
            id(d): fading(self.outlines[d.track], d.frames, self.fade_frames) for d in drives
        }
        self._album = Album(memory or Memory())
        self._of_track: dict[int, str] = {}
        self._lips: OrderedDict[int, Floats] = OrderedDict()  # of drives, by identity

    @property
    def spans(self) -> tuple[Span, ...]:
        """The frames that may change, sorted and disjoint; no others need to be animated."""
        joined: list[Span] = []
        for span in sorted((d.frames for d in self._wanted), key=lambda s: s.start):
            if joined and span.start <= joined[-1].end:
                joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
            elif len(span):
                joined.append(span)
        return tuple(joined)

    @property
    def _wanted(self) -> list[Driven]:
        return [d for d in self.drives if self.only is None or d.segment in self.only]

    def animate(self, frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        """Every frame in order, the driven ones with a new mouth.

        May be called again for later frames. Raises Unpainted where segments that have a number
        failed, after trying all others in these frames.
        """
        chunks, begun = deque[_Chunk](), list[_Chunk]()
        waiting: dict[int, Frame] = {}
        pictures: dict[int, Image] = {}
        for n, frame in enumerate(frames):
            if n == 0:
                chunks.extend(self._from(frame.index))
            waiting[frame.index], pictures[frame.index] = frame, frame.image
            while chunks and chunks[0].frames[0] <= frame.index:
                begun.append(chunks.popleft())
            for chunk in [each for each in begun if each.frames[-1] <= frame.index]:
                begun.remove(chunk)
                self._animate(chunk, waiting, pictures)
            yield from self._finished(waiting, pictures, begun)
        for chunk in begun:
            self._animate(chunk, waiting, pictures)
        self._album.clear()  # of pieces that these frames have cut short
        yield from self._finished(waiting, pictures, [])
        if self.failed:
            raise Unpainted(self.failed)

    def pieces(self, frames: Span) -> list[Piece]:
        """All that is painted in some frames, in the order in which it is."""
        chunks = takewhile(lambda each: each.frames[0] < frames.end, self._from(frames.start))
        inside = (each for each in chunks if each.frames[-1] >= frames.start)
        return list({id(each.piece): each.piece for each in inside}.values())

    def unpainted(self, actor_id: int, frames: Span) -> str:
        """Why some frames of a segment keep their picture, "" where all are painted."""
        track = self.outlines[actor_id]
        why = [track.why(n) for n in frames.range()]
        kept = [w for w in why if w]
        if not kept:
            return ""
        n = "no frame" if len(kept) == len(why) else f"{len(why) - len(kept)} of {len(why)} frames"
        return f"{n} painted: {', '.join(sorted(set(kept)))}"

    def _from(self, frame: int) -> list[_Chunk]:
        """The chunks of which a frame, or a later one, is part."""
        first = bisect_right(self._chunks, frame - BATCH, key=lambda chunk: chunk.frames[0])
        return self._chunks[first:]

    @cached_property
    def _chunks(self) -> list[_Chunk]:
        """All that is to be painted, by first frame. Where drives of a face overlap the later
        segment's shows."""
        found = []
        for each in self._wanted:
            shown = self.strength[id(each)] > 0
            start, later = each.frames.start, self._later(each)
            batches = [
                tuple(f for f in batch if shown[f - start] and not any(f in s for s in later))
                for batch in _parted(each.frames.range(), BATCH)
            ]
            for group in _parted(batches, CHUNKS_A_PIECE):
                inside = tuple(frame for batch in group for frame in batch)
                piece = Piece(each.segment, inside, partial(self._parts, each, inside))
                found += [_Chunk(each, batch, piece) for batch in group if batch]
        return sorted(found, key=lambda chunk: chunk.frames[0])

    def _later(self, own: Driven) -> list[Span]:
        """Frames of the same face that later drives want as well."""
        place = next(n for n, each in enumerate(self.drives) if each is own)
        return [
            each.frames
            for each in self.drives[place + 1 :]
            if each.track == own.track
            and each.frames.start < own.frames.end
            and own.frames.start < each.frames.end
        ]

    def _finished(
        self, waiting: dict[int, Frame], pictures: dict[int, Image], begun: Sequence[_Chunk]
    ) -> Iterator[tuple[Fraction, Image]]:
        """Frames that no begun chunk needs; none once something failed, since all is done anew."""
        needed = min((chunk.frames[0] for chunk in begun), default=None)
        for index in [n for n in waiting if needed is None or n < needed]:
            frame, picture = waiting.pop(index), pictures.pop(index)
            if not self.failed:
                yield frame.time, picture

    def _animate(
        self,
        chunk: _Chunk,
        frames: Mapping[int, Frame],
        pictures: dict[int, Image],
    ) -> None:
        old = {n: frames[n].image for n in chunk.frames if n in frames}
        segment = chunk.drive.segment
        if not old or segment in self.failed:
            return
        try:
            patches = self._album.find(chunk.piece, list(old))
            if patches is None:
                began = time.perf_counter()
                patches = self._paint_actor(self.actors[chunk.drive.track], chunk.drive, old)
                self.paint_s += time.perf_counter() - began
                if len(patches) == len(chunk.frames):  # a part alone may differ in the last bit
                    self._album.add(chunk.piece, patches)
        except MemoryError:
            raise
        except Exception as error:
            if segment is None:
                raise
            log.info("segment %d cannot be painted", segment, exc_info=True)
            self.failed[segment] = in_words(error)
            return
        if chunk.is_last:
            self._album.close(chunk.piece)
            self.actors.leave(chunk.frames[0])
        for n, patch in patches.items():
            pictures[n] = patch.laid(pictures[n], old[n])

    def _paint_actor(
        self, actor: Actor, wanted: Driven, pictures: Mapping[int, Image]
    ) -> dict[int, Patch]:
        places = [n - wanted.frames.start for n in pictures]
        strength = self.strength[id(wanted)][places]
        lips = self._lips_of(wanted)[places]
        patches = self.painter.paint(actor, pictures, lips, strength)
        self.painted += len(patches)
        return patches

    def _lips_of(self, wanted: Driven) -> Floats:
        """The lips of a drive, remembered while it is being painted."""
        key = id(wanted)
        if key not in self._lips:
            self._lips[key] = wanted.lips
            while len(self._lips) > MOST_DRIVEN:
                self._lips.popitem(last=False)
        self._lips.move_to_end(key)
        return self._lips[key]

    def _parts(self, wanted: Driven, frames: tuple[int, ...]) -> tuple[object, ...] | None:
        """All that patches of some frames of a drive depend on."""
        if wanted.parts is None:
            return None
        places = [n - wanted.frames.start for n in frames]
        strength = self.strength[id(wanted)][places]
        return self._base, self._track(wanted.track), wanted.parts, frames, strength

    def _track(self, track: int) -> str:
        if track not in self._of_track:
            each = self.actors.tracks[track]
            made = digest(each.frames, each.landmarks, each.reason, self.rate)
            self._of_track[track] = made
        return self._of_track[track]

    @cached_property
    def _base(self) -> str:
        model = self.painter.model
        return digest(numerics(), model.config, model.state_dict(), self.painter.template)


def _cast(
    actors: Mapping[int, Actor], device: torch.device
) -> tuple[Troupe, Mapping[int, Followed]]:
    """Actors who are met with their pictures on `device`, and outlines of all tracks."""
    if not isinstance(actors, Troupe):
        known = {k: actor.track for k, actor in actors.items()}
        return Troupe(known, lambda k: placed_on(actors[k], device)), known
    outlines = actors.tracks.outlines if isinstance(actors.tracks, Tracks) else actors.tracks
    return Troupe(actors.tracks, lambda k: placed_on(actors.meet(k), device)), outlines


def _parted(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[n : n + size] for n in range(0, len(items), size)]
