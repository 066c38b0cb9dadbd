"""Latents to speech, and speech laid over the original sound.

The original is ducked inside the slots only; outside them its samples stay what they were.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from avdub.latents import Latents
from avdub.media.waveform import Samples, Waveform, fade, gain, loudness, resample
from avdub.models.latents_to_speech import LatentsToSpeech
from avdub.models.speech_sr import SpeechSR
from avdub.timeline import F0_PER_STEP, SAMPLE_RATE, Span

if TYPE_CHECKING:
    from avdub.models.speech_to_latents import SpeechToLatents

EDGE_S = 0.03  # fades of the new speech and of the ducking
SPEECH_DB = -23.0  # RMS of speech over a silent source
QUIETEST_DB, LOUDEST_DB = -32.0, -16.0
SPOKEN_BELOW_PEAK_DB = 30.0  # 20 ms pieces within this of the loudest count as speech


@dataclass(frozen=True)
class Overlay:
    """New speech (S, 1) at the programme's rate, for the samples of a slot."""

    span: Span
    speech: Waveform

    def __post_init__(self) -> None:
        assert len(self.speech) == len(self.span), "speech must fill its slot exactly"


class Laid(Protocol):
    """As Overlay; its speech may come from elsewhere each time it is asked for."""

    @property
    def span(self) -> Span: ...

    @property
    def speech(self) -> Waveform: ...


def speak(model: LatentsToSpeech, latents: Latents, style: Tensor, seed: int) -> Waveform:
    """(320 T, 1) at 16 kHz, faded at both ends."""
    samples = model.speak(latents, style, seed).numpy().astype(np.float32)
    return fade(Waveform(samples[:, None], SAMPLE_RATE), EDGE_S, EDGE_S)


def enhance(model: SpeechSR | None, speech: Waveform) -> Waveform:
    """Speech at the higher rate of `model`; as it is without one."""
    if model is None:
        return speech
    samples = model.enhance(torch.from_numpy(speech.samples[:, 0])).numpy()
    return Waveform(np.ascontiguousarray(samples[:, None], np.float32), model.config.rate)


def hear(model: "SpeechToLatents", speech: Waveform) -> Latents:
    """The bridge: latents (S // 320 steps) of the new 16 kHz speech, for a mouth of another
    family. They carry no F0, which no mouth looks at."""
    vec = model.listen(torch.from_numpy(speech.samples[:, 0]))
    return Latents(vec, torch.zeros(len(vec) * F0_PER_STEP))


def speech_level(sound: Waveform) -> float:
    """RMS in dB over the 20 ms pieces that stand out, -120 for silence."""
    mono = sound.mono().samples[:, 0]
    hop = max(1, sound.rate // 50)
    pieces = mono[: len(mono) // hop * hop].reshape(-1, hop)
    if not len(pieces):
        return -120.0
    power = np.square(pieces, dtype=np.float64).mean(1)
    loud = power[power > power.max() * 10 ** (-SPOKEN_BELOW_PEAK_DB / 10)]
    return float(10 * np.log10(loud.mean() + 1e-12)) if len(loud) else -120.0


def levelled(speech: Waveform, original: Waveform | None) -> Waveform:
    """As loud as the speech it replaces, within limits; -23 dB where there was none."""
    aim = SPEECH_DB
    if original is not None and len(original) and loudness(original) > -50:
        aim = float(np.clip(speech_level(original), QUIETEST_DB, LOUDEST_DB))
    return gain(speech, aim - max(speech_level(speech), -60.0))


def overlay(speech: Waveform, span: Span, rate: int) -> Overlay:
    """Speech of a slot's steps as exactly the slot's samples at `rate`."""
    samples = resample(speech, rate).samples
    missing = max(0, len(span) - len(samples))
    fitted = np.pad(samples, ((0, missing), (0, 0)))[: len(span)]
    return Overlay(span, Waveform(np.ascontiguousarray(fitted), rate))


def lay_over(
    blocks: Iterable[Waveform], overlays: Sequence[Laid], duck_db: float
) -> Iterator[Waveform]:
    """The programme's sound with the overlays mixed in, block by block.

    Samples outside all slots are passed on untouched. Overlapping slots are mixed; peaks above full
    scale are bent softly.
    """
    start = 0
    for block in blocks:
        span = Span(start, start + len(block))
        start = span.end
        near = [o for o in overlays if o.span.start < span.end and o.span.end > span.start]
        yield _mixed(block, span, near, duck_db) if near else block


def _mixed(block: Waveform, span: Span, overlays: Sequence[Laid], duck_db: float) -> Waveform:
    ducked = np.ones(len(block), np.float32)
    added = np.zeros(len(block), np.float32)
    touched = np.zeros(len(block), bool)
    for each in overlays:
        speech = each.speech
        assert speech.rate == block.rate, "speech and programme differ in rate"
        first, last = max(each.span.start, span.start), min(each.span.end, span.end)
        here = slice(first - span.start, last - span.start)
        there = slice(first - each.span.start, last - each.span.start)
        curve = _ducking(len(each.span), block.rate, duck_db)
        ducked[here] = np.minimum(ducked[here], curve[there])
        added[here] += speech.samples[there, 0]
        touched[here] = True
    mixed = block.samples * ducked[:, None] + added[:, None] * _share(block.channels)
    out = np.where(touched[:, None], _bent(mixed), block.samples)
    return Waveform(out, block.rate)


def _share(channels: int) -> Samples:
    """Where speech goes: every channel of mono and stereo, the centre of 5.1 and 7.1."""
    if channels < 5:
        return np.ones(channels, np.float32)
    return np.asarray(np.arange(channels) == 2, np.float32)


def _ducking(n_samples: int, rate: int, duck_db: float) -> Samples:
    floor = 10 ** (duck_db / 20)
    n_edge = min(round(EDGE_S * rate), n_samples // 2)
    ramp = np.linspace(1, floor, n_edge, dtype=np.float32)
    curve = np.full(n_samples, floor, np.float32)
    curve[:n_edge] = ramp
    curve[n_samples - n_edge :] = ramp[::-1]
    return curve


def _bent(samples: Samples) -> Samples:
    """Linear to 0.9, then towards 1."""
    size = np.abs(samples)
    soft = 0.9 + 0.1 * np.tanh((size - 0.9) / 0.1)
    return np.where(size > 0.9, np.sign(samples) * soft, samples).astype(np.float32)
