"""What `avdub eval` measured, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table

from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from avdub.evaluation.dub import DubScore
    from avdub.evaluation.lips import LipSync
    from avdub.evaluation.speed import Benchmark


def show_dub(screen: Screen, score: DubScore) -> None:
    table = _table("segment", "frames", "correlation", "best", "at")
    for segment in score.segments:
        table.add_row(str(segment.index), str(segment.frames), *_sync(segment.sync))
    table.add_row("all", "", *_sync(score.sync))
    screen.stdout.print(table)
    p, facts = score.picture, _table("what", "least", "mean")
    facts.add_row("frames, of the original", str(score.dub_frames), str(score.frames))
    lengths = (score.dub_duration_s, score.duration_s)
    facts.add_row("length, of the original", *(_number(x, 3, " s") for x in lengths))
    outside = (p.outside_min_db, p.outside_mean_db)
    facts.add_row("PSNR outside the spans", *(_number(x, 1, " dB") for x in outside))
    beside = (p.beside_min_db, p.beside_mean_db)
    facts.add_row("PSNR beside the mouth", *(_number(x, 1, " dB") for x in beside))
    facts.add_row("change of the mouth, levels", "", _number(p.mouth_change))
    facts.add_row("change beside it, levels", "", _number(p.beside_change))
    facts.add_row("sharpness of the mouth, new/old", "", _number(p.sharpness))
    screen.stdout.print(facts)
    for miss in score.misses:
        screen.warn(miss)


def show_speed(screen: Screen, bench: Benchmark) -> None:
    table = _table("command", "wall", "peak", "of media", "wall/media", "exit")
    for run in bench.runs:
        ratio = run.wall_s / run.media_s if run.media_s else None
        media = _number(run.media_s, 1, " s")
        sizes = (_number(run.wall_s, 1, " s"), _number(run.peak_mb, 0, " MB"), media)
        table.add_row(run.name, *sizes, _number(ratio), str(run.exit_code))
    screen.stdout.print(table)
    screen.say(f"speaking after loading: {_number(bench.speak_rate, 3)} x real time")
    if bench.growth_mb is not None:
        screen.say(f"peak memory of the long dub: {bench.growth_mb:+.0f} MB")


def _sync(sync: LipSync | None) -> tuple[str, str, str]:
    if sync is None:
        return "-", "-", "-"
    at = f"{sync.best_shift_ms:+.0f} ms"
    return _number(sync.correlation, 3), _number(sync.best_correlation, 3), at


def _number(value: float | None, digits: int = 2, unit: str = "") -> str:
    return "-" if value is None else f"{value:.{digits}f}{unit}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for n, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=n > 0 and heading != headings[-1])
    return table
