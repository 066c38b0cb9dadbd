"""What a viewer sees at once: do the lips meet at /p b m/, and are they still in pauses?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avdub.evaluation.aligner import BILABIALS, VOWELS, Phone, Word, phones_of

Doubles = NDArray[np.float64]

LOOKS = 5  # at a phoneme, over its time
LEAST_CONTRAST = 0.005  # inter-ocular distances: less in the real video is no contrast to share
LEAST_PAUSE_S = 0.2
AROUND_SPEECH_S = 0.12  # the mouth opens before the sound and closes after it


@dataclass(frozen=True)
class Closure:
    """Mean lip opening at /p b m/ and in vowels, predicted and real, in inter-ocular distances."""

    n_bilabials: int
    n_vowels: int
    bilabial: float
    vowel: float
    real_bilabial: float
    real_vowel: float
    share: float | None  # of the real contrast between the two that the predicted lips have


@dataclass(frozen=True)
class Pauses:
    """Lip opening above rest where nobody speaks, predicted and real, in inter-ocular distances.

    `real_mean` and `real_std` are None where silence drives the mouth, and so all frames are pause.
    """

    frames: int
    mean: float
    std: float
    real_mean: float | None
    real_std: float | None


def closure(
    words: Sequence[Word], times: Doubles, predicted: Doubles, real: Doubles
) -> Closure | None:
    """Openings (N,) at `times` (N,) seconds, at the phonemes of `words`; a phoneme counts where
    the real mouth is seen all along. None without either kind."""
    bilabials, vowels = (
        _looks(phones_of(words, kind), times, predicted, real) for kind in (BILABIALS, VOWELS)
    )
    if not len(bilabials) or not len(vowels):
        return None
    at_bilabials, in_vowels = (tuple(kind.mean(0).tolist()) for kind in (bilabials, vowels))
    return _closure((len(bilabials), len(vowels)), at_bilabials, in_vowels)


def mean_closure(each: Sequence[Closure]) -> Closure | None:
    """All phonemes of several clips, each counted once."""
    if not each:
        return None
    bilabials, vowels = [c.n_bilabials for c in each], [c.n_vowels for c in each]

    def mean(values: list[float], counts: list[int]) -> float:
        return float(np.average(values, weights=counts))

    at_bilabials = (
        mean([c.bilabial for c in each], bilabials),
        mean([c.real_bilabial for c in each], bilabials),
    )
    in_vowels = mean([c.vowel for c in each], vowels), mean([c.real_vowel for c in each], vowels)
    return _closure((sum(bilabials), sum(vowels)), at_bilabials, in_vowels)


def pauses(
    speech: Sequence[tuple[float, float]],
    times: Doubles,
    predicted: Doubles,
    real: Doubles,
) -> Pauses | None:
    """Openings above rest (N,) at the frames that lie in no stretch of `speech` (start_s, end_s),
    nor close to one. None where no pause is long enough."""
    edges = [0.0, *(t for span in speech for t in span), float(times[-1])]
    quiet = np.zeros(len(times), bool)
    for n, (start, end) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        first = start + (AROUND_SPEECH_S if n else 0.0)
        last = end - (AROUND_SPEECH_S if n < len(speech) else 0.0)
        if last - first >= LEAST_PAUSE_S:
            quiet |= (times >= first) & (times <= last)
    quiet &= ~np.isnan(real)
    if not quiet.any():
        return None
    a, b = predicted[quiet], real[quiet]
    return Pauses(len(a), float(a.mean()), float(a.std()), float(b.mean()), float(b.std()))


def all_pause(predicted: Doubles) -> Pauses:
    """Openings above rest (N,) of a mouth that silence drives."""
    return Pauses(len(predicted), float(predicted.mean()), float(predicted.std()), None, None)


def mean_pauses(each: Sequence[Pauses]) -> Pauses | None:
    """All frames of several clips, each counted once; deviations are those inside the clips."""
    if not each:
        return None
    n = [p.frames for p in each]
    real = [(p.real_mean, p.real_std, p.frames) for p in each if p.real_mean is not None]
    real_mean, real_std = None, None
    if real:
        means, stds, weights = (np.array(x, np.float64) for x in zip(*real, strict=True))
        real_mean = float(np.average(means, weights=weights))
        real_std = float(np.sqrt(np.average(stds**2, weights=weights)))
    return Pauses(
        sum(n),
        float(np.average([p.mean for p in each], weights=n)),
        float(np.sqrt(np.average([p.std**2 for p in each], weights=n))),
        real_mean,
        real_std,
    )


def _closure(
    counts: tuple[int, int], at_bilabials: tuple[float, float], in_vowels: tuple[float, float]
) -> Closure:
    """Openings are (predicted, real)."""
    contrast, real_contrast = (in_vowels[i] - at_bilabials[i] for i in (0, 1))
    share = contrast / real_contrast if real_contrast >= LEAST_CONTRAST else None
    (bilabial, real_bilabial), (vowel, real_vowel) = at_bilabials, in_vowels
    return Closure(*counts, bilabial, vowel, real_bilabial, real_vowel, share)


def _looks(phones: Sequence[Phone], times: Doubles, predicted: Doubles, real: Doubles) -> Doubles:
    """Mean (predicted, real) opening of each phoneme that is seen (K, 2)."""
    found = []
    for phone in phones:
        at = np.linspace(phone.start_s, phone.end_s, LOOKS)
        pair = [float(np.interp(at, times, values).mean()) for values in (predicted, real)]
        if phone.end_s <= times[-1] and not np.isnan(pair).any():
            found.append(pair)
    return np.array(found, np.float64).reshape(-1, 2)
