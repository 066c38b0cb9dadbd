"""How a line is said: what the original line's melody and level suggest, and what its text asks.

Both act on F0 and on the level alone: never on time, which `encode` decides, nor on the latents
that the mouth is made from too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.latents import Latents
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo
from avdub.media.voice_activity import ENTER, WINDOW_S, speech_probability
from avdub.media.waveform import Waveform, gain, resample
from avdub.pipeline.encode import Accent, Asked
from avdub.pipeline.speak import LOUDEST_DB, QUIETEST_DB, levelled, speech_level
from avdub.pipeline.store import Form, Memory, Product
from avdub.pitch import log_f0
from avdub.timeline import F0_PER_STEP, SAMPLE_RATE, STEP_RATE, Segment

F0_RATE = F0_PER_STEP * STEP_RATE
LEAST_VOICED_S = 0.3  # of an original line, or it suggests nothing
F0_SCALES = 0.7, 1.5
MOST_SHIFT_ST, MOST_GAIN_DB = 3.0, 4.0
TYPICAL_LINES = 24  # of a speaker, spread over the video, tell what is typical of him

EMPHASIS_ST, EMPHASIS_DB = 2.5, 2.0
RISE_ST = 5.0  # at the end of a question
RISE_STEPS = 10.0, 18.0  # at least and at most
LIVELY_SCALE, LIVELY_DB = 1.15, 1.0  # of an exclamation
MARGIN_STEPS = 3.0  # in which an accent comes and goes, outside its sounds

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Prosody:
    """What a new line takes over: F0 spread times `f0_scale`, `shift_st` semitones higher, and
    `gain_db` louder than the speaker's typical line, which makes `level_db`. `plain` says why
    nothing is taken over."""

    f0_scale: float = 1.0
    shift_st: float = 0.0
    gain_db: float = 0.0
    level_db: float | None = None  # None: as loud as what it replaces
    plain: str = ""


PLAIN = Prosody(plain="plain prosody was asked for")


@dataclass(frozen=True)
class Manner:
    """How a line is spoken: F0 (median and 10 to 90 % range) in semitones, level in dB."""

    median_st: float
    spread_st: float
    level_db: float


def find_prosody(
    info: MediaInfo,
    segments: Sequence[Segment],
    everybody: Sequence[Segment],
    vad: Path,
    memory: Memory | None = None,
) -> dict[int, Prosody]:
    """What the original lines of `segments` suggest, by segment index.

    Each is compared with what is typical of its speaker among `everybody`, all segments of the
    video. Holds the sound of one segment at a time; `memory` knows lines measured before. Raises
    WeightsError.
    """
    memory = memory or Memory()
    if info.audio is None:
        return {s.index: Prosody(plain="the video has no sound") for s in segments}
    speakers = {s.speaker for s in segments}
    typical = {s.index: s for who in speakers for s in _spread_out(everybody, who)}
    measured = {
        s.index: _measure_segment(info, s, vad, memory)
        for s in {**typical, **{s.index: s for s in segments}}.values()
    }
    of_speaker = {
        who: [m for s in typical.values() if s.speaker == who and (m := measured[s.index])]
        for who in speakers
    }
    return {s.index: compare(measured[s.index], of_speaker[s.speaker]) for s in segments}


def _spread_out(everybody: Sequence[Segment], speaker: str | None) -> list[Segment]:
    own = [s for s in everybody if s.speaker == speaker]
    places = np.linspace(0, len(own) - 1, min(len(own), TYPICAL_LINES)).round().astype(int)
    return [own[n] for n in places]


def _measure_segment(info: MediaInfo, segment: Segment, vad: Path, memory: Memory) -> Manner | None:
    def make() -> tuple[Manner | None]:
        sound = read_audio(info.path, info, (segment.start, segment.end))
        return (measure(sound, vad) if sound is not None and len(sound) else None,)

    parts = (info.path, segment.start_ms, segment.end_ms, vad)
    return memory.recall(MANNERS, parts, make, [segment.index])[0]


def _packed(manner: tuple[Manner | None]) -> Product:
    return Product(facts={"manner": [asdict(each) if each else None for each in manner]})


def _unpacked(product: Product) -> tuple[Manner | None]:
    (manner,) = product.facts["manner"]
    return (Manner(**manner) if manner else None,)


MANNERS = Form("prosody", 1, _packed, _unpacked)


def measure(sound: Waveform, vad: Path) -> Manner | None:
    """How somebody speaks in `sound`; None where there is less than LEAST_VOICED_S of a voice.

    Only what Silero takes for speech counts: music has an F0 too.
    """
    heard = resample(sound.mono(), SAMPLE_RATE)
    f0 = log_f0(heard.samples[:, 0]).astype(np.float64)
    is_speech = speech_probability(heard, vad) >= ENTER
    windows = ((np.arange(len(f0)) + 0.5) / F0_RATE / WINDOW_S).astype(int)
    voiced = f0[(f0 > 0) & is_speech[windows]]
    if len(voiced) < LEAST_VOICED_S * F0_RATE:
        return None
    low, median, high = np.percentile(12 * np.log2(np.expm1(voiced)), (10, 50, 90))
    return Manner(float(median), float(high - low), speech_level(sound))


def compare(line: Manner | None, typical: Sequence[Manner]) -> Prosody:
    """A line against the typical ones of its speaker, within bounds."""
    if not typical:
        return Prosody(plain="no voice is heard in this speaker's original lines")
    of = [[m.median_st, m.spread_st, m.level_db] for m in typical]
    median, spread, level = np.median(of, axis=0).tolist()
    if line is None:
        why = f"less than {LEAST_VOICED_S} s of voice in the original line"
        return Prosody(level_db=_level(level), plain=why)
    if len(typical) < 2:
        return Prosody(plain="the only line of this speaker with a voice: nothing to compare with")
    scale = float(np.clip(line.spread_st / max(spread, 0.1), *F0_SCALES))
    shift = float(np.clip(line.median_st - median, -MOST_SHIFT_ST, MOST_SHIFT_ST))
    louder = float(np.clip(line.level_db - level, -MOST_GAIN_DB, MOST_GAIN_DB))
    return Prosody(round(scale, 3), round(shift, 2), round(louder, 2), _level(level + louder))


def _level(db: float) -> float:
    return round(float(np.clip(db, QUIETEST_DB, LOUDEST_DB)), 2)


def intone(latents: Latents, accents: Iterable[Accent], prosody: Prosody) -> Latents:
    """The same latents with the F0 that the original line and the text ask for."""
    at = (np.arange(len(latents.f0)) + 0.5) / F0_PER_STEP
    scale, lift = np.ones(len(at)), np.full(len(at), prosody.shift_st)
    emphasis = np.zeros(len(at))
    for accent in accents:
        if accent.asked is Asked.EMPHASIS:
            emphasis = np.maximum(emphasis, _peak(at, accent))
        elif accent.asked is Asked.RISE:
            lift += RISE_ST * _rise(at, accent, latents.f0.cpu().numpy() > 0)
        else:
            scale += (LIVELY_SCALE - 1) * _plateau(at, accent)
    scale = np.clip(scale * prosody.f0_scale, *F0_SCALES)
    return latents.pitched(_tensor(scale), _tensor(lift + EMPHASIS_ST * emphasis))


def colour(
    speech: Waveform,
    accents: Iterable[Accent],
    prosody: Prosody,
    original: Waveform | None,
) -> Waveform:
    """Speech at the level the original line suggests, accented words louder."""
    if prosody.level_db is None:
        speech = levelled(speech, original)
    else:
        speech = gain(speech, prosody.level_db - max(speech_level(speech), -60.0))
    at = (np.arange(len(speech)) + 0.5) / speech.rate * STEP_RATE
    words, sentences = np.zeros(len(at)), np.zeros(len(at))
    for accent in accents:
        if accent.asked is Asked.EMPHASIS:
            words = np.maximum(words, _plateau(at, accent))
        elif accent.asked is Asked.LIVELINESS:
            sentences = np.maximum(sentences, _plateau(at, accent))
    factor = 10 ** ((EMPHASIS_DB * words + LIVELY_DB * sentences) / 20)
    return Waveform(speech.samples * factor.astype(np.float32)[:, None], speech.rate)


def _peak(at: Floats, accent: Accent) -> Floats:
    """0 to 1 at the peak and back."""
    sides = (accent.start - MARGIN_STEPS, accent.peak, accent.end + MARGIN_STEPS)
    return _smooth(np.interp(at, sides, (0.0, 1.0, 0.0)))


def _plateau(at: Floats, accent: Accent) -> Floats:
    """1 over the whole stretch, coming and going in MARGIN_STEPS around it."""
    sides = (accent.start - MARGIN_STEPS, accent.start, accent.end, accent.end + MARGIN_STEPS)
    return _smooth(np.interp(at, sides, (0.0, 1.0, 1.0, 0.0)))


def _rise(at: Floats, accent: Accent, is_voiced: NDArray[np.bool_]) -> Floats:
    """0 to 1 where the voice last sounds before the accent's end, and given up after it.

    The end itself is the question mark's, before which final consonants and silence may lie.
    """
    voiced = at[is_voiced & (at < accent.end)]
    end = float(voiced[-1]) if len(voiced) else accent.end
    length = float(np.clip(accent.end - accent.start, *RISE_STEPS))
    sides = (end - length, end, accent.end + MARGIN_STEPS, accent.end + 2 * MARGIN_STEPS)
    return _smooth(np.interp(at, sides, (0.0, 1.0, 1.0, 0.0)))


def _smooth(x: Floats) -> Floats:
    return 0.5 - 0.5 * np.cos(np.pi * x)


def _tensor(values: Floats) -> Tensor:
    return torch.from_numpy(values)
