"""All that a file holds beside its picture and the new sound, taken over into another as it is.

Sound tracks, subtitles, attachments, cover pictures, tags and chapters: each packet goes from one
container to the other unread. What the container cannot hold is named.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.error import ArgumentError, FFmpegError, InvalidDataError
from av.stream import AttachmentStream, Discard, Disposition, Stream

from avdub.media.container import open_media

CONTAINER_TAGS = {"encoder", "major_brand", "minor_version", "compatible_brands", "duration"}
COUNTED_TAGS = ("BPS", "DURATION", "NUMBER_OF_", "_STATISTICS_")  # Matroska's; not true any more
EMPTY_TEXT = 2  # bytes; MP4 fills the time between subtitles with such


class Tally:
    """What went through a stream: how many packets, when, and a hash of all their bytes."""

    def __init__(self, skips_empty: bool) -> None:
        self.n_packets = 0
        self.first: Fraction | None = None
        self._hash = hashlib.sha256()
        self._skips_empty = skips_empty

    def add(self, packet: "av.Packet[Stream]", time: Fraction | None = None) -> None:
        """Count a packet, at a `time` in s other than its own time base gives if that is known."""
        if self.ignores(packet):
            return
        if self.first is None and packet.pts is not None:
            self.first = packet.pts * packet.time_base if time is None else time
        self.n_packets += 1
        self._hash.update(packet)

    def ignores(self, packet: "av.Packet[Stream]") -> bool:
        """Whether a packet only fills time, which each writer does in its own way."""
        return self._skips_empty and packet.size <= EMPTY_TEXT

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def is_aside(stream: Stream) -> bool:
    """Whether a stream is a file attached to the video, or its cover."""
    return stream.type == "attachment" or bool(stream.disposition & Disposition.attached_pic)


def tally_for(stream: Stream) -> Tally:
    """An empty one for a stream of a file that is read."""
    is_text = stream.type == "subtitle" and stream.codec_context.name == "mov_text"
    return Tally(is_text)


@dataclass(frozen=True)
class Kept:
    """A stream that is taken over while both files are open, and its tally so far."""

    target: Stream
    name: str
    is_cover: bool
    tally: Tally


@dataclass(frozen=True)
class Carried:
    """A stream that was taken over: its name for people, and its number in the new file."""

    name: str
    index: int
    is_cover: bool
    tally: Tally


class Carrier:
    """Takes streams of `source` over into `target`; `left` names those it could not.

    `origin` is the source's time, in s, that is 0 in the target; what lies before it stays behind.
    """

    def __init__(
        self,
        source: InputContainer,
        target: OutputContainer,
        path: Path,
        origin: Fraction = Fraction(0),
    ) -> None:
        self.source, self.target, self.path, self.origin = source, target, path, origin
        self.kept: dict[int, Kept] = {}
        self.left: list[str] = []
        self.attachments = 0
        # Matroska moves everything where one stream begins before 0, unless its encoder's silent
        # lead-in is the reason, and that only Matroska tells
        is_mov = target.format.name in ("mp4", "mov")
        self._cuts = bool(origin) or not (is_mov or "matroska" in source.format.name)
        self._refused: Counter[str] = Counter()

    def add(self, stream: Stream, role: Disposition | None = None) -> None:
        """Make a place for a stream; must be called before the header is written.

        With a `role` that is what it is now, and no longer what players choose.
        """
        is_mkv = self.target.format.name == "matroska"
        is_cover = bool(stream.disposition & Disposition.attached_pic)
        if is_mkv and is_aside(stream):
            self._attach(stream)
            return
        if _is_derived(stream):
            return
        if stream.type == "attachment" or not self._fits(stream):
            unknown = stream.metadata.get("filename", "unknown")
            name = stream.codec_context.name if stream.codec_context else unknown
            self.left.append(f"{stream.type} stream {stream.index} ({name})")
            return
        new = self.target.add_stream_from_template(stream, opaque=True)
        copy_tags(stream, new)
        if role is not None:
            new.disposition = (stream.disposition & ~Disposition.default) | role
        name = f"{stream.type} stream {stream.index}"
        self.kept[stream.index] = Kept(new, name, is_cover, tally_for(stream))

    def mux(self, packet: "av.Packet[Stream]") -> None:
        """Pass a packet of a kept stream on.

        A broken one costs itself, for no other track is worth the dub.
        """
        kept = self.kept[packet.stream.index]
        if kept.tally.ignores(packet):
            return
        if self._cuts and not kept.is_cover and not self._moved(packet):
            return
        time = packet.pts * packet.time_base if packet.pts is not None else None
        packet.stream = kept.target
        try:
            self.target.mux(packet)
        except (ArgumentError, InvalidDataError):
            self._refused[kept.name] += 1
        else:
            kept.tally.add(packet, time)

    def _moved(self, packet: "av.Packet[Stream]") -> bool:
        """Whether a packet begins in the target's time, which it then has."""
        ticks = round(self.origin / packet.time_base)
        if packet.pts is not None:
            packet.pts -= ticks
        if packet.dts is not None:
            packet.dts -= ticks
        return packet.pts is None or packet.pts >= 0

    def missing(self) -> tuple[str, ...]:
        """What was not taken over so far: streams, and packets that are broken."""
        broken = (f"{n} broken packets of {name}" for name, n in self._refused.items())
        return (*self.left, *broken)

    def _fits(self, stream: Stream) -> bool:
        """Whether the container can hold a stream: tried, for only writing a header tells."""
        kind = self.target.format.name
        try:
            with av.open(BytesIO(), "w", format=kind) as trial:
                trial.add_stream_from_template(stream, opaque=True)
                trial.start_encoding()
        except (ValueError, FFmpegError):
            return False
        return True

    def carried(self) -> tuple[Carried, ...]:
        """What was taken over so far; holds when both files are closed."""
        return tuple(
            Carried(each.name, each.target.index, each.is_cover, each.tally)
            for each in self.kept.values()
        )

    def describe(self) -> None:
        """Take over the file's tags and chapters."""
        for key, value in self.source.metadata.items():
            if key not in CONTAINER_TAGS:
                self.target.metadata[key] = value
        chapters = self.source.chapters()
        if chapters:
            self.target.set_chapters(chapters)

    def _attach(self, stream: Stream) -> None:
        name = stream.metadata.get("filename", f"attachment-{stream.index}")
        kind = stream.metadata.get("mimetype", "application/octet-stream")
        if isinstance(stream, AttachmentStream):
            data = stream.data
        else:
            data = _cover(self.path, stream.index)
        new = self.target.add_attachment(name, kind, data)
        new.metadata.update(stream.metadata)
        self.attachments += 1


def _is_derived(stream: Stream) -> bool:
    """Whether a stream only repeats chapters or a time code, which tags bring back."""
    return stream.type == "data" and (
        stream.discard == Discard.all or "timecode" in stream.metadata
    )


def copy_tags(source: Stream, target: Stream) -> None:
    """Language, title and the like, and which stream players choose."""
    for key, value in source.metadata.items():
        if not key.startswith(COUNTED_TAGS) and key != "encoder":
            target.metadata[key] = value
    target.disposition = source.disposition


def _cover(path: Path, index: int) -> bytes:
    """A cover picture, which the demuxer gives as a packet."""
    with open_media(path) as container:
        return next(
            (bytes(packet) for packet in container.demux(container.streams[index]) if packet.size),
            b"",
        )
