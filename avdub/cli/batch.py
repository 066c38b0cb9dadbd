"""`batch`: folders of videos, dubbed by several processes, each file on its own."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from avdub.cli import batch_options as own
from avdub.cli import options as opt
from avdub.cli.batch_rows import Rows
from avdub.cli.batch_screen import showing_rows
from avdub.cli.batch_tables import show_findings, show_rows, summary
from avdub.cli.boundary import INTERRUPTED
from avdub.cli.cache import GB
from avdub.cli.chosen import chosen_options
from avdub.cli.dub import working
from avdub.cli.screen import Screen
from avdub.pipeline.options import DubOptions

if TYPE_CHECKING:
    from avdub.jobs.batch import Cache, Engine
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
    jobs: own.Jobs = 1,
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
    audio: opt.AudioOption = opt.Audio(D.audio),
    force: own.Force = D.overwrite,
    cache: opt.Cache = True,
    cache_dir: opt.CacheDir = None,
    cache_size: opt.CacheSize = opt.CACHE_GB,
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
    options = chosen_options(ctx, language=D.language)
    screen, wanted = Screen.of(ctx), (pattern, recursive, _languages(lang), language, output)
    findings = _look(screen, inputs, wanted, options, retry_failed, progress)
    if dry_run:
        raise typer.Exit(_show(screen, findings, as_json))
    folder = str(cache_dir) if cache_dir else None
    kept = (folder, round(cache_size * GB)) if cache else None
    raise typer.Exit(_run(screen, findings, (jobs, force, kept), progress, as_json))


def _look(
    screen: Screen,
    inputs: list[Path],
    wanted: tuple[str, bool, tuple[str, ...], str | None, Path | None],
    options: DubOptions,
    retry_failed: bool,
    kind: opt.ProgressKind | None,
) -> "list[Finding]":
    """What is to be done with each file; notes go to stderr."""
    with working(screen, kind) as shown:
        from avdub.jobs.pairing import Choice, find_pairs
        from avdub.jobs.survey import check_choices, survey

        pattern, recursive, languages, home, output = wanted
        choice = Choice(pattern, recursive, languages, (home or "").lower(), output)
        pairs = find_pairs(inputs, choice)
        check_choices(options)
        findings = survey(pairs.tasks, options, retry_failed, shown)
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


def _run(
    screen: Screen,
    findings: "list[Finding]",
    how: "tuple[int, bool, Cache | None]",
    kind: opt.ProgressKind | None,
    as_json: bool,
) -> int:
    """Do the work, show it, and print what came of it; returns the exit code."""
    from avdub.jobs.batch import LocalWorkers, works_of
    from avdub.jobs.survey import make_folders

    jobs, force, kept = how
    make_folders(findings)
    rows, works = Rows.of(findings), works_of(findings, force, kept)
    engine: Engine = LocalWorkers(jobs)
    interrupted = False
    try:
        with showing_rows(kind, screen.stderr, rows), closing(engine.run(works)) as events:
            for event in events:
                rows.hear(event)
    except KeyboardInterrupt:
        interrupted = True
        rows.interrupt()
    if as_json:
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
