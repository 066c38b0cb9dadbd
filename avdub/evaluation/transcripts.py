"""What is said in a video, and when each word is: from files beside it or from its name.

In this order: `<video>.txt`, subtitles of the video's own name, a GRID clip's name. They must tell
what the video's sound says, not what a dub of it should say.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avdub.errors import InputError
from avdub.evaluation.aligner import Aligner, Word, seconds_of
from avdub.media.subtitles import SUFFIXES, read_subtitles, read_transcript
from avdub.media.waveform import Samples
from avdub.text.grid import grid_sentence
from avdub.timeline import SAMPLE_RATE

AROUND_S = 0.3  # subtitles come and go a little beside the words
SILENT_WORDS = ("sil", "sp")
TSV_COLUMNS = ("clip", "start_s", "end_s", "word")

Times = Mapping[str, tuple[Word, ...]]  # words of each clip, by its name without suffix


@dataclass(frozen=True)
class Utterance:
    """A text said somewhere in [start_s, end_s)."""

    text: str
    start_s: float
    end_s: float


def transcript(video: Path, seconds: float) -> list[Utterance]:
    """What is said in a video of so many seconds. Raises InputError where nothing tells."""
    text = video.with_suffix(".txt")
    if text.is_file():
        return [Utterance(" ".join(read_transcript(text)), 0.0, seconds)]
    for suffix in SUFFIXES:
        if (cues := video.with_suffix(suffix)).is_file():
            found, _ = read_subtitles(cues)
            return [Utterance(s.text, float(s.start), float(s.end)) for s in found]
    try:
        return [Utterance(grid_sentence(video.stem), 0.0, seconds)]
    except InputError as error:
        raise InputError(
            f"nothing tells what is said in {video.name}",
            f"write it into {text.name} beside the video",
        ) from error


def read_times(path: Path) -> Times:
    """Word times of many clips: a table with tabs, columns clip, start_s, end_s, word; silence is
    left out.

    Raises InputError for another file.
    """
    found: dict[str, list[Word]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file, delimiter="\t")
            if not set(TSV_COLUMNS) <= set(table.fieldnames or ()):
                raise ValueError("other columns")
            for row in table:
                clip, start, end, word = (row[name] for name in TSV_COLUMNS)
                times = found.setdefault(clip, [])
                if word not in SILENT_WORDS:
                    times.append(Word(word, float(start), float(end)))
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} is no table of word times", f"give one with {', '.join(TSV_COLUMNS)}"
        ) from error
    return {clip: tuple(words) for clip, words in found.items()}


def times_beside(video: Path) -> Path | None:
    """The table of word times of the video's folder: `<folder>_words.tsv` beside the folder."""
    folder = video.resolve().parent
    table = folder.with_name(f"{folder.name}_words.tsv")
    return table if table.is_file() else None


def listed_words(said: list[Utterance], listed: tuple[Word, ...]) -> tuple[Word, ...]:
    """The words of `said` at the listed times; none where they are not the same in number.

    The spelling is that of `said`: a table may name letters by themselves.
    """
    written = [word for utterance in said for word in utterance.text.split()]
    if len(written) != len(listed):
        return ()
    pairs = zip(written, listed, strict=True)
    return tuple(Word(text.strip(".,"), word.start_s, word.end_s) for text, word in pairs)


def aligned_words(aligner: Aligner, wav: Samples, said: list[Utterance]) -> tuple[Word, ...]:
    """Words with their phonemes, found in 16 kHz sound (S,), utterance by utterance.

    Raises InputError where the sound does not say one of them.
    """
    words: list[Word] = []
    for utterance in said:
        start = max(0.0, utterance.start_s - AROUND_S)
        end = min(utterance.end_s + AROUND_S, len(wav) / SAMPLE_RATE)
        words += aligner.align(seconds_of(start, end, wav), utterance.text, start)
    return tuple(sorted(words, key=lambda word: word.start_s))
