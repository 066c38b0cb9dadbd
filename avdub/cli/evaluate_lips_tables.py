"""What `avdub eval lips` and `avdub eval sync` measured, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from avdub.evaluation.closure import Pauses
    from avdub.evaluation.expert import Agreement
    from avdub.evaluation.lip_table import ClipLips, LipScore, LipTable
    from avdub.evaluation.lips import LipSync
    from avdub.evaluation.sync import SyncScore
    from avdub.evaluation.syncnet import SyncNetScore

TITLES = {
    "matched": "driven by their own {}",
    "mismatched": "driven by another clip's {}; correlation with the real mouth should fall to 0, "
    "in speech (clips of one form share their pauses)",
    "silent": "driven by silence; the mouth should rest",
}
SOURCES = {"sound": "sound", "text": "words"}
HEADINGS = (
    *(
        "video",
        "frames",
        "opening",
        "spoken",
        "width",
        "jaw",
        "amp",
        "best",
        "at",
        "sharp",
        "/pbm/",
    ),
    *("pause", "std", "D", "C", "problem"),
)
LEGEND = (
    "opening, spoken, width, jaw: correlation with the real mouth, spoken that of the opening "
    "where somebody speaks; amp: deviation of the opening over the real one; best, at: the "
    "highest correlation and its shift; sharp: that less the mean at 200 to 400 ms",
    "/pbm/: opening in vowels less that at /p b m/, as a share of the real difference; pause, std: "
    "opening above rest where nobody speaks, in hundredths of the eyes' distance",
    "D, C: distance and confidence of our own sync expert, reckoned as LSE-D and LSE-C are; not "
    "SyncNet's, so compare them with the real lips' only",
)


def show_lips(screen: Screen, table: LipTable) -> None:
    for score in table.scores:
        title = TITLES[score.setup].format(SOURCES[score.source])
        screen.say(f"Lips from {SOURCES[score.source]}, {title}")
        _show_score(screen, score)
    if table.real is not None:
        real = table.real
        screen.say(f"the real lips: D {real.distance:.3f}, C {real.confidence:.3f}")
    for line in LEGEND:
        screen.say(line)
    for note in table.notes:
        screen.warn(note)


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


def show_syncnet(screen: Screen, score: SyncNetScore) -> None:
    table = _table("video", "frames", "LSE-D", "LSE-C", "offset", "problem")
    for clip in score.clips:
        cells = (f"{clip.distance:.3f}", f"{clip.confidence:.3f}", f"{clip.offset_ms:+.0f} ms")
        shown = ("-", "-", "-") if clip.problem else cells
        table.add_row(Text(clip.video), str(clip.frames), *shown, Text(clip.problem))
    table.add_row("mean", "", f"{score.distance:.3f}", f"{score.confidence:.3f}", "", "")
    screen.stdout.print(table)
    screen.say("LSE-D: nearer is better; LSE-C: more is better; offset: by how much sound is late")


def _show_score(screen: Screen, score: LipScore) -> None:
    table = _table(*HEADINGS)
    for clip in score.clips:
        frames = str(clip.frames)
        opening = clip.sync.correlation if clip.sync else None
        cells = _cells(clip, opening, clip.sync)
        table.add_row(Text(clip.video), frames, *cells, Text(clip.problem))
    table.add_row("mean", "", *_cells(score, score.correlation, score.mean), "")
    screen.stdout.print(table)
    if score.setup == "matched" and score.worst is not None and score.in_time is not None:
        screen.say(
            f"worst {score.worst:.3f}; {score.in_time:.0%} of the clips peak within 40 ms "
            "of shift 0"
        )
    if score.pauses is not None and score.pauses.real_mean is not None:
        screen.say(
            f"in pauses the real mouths are open by {_hundredths(score.pauses.real_mean)}, "
            f"std {_hundredths(score.pauses.real_std)}"
        )


def _cells(x: ClipLips | LipScore, opening: float | None, sync: LipSync | None) -> tuple[str, ...]:
    """All columns between the frames and the problem."""
    return (
        _number(opening),
        _number(x.spoken),
        _number(x.width),
        _number(x.jaw),
        _number(x.amplitude, 2),
        _number(sync.best_correlation if sync else None),
        f"{sync.best_shift_ms:+.0f} ms" if sync else "-",
        _number(sync.sharpness if sync else None, 2),
        _number(x.closure.share if x.closure else None, 2),
        *_pause(x.pauses),
        *_agreement(x.expert),
    )


def _pause(pauses: Pauses | None) -> tuple[str, str]:
    if pauses is None:
        return "-", "-"
    return _hundredths(pauses.mean), _hundredths(pauses.std)


def _agreement(expert: Agreement | None) -> tuple[str, str]:
    if expert is None:
        return "-", "-"
    return _number(expert.distance), _number(expert.confidence)


def _hundredths(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _table(*headings: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for n, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=n > 0 and heading != headings[-1])
    return table
