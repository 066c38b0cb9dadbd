"""Videos to subjects of the lip measures: heard and seen, with the times of their words."""

from collections.abc import Sequence
from pathlib import Path

from avdub.errors import InputError, WeightsError
from avdub.evaluation.aligner import Aligner, Word
from avdub.evaluation.mouths import read_clip
from avdub.evaluation.setups import Subject
from avdub.evaluation.transcripts import (
    Times,
    Utterance,
    aligned_words,
    listed_words,
    read_times,
    times_beside,
    transcript,
)
from avdub.faces.detect import make_detector
from avdub.media.voice_activity import BLOCK_S, hear, voiced_spans
from avdub.media.waveform import Samples, Waveform
from avdub.pipeline.weights import Weights
from avdub.timeline import SAMPLE_RATE

Spans = list[tuple[float, float]]


class Stage:
    """Reads videos one by one; `notes` says what cannot be measured of any of them.

    `times` is a table of word times for all videos; None looks for one beside each folder.
    """

    def __init__(self, weights: Weights, backend: str, times: Path | None) -> None:
        self.weights = weights
        self.notes: tuple[str, ...] = ()
        self._detector = make_detector(weights.faces, backend, threads=2)
        self._times = times
        self._tables: dict[Path, Times] = {}
        self._missing: WeightsError | None = None
        try:
            self._aligner: Aligner | None = Aligner()
        except WeightsError as error:
            self._aligner, self._missing = None, error
            self.notes = (f"closure is not measured: {error.message} ({error.hint})",)

    def check_times(self, videos: Sequence[Path]) -> None:
        """Raises WeightsError where no word times can be known: no table and no aligner."""
        tables = [self._times or times_beside(video) for video in videos]
        if self._missing is not None and not any(tables):
            raise self._missing

    def read(self, path: Path) -> Subject:
        """Raises InputError where the video cannot be heard or its face not seen."""
        clip = read_clip(path, self.weights, self._detector)
        try:
            said = transcript(path, clip.times[-1] + 1 / clip.rate)
        except InputError as error:
            return Subject(path.name, clip, wordless=error.message)
        aligned: tuple[Word, ...] = ()
        wordless = "nothing tells when its words are said"
        if self._aligner is not None:
            try:
                aligned = aligned_words(self._aligner, clip.wav, said)
            except InputError as error:
                wordless = error.message
        words = self._listed(path, said) or aligned
        return Subject(path.name, clip, words, aligned, "" if words else wordless)

    def _listed(self, path: Path, said: list[Utterance]) -> tuple[Word, ...]:
        """The words at the times that a table lists; none without one."""
        table = self._times or times_beside(path)
        if table is None:
            return ()
        if table not in self._tables:
            self._tables[table] = read_times(table)
        return listed_words(said, self._tables[table].get(path.stem, ()))


def speech_spans(wav: Samples, weights: Weights) -> Spans:
    """Where somebody speaks in 16 kHz sound (S,), in seconds."""
    size = BLOCK_S * SAMPLE_RATE
    blocks = (Waveform(wav[at : at + size, None], SAMPLE_RATE) for at in range(0, len(wav), size))
    return voiced_spans(hear(blocks, weights.voice_activity).probability)
