"""What is to be done about each task of a batch, and every problem, before any long work.

Looks at manifests, hashes inputs, and opens videos and subtitles that are to be dubbed.
"""

import os
import secrets
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from avdub.errors import AvdubError, InputError
from avdub.jobs.manifest import Manifest, manifest_path, read_manifest
from avdub.jobs.pairing import Task
from avdub.jobs.recipe import Recipe, Source, recipe_of
from avdub.media.probe import probe
from avdub.media.splice import check_output
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import read_segments
from avdub.pipeline.report import DUBBED
from avdub.pipeline.report import FAILED as FAILED_SEGMENT
from avdub.pipeline.weights import Weights, choose_device
from avdub.progress import Progress, silent

SCRATCH = ".avdub-batch"
READERS = 8  # files hashed at once; shared folders are slow to answer, not slow to read


class State(StrEnum):
    """What is to be done with a task."""

    NEW = "new"
    CHANGED = "changed"
    RETRY = "retry"
    UNCHANGED = "unchanged"
    LEFT = "left"  # not looked at with --retry-failed
    PROBLEM = "problem"


WORK = frozenset({State.NEW, State.CHANGED, State.RETRY})


@dataclass(frozen=True)
class Finding:
    """A task, what is to be done with it and why; `counts` of the segments of a dub there is."""

    task: Task
    state: State
    why: str = ""
    hint: str = ""
    options: DubOptions | None = None
    counts: tuple[tuple[str, int], ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether nothing about it needs attention, as long as its work goes well."""
        kept = any(status != DUBBED for status, _ in self.counts)
        return self.state is not State.PROBLEM and not (self.state is State.UNCHANGED and kept)


def check_choices(options: DubOptions) -> None:
    """Raise what no file of the batch could be dubbed with: model, device, voice."""
    weights = Weights(options.model, choose_device(options.device))
    voice = options.voice
    if voice is None or voice == "original" or Path(voice).expanduser().is_file():
        return
    if Path(voice).suffix:
        raise InputError(f"the voice sample {voice} does not exist", "check the spelling")
    weights.voice(voice)


def survey(
    tasks: Sequence[Task],
    options: DubOptions,
    retry_only: bool = False,
    progress: Progress = silent,
) -> list[Finding]:
    """What is to be done about each task. `options.overwrite` has everything made again.

    With `retry_only` only what failed before is work. A file's problem is its finding.
    """
    found = []
    with _reading_ahead(tasks) as wait_for:
        for task in progress(tasks, "survey", len(tasks)):
            own = replace(options, language=task.language)
            wait_for(task)
            try:
                found.append(_find(task, own, retry_only))
            except (AvdubError, OSError) as error:
                said = (str(error), "check the file and its folder")
                if isinstance(error, AvdubError):
                    said = (error.message, error.hint)
                found.append(Finding(task, State.PROBLEM, *said))
    return found


def make_folders(findings: Iterable[Finding]) -> None:
    """The folders of outputs to make. Raises InputError where that cannot be done."""
    for folder in dict.fromkeys(f.task.output.parent for f in findings if f.state in WORK):
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"the folder {folder} cannot be made: {error.strerror}", "name another with -o"
            ) from error
        for left in abandoned(folder):
            shutil.rmtree(left, ignore_errors=True)


def scratch_name(worker: int) -> str:
    """The hidden folder beside an output in which a worker of this process makes it."""
    return f"{SCRATCH}-{socket.gethostname()}-{os.getpid()}-{worker}-{secrets.token_hex(4)}"


def abandoned(folder: Path) -> Iterator[Path]:
    """Such folders of processes of this machine that are no more."""
    if os.name != "posix":  # where one cannot ask for a process without ending it
        return
    start = f"{SCRATCH}-{socket.gethostname()}-"
    for path in folder.glob(f"{start}*"):
        number = path.name.removeprefix(start).partition("-")[0]
        if path.is_dir() and not path.is_symlink() and number.isdigit():
            try:
                os.kill(int(number), 0)
            except ProcessLookupError:
                yield path
            except (PermissionError, OverflowError):
                continue


@contextmanager
def _reading_ahead(tasks: Sequence[Task]) -> Iterator[Callable[[Task], None]]:
    """Inputs are hashed by several threads; what is given waits until those of a task are."""
    pool = ThreadPoolExecutor(READERS, "hash")
    try:
        paths = dict.fromkeys(path for task in tasks for path in _inputs(task))
        read = {path: pool.submit(_read, path) for path in paths}

        def wait_for(task: Task) -> None:
            for path in _inputs(task):
                read[path].result()

        yield wait_for
    finally:  # an interrupted survey need not read on
        pool.shutdown(cancel_futures=True)


def _inputs(task: Task) -> list[Path]:
    return [] if task.problem or task.subtitles is None else [task.video, task.subtitles]


def _read(path: Path) -> None:
    with suppress(AvdubError, OSError):  # the survey meets it again, and says so
        Source.of(path)


def _find(task: Task, options: DubOptions, retry_only: bool) -> Finding:
    if task.problem or task.subtitles is None:
        return Finding(task, State.PROBLEM, task.problem, task.hint)
    manifest = read_manifest(task.output)
    force, options = options.overwrite, replace(options, overwrite=False)
    _check_ours(task, manifest, force)
    recipe = recipe_of(task.video, task.subtitles, options)
    state, why = _state(task, manifest, recipe)
    if force and state is State.UNCHANGED:
        state, why = State.CHANGED, "everything is made again (--force)"
    counts = tuple(Counter(manifest.statuses).items()) if manifest else ()
    if retry_only and state is not State.RETRY:
        is_done = state is State.UNCHANGED
        return Finding(task, state if is_done else State.LEFT, why, counts=counts)
    if state in WORK:
        _check_inputs(task, options)
    return Finding(task, state, why, "", options, counts)


def _check_ours(task: Task, manifest: Manifest | None, force: bool) -> None:
    """An output that the manifest does not tell of is somebody's own file."""
    if force or not os.path.lexists(task.output):
        return
    if manifest is None:
        raise InputError(
            f"{task.output} already exists and has no {manifest_path(task.output).name}",
            "replace it with --force, or choose another folder with -o",
        )
    if not task.output.is_file() or task.output.stat().st_size != manifest.output_size:
        raise InputError(
            f"{task.output} is not what avdub wrote there", "replace it with --force, or move it"
        )


def _state(task: Task, manifest: Manifest | None, recipe: Recipe) -> tuple[State, str]:
    if manifest is None:
        return State.NEW, ""
    if not manifest.is_done:
        return State.RETRY, "it failed before"
    if FAILED_SEGMENT in manifest.statuses:
        return State.RETRY, "segments failed before"
    differences = manifest.differences(recipe, task.output)
    return (State.CHANGED, ", ".join(differences)) if differences else (State.UNCHANGED, "")


def _check_inputs(task: Task, options: DubOptions) -> None:
    """Raise what a dub would raise before its long work."""
    info = probe(task.video)
    Weights(options.model).front_end.phonemize("ready", task.language)
    read_segments(info, task.subtitles, options)
    if task.output.parent.is_dir():
        check_output(task.output, task.video, overwrite=True)
