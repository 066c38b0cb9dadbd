"""Who speaks which segment: a named voice, a voice sample, or the original speaker himself."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from avdub.errors import InputError
from avdub.media.probe import MediaInfo
from avdub.media.waveform import Waveform
from avdub.pipeline.voice import original_voice, read_voice_sample
from avdub.pipeline.weights import ORIGINAL, Weights
from avdub.timeline import Segment


@dataclass(frozen=True)
class Voice:
    """A voice as the models want it: style vectors for `text` and `speech`, and its origin."""

    name: str
    styles: dict[str, Tensor]
    origin: str


@dataclass(frozen=True)
class Cast:
    """The voice of every segment, by the segment's index."""

    voices: dict[int, Voice]

    def __getitem__(self, segment: Segment) -> Voice:
        return self.voices[segment.index]

    @property
    def notes(self) -> tuple[str, ...]:
        """Each voice and where it comes from, for people."""
        each = dict.fromkeys((v.name, v.origin) for v in self.voices.values())
        return tuple(f"{name}: {origin}" for name, origin in each)


def cast_voices(
    info: MediaInfo, segments: Sequence[Segment], weights: Weights, name: str | None
) -> Cast:
    """Give every segment a voice. Raises InputError where the voice is not to be had."""
    name = name or weights.default_voice
    if name != ORIGINAL:
        voice = find_voice(weights, name)
        return Cast({s.index: voice for s in segments})
    of_speaker: dict[str | None, Voice] = {}
    for speaker in dict.fromkeys(s.speaker for s in segments):
        own = [(s.start, s.end) for s in segments if s.speaker == speaker]
        others = [(s.start, s.end) for s in segments if s.speaker != speaker]
        sample = original_voice(info, own, others, weights.voice_activity)
        label = f"{ORIGINAL} ({speaker})" if speaker else ORIGINAL
        origin = f"{sample.seconds:.1f} s of the video's own sound"
        of_speaker[speaker] = Voice(label, weights.voice_of(_mono(sample)), origin)
    return Cast({s.index: of_speaker[s.speaker] for s in segments})


def find_voice(weights: Weights, name: str | None) -> Voice:
    """A named voice, or whoever speaks in the file of that name.

    Raises InputError for an unknown name and for a file without usable speech.
    """
    name = name or weights.default_voice
    if name == ORIGINAL:
        raise InputError(
            "there is no original speaker without a video",
            "give a voice sample with --voice FILE.wav, or a named voice",
        )
    path = Path(name).expanduser()
    if not (path.suffix or path.is_file()):
        return Voice(name, weights.voice(name), "named voice")
    sample = read_voice_sample(path, weights.voice_activity)
    origin = f"{sample.seconds:.1f} s of {path.name}"
    return Voice(path.name, weights.voice_of(_mono(sample)), origin)


def _mono(sample: Waveform) -> Tensor:
    return torch.from_numpy(sample.samples[:, 0].copy())
