"""When each word and phoneme of a known text is spoken: forced alignment by pocketsphinx.

Its US English model lies in its wheel and has nothing to do with ours. Phonemes are ARPABET without
stress. Words that its dictionary lacks are read by our own front end.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from avdub.errors import InputError, WeightsError
from avdub.media.waveform import Samples
from avdub.text import phonemize
from avdub.timeline import SAMPLE_RATE

TICK_S = 0.01  # of pocketsphinx
BILABIALS = frozenset({"P", "B", "M"})
VOWELS = frozenset(
    {"AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"}
)
ARPABET = {
    **{"A": "EY", "I": "AY", "O": "OW", "W": "AW", "Y": "OY", "Q": "OW", "æ": "AE", "ɑ": "AA"},
    **{"ɒ": "AA", "ɐ": "AH", "ɔ": "AO", "ə": "AH", "ᵊ": "AH", "ʌ": "AH", "ɛ": "EH", "e": "EH"},
    **{"ɜ": "ER", "ɚ": "ER", "ɪ": "IH", "ᵻ": "IH", "i": "IY", "ʊ": "UH", "u": "UW", "a": "AA"},
    **{"b": "B", "d": "D", "f": "F", "h": "HH", "j": "Y", "k": "K", "l": "L", "m": "M", "n": "N"},
    **{"p": "P", "s": "S", "t": "T", "v": "V", "w": "W", "z": "Z", "ɡ": "G", "ŋ": "NG"},
    **{"ɹ": "R", "ʃ": "SH", "ʒ": "ZH", "ð": "DH", "θ": "TH", "ʤ": "JH", "ʧ": "CH", "ɾ": "T"},
    **{"T": "T", "ʔ": "T"},
}


@dataclass(frozen=True)
class Phone:
    """An ARPABET phoneme and its time in seconds."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Word:
    """A word as written, its time in seconds, and its phonemes where they are known."""

    text: str
    start_s: float
    end_s: float
    phones: tuple[Phone, ...] = ()


class Aligner:
    """Finds known words in sound; raises WeightsError where pocketsphinx is not installed."""

    def __init__(self) -> None:
        try:
            from pocketsphinx import Decoder  # type: ignore  # optional, and without types
        except ImportError as error:
            raise WeightsError(
                "pocketsphinx, which tells when each phoneme is spoken, is not installed",
                "run: pip install pocketsphinx",
            ) from error
        # the best path over its lattice gives phonemes too short for the second pass
        self._decoder: Any = Decoder(lm=None, bestpath=False, loglevel="FATAL")

    def align(self, wav: Samples, text: str, start_s: float = 0.0) -> list[Word]:
        """Words of `text` in 16 kHz sound (S,), whose time 0 is `start_s` of the result.

        Raises InputError where the sound does not say the text.
        """
        written = spoken_words(text)
        names = [self._known(word) for word in written]
        if not names:
            raise InputError("there is no word to find in the sound", "give the words it says")
        raw = (np.clip(wav, -1, 1) * 32767).astype("<i2").tobytes()
        try:
            self._decoder.set_align_text(" ".join(names))
            self._hear(raw)
            self._decoder.set_alignment()  # the second pass places phonemes inside the words
            self._hear(raw)
            found = self._decoder.get_alignment()
        except RuntimeError:
            found = None
        # its entries live only as long as the walk over them
        words = [] if found is None else [_read(entry, start_s) for entry in found]
        words = [word for word in words if word.text]
        if len(words) != len(written):
            raise InputError(
                f"the sound does not say {_shortened(text)!r}", "give the words that it says"
            )
        return [
            Word(text, word.start_s, word.end_s, word.phones)
            for text, word in zip(written, words, strict=True)
        ]

    def _hear(self, raw: bytes) -> None:
        self._decoder.start_utt()
        self._decoder.process_raw(raw, full_utt=True)
        self._decoder.end_utt()

    def _known(self, word: str) -> str:
        """The dictionary's name of a word, which is put in where it is missing."""
        name = re.sub(r"[^a-z0-9']", "", word.lower()) or "sound"
        if name == word.lower() and self._decoder.lookup_word(name) is not None:
            return name
        name += "_read"  # apart from the dictionary's own
        if self._decoder.lookup_word(name) is None:
            self._decoder.add_word(name, " ".join(arpabet(phonemize(word))), True)
        return name


def spoken_words(text: str) -> list[str]:
    """Words of a text that have a sound, without the punctuation around them."""
    parts = re.split(r"[\s—–/]+", text.replace("’", "'"))
    words = (part.strip("\"'“”.,;:!?…()[]{}-") for part in parts)
    return [word for word in words if word and arpabet(phonemize(word))]


def arpabet(phonemes: str) -> list[str]:
    """ARPABET for our own phonemes; marks and unknown sounds are left out."""
    names = [ARPABET[symbol] for symbol in phonemes if symbol in ARPABET]
    return [n for i, n in enumerate(names) if n != "R" or i == 0 or names[i - 1] != "ER"]


def phones_of(words: Sequence[Word], kind: frozenset[str]) -> list[Phone]:
    """The phonemes of `kind` in all words."""
    return [phone for word in words for phone in word.phones if phone.name in kind]


def seconds_of(start_s: float, end_s: float, wav: Samples) -> Samples:
    """The part of 16 kHz sound (S,) between two times."""
    return wav[max(0, round(start_s * SAMPLE_RATE)) : max(0, round(end_s * SAMPLE_RATE))]


def _read(entry: Any, start_s: float) -> Word:
    """A word of pocketsphinx's alignment; without text where it is silence or noise."""
    is_word = not entry.name.startswith(("<", "[", "(", "+"))
    phones = tuple(
        Phone(
            phone.name,
            start_s + TICK_S * phone.start,
            start_s + TICK_S * (phone.start + phone.duration),
        )
        for phone in entry
    )
    start = start_s + TICK_S * entry.start
    return Word(entry.name if is_word else "", start, start + TICK_S * entry.duration, phones)


def _shortened(text: str, most: int = 50) -> str:
    return text if len(text) <= most else text[:most] + "…"
