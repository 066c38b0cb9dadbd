"""What `avdub eval speech` measured, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from avdub.evaluation.speech_score import Figures, VoiceScore


def show_speech(screen: Screen, scores: list[VoiceScore], mean: Figures) -> None:
    """Lines, then voices: errors and quality, pitch and pace; likeness and slots where asked."""
    screen.stdout.print(_lines(scores))
    rows = [(score.voice, score.figures) for score in scores]
    rows += [("mean", mean)] if len(scores) > 1 else []
    screen.stdout.print(_voices(rows))
    if mean.similarity is not None:
        screen.stdout.print(_likeness(rows))
    if mean.rate is not None:
        screen.stdout.print(_slots(rows))
    screen.say(
        "WER and CER are errors over words and characters of all lines; fit is the most that an "
        "asked length missed; F0 gives the 5th, 50th and 95th percentile"
    )


def _lines(scores: list[VoiceScore]) -> Table:
    table = _table("voice", "line", "WER", "CER", "P.808", "like", "length", "fit", "heard")
    for score in scores:
        for n, x in enumerate(score.lines, start=1):
            told = Text(x.problem or (x.heard if x.errors else ""))
            table.add_row(
                Text(score.voice),
                str(n),
                _number(x.wer),
                _number(x.cer),
                _number(x.p808),
                _number(x.similarity),
                _number(x.seconds, 2, " s"),
                _number(x.miss_ms, 0, " ms"),
                told,
            )
    return table


def _voices(rows: list[tuple[str, Figures]]) -> Table:
    headings = ("WER", "CER", "P.808", "lowest", "words/s", "F0 Hz", "semitones", "fit")
    table = _table("voice", *headings)
    for name, f in rows:
        hz = "/".join(_number(x, 0) for x in (f.f0_p5_hz, f.f0_p50_hz, f.f0_p95_hz))
        table.add_row(
            Text(name),
            _number(f.wer, 3),
            _number(f.cer, 3),
            _number(f.p808),
            _number(f.p808_lowest),
            _number(f.words_per_s),
            hz,
            _number(f.f0_semitones, 1),
            _number(f.miss_ms, 0, " ms"),
        )
    return table


def _likeness(rows: list[tuple[str, Figures]]) -> Table:
    table = _table("voice", "similarity", "ceiling", "floor", "nearest to its own")
    for name, f in rows:
        cosines = (_number(x, 3) for x in (f.similarity, f.ceiling, f.floor))
        table.add_row(Text(name), *cosines, _share(f.identified))
    return table


def _slots(rows: list[tuple[str, Figures]]) -> Table:
    table = _table("voice", "within 5 % of slot", "not sped up", "mean rate", "too long")
    for name, f in rows:
        shares = (_share(f.in_slot), _share(f.unhurried))
        table.add_row(Text(name), *shares, _number(f.rate), _share(f.too_long))
    return table


def _number(value: float | None, digits: int = 2, unit: str = "") -> str:
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for n, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=n > 0 and heading != headings[-1])
    return table
