"""What a machine of a cluster does: parts of a dub, and a look around before any of them.

Everything is a function that may be repeated, of plain values and a store that all machines share.
Knows nothing of what carries calls from machine to machine.
"""

import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from avdub.home import BASE
from avdub.jobs.recipe import weights_of
from avdub.jobs.worker import Outcome, Work, explained, failure, weights_for
from avdub.media.probe import probe
from avdub.pipeline import part
from avdub.pipeline.digest import digest
from avdub.pipeline.plan import read_segments
from avdub.pipeline.ready import Task
from avdub.pipeline.store import Store, code_digest, numerics
from avdub.progress import Progress


@dataclass(frozen=True)
class Prepared:
    """Indexes of the segments whose mouths are to be painted, with their seconds."""

    segments: tuple[tuple[int, float], ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """What every machine must see: this very avdub, files of these sizes, folders to write to.

    `token` is a file in the cache folder, None where the cache is no folder.
    """

    build: str
    files: tuple[tuple[str, int], ...]
    folders: tuple[str, ...]
    token: str | None = None


@dataclass(frozen=True)
class Look:
    """A machine's name, what hinders it (empty: nothing), and whether it sees the cache folder."""

    host: str
    problem: str
    sees_cache: bool


def build() -> str:
    """What makes two machines work alike: the code, torch and the shipped weights, as a hash."""
    return digest(code_digest(), numerics(), weights_of(BASE))


def look_around(wanted: Wanted) -> Look:
    """Check this machine. Raises nothing."""
    return Look(socket.gethostname(), next(_problems(wanted), ""), _sees(wanted.token))


def prepare(work: Work, progress: Progress, store: Store) -> Prepared | Outcome:
    """Everything up to the mouths, into the store; an outcome where that fails."""
    began = time.perf_counter()
    try:
        task = _task(work)
        indexes = part.prepare(task, progress, store, weights_for(work))
        listed, _ = read_segments(probe(task.video), work.files[1], task.options)
    except Exception as error:
        return failure(work, error, round(time.perf_counter() - began, 3))
    seconds = {s.index: (s.end_ms - s.start_ms) / 1000 for s in listed}
    return Prepared(tuple((n, seconds.get(n, 0.0)) for n in indexes), store.warnings)


def paint(
    work: Work, segments: Sequence[int], encodes: bool, progress: Progress, store: Store
) -> tuple[str, ...]:
    """The mouths of some segments, and what is encoded of them where that is wanted, into the
    store; returns warnings.

    Where that fails, the splice tries again and knows how to leave a segment as it was.
    """
    try:
        output, weights = Path(work.output) if encodes else None, weights_for(work)
        part.paint(_task(work), output, segments, progress, store, weights)
    except Exception as error:
        folder = Path(work.output).parent
        why = explained(error, folder, folder).message
        named = ", ".join(map(str, segments))
        return (*store.warnings, f"segments {named} could not be painted apart: {why}")
    return store.warnings


def _task(work: Work) -> Task:
    return Task(*work.files, work.used)


def _problems(wanted: Wanted) -> Iterator[str]:
    if build() != wanted.build:
        yield "it has another avdub, another torch or other shipped weights"
    for name, size in wanted.files:
        try:
            if Path(name).stat().st_size != size:
                yield f"it has another {name}"
        except OSError as error:
            yield f"it cannot read {name} ({error.strerror})"
    for name in wanted.folders:
        if not os.access(name, os.W_OK | os.X_OK):
            yield f"it cannot write to {name}"


def _sees(token: str | None) -> bool:
    return token is not None and Path(token).is_file()
