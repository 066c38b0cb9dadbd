"""How our speech does with independent judges: what is said, by whom, and the judging of it.

Lines come from a text or, with their slots, from subtitles; they are spoken here or were recorded.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from avdub.errors import InputError
from avdub.evaluation.judges import Judges, Samples, judged_samples
from avdub.evaluation.similarity import PIECE_SAMPLES, SOUND_SUFFIXES, Embedding, active_pieces
from avdub.evaluation.speech_score import LineScore, Slot, VoiceScore
from avdub.evaluation.words import compare, words_of
from avdub.media.audio import read_sound
from avdub.media.subtitles import read_subtitles
from avdub.media.waveform import Waveform
from avdub.pipeline.cast import find_voice
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import speak_text
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.timeline import MS_PER_S, SAMPLE_RATE

FIT_RATE = 1.1  # how much faster than naturally the lines are asked for to test the fit


@dataclass(frozen=True)
class Cue:
    """What is to be said, and the length of the slot it is for, if there is one."""

    text: str
    slot_s: float | None = None


@dataclass(frozen=True)
class Spoken:
    """A line and its sound; `asked_s` and `made_s` are set where a length was asked for.

    `sound` is None where nothing could be spoken, and `problem` says why.
    """

    voice: str
    text: str
    sound: Waveform | None
    asked_s: float | None = None
    made_s: float | None = None
    slot: Slot | None = None
    problem: str = ""


def read_lines(path: Path, limit: int | None = None) -> list[Cue]:
    """The lines of a text file that hold words. Raises InputError where there is none."""
    try:
        found = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}", "give a UTF-8 text file") from error
    cues = [Cue(line) for line in found if words_of(line)][:limit]
    if not cues:
        raise InputError(f"{path} has no line of words", "write one sentence a line")
    return cues


def read_slots(path: Path, limit: int | None = None) -> tuple[list[Cue], list[str]]:
    """Subtitles that hold words, with the lengths of their slots, and warnings.

    Raises InputError or SubtitleError where there is none.
    """
    segments, warnings = read_subtitles(path)
    spoken = [s for s in segments if words_of(s.text)][:limit]
    if not spoken:
        raise InputError(f"{path} has no subtitle of words", "give subtitles of speech")
    return [Cue(s.text, (s.end_ms - s.start_ms) / MS_PER_S) for s in spoken], warnings


def spoken_lines(
    cues: Sequence[Cue], options: DubOptions, seconds: float | None = None
) -> Iterable[Spoken]:
    """Our voice saying each line, one at a time. Raises InputError before the first.

    With `seconds` every line is asked to take that long. Without, it is judged at its natural
    length and said a second time, faster, to see whether an asked length is met. In a slot it is
    judged as a dub speaks it: naturally where it fits, else as fast as it must be; what
    options.max_rate does not allow is judged at its natural length.
    """
    weights = Weights(options.model)
    find_voice(weights, options.voice)
    for cue in cues[:1]:
        weights.front_end.phonemize(cue.text, options.language)
    return (_say(cue, options, seconds, weights) for cue in cues)


def _say(cue: Cue, options: DubOptions, seconds: float | None, weights: Weights) -> Spoken:
    spoken = Spoken(options.voice or weights.default_voice, cue.text, None)
    if not weights.front_end.phonemize(cue.text, options.language):
        return replace(spoken, problem="nothing to say in this text")
    if seconds is not None:
        sound = speak_text(cue.text, options, seconds, weights)
        return replace(spoken, sound=sound, asked_s=seconds, made_s=sound.seconds)
    if cue.slot_s is not None:
        return _in_slot(spoken, cue.slot_s, options, weights)
    sound = speak_text(cue.text, options, None, weights)
    asked = round(sound.seconds / FIT_RATE, 3)
    brisk = replace(options, max_rate=max(options.max_rate, 2 * FIT_RATE))
    again = speak_text(cue.text, brisk, asked, weights)
    return replace(spoken, sound=sound, asked_s=asked, made_s=again.seconds)


def _in_slot(spoken: Spoken, slot_s: float, options: DubOptions, weights: Weights) -> Spoken:
    natural = speak_text(spoken.text, options, None, weights)
    try:
        # as in a dub, where a slot that is too long ends in silence
        fitted = speak_text(spoken.text, replace(options, min_rate=1.0), slot_s, weights)
    except InputError:  # of a text that can be spoken: there is too little time
        return replace(spoken, sound=natural, slot=Slot(slot_s, natural.seconds, True))
    sound = fitted if natural.seconds > slot_s else natural
    slot = Slot(slot_s, natural.seconds)
    return replace(spoken, sound=sound, asked_s=slot_s, made_s=fitted.seconds, slot=slot)


def recorded_lines(cues: Sequence[Cue], folder: Path, max_rate: float) -> Iterable[Spoken]:
    """Sound files of a folder, by name, as the lines in their order.

    Raises InputError where there are fewer of them than lines.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", "give a folder with one sound file a line")
    files = sorted(p for p in folder.iterdir() if p.suffix.lower() in SOUND_SUFFIXES)
    if len(files) < len(cues):
        raise InputError(
            f"{folder} has {len(files)} sound files for {len(cues)} lines",
            "give one sound file a line, their names in the order of the lines",
        )
    pairs = zip(cues, files, strict=False)
    return (_recorded(cue, read_sound(file), folder.name, max_rate) for cue, file in pairs)


def _recorded(cue: Cue, sound: Waveform, voice: str, max_rate: float) -> Spoken:
    slot = None
    if cue.slot_s is not None:
        slot = Slot(cue.slot_s, sound.seconds, sound.seconds / cue.slot_s > max_rate)
    return Spoken(voice, cue.text, sound, slot=slot)


@dataclass
class _Heard:
    """What is gathered of a voice while its lines pass."""

    lines: list[LineScore] = field(default_factory=list)
    hz: list[Samples] = field(default_factory=list)
    embeddings: list[Embedding] = field(default_factory=list)


def judge(
    spoken: Iterable[Spoken],
    judges: Judges,
    language: str = "en",
    progress: Progress = silent,
    total: int | None = None,
) -> list[VoiceScore]:
    """Score every line, grouped by voice in order of appearance."""
    voices: dict[str, _Heard] = {}
    for each in progress(spoken, "speech", total):
        _add(voices.setdefault(each.voice, _Heard()), each, judges, language)
    scores = []
    for voice, heard in voices.items():
        likeness = judges.ears.likeness(voice, heard.embeddings) if judges.ears else None
        scores.append(VoiceScore(voice, tuple(heard.lines), _range(heard.hz), likeness))
    return scores


def _add(heard: _Heard, spoken: Spoken, judges: Judges, language: str) -> None:
    if spoken.sound is None:
        heard.lines.append(_score(spoken, "", language))
        return
    wav = judged_samples(spoken.sound)
    line = _score(spoken, judges.hear(wav), language)
    embedding = judges.ears.embed_line(wav) if judges.ears else None
    similarity = None
    if embedding is not None and judges.ears and judges.ears.knows(spoken.voice):
        heard.embeddings.append(embedding)
        similarity = judges.ears.similarity(spoken.voice, embedding)
    heard.hz.append(judges.pitch(wav))
    active = np.flatnonzero(active_pieces(wav))
    n_pieces = int(active[-1] - active[0] + 1) if len(active) else 0
    spoken_s = n_pieces * PIECE_SAMPLES / SAMPLE_RATE
    heard.lines.append(
        replace(line, p808=judges.rate(wav), spoken_s=spoken_s, similarity=similarity)
    )


def _score(spoken: Spoken, text: str, language: str) -> LineScore:
    """What is known of a line by what was heard of it."""
    errors, miss = compare(spoken.text, text, language), None
    if spoken.asked_s is not None and spoken.made_s is not None:
        miss = abs(spoken.made_s - spoken.asked_s) * MS_PER_S
    return LineScore(
        voice=spoken.voice,
        text=spoken.text,
        heard=text,
        words=errors.words,
        errors=errors.word_errors,
        characters=errors.characters,
        character_errors=errors.character_errors,
        p808=None,
        seconds=spoken.sound.seconds if spoken.sound else 0.0,
        spoken_s=0.0,
        miss_ms=miss,
        slot=spoken.slot,
        problem=spoken.problem,
    )


def _range(hz: Sequence[Samples]) -> tuple[float, float, float] | None:
    """5th, 50th and 95th percentile of all voiced cells."""
    voiced = np.concatenate([*hz, np.zeros(0, np.float32)])
    if not len(voiced):
        return None
    low, middle, high = np.percentile(voiced, [5, 50, 95])
    return float(low), float(middle), float(high)
