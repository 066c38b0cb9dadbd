"""What drives the lips under test: which sound, and by which way its latents are made.

The three set-ups tell lips that follow their sound from lips that know the clip otherwise: driven
by its own sound, by another clip's, and by silence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import torch
from torch import Tensor

from avdub.errors import InputError
from avdub.evaluation.aligner import Word
from avdub.evaluation.mouths import Clip
from avdub.evaluation.spoken import resounded, said_latents, unsaid_latents
from avdub.latents import Latents
from avdub.pipeline.weights import Weights
from avdub.timeline import SAMPLES_PER_STEP


class Source(StrEnum):
    """How latents are made: heard by SpeechToLatents in the clip's sound, said by TextToLatents
    from its words, or by way of sound: heard in the speech that is made of the said ones."""

    SOUND = "sound"
    TEXT = "text"
    CASCADE = "cascade"


class Setup(StrEnum):
    """Which sound drives the mouth: the clip's own, another clip's, or none."""

    MATCHED = "matched"
    MISMATCHED = "mismatched"
    SILENT = "silent"


@dataclass(frozen=True)
class Subject:
    """A clip that could be read: its words at the times known of them, and as the aligner found
    them with their phonemes. `wordless` says why there are no words."""

    name: str
    clip: Clip
    words: tuple[Word, ...] = ()
    aligned: tuple[Word, ...] = ()
    wordless: str = ""


@dataclass(frozen=True)
class Drive:
    """Latents that move the mouth and those of the sound it is shown with, (T, D) each.

    `heard` is None for silence, in which there is nothing to be in time with.
    """

    vec: Tensor
    heard: Tensor | None


class Driver:
    """Makes the latents of every subject under every set-up; each is made once.

    Text is said in the model's first voice, as in training stage 2. Lips are shown with the clips'
    own sound, or without `own_sound` with the speech that is made of their words.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        weights: Weights,
        seed: int = 0,
        own_sound: bool = True,
    ) -> None:
        self.subjects = tuple(subjects)
        self.weights = weights
        self.seed = seed
        self.own_sound = own_sound
        self._said: dict[int, Latents] = {}
        self._resounded: dict[int, Tensor] = {}

    def drive(self, n: int, source: Source, setup: Setup) -> Drive:
        """For the n-th subject. Raises InputError where its words, or those of the clip that
        drives it, are not known or do not fit their time."""
        n_steps = len(self.subjects[n].clip.vec)
        if setup is Setup.SILENT:
            return Drive(self._silence(n_steps, source), None)
        if setup is Setup.MATCHED:
            return Drive(self._latents(n, source), self._heard(n, source))
        other = self._other(n, source)
        vec, heard = self._latents(other, source), self._heard(other, source)
        if other == n:  # one clip alone is driven by another part of itself
            vec, heard = vec.roll(n_steps // 2, 0), heard.roll(n_steps // 2, 0)
        return Drive(fill(vec, n_steps), fill(heard, n_steps))

    @cached_property
    def styles(self) -> dict[str, Tensor]:
        """Of the voice that says the text; only a family with named voices has one."""
        return self.weights.voice(self.weights.default_voice)

    def _other(self, n: int, source: Source) -> int:
        """A clip to mismatch the n-th with: half the list away, as neighbours by name often say
        the same words; itself where no other can drive it."""
        count = len(self.subjects)
        order = [(n + count // 2 + k) % count for k in range(count)]
        fit = (k for k in order if k != n and (source is Source.SOUND or self.subjects[k].words))
        return next(fit, n)

    def _latents(self, n: int, source: Source) -> Tensor:
        if source is Source.SOUND:
            return self.subjects[n].clip.vec
        said = self._say(n)
        return self._resound(n) if source is Source.CASCADE else said.vec

    def _heard(self, n: int, source: Source) -> Tensor:
        own = self.own_sound or source is Source.SOUND
        return self.subjects[n].clip.vec if own else self._resound(n)

    def _say(self, n: int) -> Latents:
        if n not in self._said:
            subject = self.subjects[n]
            if not subject.words:
                raise InputError(subject.wordless, "write its words beside the video")
            self._said[n] = said_latents(
                subject.words, subject.clip.vec, self.weights, self.styles["text"], self.seed
            )
        return self._said[n]

    def _resound(self, n: int) -> Tensor:
        if n not in self._resounded:
            self._resounded[n] = resounded(
                self._say(n), self.weights, self.styles["speech"], self.seed + n
            )
        return self._resounded[n]

    def _silence(self, n_steps: int, source: Source) -> Tensor:
        if source is not Source.SOUND:
            return unsaid_latents(n_steps, self.weights, self.styles["text"], self.seed)
        nothing = torch.zeros(n_steps * SAMPLES_PER_STEP)
        return self.weights.speech_to_latents.listen(nothing)


def fill(vec: Tensor, n_steps: int) -> Tensor:
    """Latents (T, D) cut, or repeated from the start, to (n_steps, D)."""
    repeats = -(-n_steps // len(vec))
    return vec.repeat(repeats, 1)[:n_steps]
