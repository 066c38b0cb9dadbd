"""A source's video packets in, the output's out: its own where frames stay, new ones elsewhere.

Packets come once, in order; only touched stretches are decoded.
"""

import hashlib
from collections.abc import Generator, Iterable, Iterator

import av
from av.container import InputContainer
from av.stream import Stream

from avdub.errors import MediaError
from avdub.media.container import video_stream
from avdub.media.gops import Stretch
from avdub.media.probe import MediaInfo
from avdub.media.reencode import Made, Reencoder, after_stretch
from avdub.media.retouch import Repaint
from avdub.media.scan import Scan
from avdub.media.stretches import StretchMaker


class Splicer:
    """Turns the source's video packets, given in order, into those of the output; new ones are as
    StretchMaker makes them."""

    def __init__(
        self,
        source: InputContainer,
        info: MediaInfo,
        scanned: Scan,
        stretches: tuple[Stretch, ...],
        repaint: Repaint,
        crf: int | None,
    ) -> None:
        self.info, self.scanned = info, scanned
        self.stream = video_stream(source, info.path)
        self.hash = hashlib.sha256()
        self.anew = tuple(each.packets for each in stretches)
        self._stretches, self._number = stretches, 0
        self._n = 0
        self._maker: StretchMaker | None = None
        if stretches:
            self._maker = StretchMaker(self.stream, info, scanned, stretches, repaint, crf)
        self._made: Generator[list[Made], None, None] | None = None
        self._n_made = 0
        self._held: bytes | None = None

    @property
    def encoder(self) -> Reencoder | None:
        """What encodes new packets; None where there are none."""
        return self._maker.encoder if self._maker is not None else None

    @property
    def _stretch(self) -> Stretch | None:
        """The one that the next packet is in or before."""
        left = self._number < len(self._stretches)
        return self._stretches[self._number] if left else None

    def packets(self, packet: "av.Packet[Stream]") -> Iterator["av.Packet[Stream]"]:
        """What is written for the next packet of the source."""
        n, stretch = self._n, self._stretch
        self._n += 1
        if stretch is None or n < stretch.packets.start:
            self.hash.update(packet)
            packet.dts = int(self.scanned.table.dts[n])
            packet.duration = self.scanned.duration(n, packet.pts or 0)
            yield packet
            return
        if n == stretch.kept:
            self._held = bytes(packet)
        else:
            if self._made is None:
                assert self._maker is not None, "made where there are stretches"
                self._made, self._n_made = self._maker.made(self._number), 0
            yield from self._placed(stretch, next(self._made, []))
        if n == stretch.packets.end - 1:
            yield from self._end(stretch)

    def close(self) -> None:
        """Stop decoding, wherever it is."""
        if self._made is not None:
            self._made.close()
        if self._maker is not None:
            self._maker.close()

    def _placed(self, stretch: Stretch, made: Iterable[Made]) -> Iterator["av.Packet[Stream]"]:
        """New packets in the places of the replaced ones."""
        for each in made:
            if self._n_made >= len(stretch.shown):
                raise MediaError("the encoder made more packets than frames")
            yield self._packet(stretch, each)
            self._n_made += 1

    def _packet(self, stretch: Stretch, made: Made) -> "av.Packet[Stream]":
        packet: av.Packet[Stream] = av.Packet(made.data)
        slot = self._n_made
        packet.pts, packet.dts = made.pts, int(stretch.slots[slot])
        if packet.dts > made.pts:
            raise MediaError("the encoder held back more frames than there is time for")
        packet.duration = self.scanned.duration(stretch.packets.start + slot, made.pts)
        packet.time_base = self.info.time_base
        packet.is_keyframe = made.is_keyframe
        return packet

    def _end(self, stretch: Stretch) -> Iterator["av.Packet[Stream]"]:
        assert self._made is not None, "a stretch has a packet that is made anew"
        for made in self._made:
            yield from self._placed(stretch, made)
        if self._n_made != len(stretch.shown):
            raise MediaError(
                f"the encoder made {self._n_made} packets of {len(stretch.shown)} frames"
            )
        if stretch.kept is not None:
            assert self._held is not None, "it was read before"
            pts = int(self.scanned.table.pts[stretch.kept])
            made_of_it = Made(after_stretch(self._held), pts, True)
            yield self._packet(stretch, made_of_it)
        self._made, self._held = None, None
        self._number += 1
