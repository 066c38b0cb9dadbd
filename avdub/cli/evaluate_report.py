"""The `--report` of `avdub eval`: checked before the work, written after the tables are shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from avdub.cli import options as opt
from avdub.cli.screen import Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from avdub.evaluation.report.document import Document, Origin
    from avdub.pipeline.weights import Weights

WORDS = "avdub.eval.words"

Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE.md",
        show_default=False,
        rich_help_panel=opt.OUTPUT,
        help="Also write the tables, by what means each figure was measured, and plots as "
        "Markdown, with <FILE>_*.png beside it. Plots need matplotlib, of the extra `report`.",
    ),
]


class EvalGroup(TyperGroup):
    """Remembers the words of the command line, as a report tells them."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Raises what parsing raises."""
        ctx.meta[WORDS] = ("avdub", "eval", *args)
        return super().parse_args(ctx, args)


def check_wanted(report: Path | None, names: Sequence[str], force: bool) -> None:
    """Raise, before any work, where a report with plots of these names is wanted and cannot be
    made: InputError for its file, WeightsError without matplotlib."""
    if report is not None:
        from avdub.evaluation.report.document import check_report
        from avdub.evaluation.report.plots import check_plots

        if names:
            check_plots()
        check_report(report, names, force)


def origin(ctx: typer.Context, weights: Weights | None) -> Origin:
    """The command line that runs, without what stands before `eval`, and the model's facts."""
    from avdub.evaluation.report.origin import origin_of

    return origin_of(ctx.meta[WORDS], weights)


def write_wanted(screen: Screen, report: Path, document: Document, as_json: bool) -> None:
    """Write the report and say where it is, unless stdout is for JSON."""
    from avdub.evaluation.report.document import write_report

    write_report(report, document)
    if not as_json:
        screen.say(str(report))
