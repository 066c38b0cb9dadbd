"""Builders of small test media and values: everything tests look at is made here."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from avdub.media.audio import Waveform
from avdub.timeline import Segment

NUMBER_BITS = 8
SOUND_CODECS = {".webm": "libopus", ".mpg": "mp2", ".avi": "mp2"}


def make_segment(
    start_ms: int = 0, end_ms: int = 1000, text: str = "Hello.", index: int = 1, speaker: str = ""
) -> Segment:
    return Segment(index, start_ms, end_ms, text, speaker or None)


def make_tone(
    seconds: float = 1.0, rate: int = 16_000, channels: int = 1, hz: float = 220.0
) -> Waveform:
    """A sine at half scale, each channel a little higher than the one before."""
    time = np.arange(round(seconds * rate)) / rate
    pitches = hz * (1 + 0.25 * np.arange(channels))
    samples = 0.5 * np.sin(2 * np.pi * time[:, None] * pitches)
    return Waveform(samples.astype(np.float32), rate)


def numbered_picture(number: int, size: tuple[int, int] = (64, 48)) -> NDArray[np.uint8]:
    """RGB (H, W, 3): the number as black and white bars above, a soft colour ramp below."""
    width, height = size
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    image = np.stack([60 + 120 * x, 60 + 120 * y, 120 + 60 * np.sin(6 * x + number)], axis=-1)
    bits = np.arange(width) * NUMBER_BITS // width
    image[: height // 2] = np.where((number >> bits) & 1, 225, 30)[None, :, None]
    return image.astype(np.uint8)


def number_of(image: NDArray[np.uint8]) -> int:
    """The number read back from a picture of `numbered_picture`, after whatever coding."""
    height, width = image.shape[:2]
    centres = [(2 * bit + 1) * width // (2 * NUMBER_BITS) for bit in range(NUMBER_BITS)]
    row = image[height // 4].mean(axis=-1)
    return sum(int(row[x] > 128) << bit for bit, x in enumerate(centres))


def make_clip(
    path: Path,
    *,
    rate: Fraction = Fraction(25),
    size: tuple[int, int] = (64, 48),
    n_frames: int = 10,
    audio: Waveform | None = None,
    audio_start: Fraction = Fraction(0),
    layout: str = "",
    rotation: int = 0,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    times: Sequence[Fraction] | None = None,
    options: dict[str, str] | None = None,
    tags: dict[str, int] | None = None,
    metadata: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """A video of numbered pictures; `times` (seconds) make the rate variable.

    `rotation` is written as clockwise degrees to upright, for stored pictures that are not
    turned. `tags` are attributes of the codec context, such as colorspace or color_range.
    """
    tick = 1 / rate if times is None else Fraction(1, 90_000)
    moments = [n / rate for n in range(n_frames)] if times is None else times
    with av.open(str(path), "w", container_options=container_options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height = size
        stream.pix_fmt = pixel_format
        stream.codec_context.time_base = stream.time_base = tick
        for name, value in (tags or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(-rotation)
        sound_codec = SOUND_CODECS.get(path.suffix, "aac")
        track = _add_track(container, sound_codec, audio, layout) if audio is not None else None
        for number, moment in enumerate(moments):
            container.mux(stream.encode(_picture(number, size, moment, tick)))
        container.mux(stream.encode(None))
        if audio is not None:
            container.mux(track.encode(_sound(audio, audio_start, track.codec_context.layout.name)))
            container.mux(track.encode(None))
    return path


def _picture(number: int, size: tuple[int, int], time: Fraction, tick: Fraction) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(numbered_picture(number % 256, size), format="rgb24")
    frame.pts, frame.time_base = round(time / tick), tick
    return frame


def _add_track(
    container: av.container.OutputContainer, codec: str, audio: Waveform, layout: str
) -> av.AudioStream:
    track = container.add_stream(codec, rate=audio.rate)
    track.codec_context.layout = layout or {1: "mono", 2: "stereo", 6: "5.1"}[audio.channels]
    return track


def _sound(audio: Waveform, start: Fraction, layout: str) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(audio.samples.reshape(1, -1), "flt", layout)
    frame.sample_rate = audio.rate
    frame.pts, frame.time_base = round(start * audio.rate), Fraction(1, audio.rate)
    return frame
