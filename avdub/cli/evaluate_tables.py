"""What `avdub eval` measured, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from avdub.evaluation.dub import DubScore
    from avdub.evaluation.lips import LipScore, LipSync
    from avdub.evaluation.speech import VoiceScore
    from avdub.evaluation.speed import Benchmark
    from avdub.evaluation.sync import SyncScore


def show_speech(screen: Screen, scores: list[VoiceScore]) -> None:
    table = _table("voice", "line", "WER", "P.808", "length", "fit", "heard")
    for score in scores:
        for n, x in enumerate(score.lines, start=1):
            miss = _number(x.miss_ms, 0, " ms")
            row = (score.voice, str(n), _number(x.wer), _number(x.p808))
            table.add_row(
                *row, _number(x.seconds, 2, " s"), miss, Text(x.heard if x.errors else "")
            )
    for score in scores:
        seconds = sum(x.seconds for x in score.lines) / len(score.lines)
        means = (_number(score.wer, 3), _number(score.p808), _number(seconds, 2, " s"))
        table.add_row(score.voice, "all", *means, _number(score.miss_ms, 0, " ms"), "")
    screen.stdout.print(table)
    screen.say("WER of all lines is errors over words; fit is the most that an asked length missed")


def show_lips(screen: Screen, score: LipScore) -> None:
    table = _table("video", "frames", "correlation", "best", "at", "problem")
    for clip in score.clips:
        table.add_row(Text(clip.video), str(clip.frames), *_sync(clip.sync), Text(clip.problem))
    mean = (_number(score.correlation, 3), *_sync(score.mean)[1:])
    table.add_row("mean", "", *mean, "")
    screen.stdout.print(table)
    screen.say(
        f"worst {score.worst:.3f}; {score.in_time:.0%} of the clips peak within 40 ms of shift 0"
    )


def show_sync(screen: Screen, score: SyncScore) -> None:
    table = _table("video", "trials", "within a frame", "own offset", "problem")
    for clip in score.clips:
        share = f"{clip.within_frame:.0%}" if clip.trials else "-"
        offset = f"{clip.offset_ms:+.0f} ms" if clip.trials else "-"
        table.add_row(Text(clip.video), str(clip.trials), share, offset, Text(clip.problem))
    screen.stdout.print(table)
    screen.say(
        f"{score.within_frame:.1%} of {score.trials} shifts told within a frame, "
        f"median error {score.error_ms:.0f} ms"
    )


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
