"""Reports, plans and voices as tables for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from rich.table import Table
from rich.text import Text

from avdub.pipeline.report import DUBBED, FAILED, KEPT, VOICE_ONLY, DubReport, ModelFacts

if TYPE_CHECKING:
    from avdub.checkpoint import Voice
    from avdub.cli.screen import Screen
    from avdub.pipeline.plan import Plan

STYLES = {DUBBED: "green", VOICE_ONLY: "yellow", KEPT: "yellow", FAILED: "red"}
MAX_CUTS = 12


class Timed(Protocol):
    """Anything with a slot in seconds."""

    @property
    def start_s(self) -> float: ...
    @property
    def end_s(self) -> float: ...


def clock(seconds: float) -> str:
    """61.5 → 01:01.500; hours only where there are some."""
    ms = round(seconds * 1000)
    hours, rest = divmod(ms, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    start = f"{hours}:" if hours else ""
    return f"{start}{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"


def show_report(screen: Screen, report: DubReport) -> None:
    """Segments, then totals; warnings go to stderr."""
    for warning in report.warnings:
        screen.warn(warning)
    table = _table("#", "time", "status", "rate", "text", "reason")
    for segment in report.segments:
        table.add_row(
            str(segment.index),
            _slot(segment),
            Text(segment.status, STYLES.get(segment.status, "")),
            _number(segment.rate),
            _short(segment.text),
            segment.reason,
        )
    screen.stdout.print(table)
    if report.made_by:
        _show_model(screen, report.made_by)
    screen.say(_totals(report))
    screen.say(str(report.output))


def show_plan(screen: Screen, plan: Plan) -> None:
    """What a dub would do; warnings go to stderr."""
    for warning in plan.warnings:
        screen.warn(warning)
    screen.say(plan.video)
    table = _table("#", "time", "voice", "face", "natural", "slot", "rate", "text", "problem")
    for row in plan.rows:
        table.add_row(
            str(row.index),
            _slot(row),
            row.voice,
            "-" if row.face is None else str(row.face),
            _number(row.natural_s, " s"),
            _number(row.slot_s, " s"),
            _number(row.rate),
            _short(row.text),
            Text(row.problem, "yellow"),
        )
    screen.stdout.print(table)
    _show_model(screen, plan.model)
    screen.say(_cuts(plan.cuts))
    screen.say(f"dubbing would take about {plan.predicted_s:.0f} s")


def _show_model(screen: Screen, facts: ModelFacts) -> None:
    screen.say(f"model {facts.model}; voice {', '.join(facts.voices)}")
    if facts.is_bridged:
        screen.say(f"mouth by a {facts.mouth}")


def show_voices(screen: Screen, voices: Iterable[Voice]) -> None:
    table = _table("name", "language", "gender", "description", "origin", "licence")
    for voice in voices:
        table.add_row(
            voice.name,
            voice.language,
            voice.gender,
            voice.description,
            voice.origin,
            voice.licence,
        )
    screen.stdout.print(table)


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading in ("#", "time", "status"), overflow="fold")
    return table


def _slot(timed: Timed) -> str:
    return f"{clock(timed.start_s)} - {clock(timed.end_s)}"


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:.2f}{unit}"


def _short(text: str, limit: int = 60) -> Text:
    line = " ".join(text.split())
    return Text(line if len(line) <= limit else line[: limit - 1] + "…")


def _totals(report: DubReport) -> str:
    counts = [
        f"{n} {status.replace('_', ' ')}"
        for status in STYLES
        if (n := sum(s.status == status for s in report.segments))
    ]
    took = report.timing.get("total_s")
    return ", ".join(
        [
            *counts,
            f"{report.frames} frames",
            f"{report.duration_s:.2f} s of video",
            *([f"took {took:.1f} s"] if took is not None else []),
            *([f"peak memory {report.peak_rss_mb:.0f} MB"] if report.peak_rss_mb else []),
        ]
    )


def _cuts(cuts: tuple[float, ...]) -> str:
    if not cuts:
        return "no cuts"
    listed = ", ".join(clock(cut) for cut in cuts[:MAX_CUTS])
    more = f" and {len(cuts) - MAX_CUTS} more" if len(cuts) > MAX_CUTS else ""
    return f"{len(cuts)} cut{'s' * (len(cuts) > 1)}: {listed}{more}"
