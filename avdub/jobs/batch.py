"""A batch: tasks spread over workers, each of which may fail or die alone.

`Engine` is what runs them; `LocalWorkers` are processes of this machine that keep what they have
loaded. Everything is told as events, in the order it happens.
"""

import json
import multiprocessing
import os
import shutil
import signal
import time
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, Protocol

from avdub.errors import AvdubError
from avdub.jobs.recipe import plain_options
from avdub.jobs.survey import WORK, Finding, scratch_name
from avdub.jobs.worker import FAILED, Outcome, Work, record_failure, serve

PATIENCE_S = 10.0  # for a worker to end by itself


@dataclass(frozen=True)
class Started:
    """A worker began a task."""

    number: int


@dataclass(frozen=True)
class Stage:
    """A task's stage and how far it is, in items."""

    number: int
    stage: str
    done: int
    total: int | None


@dataclass(frozen=True)
class Ended:
    """A task is done or failed."""

    number: int
    outcome: Outcome


Event = Started | Stage | Ended


class Engine(Protocol):
    """Runs tasks in any order. Closing the iterator ends all work and leaves no partial output."""

    def run(self, works: Sequence[Work]) -> Generator[Event, None, None]: ...


Cache = tuple[str | None, int]  # folder (None: the user's own), bytes


def works_of(
    findings: Sequence[Finding], overwrite: bool = False, cache: Cache | None = None
) -> list[Work]:
    """The work among findings; a work's number is its finding's place."""
    works = []
    for number, finding in enumerate(findings):
        if finding.state in WORK and finding.options is not None:
            task = finding.task
            paths = (str(task.video), str(task.subtitles), str(task.output))
            options = plain_options(finding.options)
            may_replace = overwrite or task.output.exists()
            works.append(Work(number, *paths, options, may_replace, cache=cache))
    return works


@dataclass
class _Worker:
    """A process, our end of its pipe, what it is doing since when, and when it last told of it."""

    process: SpawnProcess
    pipe: Connection
    scratch: str
    work: Work | None = None
    since: float = field(default_factory=time.perf_counter)
    heard: float = field(default_factory=time.monotonic)
    is_given_up: bool = False

    @property
    def is_idle(self) -> bool:
        return self.work is None


class LocalWorkers:
    """`jobs` processes of this machine. One that tells nothing for `patience_s` is ended, and its
    task failed; 0 is endless patience."""

    def __init__(self, jobs: int = 1, patience_s: float = 0.0) -> None:
        assert jobs >= 1, "there must be a worker"
        self.jobs = jobs
        self.patience_s = patience_s
        self.workers: list[_Worker] = []
        self._n_started = 0

    def run(self, works: Sequence[Work]) -> Generator[Event, None, None]:
        """Events of all works. Closing it, or an exception inside, ends the workers."""
        waiting = deque(works)
        try:
            while waiting or not all(worker.is_idle for worker in self.workers):
                yield from self._hand_out(waiting)
                busy = {w.pipe: w for w in self.workers if not w.is_idle}
                for pipe in wait(list(busy), self._end_silent(list(busy.values()))):
                    assert isinstance(pipe, Connection), "only pipes were waited for"
                    yield from self._heard(busy[pipe])
        finally:
            self._end()

    def _hand_out(self, waiting: deque[Work]) -> Generator[Event, None, None]:
        for dead in [w for w in self.workers if w.is_idle and not w.process.is_alive()]:
            dead.pipe.close()
            self.workers.remove(dead)
        while waiting:
            worker = next((w for w in self.workers if w.is_idle), None)
            if worker is None:
                if len(self.workers) >= self.jobs:
                    return
                worker = self._start(min(self.jobs, len(waiting) + len(self.workers)))
            worker.work = replace(waiting.popleft(), scratch=worker.scratch)
            worker.since, worker.heard = time.perf_counter(), time.monotonic()
            with suppress(OSError):  # a dead one is noticed when nothing comes back
                worker.pipe.send_bytes(json.dumps(vars(worker.work)).encode())
            yield Started(worker.work.number)

    def _start(self, n_together: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        n_threads = max(1, (os.cpu_count() or 1) // n_together) if n_together > 1 else None
        self._n_started += 1
        process = context.Process(target=serve, args=(theirs, n_threads), daemon=True)
        process.start()
        theirs.close()
        worker = _Worker(process, ours, scratch_name(self._n_started))
        self.workers.append(worker)
        return worker

    def _end_silent(self, busy: Sequence[_Worker]) -> float | None:
        """Kill those that have been silent for too long; returns how long to wait for the others.

        A killed one's pipe ends, and so it is heard of like any that dies.
        """
        left: list[float] = []
        for worker in busy:
            if self.patience_s and worker.work is not None and not worker.is_given_up:
                patience = self.patience_s + worker.work.quiet_s
                left.append(worker.heard + patience - time.monotonic())
                if left[-1] <= 0:
                    worker.is_given_up = True
                    worker.process.kill()
        return max(0.0, min(left)) if left else None

    def _heard(self, worker: _Worker) -> Generator[Event, None, None]:
        try:
            message: dict[str, Any] = json.loads(worker.pipe.recv_bytes())
        except (EOFError, OSError):
            yield self._lost(worker)
            return
        worker.heard = time.monotonic()
        if message.pop("kind") == "stage":
            yield Stage(**message)
        else:
            worker.work = None
            yield Ended(message["number"], Outcome.of(message["outcome"]))

    def _lost(self, worker: _Worker) -> Ended:
        """A worker died: its task failed, the others go on."""
        work = worker.work
        assert work is not None, "only busy workers are listened to"
        worker.process.join(PATIENCE_S)
        worker.process.kill()  # one that only lost its pipe
        worker.process.join(PATIENCE_S)
        worker.pipe.close()
        self.workers.remove(worker)
        _sweep(worker)
        seconds = round(time.perf_counter() - worker.since, 3)
        how = silence(self.patience_s) if worker.is_given_up else _how(worker.process.exitcode)
        error = AvdubError(f"the worker process {how}", _advice(worker))
        return Ended(work.number, lost_outcome(work, error, seconds))

    def _end(self) -> None:
        """End all workers: politely, then not."""
        try:
            for worker in self.workers:
                if worker.is_idle:
                    worker.pipe.close()
                else:
                    worker.process.terminate()
            until = time.monotonic() + PATIENCE_S
            for worker in self.workers:
                worker.process.join(max(0.0, until - time.monotonic()))
        finally:  # also when the user will not wait
            for worker in self.workers:
                worker.process.kill()
                worker.process.join(PATIENCE_S)
                worker.pipe.close()
                _sweep(worker)
            self.workers = []


def lost_outcome(work: Work, error: AvdubError, seconds: float) -> Outcome:
    """Of a task whose worker cannot tell it any more; with a manifest that says so."""
    record_failure(work, error, seconds)
    said = (error.exit_code, error.message, error.hint)
    return Outcome(FAILED, *said, seconds=seconds)


def silence(patience_s: float) -> str:
    """Why a worker was ended that told nothing for so long."""
    return f"told nothing for {patience_s / 60:g} minutes and was ended"


def _sweep(worker: _Worker) -> None:
    if worker.work is not None:
        folder = Path(worker.work.output).parent / worker.scratch
        shutil.rmtree(folder, ignore_errors=True)


def _how(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        with suppress(ValueError):
            return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def _advice(worker: _Worker) -> str:
    if worker.is_given_up:
        return "run the batch again to retry it; --timeout-minutes sets how long to wait"
    if worker.process.exitcode == -9:
        return "if the memory was full, use fewer --jobs; run the batch again to retry it"
    return "run the batch again to retry it, or that file alone with `avdub dub --debug`"
