"""The new sound of a video, encoded and written while its pictures are.

Sound is pulled as time goes on, so memory does not grow with length.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Literal

import av
from av.container import OutputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream

from avdub.errors import MediaError
from avdub.media.captions import Captions
from avdub.media.container import writing
from avdub.media.probe import MediaInfo
from avdub.media.waveform import Waveform
from avdub.timeline import round_half_up

THREE_LETTERS = {"en": "eng", "es": "spa", "de": "deu", "fr": "fra", "it": "ita", "pt": "por"}
ENCODERS = {
    **{name: name for name in ("aac", "ac3", "eac3", "flac", "alac", "mp2")},
    **{"mp3": "libmp3lame", "mp3float": "libmp3lame", "opus": "libopus", "libopus": "libopus"},
}
EXACT_RATES = {"ac3", "eac3"}  # know no rates between theirs
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
KEPT_LAYOUTS = {*LAYOUTS.values(), "2.1", "quad"}  # players know no others in AAC
FALLBACK_RATE = 48_000


@dataclass(frozen=True)
class Tracks:
    """What becomes of a file's sounds when it gets a new one, the new one's language, and captions
    that become one more track.

    "replace": the first is replaced, others stay. "add": all stay, after the new one. "only": none
    stays. `language` is as subtitles have it ("en", "es-419"), "" where it is not known.
    """

    policy: Literal["replace", "add", "only"] = "replace"
    language: str = ""
    captions: Captions | None = None

    def keep(self, stream: Stream, has_sound: bool, is_first: bool) -> bool:
        """Whether a stream of the source stays; `is_first` says that the new sound, if any, is the
        dub of this one."""
        if stream.type != "audio" or not has_sound:
            return True
        return self.policy == "add" or (self.policy == "replace" and not is_first)

    def role(self, stream: Stream, has_sound: bool, is_first: bool) -> Disposition | None:
        """What a stream that stays is beside the new ones, which players shall choose; None: the
        same as ever."""
        if has_sound and is_first:
            return Disposition.original
        is_audio, is_text = stream.type == "audio", stream.type == "subtitle"
        is_rivalled = (is_audio and has_sound) or (is_text and self.captions is not None)
        return Disposition(0) if is_rivalled else None


REPLACE = Tracks()


@dataclass(frozen=True)
class SoundCodec:
    """How to encode sound: the encoder, its sample format and rate (None: its own choice)."""

    name: str
    format: str | None = None
    bit_rate: int | None = None


@dataclass(frozen=True)
class Sound:
    """Blocks of sound (None: no track), how to encode them, the first sample's time in s, and its
    language."""

    blocks: Iterator[Waveform] | None
    codec: SoundCodec
    start: Fraction = Fraction(0)
    language: str = ""


class SoundTrack:
    """`sound` as a track of `container`, which gets none where there are no blocks.

    Make it before the container's header is written. Raises MediaError where `path` cannot be
    written.
    """

    def __init__(
        self, container: OutputContainer, path: Path, sound: Sound, info: MediaInfo
    ) -> None:
        self._container, self._path, self._sound, self._info = container, path, sound, info
        self._n_samples = 0
        self._block = self._next()
        with writing(path):
            self.stream = self._add(self._block) if self._block is not None else None

    def write(self, until: Fraction | None) -> None:
        """Encode sound up to a time (seconds from its first sample), or all that is left."""
        while self._block is not None and self.stream is not None:
            block = self._block
            if until is not None and Fraction(self._n_samples, block.rate) >= until:
                return
            samples = block.samples.reshape(1, -1)  # (1, S·C)
            frame = av.AudioFrame.from_ndarray(samples, "flt", self._layout(block))
            frame.sample_rate = block.rate
            frame.pts = self._n_samples + round_half_up(self._sound.start * block.rate)
            frame.time_base = Fraction(1, block.rate)
            with writing(self._path):
                self._container.mux(self.stream.encode(frame))
            self._n_samples += len(block)
            self._block = self._next()
            assert self._block is None or self._block.rate == block.rate, "rates differ"

    def finish(self) -> None:
        """Encode what is left and end the track."""
        self.write(None)
        if self.stream is not None:
            with writing(self._path):
                self._container.mux(self.stream.encode(None))

    def _next(self) -> Waveform | None:
        return next(self._sound.blocks, None) if self._sound.blocks is not None else None

    def _add(self, block: Waveform) -> av.AudioStream:
        codec = self._sound.codec
        known = av.Codec(codec.name, "w").audio_rates
        rate = block.rate if not known or block.rate in known else FALLBACK_RATE
        options = {"aac_pns": "0"} if codec.name == "aac" else {}  # noise is no copy
        stream = self._container.add_stream(codec.name, rate=rate, options=options)
        assert isinstance(stream, av.AudioStream)
        stream.codec_context.layout = self._layout(block)
        if codec.format is not None:
            stream.codec_context.format = av.AudioFormat(codec.format)
        enough = block.channels * min(128_000, 5 * rate)
        stream.bit_rate = enough if codec.bit_rate is None else codec.bit_rate
        stream.disposition = Disposition.default
        if self._sound.language:
            stream.metadata["title"] = "Dub"
            stream.metadata["language"] = three_letters(self._sound.language)
        return stream

    def _layout(self, block: Waveform) -> str:
        audio = self._info.audio
        if audio and audio.channels == block.channels and audio.layout in KEPT_LAYOUTS:
            return audio.layout
        if block.channels not in LAYOUTS:
            raise MediaError(f"cannot write sound with {block.channels} channels", "use at most 8")
        return LAYOUTS[block.channels]


def three_letters(language: str) -> str:
    """A language as containers write it, which know no regions."""
    code = language.lower().partition("-")[0]
    return THREE_LETTERS.get(code, code)


def codec_like(source: av.AudioStream | None, container: str, usual: str) -> SoundCodec:
    """The codec, sample format and rate of `source` where `container` and we can write them.

    Else the `usual` codec.
    """
    name = source.codec_context.name if source is not None else ""
    encoder = name if name.startswith("pcm_") else ENCODERS.get(name)
    if source is None or encoder is None or not _writes(source, container, encoder):
        return SoundCodec(usual)
    formats = {each.name for each in av.Codec(encoder, "w").audio_formats or ()}
    kept = source.codec_context.format.name
    enough = source.codec_context.channels * min(128_000, 5 * source.codec_context.sample_rate)
    rate = source.bit_rate or 0
    if encoder not in EXACT_RATES or not rate:
        rate = max(rate, enough)
    return SoundCodec(encoder, kept if kept in formats else None, rate)


def _writes(source: av.AudioStream, container: str, encoder: str) -> bool:
    """Whether an encoder takes the source's rate and layout: tried, for only opening it tells."""
    context = source.codec_context
    try:
        with av.open(BytesIO(), "w", format=container) as trial:
            stream = trial.add_stream(encoder, rate=context.sample_rate)
            assert isinstance(stream, av.AudioStream)
            layout = context.layout.name
            stream.codec_context.layout = (
                layout if layout in KEPT_LAYOUTS else LAYOUTS[context.layout.nb_channels]
            )
            trial.start_encoding()
    except (ValueError, KeyError, FFmpegError):
        return False
    return True
