"""Captions as a subtitle track of a container, written while its pictures are.

MP4 and MOV get timed text, Matroska SubRip, or ASS as it was, and WebM WebVTT.
"""

import html
from collections.abc import Iterator
from fractions import Fraction
from io import BytesIO
from typing import Any, Literal

import av
from av.container import OutputContainer
from av.stream import Disposition, Stream
from av.subtitles.stream import SubtitleStream

from avdub.media.captions import Captions, ass_packets, one_at_a_time
from avdub.media.carry import Carried, Tally
from avdub.timeline import MS_PER_S

TICK = Fraction(1, MS_PER_S)
MOST_BYTES = 0xFFFF  # of a text in MP4, whose length has two bytes
Kind = Literal["mov_text", "subrip", "ass", "webvtt"]
KINDS: dict[str, Kind] = {"mp4": "mov_text", "mov": "mov_text", "webm": "webvtt"}
# What timed text looks like where the player leaves it to the file: white, at the bottom.
STYLE = "\r\n".join(
    [
        *("[Script Info]", "ScriptType: v4.00+", "PlayResX: 384", "PlayResY: 288", ""),
        "[V4+ Styles]",
        "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, "
        "BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
        "BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding",
        "Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1",
        *("", "[Events]", "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, "),
    ]
)


class CaptionTrack:
    """`captions` as a track of `container`: what players show unless told otherwise.

    Make it before the container's header is written. `start` is the time in the file of the first
    frame, from which captions count.
    """

    def __init__(
        self, container: OutputContainer, captions: Captions, language: str, start: Fraction
    ) -> None:
        self._container, self._start = container, start
        self.kind = KINDS.get(container.format.name) or ("ass" if captions.ass else "subrip")
        self._packets = _packets(captions, self.kind)
        self._following = next(self._packets, None)
        self.stream = self._add(captions.ass)
        self.stream.disposition = Disposition.default
        self.stream.metadata["title"] = "Dub"
        if language:
            self.stream.metadata["language"] = language
        self._tally = Tally(skips_empty=self.kind == "mov_text")

    def write(self, until: Fraction | None) -> None:
        """Write captions that begin before a time (seconds from the first frame), or all."""
        while self._following is not None:
            start_ms, end_ms, data = self._following
            if until is not None and Fraction(start_ms, MS_PER_S) >= until:
                return
            packet: Any = av.Packet(data)
            packet.time_base = TICK
            packet.pts = packet.dts = start_ms + round(self._start * MS_PER_S)
            packet.duration = end_ms - start_ms
            packet.is_keyframe = True
            packet.stream = self.stream
            self._tally.add(packet)
            self._container.mux(packet)
            self._following = next(self._packets, None)

    def carried(self) -> Carried:
        """What the file must hold of it in the end."""
        return Carried("the subtitles of the dub", self.stream.index, False, self._tally)

    def _add(self, ass: str) -> Stream:
        if self.kind == "ass":
            with av.open(BytesIO(ass.encode()), format="ass") as source:
                own = source.streams.subtitles[0]
                track: Stream = self._container.add_stream_from_template(own, opaque=True)
            return track
        if self.kind != "mov_text":
            track = self._container.add_mux_stream(self.kind, time_base=TICK)
            return track
        # players want the description that only the encoder writes
        stream = self._container.add_stream("mov_text")
        assert isinstance(stream, SubtitleStream), "this is what timed text is"
        stream.codec_context.subtitle_header = f"{STYLE}Effect, Text\r\n".encode()
        stream.time_base = stream.codec_context.time_base = TICK
        return stream


def _packets(captions: Captions, kind: Kind) -> Iterator[tuple[int, int, bytes]]:
    """(start_ms, end_ms, payload) in order."""
    if kind == "ass":
        last_ms = max((each.end_ms for each in captions.captions), default=0)
        for start, end, data in ass_packets(captions.ass):
            if start < last_ms:
                yield start, min(end, last_ms), data
    elif kind == "mov_text":
        for each in one_at_a_time(captions.captions):  # more at a time it cannot tell apart
            whole = each.plain.encode()[:MOST_BYTES].decode(errors="ignore").encode()
            yield each.start_ms, each.end_ms, len(whole).to_bytes(2, "big") + whole
    else:
        for each in captions.captions:
            text = each.text if kind == "subrip" else html.escape(each.plain, quote=False)
            yield each.start_ms, each.end_ms, text.encode()
