"""One task of a batch, done whole: dub, put in place, manifest. And the process that does many.

A worker gets tasks and tells what happens as JSON over its pipe. It dubs into a hidden folder
beside the output, so whoever outlives it knows what to remove.
"""

import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from avdub.errors import AvdubError, InputError
from avdub.progress import Progress

if TYPE_CHECKING:
    from avdub.jobs.recipe import Recipe
    from avdub.pipeline.report import DubReport

T = TypeVar("T")
EVERY_S = 0.2
MOST_REASONS = 3
FAILED, DONE = "failed", "done"


@dataclass(frozen=True)
class Work:
    """What a worker needs to know of a task; plain values only. `options` as JSON has them.

    `replaces` says that what lies at `output` may be replaced, `scratch` names the hidden folder,
    `cache` its folder (None: the user's own) and bytes, None where nothing is kept.
    """

    number: int
    video: str
    subtitles: str
    output: str
    options: dict[str, Any]
    replaces: bool = False
    scratch: str = ""
    cache: tuple[str | None, int] | None = None


@dataclass(frozen=True)
class Outcome:
    """How a task ended. `counts` of segments by status; `detail` is a traceback, where there is
    one."""

    status: str
    exit_code: int = 0
    message: str = ""
    hint: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    detail: str = ""

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "Outcome":
        """From the fields as JSON gives them back."""
        counts = tuple((str(name), int(n)) for name, n in plain["counts"])
        return cls(**{**plain, "counts": counts, "warnings": tuple(plain["warnings"])})


def perform(work: Work, progress: Progress) -> Outcome:
    """Dub one task and write its manifest. Raises nothing but what ends the process."""
    from avdub.jobs.recipe import options_from, recipe_of

    began = time.perf_counter()
    output, recipe = Path(work.output), None
    scratch = output.parent / work.scratch
    try:
        options = options_from(work.options)
        recipe = recipe_of(Path(work.video), Path(work.subtitles), options)
        scratch.mkdir(mode=0o700)
        report = _dub(work, recipe, scratch, progress)
    except Exception as error:
        known = explained(error, scratch, output.parent)
        outcome = Outcome(
            *(FAILED, known.exit_code, known.message, known.hint),
            seconds=round(time.perf_counter() - began, 3),
            detail=traceback.format_exc(),
        )
        record_failure(work, known, outcome.seconds)
        return outcome
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    seconds = round(time.perf_counter() - began, 3)
    counts = tuple(Counter(segment.status for segment in report.segments).items())
    how = (DONE, report.exit_code, _kept(report), "")
    return Outcome(*how, counts=counts, warnings=report.warnings, seconds=seconds)


def record_failure(work: Work, error: AvdubError, seconds: float) -> None:
    """Leave a manifest that says so, where that can be done."""
    from avdub.jobs.manifest import failed_manifest, write_manifest
    from avdub.jobs.recipe import options_from, recipe_of

    with suppress(AvdubError, OSError):  # what went wrong may be the disk or the input itself
        output = Path(work.output)
        recipe = recipe_of(Path(work.video), Path(work.subtitles), options_from(work.options))
        write_manifest(output, failed_manifest(recipe, output, error, seconds))


def explained(error: Exception, scratch: Path, folder: Path) -> AvdubError:
    """Any exception as ours, with the output's folder where the hidden one is named."""
    if isinstance(error, AvdubError):
        error.message = error.message.replace(str(scratch), str(folder))
        return error
    if isinstance(error, MemoryError):
        return AvdubError("not enough memory", "use fewer --jobs or close other programs")
    if isinstance(error, OSError):
        where = f": {error.filename}" if error.filename else ""
        return InputError(f"{error.strerror or error}{where}", "check the disk and its rights")
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return AvdubError(f"unexpected {what}", "run it again with --debug and report what that shows")


def serve(pipe: Connection, n_threads: int | None) -> None:
    """The life of a worker process: tasks from the pipe until it is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if n_threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _hush()
    try:
        while True:
            work = Work(**json.loads(pipe.recv_bytes()))
            outcome = perform(work, _Telling(work.number, pipe))
            _tell(pipe, {"kind": "ended", "number": work.number, "outcome": asdict(outcome)})
    except (EOFError, OSError, KeyboardInterrupt):
        return  # nobody is there to tell


def _kept(report: "DubReport") -> str:
    """Which segments are not dubbed and why, the first few of them."""
    kept = [each for each in report.segments if each.status != "dubbed"]
    told = [f"segment {each.index}: {each.reason}" for each in kept[:MOST_REASONS]]
    more = f" and {len(kept) - MOST_REASONS} more" if len(kept) > MOST_REASONS else ""
    return "; ".join(told) + more


def _dub(work: Work, recipe: "Recipe", scratch: Path, progress: Progress) -> "DubReport":
    """The dub in its place, its manifest beside it."""
    from avdub.jobs.manifest import manifest_of, read_manifest, write_manifest
    from avdub.pipeline.run import dub

    output = Path(work.output)
    files = Path(work.video), Path(work.subtitles), scratch / output.name
    report = dub(*files, recipe.options, progress, store=_store(work))
    if read_manifest(output) is None and output.exists() and not work.replaces:
        raise InputError(f"{output} appeared meanwhile", "replace it with --force, or move it")
    report.output.replace(output)
    report = replace(report, output=output)
    write_manifest(output, manifest_of(recipe, report))
    return report


def _store(work: Work) -> Any:
    from avdub.jobs.cache import DiskCache
    from avdub.pipeline.store import NOTHING

    if work.cache is None:
        return NOTHING
    folder, size = work.cache
    return DiskCache(Path(folder) if folder else None, size)


class _Telling:
    """Progress that tells the parent, a few times a second."""

    def __init__(self, number: int, pipe: Connection) -> None:
        self._number, self._pipe = number, pipe

    def __call__(self, items: Iterable[T], stage: str, total: int | None = None) -> Iterator[T]:
        if total is None:
            with suppress(TypeError):
                total = len(items)  # type: ignore[arg-type]
        last = time.monotonic()
        self._say(stage, 0, total)
        done = 0
        for item in items:
            yield item
            done += 1
            if time.monotonic() - last >= EVERY_S:
                last = time.monotonic()
                self._say(stage, done, total)
        self._say(stage, done, done)

    def _say(self, stage: str, done: int, total: int | None) -> None:
        said = {"stage": stage, "done": done, "total": total}
        try:
            _tell(self._pipe, {"kind": "stage", "number": self._number, **said})
        except OSError as error:  # the parent is gone: that is no failure of this task
            raise KeyboardInterrupt from error


def _tell(pipe: Connection, message: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())


def _hush() -> None:
    """What libraries print would spoil the parent's screen and results."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers: they do it themselves."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
