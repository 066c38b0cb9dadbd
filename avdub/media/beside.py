"""All that lies beside the picture of a file that is encoded anew: its other streams and new texts.

They are written while pictures are, so memory does not grow with length.
"""

from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.stream import Stream

from avdub.errors import MediaError
from avdub.media.caption_track import CaptionTrack
from avdub.media.carry import Carried, Carrier, is_aside, tally_for
from avdub.media.container import audio_stream, open_media, video_stream, writing
from avdub.media.probe import MediaInfo
from avdub.media.sound_track import Tracks, three_letters


class Beside:
    """The streams of `source`, `info`'s file opened, for an output at `path`.

    What they count as time from is `info.start`; what lies before it is left out. `has_sound` says
    whether there is a new sound, which `tracks` lets stand for the first one or for all.
    """

    def __init__(
        self,
        source: InputContainer,
        info: MediaInfo,
        path: Path,
        tracks: Tracks,
        has_sound: bool,
    ) -> None:
        self._source, self._info, self._path = source, info, path
        self._tracks, self._has_sound = tracks, has_sound
        self._carrier: Carrier | None = None
        self._captions: CaptionTrack | None = None
        self._packets: Iterator[av.Packet[Stream]] = iter(())
        self._following: av.Packet[Stream] | None = None

    def add_to(self, target: OutputContainer) -> None:
        """Make a place for each stream; must be called before the header is written."""
        origin = self._info.start
        carrier = self._carrier = Carrier(self._source, target, self._info.path, origin)
        picture = video_stream(self._source, self._info.path)
        first = audio_stream(self._source) if self._has_sound else None
        others = [each for each in self._source.streams if each.index != picture.index]
        with writing(self._path):
            for stream in (each for each in others if not is_aside(each)):
                is_first = first is not None and stream.index == first.index
                if self._tracks.keep(stream, self._has_sound, is_first):
                    carrier.add(stream, self._tracks.role(stream, self._has_sound, is_first))
            if self._tracks.captions is not None:
                language = three_letters(self._tracks.language)
                self._captions = CaptionTrack(target, self._tracks.captions, language, Fraction(0))
            for stream in (each for each in others if is_aside(each)):
                carrier.add(stream)
        if carrier.kept:
            wanted = [self._source.streams[index] for index in carrier.kept]
            self._packets = self._source.demux(wanted)
            self._following = self._next()

    def write(self, until: Fraction | None) -> None:
        """Write what begins before a time (seconds from the first frame), or all that is left."""
        assert self._carrier is not None, "places are made first"
        with writing(self._path):
            while self._following is not None:
                packet = self._following
                ticks = packet.dts if packet.dts is not None else packet.pts
                time = (ticks or 0) * packet.time_base - self._info.start
                if until is not None and time >= until:
                    break
                self._carrier.mux(packet)
                self._following = self._next()
            if self._captions is not None:
                self._captions.write(until)

    @property
    def carried(self) -> tuple[Carried, ...]:
        """The streams that the file must hold."""
        assert self._carrier is not None, "places are made first"
        return self._carrier.carried()

    @property
    def added(self) -> tuple[Carried, ...]:
        """What the file must hold and the source does not."""
        return () if self._captions is None else (self._captions.carried(),)

    @property
    def n_attached(self) -> int:
        assert self._carrier is not None, "places are made first"
        return self._carrier.attachments

    @property
    def missing(self) -> tuple[str, ...]:
        """What of the source the file lacks."""
        assert self._carrier is not None, "places are made first"
        return self._carrier.missing()

    def _next(self) -> "av.Packet[Stream] | None":
        try:
            return next((packet for packet in self._packets if packet.size), None)
        except FFmpegError:  # a cut file: what came before the cut counts
            return None


def check_beside(path: Path, beside: Beside) -> None:
    """Raise MediaError, naming it, if `path` lacks a packet or an attachment that was taken over.

    Contents are not compared: some containers want another framing of the same packets.
    """
    with open_media(path) as container:
        tallies = {stream.index: tally_for(stream) for stream in container.streams}
        n_aside = sum(is_aside(stream) for stream in container.streams)
        for packet in container.demux():
            if packet.size:
                tallies[packet.stream.index].add(packet)
    counts = Counter({index: tally.n_packets for index, tally in tallies.items()})
    for each in (*beside.carried, *beside.added):
        if counts[each.index] != each.tally.n_packets:
            raise MediaError(
                f"{each.name} has {counts[each.index]} packets instead of {each.tally.n_packets}",
                "report this with the input video; nothing was written",
            )
    if n_aside < beside.n_attached + sum(each.is_cover for each in beside.carried):
        raise MediaError(
            f"{path} lost an attachment or cover picture",
            "report this with the input video; nothing was written",
        )
