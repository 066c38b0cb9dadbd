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
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from avdub.arenas import share_arenas
from avdub.errors import AvdubError, InputError
from avdub.progress import Progress

if TYPE_CHECKING:
    from avdub.jobs.recipe import Recipe
    from avdub.pipeline.options import DubOptions
    from avdub.pipeline.report import DubReport
    from avdub.pipeline.store import Store
    from avdub.pipeline.weights import Weights

T = TypeVar("T")
EVERY_S = 0.2
MOST_REASONS = 3
FAILED, DONE = "failed", "done"
_ENDING = threading.Event()


@dataclass(frozen=True)
class Work:
    """What a worker needs to know of a task; plain values only. `options` as JSON has them.

    `replaces` says that what lies at `output` may be replaced, `scratch` names the hidden folder,
    `cache` its folder (None: the user's own) or URL and bytes, None where nothing is kept. `here`
    are options that are others on the machine that does the work, such as where the model lies.
    """

    number: int
    video: str
    subtitles: str
    output: str
    options: dict[str, Any]
    replaces: bool = False
    scratch: str = ""
    cache: tuple[str | None, int] | None = None
    here: dict[str, Any] = field(default_factory=dict)

    @property
    def quiet_s(self) -> float:
        """How long it may tell nothing by the user's own wish."""
        return float(self.options["adapt_seconds"]) if self.options.get("adapt") else 0.0

    @property
    def files(self) -> tuple[Path, Path]:
        """The video and its subtitles."""
        return Path(self.video), Path(self.subtitles)

    @property
    def chosen(self) -> "DubOptions":
        """The options as the user gave them."""
        from avdub.jobs.recipe import options_from

        return options_from(self.options)

    @property
    def used(self) -> "DubOptions":
        """The options to do the work with."""
        return replace(self.chosen, **self.here)


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


def perform(work: Work, progress: Progress, store: "Store | None" = None) -> Outcome:
    """Dub one task and write its manifest. Raises nothing but what ends the process.

    `store` is used in place of the work's own cache.
    """
    from avdub.jobs.recipe import recipe_of

    began = time.perf_counter()
    folder = Path(work.output).parent
    scratch = folder / work.scratch
    try:
        recipe = replace(recipe_of(*work.files, work.used), options=work.chosen)
        scratch.mkdir(mode=0o700)
        report = _dub(work, recipe, scratch, progress, store or _store(work))
    except Exception as error:
        if _ENDING.is_set():  # what interrupts a library may come out of it as another error
            raise KeyboardInterrupt from error
        return failure(work, error, round(time.perf_counter() - began, 3))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    seconds = round(time.perf_counter() - began, 3)
    counts = tuple(Counter(segment.status for segment in report.segments).items())
    how = (DONE, report.exit_code, _kept(report), "")
    return Outcome(*how, counts=counts, warnings=report.warnings, seconds=seconds)


def failure(work: Work, error: Exception, seconds: float) -> Outcome:
    """What an error that was caught means for its task, with a manifest that says so."""
    folder = Path(work.output).parent
    known = explained(error, folder / work.scratch, folder)
    record_failure(work, known, seconds)
    said = (known.exit_code, known.message, known.hint)
    detail = "".join(traceback.format_exception(error))
    return Outcome(FAILED, *said, seconds=seconds, detail=detail)


def record_failure(work: Work, error: AvdubError, seconds: float) -> None:
    """Leave a manifest that says so, where that can be done."""
    from avdub.jobs.manifest import failed_manifest, write_manifest
    from avdub.jobs.recipe import recipe_of

    with suppress(AvdubError, OSError):  # what went wrong may be the disk or the input itself
        output = Path(work.output)
        recipe = replace(recipe_of(*work.files, work.used), options=work.chosen)
        write_manifest(output, failed_manifest(recipe, output, error, seconds))


def weights_for(work: Work) -> "Weights":
    """The models of a work, kept by the process from task to task. Raises WeightsError."""
    from avdub.jobs.recipe import weights_of
    from avdub.pipeline.weights import choose_device

    used = work.used
    device = str(choose_device(used.device))
    models = _weights(used.model, device, tuple(sorted(weights_of(used.model).items())))
    models.name = work.chosen.model  # what the user calls it, wherever it lies
    return models


@lru_cache(maxsize=1)  # a batch has one model, and it is large
def _weights(model: str, device: str, _contents: tuple[tuple[str, str], ...]) -> "Weights":
    from avdub.pipeline.weights import Weights, choose_device

    return Weights(model, choose_device(device))


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
    share_arenas()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent decides
    signal.signal(signal.SIGTERM, _end)
    if n_threads is not None:
        os.environ.setdefault("OMP_NUM_THREADS", str(n_threads))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _hush()
    try:
        while True:
            work = Work(**json.loads(pipe.recv_bytes()))
            outcome = perform(work, Telling(_teller(pipe, work.number)))
            _tell(pipe, {"kind": "ended", "number": work.number, "outcome": asdict(outcome)})
    except (EOFError, OSError, KeyboardInterrupt):
        return  # nobody is there to tell


def _kept(report: "DubReport") -> str:
    """Which segments are not dubbed and why, the first few of them."""
    kept = [each for each in report.segments if each.status != "dubbed"]
    told = [f"segment {each.index}: {each.reason}" for each in kept[:MOST_REASONS]]
    more = f" and {len(kept) - MOST_REASONS} more" if len(kept) > MOST_REASONS else ""
    return "; ".join(told) + more


def _dub(
    work: Work, recipe: "Recipe", scratch: Path, progress: Progress, store: "Store"
) -> "DubReport":
    """The dub in its place, its manifest beside it."""
    from avdub.jobs.manifest import manifest_of, read_manifest, write_manifest
    from avdub.pipeline.ready import Task
    from avdub.pipeline.run import perform as dub

    output, task = Path(work.output), Task(*work.files, work.used)
    report = dub(task, scratch / output.name, progress, store, weights_for(work))
    if read_manifest(output) is None and output.exists() and not work.replaces:
        raise InputError(f"{output} appeared meanwhile", "replace it with --force, or move it")
    report.output.replace(output)
    report = replace(report, output=output)
    write_manifest(output, manifest_of(recipe, report))
    return report


def _store(work: Work) -> "Store":
    from avdub.jobs.shared_store import open_store
    from avdub.pipeline.store import NOTHING

    return NOTHING if work.cache is None else open_store(*work.cache)


Tell = Callable[[str, int, int | None], None]  # stage, items done, of how many


class Telling:
    """Progress that tells whoever waits, a few times a second."""

    def __init__(self, tell: Tell, every_s: float = EVERY_S) -> None:
        self._tell, self._every_s = tell, every_s

    def __call__(self, items: Iterable[T], stage: str, total: int | None = None) -> Iterator[T]:
        if total is None:
            with suppress(TypeError):
                total = len(items)  # type: ignore[arg-type]
        last = time.monotonic()
        self._tell(stage, 0, total)
        done = 0
        for item in items:
            yield item
            done += 1
            if time.monotonic() - last >= self._every_s:
                last = time.monotonic()
                self._tell(stage, done, total)
        self._tell(stage, done, done)


def _teller(pipe: Connection, number: int) -> Tell:
    def tell(stage: str, done: int, total: int | None) -> None:
        said = {"stage": stage, "done": done, "total": total}
        try:
            _tell(pipe, {"kind": "stage", "number": number, **said})
        except OSError as error:  # the parent is gone: that is no failure of this task
            raise KeyboardInterrupt from error

    return tell


def _tell(pipe: Connection, message: dict[str, Any]) -> None:
    pipe.send_bytes(json.dumps(message).encode())


def _hush() -> None:
    """What libraries print would spoil the parent's screen and results."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _end(*_: object) -> None:
    _ENDING.set()
    raise KeyboardInterrupt


def _end_with_parent() -> None:
    """A parent that was killed cannot end its workers: they do it themselves."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
