"""`batch`: folders of videos, dubbed by several processes, each file on its own."""

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from avdub.cli import batch_options as own
from avdub.cli import options as opt
from avdub.cli import track_options as tracks
from avdub.cli.batch_rows import Rows
from avdub.cli.batch_screen import showing_rows
from avdub.cli.batch_tables import show_findings, show_rows, summary
from avdub.cli.batch_workers import cache_of, engine_of
from avdub.cli.boundary import INTERRUPTED
from avdub.cli.chosen import chosen_options
from avdub.cli.dub import working
from avdub.cli.screen import Screen
from avdub.pipeline.options import DubOptions

if TYPE_CHECKING:
    from avdub.jobs.batch import Engine
    from avdub.jobs.survey import Finding

D = opt.DEFAULTS


def batch_command(
    ctx: typer.Context,
    *,
    inputs: own.Inputs,
    output: own.OutputFolder = None,
    pattern: own.Pattern = "*",
    recursive: own.Recursive = False,
    lang: own.Lang = [],  # noqa: B006
    language: own.Language = None,
    engine: own.EngineOption = own.EngineKind.local,
    jobs: own.Jobs = 1,
    address: own.Address = None,
    cpus_per_worker: own.CpusPerWorker = 1.0,
    gpus_per_worker: own.GpusPerWorker = None,
    memory_gb: own.MemoryGb = 1.3,
    retries: own.Retries = 3,
    timeout_minutes: own.TimeoutMinutes = 30.0,
    retry_failed: own.RetryFailed = False,
    dry_run: own.DryRun = False,
    voice: opt.Voice = D.voice,
    max_rate: opt.MaxRate = D.max_rate,
    min_rate: opt.MinRate = D.min_rate,
    pace: opt.Pace = D.pace,
    prosody: opt.ProsodyOption = opt.Prosody(D.prosody),
    lips: opt.LipsOption = opt.Lips(D.lips),
    device: opt.Device = D.device,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    face_backend: opt.FaceBackendOption = opt.FaceBackend(D.face_backend),
    adapt: opt.Adapt = D.adapt,
    adapt_seconds: opt.AdaptSeconds = D.adapt_seconds,
    crf: opt.Crf = D.crf,
    duck_db: opt.DuckDb = D.duck_db,
    audio: tracks.AudioOption = tracks.Audio(D.audio),
    subs: tracks.SubsOption = tracks.Subs(D.subs),
    force: own.Force = D.overwrite,
    cache: opt.Cache = True,
    cache_dir: opt.CacheDir = None,
    cache_size: opt.CacheSize = opt.CACHE_GB,
    store: own.Store = None,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Dub all videos of folders that have subtitles beside them; what is done already is skipped.

    talk.mp4 goes with talk.srt, talk.es.srt, talk_es.vtt, ...; from talk.es.srt comes
    talk.es.dub.mp4. One file that fails stops no other. Exit code 0 when all is well, 5 when some
    failed or kept segments.
    """
    screen, workers = Screen.of(ctx), engine_of(ctx)
    findings = _look(ctx, chosen_options(ctx, language=D.language))
    if dry_run:
        raise typer.Exit(_show(screen, findings, as_json))
    raise typer.Exit(_run(ctx, findings, workers))


def _look(ctx: typer.Context, options: DubOptions) -> "list[Finding]":
    """What is to be done with each file; notes go to stderr."""
    screen, asked = Screen.of(ctx), ctx.params
    with working(screen, asked["progress"]) as shown:
        from avdub.jobs.pairing import Choice, find_pairs
        from avdub.jobs.survey import check_choices, survey

        home = (asked["language"] or "").lower()
        how = asked["pattern"], asked["recursive"], _languages(asked["lang"]), home
        pairs = find_pairs(asked["inputs"], Choice(*how, asked["output"]))
        is_elsewhere = asked["engine"] is not own.EngineKind.local
        # a GPU that is asked for need not be in this machine
        check_choices(replace(options, device="auto") if is_elsewhere else options)
        findings = survey(pairs.tasks, options, asked["retry_failed"], shown)
    for note in pairs.notes:
        screen.warn(note)
    return findings


def _show(screen: Screen, findings: "list[Finding]", as_json: bool) -> int:
    """Print what would be done; returns the exit code."""
    rows = Rows.of(findings)
    if as_json:
        screen.print_json(summary(rows))
    else:
        show_findings(screen, findings)
    return rows.exit_code


def _run(ctx: typer.Context, findings: "list[Finding]", engine: "Engine") -> int:
    """Do the work, show it, and print what came of it; returns the exit code."""
    from avdub.jobs.batch import works_of
    from avdub.jobs.survey import make_folders

    screen, asked = Screen.of(ctx), ctx.params
    make_folders(findings)
    rows, works = Rows.of(findings), works_of(findings, asked["force"], cache_of(ctx))
    interrupted = False
    try:
        shown = showing_rows(asked["progress"], screen.stderr, rows)
        with shown, closing(engine.run(works)) as events:
            for event in events:
                rows.hear(event)
    except KeyboardInterrupt:
        interrupted = True
        rows.interrupt()
    if asked["as_json"]:
        screen.print_json(summary(rows))
    else:
        show_rows(screen, rows)
    if interrupted:
        n_done = sum(row.is_over for row in rows.work)
        screen.error(
            f"interrupted, {n_done} of {len(rows.work)} files were done",
            "no half output was left; the same command goes on from here",
        )
        return INTERRUPTED
    return rows.exit_code


def _languages(given: list[str]) -> tuple[str, ...]:
    """`es,en` and repeated options as one list."""
    each = [part.strip().lower() for text in given for part in text.split(",")]
    return tuple(dict.fromkeys(part for part in each if part))
