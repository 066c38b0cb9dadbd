"""The voice sample: seconds of clean speech by which the voice models know a person.

From a file the user gives, or from the video's own sound: the cleanest voiced stretches of one
speaker. Only times and levels are kept while listening, so hours of sound cost no memory.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np

from avdub.errors import InputError, MediaError
from avdub.media.audio import iter_audio, read_audio
from avdub.media.container import audio_stream, check_readable, open_media
from avdub.media.probe import MediaInfo
from avdub.media.voice_activity import (
    BLOCK_S,
    WINDOW_S,
    Heard,
    Mask,
    Spans,
    hear,
    runs,
    voiced_spans,
)
from avdub.media.waveform import Waveform, fade, gain, join, loudness, resample
from avdub.timeline import SAMPLE_RATE, boundary

SAMPLE_S = 12.0  # at most this much makes a voice sample
SHORTEST_S = 1.0
PLENTY_S = 5.0  # from here on only stretches nearly as clean as the best are added
WORST_BELOW_BEST_DB = 12.0
WIDEN_BELOW_S = 2.0  # with less in the speaker's own segments the whole video is searched
LONGEST_FILE_S = 600
QUIETEST_DB = -26.0  # RMS; softer samples are raised to it
SILENT_DB = -66.0
MIN_STRETCH_S, MAX_STRETCH_S = 0.5, 3.0
SURELY_SPEECH = 0.8  # mean probability: even noisy speech has more, what music fools it with less
OTHERS_MARGIN_S = 0.2
CROSS_FADE_S = 0.02
NOISELESS_DB = 40.0  # speech this far above its background could not be cleaner
CLIPPED_DB = 10.0  # clipped speech counts as no cleaner than this
CENTRE = 2  # the channel, in every layout of five or more
MICROSECONDS = 1_000_000  # in which containers count their length

WANTED = "5 to 30 seconds in which only that person speaks"
INSTEAD = f"give a voice sample with --voice FILE.wav ({WANTED}), or a named voice"


def read_voice_sample(path: Path, vad: Path) -> Waveform:
    """The cleanest speech (S, 1) at 16 kHz of a sound file or video, 1 to 12 s.

    Raises InputError for what is no sound file, too long, too short, silent or without speech.
    """
    check_readable(path)
    source, heard, stretches = _listen(path, None, _check_header(path), vad)
    voiced = sum(s.seconds for s in stretches)
    if not heard.seconds:
        raise InputError(f"{path} has no sound that can be decoded", f"give {WANTED}")
    if heard.seconds < SHORTEST_S:
        raise InputError(
            f"{path} lasts only {heard.seconds:.1f} s, too short for a voice sample",
            f"give {WANTED}",
        )
    if heard.level_db.max() < SILENT_DB:
        raise InputError(f"{path} is silent", f"give {WANTED}")
    if not voiced:
        raise InputError(f"{path} holds no speech", f"give {WANTED}, without music or noise")
    if voiced < SHORTEST_S:
        raise InputError(
            f"{path} holds only {voiced:.1f} s of speech, too little for a voice sample",
            f"give {WANTED}",
        )
    return _pooled(source, _chosen(stretches))


def original_voice(info: MediaInfo, spans: Spans, others: Spans, vad: Path) -> Waveform:
    """The cleanest speech (S, 1) at 16 kHz of the speaker heard in `spans` (seconds), 1 to 12 s.

    Where `spans` hold less than 2 s of speech, the video outside `others`, the spans of other
    speakers, is searched too. Raises InputError where there is less than 1 s.
    """
    if info.audio is None:
        raise InputError(f"{info.path} has no sound to take a voice from", INSTEAD)
    n = info.audio.channels
    source, _, stretches = _listen(info.path, info, n, vad, _Search(spans, spans, others))
    if sum(s.seconds for s in stretches) < WIDEN_BELOW_S:
        source, _, stretches = _listen(info.path, info, n, vad, _Search(None, spans, others))
    seconds = sum(s.seconds for s in stretches)
    if seconds < SHORTEST_S:
        found = f"only {seconds:.1f} s of" if seconds else "no"
        raise InputError(f"{info.path} has {found} clear speech to take the voice from", INSTEAD)
    return _pooled(source, _chosen(stretches))


def _check_header(path: Path) -> int:
    """How many channels the sound has; raises InputError where there is none or too much of it."""
    try:
        with open_media(path) as container:
            stream = audio_stream(container)
            if stream is None:
                raise InputError(f"{path} has no sound", f"give a file with {WANTED}")
            if stream.duration is not None and stream.time_base is not None:
                seconds = stream.duration * stream.time_base
            else:
                seconds = Fraction(container.duration or 0, MICROSECONDS)
            channels = int(stream.codec_context.channels)
    except MediaError as error:
        if not path.stat().st_size:
            raise
        raise InputError(
            f"{path} is no sound file that can be read",
            "give a .wav, .flac, .ogg or .mp3 file, or a video with sound",
        ) from error
    _check_length(path, seconds)
    return channels


def _check_length(path: Path, seconds: Fraction | float) -> None:
    if seconds > LONGEST_FILE_S:
        raise InputError(
            f"{path} lasts longer than {LONGEST_FILE_S // 60} minutes, too long for a voice sample",
            f"cut out {WANTED}",
        )


@dataclass(frozen=True)
class _Source:
    """A sound of which the centre or all channels are heard. Without `info` it is a sound file."""

    path: Path
    info: MediaInfo | None
    centre: bool

    def blocks(self) -> Iterator[Waveform]:
        """The channels that count; raises InputError for a file that turns out too long."""
        seconds = 0.0
        for block in iter_audio(self.path, self.info, BLOCK_S):
            seconds += block.seconds
            if self.info is None:
                _check_length(self.path, seconds)  # not every header says how long the file is
            yield self.channels(block)

    def channels(self, sound: Waveform) -> Waveform:
        samples = sound.samples[:, CENTRE : CENTRE + 1] if self.centre else sound.samples
        return Waveform(samples, sound.rate)

    def cut_out(self, spans: Sequence[tuple[float, float]]) -> list[Waveform]:
        """The sound of sorted, disjoint spans (seconds)."""
        if self.info is not None and self.info.seekable:
            read = [read_audio(self.path, self.info, span) for span in spans]
            return [self.channels(sound) for sound in read if sound is not None]
        parts: list[list[Waveform]] = [[] for _ in spans]
        start = 0
        for block in self.blocks():  # plain streams only guess where a seek has led them
            for part, span in zip(parts, spans, strict=True):
                first, last = (boundary(Fraction(t), block.rate) - start for t in span)
                if first < len(block) and last > 0:
                    part.append(Waveform(block.samples[max(0, first) : last], block.rate))
            start += len(block)
        return [join(part) for part in parts if part]


@dataclass(frozen=True)
class _Search:
    """Where to look, in seconds: `spans` (None: everywhere) without `others`; `own` goes first."""

    spans: Spans | None = None
    own: Spans = ()
    others: Spans = ()


@dataclass(frozen=True)
class _Stretch:
    """Voiced windows [first, last); `own` says that they lie in the speaker's segments."""

    first: int
    last: int
    quality_db: float
    own: bool

    @property
    def seconds(self) -> float:
        return (self.last - self.first) * WINDOW_S


def _listen(
    path: Path, info: MediaInfo | None, n_channels: int, vad: Path, search: _Search | None = None
) -> tuple[_Source, Heard, list[_Stretch]]:
    """The centre of surround sound, where speech lies without the music, else all channels."""
    search = search or _Search()
    tried = []
    for centre in (True, False) if n_channels > CENTRE + 2 else (False,):
        source = _Source(path, info, centre)
        heard = hear(source.blocks(), vad, search.spans)
        tried.append((source, heard, _stretches(heard, search)))
        if sum(s.seconds for s in tried[-1][2]) >= WIDEN_BELOW_S:
            return tried[-1]
    return max(tried, key=lambda found: sum(s.seconds for s in found[2]))


def _stretches(heard: Heard, search: _Search) -> list[_Stretch]:
    """Voiced stretches of 0.5 to 3 s where `search` wants them."""
    n_windows = len(heard.probability)
    usable = _whole(n_windows, voiced_spans(heard.probability))
    if search.spans is not None:
        usable &= _whole(n_windows, search.spans)
    usable &= ~_touched(n_windows, search.others)
    own = _whole(n_windows, search.own)
    found = []
    for start, end in runs(usable):
        n_pieces = int(np.ceil((end - start) * WINDOW_S / MAX_STRETCH_S))
        edges = np.linspace(start, end, n_pieces + 1).round().astype(int).tolist()
        found += [
            _Stretch(first, last, _quality_db(heard, first, last), own[first:last].mean() > 0.5)
            for first, last in pairwise(edges)
            if (last - first) * WINDOW_S >= MIN_STRETCH_S
            and heard.probability[first:last].mean() >= SURELY_SPEECH
        ]
    return found


def _whole(n_windows: int, spans: Iterable[tuple[Fraction | float, Fraction | float]]) -> Mask:
    """Windows that lie inside one of `spans`."""
    mask = np.zeros(n_windows, bool)
    for start, end in spans:
        first, last = np.ceil(float(start) / WINDOW_S - 1e-6), float(end) / WINDOW_S + 1e-6
        mask[int(max(0, first)) : int(max(0, last))] = True
    return mask


def _touched(n_windows: int, spans: Spans) -> Mask:
    """Windows that come near one of `spans`."""
    mask = np.zeros(n_windows, bool)
    for start, end in spans:
        first, last = float(start) - OTHERS_MARGIN_S, float(end) + OTHERS_MARGIN_S
        mask[int(max(0, first / WINDOW_S)) : int(max(0, np.ceil(last / WINDOW_S)))] = True
    return mask


def _quality_db(heard: Heard, first: int, last: int) -> float:
    """How clean speech is: its contrast, less where it is clipped or less surely speech."""
    cleanest = CLIPPED_DB if heard.clipped[first:last].mean() > 0.05 else NOISELESS_DB
    contrast = min(heard.contrast_db(first, last), cleanest)
    return contrast * float(heard.probability[first:last].mean())


def _chosen(stretches: Sequence[_Stretch]) -> list[tuple[float, float]]:
    """The cleanest stretches, 12 s in all, in time order and in seconds; neighbours are joined."""
    ranked = sorted(stretches, key=lambda s: (s.own, s.quality_db), reverse=True)
    least = max(s.quality_db for s in ranked) - WORST_BELOW_BEST_DB
    taken = np.zeros(max(s.last for s in ranked), bool)
    left = round(SAMPLE_S / WINDOW_S)
    for each in ranked:
        plenty = SAMPLE_S - left * WINDOW_S >= PLENTY_S
        if left * WINDOW_S < MIN_STRETCH_S or (plenty and each.quality_db < least):
            continue
        taken[each.first : min(each.last, each.first + left)] = True
        left -= min(each.last - each.first, left)
    return [(first * WINDOW_S, last * WINDOW_S) for first, last in runs(taken)]


def _pooled(source: _Source, spans: Sequence[tuple[float, float]]) -> Waveform:
    """The sound of `spans`, cross-faded into one, not too soft."""
    parts = [resample(part.mono(), SAMPLE_RATE) for part in source.cut_out(spans)]
    n_fade = round(CROSS_FADE_S * SAMPLE_RATE)
    out = np.zeros((sum(map(len, parts)) - n_fade * (len(parts) - 1), 1), np.float32)
    start = 0
    for n, part in enumerate(parts):
        into = CROSS_FADE_S if n else 0.0
        out_of = CROSS_FADE_S if n + 1 < len(parts) else 0.0
        out[start : start + len(part)] += fade(part, into, out_of).samples
        start += len(part) - n_fade
    sound = Waveform(out[: round(SAMPLE_S * SAMPLE_RATE)], SAMPLE_RATE)
    room = -20 * np.log10(max(float(np.abs(out).max()), 1e-6))
    return gain(sound, max(0.0, min(QUIETEST_DB - loudness(sound), float(room))))
