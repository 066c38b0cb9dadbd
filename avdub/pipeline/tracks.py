"""A video's face tracks, of which only outlines are held: an hour of landmarks fills half a GB."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from avdub.faces.outline import Outline
from avdub.faces.speaking import outline
from avdub.faces.track import FaceTrack
from avdub.pipeline.keep_faces import FACES, Seen
from avdub.pipeline.spill import Place, Spill
from avdub.timeline import Span

MOST_HELD = 2  # parts of a video at a time


class Tracks(Mapping[int, FaceTrack]):
    """Tracks by id, each read back when asked for; `outlines` are always there."""

    def __init__(self, spill: Spill) -> None:
        self.outlines: dict[int, Outline] = {}
        self._spill = spill
        self._places: list[Place] = []  # of the parts
        self._of: list[tuple[int, int]] = []  # part and place in it, by id
        self._held: OrderedDict[int, Seen] = OrderedDict()
        self._n_shots = 0

    def add(self, place: Place, start: int, home: Span | None = None) -> Seen:
        """Take what was seen in the video's next part, which begins at frame `start`; `home` as in
        Outline."""
        seen = FACES.unpack(self._spill.get(place))
        for n, track in enumerate(seen.tracks):
            number = len(self._of)
            frames = Span(track.frames.start + start, track.frames.end + start)
            own = replace(track, id=number, frames=frames, shot=track.shot + self._n_shots)
            self.outlines[number] = outline(own, home)
            self._of.append((len(self._places), n))
        self._places.append(place)
        self._n_shots += len(seen.cuts) + 1
        return seen

    def __getitem__(self, number: int) -> FaceTrack:
        if number not in self.outlines:
            raise KeyError(number)
        part, n = self._of[number]
        if part not in self._held:
            self._held[part] = FACES.unpack(self._spill.get(self._places[part]))
            while len(self._held) > MOST_HELD:
                self._held.popitem(last=False)
        self._held.move_to_end(part)
        own = self.outlines[number]
        return replace(self._held[part].tracks[n], id=number, frames=own.frames, shot=own.shot)

    def __iter__(self) -> Iterator[int]:
        return iter(self.outlines)

    def __len__(self) -> int:
        return len(self.outlines)
