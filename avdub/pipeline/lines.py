"""Who says what: the voice of every segment, and its words ready to be spoken.

What earlier runs found out is remembered.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate

from torch import Tensor

from avdub.errors import AvdubError
from avdub.media.probe import MediaInfo
from avdub.pipeline.cast import Cast, cast_voices
from avdub.pipeline.encode import Line, read_line
from avdub.pipeline.keep_speech import (
    LINES,
    VOICES,
    line_files,
    slots,
    voice_files,
    voice_source,
)
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import in_words
from avdub.pipeline.store import Memory, numerics
from avdub.pipeline.weights import Weights
from avdub.text.reading import Reading, read_aloud
from avdub.timeline import Segment

FASTEST = 60  # letters and digits a second: four times what any voice says at its natural pace
SPARE_S = 1.0  # more than a segment may use beyond its own slot
log = logging.getLogger(__name__)


def cast_segments(
    info: MediaInfo, segments: Sequence[Segment], weights: Weights, name: str, memory: Memory
) -> Cast:
    """The voices; one that is taken from a sound is remembered."""

    def make() -> Cast:
        return cast_voices(info, segments, weights, name)

    source = voice_source(info.path, name)
    if source is None:
        return make()
    who = (source, name, slots(segments))
    parts = (who, voice_files(weights), numerics())
    return memory.recall(VOICES, parts, make, [s.index for s in segments])


def read_texts(
    segments: Sequence[Segment], weights: Weights, name: str, options: DubOptions
) -> tuple[dict[int, Reading], dict[int, str]]:
    """Every segment's reading by index, and what went wrong with those that have none.

    It is read in the region of the voice of that name where none is asked for. What is wrong with
    all of them, an AvdubError, is raised.
    """
    family = weights.front_end
    language = weights.read_in(name, options.language)
    readings: dict[int, Reading] = {}
    broken: dict[int, str] = {}
    for each in segments:
        with _failing_alone(each.index, broken):
            text = until_too_long(each, options.max_rate * max(1.0, options.pace))
            emphasis = each.emphasis if text == each.text else ()
            readings[each.index] = read_aloud(text, emphasis, family, language)
    return readings, broken


def until_too_long(segment: Segment, max_rate: float) -> str:
    """The segment's text, of a megabyte only as much as is too long for its slot beyond doubt."""
    most = int(FASTEST * max_rate * (float(segment.end - segment.start) + SPARE_S))
    if len(segment.text) <= most:
        return segment.text
    counts = accumulate(letter.isalnum() for letter in segment.text)
    end = next((n for n, count in enumerate(counts, 1) if count > most), len(segment.text))
    return segment.text[:end]


def read_lines(
    readings: Mapping[int, Reading],
    cast: Cast,
    weights: Weights,
    options: DubOptions,
    memory: Memory,
) -> tuple[dict[int, Line], dict[int, str]]:
    """Every segment's words ready to be spoken, where there are any; else as `read_texts`."""
    family = weights.front_end
    lines: dict[int, Line] = {}
    broken: dict[int, str] = {}
    for index, reading in readings.items():
        if not reading.phonemes:
            continue
        style = cast.voices[index].styles["text"]
        parts = (reading, style, family.name, options.pace, line_files(weights), numerics())

        def make(reading: Reading = reading, style: Tensor = style) -> Line:
            return read_line(weights.text_to_latents, reading, style, family, options.pace)

        with _failing_alone(index, broken):
            lines[index] = memory.recall(LINES, parts, make, [index])
    return lines, broken


@contextmanager
def _failing_alone(index: int, broken: dict[int, str]) -> Iterator[None]:
    """Whatever is odd about one segment must not stop the others."""
    try:
        yield
    except (AvdubError, MemoryError):
        raise
    except Exception as error:
        log.info("segment %d cannot be read", index, exc_info=True)
        broken[index] = in_words(error)
