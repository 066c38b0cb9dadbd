"""`avdub eval ablation`: trains the lip heads of the paper's ablation and measures them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.evaluate_lips import HeldOut, Limit, Videos, WordTimes, find_videos
from avdub.cli.evaluate_report import Report, check_wanted, origin, write_wanted
from avdub.cli.screen import Screen
from avdub.cli.train_options import Batch, Packs, Rate, RunFolder, Steps, log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Mapping

    from avdub.evaluation.ablation import Ablation, Figure
    from avdub.models.latents_to_face import LatentsToFace
    from avdub.pipeline.weights import Weights
    from avdub.training.loop import TrainConfig

D = opt.DEFAULTS
COLUMNS = ("opening", "width", "jaw", "amplitude", "closure", "distance", "confidence")
HEADINGS = ("opening", "width", "jaw", "amp", "/pbm/", "D", "C")
LEGEND = (
    "opening, width, jaw: correlation with the real mouth; amp: deviation of the opening over the "
    "real one; /pbm/: opening in vowels less that at /p b m/, as a share of the real difference",
    "D, C: distance and confidence of our own sync expert, lips against the sound they are made "
    "with; the last arm learned from this expert, so it judges that one less independently",
    "loses: on how many pairs of a clip and a seed the last arm's opening correlates better",
)

Seeds = Annotated[int, typer.Option("--seeds", min=1, help="Every arm is trained so many times.")]


def ablation_command(
    ctx: typer.Context,
    *,
    videos: Videos,
    pack: Packs,
    run: RunFolder,
    seeds: Seeds = 3,
    steps: Steps = 400,
    batch: Batch = 16,
    lr: Rate = 1e-3,
    words: WordTimes = None,
    held_out: HeldOut = False,
    limit: Limit = None,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """The paper's ablation: cascade, one stage and two, trained here and measured on VIDEO.

    PACK are face packs with predicted latents (`avdub train prepare faces`, then `predicted`).
    Every head takes --steps in stage 1 and as many again in stage 2. An interrupted run goes on
    where it stopped; the videos should be of people that no pack shows.
    """
    from avdub.evaluation.report.ablation import NAMES, ablation_report

    screen = Screen.of(ctx)
    check_wanted(report, NAMES, force)
    log_to_stderr()
    with working(screen, progress) as shown:
        from avdub.evaluation.ablation import measure_ablation
        from avdub.evaluation.lip_table import LipOptions
        from avdub.pipeline.weights import Weights
        from avdub.training.loop import TrainConfig

        chosen = find_videos(videos, held_out)[:limit]
        weights = Weights(model)
        configs = [
            TrainConfig(steps, batch, lr, warmup=50, seed=seed, bf16=False) for seed in range(seeds)
        ]
        heads = [_heads(weights, pack, run, config) for config in configs]
        options = LipOptions(times=words, backend=face_backend.value)
        found = measure_ablation(chosen, weights, heads, options, shown)
    if as_json:
        screen.print_json(found.as_json())
    else:
        show_ablation(screen, found)
    if report is not None:
        document = ablation_report(found, origin(ctx, weights), face_backend.value)
        write_wanted(screen, report, document, as_json)


def show_ablation(screen: Screen, found: Ablation) -> None:
    table = Table(box=None, pad_edge=False)
    for n, heading in enumerate(("arm", *HEADINGS, "loses")):
        table.add_column(heading, no_wrap=n > 0)
    for arm in found.arms:
        cells = [_cell(getattr(arm, name), found.seeds) for name in COLUMNS]
        is_last = arm is found.arms[-1]
        table.add_row(arm.name, *cells, "" if is_last else f"{arm.beaten} of {arm.pairs}")
    screen.stdout.print(table)
    for line in LEGEND:
        screen.say(line)
    if found.seeds > 1:
        screen.say(f"±: standard deviation over {found.seeds} seeds")
    for note in found.notes:
        screen.warn(note)


def _heads(
    weights: Weights, packs: list[Path], run: Path, config: TrainConfig
) -> Mapping[str, LatentsToFace]:
    """The face models of one seed by head, trained or as they were left."""
    from avdub.training.ablation import train_heads

    folder = run / f"seed_{config.seed}"
    heads = train_heads(
        weights.latents_to_face, packs, weights.template, folder, config, weights.sync
    )
    return {name: getattr(heads, name) for name in heads.__dataclass_fields__}


def _cell(figure: Figure | None, seeds: int) -> str:
    if figure is None:
        return "-"
    spread = f" ±{figure.deviation:.2f}" if seeds > 1 else ""
    return f"{figure.mean:.2f}{spread}"
