"""The report of `avdub eval speech`: what independent judges say of voices and lines."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from avdub.evaluation.report.document import Cell, Column, Document, Origin, Plot, Section, Table
from avdub.evaluation.report.origin import file_hash, package
from avdub.evaluation.report.plots import Strip, strips

if TYPE_CHECKING:
    from avdub.evaluation.speech_score import Figures, LineScore, VoiceScore

NAMES = ("lines",)

P808 = "1 to 5"
VOICE = Column("voice", "who speaks")
VOICES = (
    (Column("WER", "word errors over words of all lines: Whisper writes the sound down; case, "
            "punctuation and ways to write numbers do not count", 1, "%"), "wer"),
    (Column("CER", "the same of characters", 1, "%"), "cer"),
    (Column("P.808", "mean over lines of the quality that DNSMOS predicts", 2, P808), "p808"),
    (Column("lowest P.808", "of a line", 2, P808), "p808_lowest"),
    (Column("pace", "words over the time from the first sound to the last", 2, "words/s"),
     "words_per_s"),
    (Column("F0, 5th percentile", "of the voiced cells that SwiftF0 finds in all lines", 0, "Hz"),
     "f0_p5_hz"),
    (Column("F0, median", "of the same", 0, "Hz"), "f0_p50_hz"),
    (Column("F0, 95th percentile", "of the same", 0, "Hz"), "f0_p95_hz"),
    (Column("F0 range", "from the 5th to the 95th percentile", 1, "semitones"), "f0_semitones"),
    (Column("misfit", "the most that a line missed a length it was asked to take", 0, "ms"),
     "miss_ms"),
)  # fmt: skip
LIKENESS = (
    (Column("similarity", "mean over lines of the cosine of resemblyzer's embedding with the mean "
            "one of the reference's recordings", 3), "similarity"),
    (Column("ceiling", "the same of the reference's own recordings, each against the half without "
            "it", 3), "ceiling"),
    (Column("floor", "the same of the other references' recordings", 3), "floor"),
    (Column("nearest to its own", "share of lines nearer to their own reference than to any other",
            0, "%"), "identified"),
)  # fmt: skip
SLOTS = (
    (Column("within 5 % of slot", "share of lines whose natural length is", 0, "%"), "in_slot"),
    (Column("not sped up", "share of lines that fit their slot as they are", 0, "%"), "unhurried"),
    (Column("mean rate", "how much faster than naturally lines must be; 1 where they fit", 2),
     "rate"),
    (Column("too long", "share of lines that the highest rate does not bring into their slot", 0,
            "%"), "too_long"),
)  # fmt: skip
LINES = (
    VOICE,
    Column("line", "as in the text, counted from 1", 0),
    Column("WER", "word errors over words of the line", 1, "%"),
    Column("CER", "character errors over characters of the line", 1, "%"),
    Column("P.808", "the quality that DNSMOS predicts", 2, P808),
    Column("similarity", "cosine with the reference, as above", 3),
    Column("length", "of the sound", 2, "s"),
    Column("misfit", "by how much the line missed a length it was asked to take", 0, "ms"),
    Column("said", "the line"),
    Column("heard", "what Whisper wrote down, or why there is no sound"),
)


def speech_report(
    scores: Sequence["VoiceScore"], mean: "Figures", origin: Origin, whisper: Path
) -> Document:
    """Voices, then lines; `whisper` is the folder of the Whisper that listened."""
    rows = [(score.voice, score.figures) for score in scores]
    rows += [("mean", mean)] if len(scores) > 1 else []
    tables = [_voices(rows, VOICES)]
    model = f"{whisper.resolve().name}, {file_hash(whisper / 'model.bin')}"
    judges = [
        ("Whisper", f"{package('faster-whisper')}, model {model}; knows nothing of avdub"),
        ("DNSMOS P.808", f"{package('speechmos')}; knows nothing of avdub"),
        ("SwiftF0", f"{package('swift-f0')}; finds the pitch, also in avdub's training"),
    ]
    if mean.similarity is not None:
        tables.append(_voices(rows, LIKENESS))
        judges.append(("resemblyzer", f"{package('resemblyzer')}; knows nothing of avdub"))
    if mean.rate is not None:
        tables.append(_voices(rows, SLOTS))
    lines = Table(LINES, tuple(_line(s, n, x) for s in scores for n, x in enumerate(s.lines, 1)))
    sections = (
        Section("Voices", (), tuple(tables)),
        Section("Lines", (), (lines,), _plots(scores)),
    )
    return Document("Speech by independent judges", origin, tuple(judges), sections)


def _voices(
    rows: Sequence[tuple[str, "Figures"]], columns: tuple[tuple[Column, str], ...]
) -> Table:
    return Table(
        (VOICE, *(column for column, _ in columns)),
        tuple(
            (name, *(_scaled(getattr(figures, field), column) for column, field in columns))
            for name, figures in rows
        ),
    )


def _line(score: "VoiceScore", n: int, x: "LineScore") -> tuple[Cell, ...]:
    errors = (100 * x.wer, 100 * x.cer)
    rest = (x.p808, x.similarity, x.seconds, x.miss_ms, x.text, x.problem or x.heard)
    return (score.voice, n, *errors, *rest)


def _scaled(value: float | None, column: Column) -> float | None:
    return 100 * value if value is not None and column.unit == "%" else value


def _plots(scores: Sequence["VoiceScore"]) -> tuple[Plot, ...]:
    """WER and P.808 of every line, by voice."""
    wer = [Strip(s.voice, [100 * x.wer for x in s.lines], _percent(s)) for s in scores]
    p808 = [
        Strip(s.voice, [x.p808 for x in s.lines if x.p808 is not None], s.figures.p808)
        for s in scores
    ]
    caption = (
        "Word errors and quality, a point a line, from the first line above to the last below; "
        "the stroke is the voice's own figure"
    )
    return (Plot("lines", caption, strips([("WER (%)", wer), ("DNSMOS P.808 (1 to 5)", p808)])),)


def _percent(score: "VoiceScore") -> float | None:
    return None if score.figures.wer is None else 100 * score.figures.wer
