"""Sound files and the sound of videos, in and out.

A video's sound is placed on the time of its pictures: sample 0 is the first frame's time, whatever
the container says about late or early starts and gaps. Sound is streamed in blocks.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
from av.container import InputContainer
from av.error import FFmpegError

from avdub.errors import MediaError
from avdub.media.container import audio_stream, check_readable, decode_leniently, open_media
from avdub.media.probe import MediaInfo
from avdub.media.waveform import (
    Samples,
    Waveform,
    detect_speech,
    fade,
    gain,
    join,
    loudness,
    resample,
    silence,
)
from avdub.timeline import boundary, round_half_up

__all__ = [
    "Waveform",
    "detect_speech",
    "fade",
    "gain",
    "iter_audio",
    "join",
    "loudness",
    "read_audio",
    "read_sound",
    "resample",
    "silence",
    "write_wav",
]

PREROLL_S = 1  # decoders need some sound before the first good sample
JITTER_S = Fraction(1, 100)  # containers round times; less than this is no gap

Seconds = Fraction | float


def iter_audio(
    path: Path,
    info: MediaInfo | None,
    block_s: int = 10,
    span: tuple[Seconds, Seconds] | None = None,
) -> Iterator[Waveform]:
    """The sound in blocks of `block_s` seconds, at its own rate and layout; empty if there is none.

    With `info` (of the same file), sample 0 is the first frame's time and all blocks together have
    exactly boundary(info.end, rate) samples, silent where the file has none. Without `info`, time
    runs from the first sample to the last. `span` (seconds) limits both to a part.
    """
    window = _window(path, info, span)
    if window is None:
        return
    with open_media(path) as container:
        stream = audio_stream(container)
        assert stream is not None, "a window was made for it"
        if info is None or info.seekable:
            _seek(container, stream, window)
        pieces = _placed(decode_leniently(container, stream), window)
        yield from _blocks(pieces, window.rate, block_s)


def read_audio(
    path: Path, info: MediaInfo | None, span: tuple[Seconds, Seconds] | None = None
) -> Waveform | None:
    """All of `iter_audio` at once; None for a file without sound."""
    blocks = list(iter_audio(path, info, span=span))
    return join(blocks) if blocks else None


def read_sound(path: Path) -> Waveform:
    """Any sound file, or the sound of a video; raises InputError or MediaError."""
    check_readable(path)
    try:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, RuntimeError):
        sound = read_audio(path, None)
    else:
        sound = Waveform(samples, rate)
    if sound is None or not len(sound):
        raise MediaError(f"{path} has no sound", "give a sound file such as .wav, .flac or .mp3")
    return sound


def write_wav(path: Path, w: Waveform) -> None:
    """16-bit WAV, whole or not at all; samples beyond ±1 are clipped."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        soundfile.write(temporary, np.clip(w.samples, -1, 1), w.rate, "PCM_16", format="WAV")
        temporary.replace(path)
    except (OSError, soundfile.LibsndfileError) as error:
        raise MediaError(
            f"{path} cannot be written",
            "check the folder, its rights and the free space",
            str(error),
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Window:
    """Which samples to deliver: [first, last) counted from container time `zero`."""

    rate: int
    layout: str
    channels: int
    zero: Fraction
    first: int
    last: int | None


def _window(
    path: Path, info: MediaInfo | None, span: tuple[Seconds, Seconds] | None
) -> _Window | None:
    if info is not None:
        if info.audio is None:
            return None
        rate, layout, channels = info.audio.rate, info.audio.layout, info.audio.channels
        zero, last = info.start, boundary(info.end, rate)
    else:
        first_frame = _first_frame(path)
        if first_frame is None:
            return None
        rate, layout = first_frame.sample_rate, first_frame.layout.name
        channels = first_frame.layout.nb_channels
        zero, last = _time(first_frame) or Fraction(0), None
    if span is None:
        return _Window(rate, layout, channels, zero, 0, last)
    start, end = (boundary(Fraction(t), rate) for t in span)
    end = end if last is None else min(end, last)
    return _Window(rate, layout, channels, zero, min(start, end), end)


def _first_frame(path: Path) -> av.AudioFrame | None:
    with open_media(path) as container:
        stream = audio_stream(container)
        frames = decode_leniently(container, stream) if stream else iter(())
        frame: av.AudioFrame | None = next(frames, None)
        return frame


def _time(frame: av.AudioFrame) -> Fraction | None:
    if frame.pts is None or frame.time_base is None:
        return None
    return Fraction(frame.pts * frame.time_base)


def _seek(container: InputContainer, stream: av.AudioStream, window: _Window) -> None:
    seconds = window.zero + Fraction(window.first, window.rate) - PREROLL_S
    if window.first <= PREROLL_S * window.rate or stream.time_base is None:
        return
    with suppress(FFmpegError):  # no index: then decode from where we are, the start
        container.seek(int(seconds / stream.time_base), stream=stream)


def _placed(frames: Iterable[av.AudioFrame], window: _Window) -> Iterator[Samples]:
    """Sound without holes, (n, C) each: gaps and missing ends silent, overlaps dropped."""
    cursor = window.first
    expected: int | None = None
    jitter = int(JITTER_S * window.rate)
    convert = _converter(window)
    for frame in frames:
        time = _time(frame)
        sound = convert(frame)
        place = expected if time is None else round_half_up((time - window.zero) * window.rate)
        if place is None or (expected is not None and abs(place - expected) <= jitter):
            place = expected or 0
        expected = place + len(sound)
        end = expected if window.last is None else min(expected, window.last)
        if end <= cursor:
            if window.last is not None and cursor >= window.last:
                return
            continue
        yield from _silent(min(max(place, cursor), end) - cursor, window)
        cursor = max(cursor, place)
        yield sound[cursor - place : end - place]
        cursor = end
    if window.last is not None:
        yield from _silent(window.last - cursor, window)


def _silent(n_samples: int, window: _Window) -> Iterator[Samples]:
    """Silence in pieces of at most a second, so that long gaps cost no memory."""
    for start in range(0, n_samples, window.rate):
        yield np.zeros((min(window.rate, n_samples - start), window.channels), np.float32)


def _converter(window: _Window) -> Callable[[av.AudioFrame], Samples]:
    """Frames of whatever kind → (n, C) in the window's rate and layout."""
    resamplers: dict[tuple[str, str, int], av.AudioResampler] = {}

    def convert(frame: av.AudioFrame) -> Samples:
        kind = frame.format.name, frame.layout.name, frame.sample_rate
        if kind not in resamplers:
            resamplers[kind] = av.AudioResampler("fltp", window.layout, window.rate)
        frame.pts = None
        parts = [part.to_ndarray() for part in resamplers[kind].resample(frame)]
        sound = np.concatenate(parts, axis=1) if parts else np.zeros((window.channels, 0))
        return np.ascontiguousarray(sound.T, dtype=np.float32)

    return convert


def _blocks(pieces: Iterable[Samples], rate: int, block_s: int) -> Iterator[Waveform]:
    """Pieces gathered to blocks of `block_s` seconds; the last may be shorter."""
    size = rate * block_s
    held: list[Samples] = []
    n_held = 0
    for piece in pieces:
        held.append(piece)
        n_held += len(piece)
        while n_held >= size:
            sound = np.concatenate(held)
            yield Waveform(sound[:size], rate)
            held, n_held = [sound[size:]], n_held - size
    if n_held:
        yield Waveform(np.concatenate(held), rate)
