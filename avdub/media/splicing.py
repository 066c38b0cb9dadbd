"""The smart splice: a file's own packets wherever its frames stay, new ones where they change.

Packets are read once, in order, and written as they come; what is finished is checked before it
takes its name.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from avdub.media.caption_track import CaptionTrack
from avdub.media.carry import Carrier, copy_tags, is_aside
from avdub.media.container import audio_stream, open_media, writing
from avdub.media.place import Part
from avdub.media.probe import MediaInfo
from avdub.media.retouch import Repaint
from avdub.media.scan import scan
from avdub.media.sound_track import (
    REPLACE,
    Sound,
    SoundTrack,
    Tracks,
    codec_like,
    three_letters,
)
from avdub.media.spliced import Promise, Spliced, check_spliced
from avdub.media.splicer import Splicer
from avdub.media.stretches import stretches_of
from avdub.media.waveform import Waveform
from avdub.media.writer import SOUND_AHEAD_S, codecs_for
from avdub.progress import Progress, silent

HVC1 = "hvc1"  # parameter sets are in the record and nowhere else; some players know no other


def splice(
    info: MediaInfo,
    output: Path,
    repaint: Repaint,
    sound: Iterator[Waveform] | None,
    crf: int | None,
    progress: Progress = silent,
    tracks: Tracks = REPLACE,
) -> Spliced:
    """`info`'s file with some frames repainted and a new sound, as `output`.

    Without `sound` all sound stays. Raises Unspliceable, before anything is written or any sound
    taken, where the file cannot be spliced, and MediaError, leaving no file, where a promise about
    the result does not hold.
    """
    scanned = scan(info, output)
    stretches = stretches_of(info, scanned, repaint)
    with writing(output):
        part = Part(output)
    try:
        with ExitStack() as stack:
            source = stack.enter_context(open_media(info.path))
            splicer = Splicer(source, info, scanned, stretches, repaint, crf)
            stack.callback(splicer.close)
            with writing(output):
                target = stack.enter_context(_closing(_open(part.path, output, source)))
            writer = _Writer(source, target, info, output, splicer)
            writer.write(sound, tracks, progress)
            promise = writer.promise()
        with writing(output):
            check_spliced(part.path, promise)
            part.put()
    finally:
        part.discard()
    n_encoded = sum(len(each.shown) for each in stretches)
    n_changed = sum(each.kept is not None for each in stretches)
    return Spliced(
        frames=len(scanned.table),
        copied=len(scanned.table) - n_encoded - n_changed,
        changed=n_changed,
        encoded=n_encoded,
        stretches=len(stretches),
        sha256=promise.sha256,
        carried=len(writer.carrier.kept) + promise.attachments,
        left=writer.carrier.missing(),
    )


def _open(temporary: Path, output: Path, source: InputContainer) -> OutputContainer:
    container = codecs_for(output).container
    flags = "+faststart"
    if any(key.startswith("com.") for key in source.metadata):  # QuickTime's own names
        flags += "+use_metadata_tags"
    options = {"movflags": flags} if container in ("mp4", "mov") else {}
    name = str(temporary.absolute())
    target: OutputContainer = av.open(name, "w", format=container, container_options=options)
    return target


@contextmanager
def _closing(target: OutputContainer) -> Iterator[OutputContainer]:
    """The container, closed in the end; an error inside is the one to show."""
    try:
        yield target
    except BaseException:
        with suppress(Exception):
            target.close()
        raise


class _Writer:
    """Writes all streams of the source, its picture through a splicer, its first sound anew."""

    def __init__(
        self,
        source: InputContainer,
        target: OutputContainer,
        info: MediaInfo,
        output: Path,
        splicer: Splicer,
    ) -> None:
        self.source, self.target = source, target
        self.info, self.output, self.splicer = info, output, splicer
        self.carrier = Carrier(source, target, info.path)
        self._sound: SoundTrack | None = None
        self._captions: CaptionTrack | None = None

    def write(self, sound: Iterator[Waveform] | None, tracks: Tracks, progress: Progress) -> None:
        """All packets; afterwards the file is whole."""
        picture = self._add_streams(sound, tracks)
        with writing(self.output):
            self.target.start_encoding()
        total = len(self.splicer.scanned.table)
        for packet in progress(self._picture_packets(), "picture", total):
            time = packet.pts * packet.time_base if packet.pts is not None else Fraction(0)
            for each in self.splicer.packets(packet):
                each.stream = picture
                with writing(self.output):
                    self.target.mux(each)
            until = time - self.info.start + SOUND_AHEAD_S
            if self._sound is not None:
                self._sound.write(until)
            if self._captions is not None:
                with writing(self.output):
                    self._captions.write(until)
        if self._captions is not None:
            with writing(self.output):
                self._captions.write(None)
        if self._sound is not None:
            self._sound.finish()
        with writing(self.output):
            self.target.close()

    def promise(self) -> Promise:
        """What the file must hold now."""
        track = self._sound.stream if self._sound else None
        end = self.splicer.scanned.end
        added = () if self._captions is None else (self._captions.carried(),)
        return Promise(
            self.info,
            None if end is None else end * self.info.time_base,
            self.splicer.anew,
            self.splicer.hash.hexdigest(),
            (*self.carrier.carried(), *added),
            self.carrier.attachments,
            self._sound_index if track is not None else None,
        )

    def _add_streams(self, sound: Iterator[Waveform] | None, tracks: Tracks) -> av.VideoStream:
        """Every stream in the source's order, the new sound last where there was none.

        Attachments and covers follow: readers count them after all others, wherever they are.
        """
        self.carrier.describe()
        replaced = audio_stream(self.source) if sound is not None else None
        picture: av.VideoStream | None = None
        last = [stream for stream in self.source.streams if is_aside(stream)]
        for stream in (each for each in self.source.streams if not is_aside(each)):
            if stream.index == self.splicer.stream.index:
                picture = self._add_picture()
                continue
            is_first = replaced is not None and stream.index == replaced.index
            if sound is not None and is_first:
                self._add_sound(sound, tracks.language, replaced)
            if tracks.keep(stream, sound is not None, is_first):
                self.carrier.add(stream, tracks.role(stream, sound is not None, is_first))
        if sound is not None and self._sound is None:
            self._add_sound(sound, tracks.language, None)
        if tracks.captions is not None:
            language = three_letters(tracks.language)
            with writing(self.output):
                self._captions = CaptionTrack(
                    self.target, tracks.captions, language, self.info.start
                )
        for stream in last:
            self.carrier.add(stream)
        assert picture is not None, "the video's stream is one of the streams"
        return picture

    def _add_picture(self) -> av.VideoStream:
        own = self.splicer.stream
        with writing(self.output):
            picture = self.target.add_stream_from_template(own, opaque=True)
        copy_tags(own, picture)
        context = picture.codec_context
        if own.average_rate == self.info.rate:  # the same for all frames
            context.framerate = own.average_rate
        if self.splicer.encoder is not None:
            context.extradata = self.splicer.encoder.merged
        if own.codec_context.codec_tag == HVC1:
            context.codec_tag = HVC1
        return picture

    def _add_sound(
        self, sound: Iterator[Waveform] | None, language: str, like: av.AudioStream | None
    ) -> None:
        codecs = codecs_for(self.output)
        codec = codec_like(like, codecs.container, codecs.audio)
        track = Sound(sound, codec, self.info.start, language)
        self._sound_index = len(self.target.streams)
        self._sound = SoundTrack(self.target, self.output, track, self.info)

    def _picture_packets(self) -> Iterator["av.Packet[Stream]"]:
        """The video's packets; those of other streams are written on the way."""
        wanted = [self.splicer.stream.index, *self.carrier.kept]
        for packet in self.source.demux([self.source.streams[n] for n in wanted]):
            if packet.size == 0:
                continue
            if packet.stream.index == self.splicer.stream.index:
                yield packet
            else:
                with writing(self.output):
                    self.carrier.mux(packet)
