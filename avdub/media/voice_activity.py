"""Where somebody speaks, told from music and noise: Silero's voice activity network.

16 kHz mono in, one speech probability for each window of 32 ms out, block after block; `hear` adds
how loud each window is and whether it is clipped. Where the network's file lies is the caller's
affair.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from avdub.errors import WeightsError
from avdub.media.waveform import Samples, Waveform, resample
from avdub.timeline import SAMPLE_RATE

WINDOW = 512  # samples that get one probability
WINDOW_S = WINDOW / SAMPLE_RATE
CONTEXT = 64  # samples before a window that the network sees again with it
STATE_SHAPE = (1, 1, 128)
MOST_WINDOWS = 512  # in one call of the network: 16 s
ENTER, LEAVE = 0.5, 0.35  # speech begins above the one and ends below the other
MIN_VOICED_S = 0.25
MIN_GAP_S = 0.1  # a plosive's closure is no pause
BLOCK_S = 16  # a whole number of windows
HEARD_AT_DB, MAX_BOOST_DB = -30.0, 20.0  # the network misses softer speech
BACKGROUND_S = 5.0  # around a stretch, in which pauses tell its background
BACKGROUND_BELOW = 0.15  # speech probability of a pause
PAUSE_WINDOWS = 12  # 0.4 s
FULL_SCALE = 0.99

Probabilities = NDArray[np.float32]
Levels = NDArray[np.float32]
Mask = NDArray[np.bool_]
Spans = Sequence[tuple[Fraction | float, Fraction | float]]


class VoiceActivity:
    """Speech probabilities of a sound that comes in blocks; raises WeightsError."""

    def __init__(self, model: Path, threads: int = 1) -> None:
        self._session = _open(model.resolve(), threads)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard: another sound follows."""
        self._held: Samples = np.zeros(CONTEXT, np.float32)  # context, then what fills no window
        self._state = [np.zeros(STATE_SHAPE, np.float32)] * 2

    def feed(self, sound: Samples) -> Probabilities:
        """(S,) more samples at 16 kHz → one probability for each window they complete."""
        assert sound.ndim == 1, f"sound must be mono (S,), got {sound.shape}"
        held = np.concatenate([self._held, sound])
        n_windows = (len(held) - CONTEXT) // WINDOW
        found = [np.zeros(0, np.float32)]
        for first in range(0, n_windows, MOST_WINDOWS):
            starts = np.arange(first, min(first + MOST_WINDOWS, n_windows)) * WINDOW
            windows = held[starts[:, None] + np.arange(CONTEXT + WINDOW)]
            names = ["speech_probs", "hn", "cn"]
            feed = dict(zip(("input", "h", "c"), (windows, *self._state), strict=True))
            probabilities, *self._state = self._session.run(names, feed)
            found.append(probabilities)
        self._held = held[n_windows * WINDOW :]
        return np.concatenate(found)

    def finish(self) -> Probabilities:
        """The probability of the last, incomplete window (W = 1), or none (W = 0); then resets."""
        missing = -(len(self._held) - CONTEXT) % WINDOW
        last = self.feed(np.zeros(missing, np.float32))
        self.reset()
        return last


def speech_probability(wave: Waveform, model: Path) -> Probabilities:
    """(W,) in 0..1 for each 32 ms of 16 kHz mono sound, the last filled up with silence."""
    assert wave.rate == SAMPLE_RATE, f"the network hears {SAMPLE_RATE} Hz, not {wave.rate}"
    assert wave.channels == 1, f"the network hears mono, not {wave.channels} channels"
    activity = VoiceActivity(model)
    return np.concatenate([activity.feed(wave.samples[:, 0]), activity.finish()])


def voiced_spans(
    probabilities: Sequence[float] | Probabilities,
    min_voiced_s: float = MIN_VOICED_S,
    min_gap_s: float = MIN_GAP_S,
) -> list[tuple[float, float]]:
    """Where somebody speaks: [(start_s, end_s)], sorted and disjoint.

    A stretch begins at a probability of 0.5 and reaches as far as it stays above 0.35; shorter gaps
    than `min_gap_s` are filled before shorter stretches than `min_voiced_s` are dropped.
    """
    values = np.asarray(probabilities, np.float32)
    joined: list[list[int]] = []
    for start, end in runs(values > LEAVE):
        if values[start:end].max() < ENTER:
            continue
        if joined and (start - joined[-1][1]) * WINDOW_S < min_gap_s:
            joined[-1][1] = end
        else:
            joined.append([start, end])
    return [
        (start * WINDOW_S, end * WINDOW_S)
        for start, end in joined
        if (end - start) * WINDOW_S >= min_voiced_s
    ]


def runs(active: Mask) -> list[tuple[int, int]]:
    """Half-open ranges of indices in which `active` holds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], active, [False]]).astype(np.int8)))
    return [(int(start), int(end)) for start, end in edges.reshape(-1, 2)]


@dataclass(frozen=True)
class Heard:
    """A sound of `seconds`: speech probability, level and clipping of each 32 ms, (W,) each."""

    seconds: float
    probability: Probabilities
    level_db: Levels
    clipped: Mask

    def contrast_db(self, first: int, last: int) -> float:
        """How far the windows [first, last) stand out from their background."""
        power = np.mean(10 ** (self.level_db[first:last] / 10), dtype=np.float64)
        return float(10 * np.log10(power + 1e-12)) - self._background_db(first, last)

    def _background_db(self, first: int, last: int) -> float:
        """The louder of the nearest pauses before and after."""
        reach = round(BACKGROUND_S / WINDOW_S)
        before, after = slice(max(0, first - reach), first), slice(last, last + reach)
        quiet = [
            self.level_db[near][self.probability[near] < BACKGROUND_BELOW]
            for near in (before, after)
        ]
        pauses = quiet[0][-PAUSE_WINDOWS:], quiet[1][:PAUSE_WINDOWS]
        floors = [np.percentile(pause, 25) for pause in pauses if len(pause) >= PAUSE_WINDOWS // 2]
        if not floors:  # the quietest moments between words have to do
            floors = [np.percentile(self.level_db[before.start : after.stop], 2)]
        return float(max(floors))


def hear(blocks: Iterable[Waveform], model: Path, spans: Spans | None = None) -> Heard:
    """Listen to a sound in blocks of BLOCK_S, all channels as one; nothing else is held.

    With `spans` (seconds) the network skips blocks that are far from all of them.
    """
    activity = VoiceActivity(model)
    probability, level_db = [np.zeros(0, np.float32)], [np.zeros(0, np.float32)]
    clipped = [np.zeros(0, bool)]
    seconds = 0.0
    for block in blocks:
        start, seconds = seconds, seconds + block.seconds
        sound = resample(block.mono(), SAMPLE_RATE).samples[:, 0]
        level = _levels(sound)
        if spans is None or _near(start, seconds, spans):
            boost = np.clip(HEARD_AT_DB - np.percentile(level, 95), 0, MAX_BOOST_DB)
            heard = activity.feed(sound * np.float32(10 ** (boost / 20)))
            if len(heard) < len(level):
                heard = np.concatenate([heard, activity.finish()])
        else:
            activity.reset()
            heard = np.zeros(len(level), np.float32)
        probability.append(heard)
        level_db.append(level)
        clipped.append(_clipped(block, len(level)))
    return Heard(
        seconds, np.concatenate(probability), np.concatenate(level_db), np.concatenate(clipped)
    )


def _near(start: float, end: float, spans: Spans) -> bool:
    return any(float(a) < end + BACKGROUND_S and float(b) > start - BACKGROUND_S for a, b in spans)


def _levels(sound: Samples) -> Levels:
    """dB of each window of mono sound."""
    whole = np.pad(sound, (0, -len(sound) % WINDOW)).reshape(-1, WINDOW)
    power = np.mean(np.square(whole, dtype=np.float64), axis=1)
    return np.asarray(10 * np.log10(power + 1e-12), np.float32)


def _clipped(block: Waveform, n_windows: int) -> Mask:
    """Which windows have several samples at full scale in any channel."""
    full = np.abs(block.samples).max(axis=1) >= FULL_SCALE
    edges = np.arange(n_windows) * WINDOW * block.rate // SAMPLE_RATE
    counts = np.add.reduceat(full, np.minimum(edges, len(full) - 1), dtype=np.int64)
    return np.asarray(counts >= 3)


@lru_cache(maxsize=4)
def _open(model: Path, threads: int) -> onnxruntime.InferenceSession:
    if not model.is_file():
        raise WeightsError(
            f"no voice activity network at {model}", "reinstall avdub or pass the right folder"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        raise WeightsError(
            f"cannot load the voice activity network {model}", "replace the file"
        ) from error
