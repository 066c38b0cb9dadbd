"""The course of a batch over many machines: which job comes next, and what becomes of lost ones.

A file is one job that prepares it, a job for each few segments whose mouths are painted, and one
that splices. Files that were begun come first, so that they end early and their products may go.
"""

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from avdub.jobs.node import Prepared
from avdub.jobs.worker import Work

GROUP_S = 20.0  # of neighbouring segments are painted by one job


class Part(IntEnum):
    """Of a file's work. Later ones come first."""

    SPLICE = 0
    PAINT = 1
    PREPARE = 2


@dataclass(frozen=True)
class Job:
    """A part of a file. `n_lost` is how often it was begun and lost."""

    id: int
    work: Work
    part: Part
    segments: tuple[int, ...] = ()
    n_lost: int = 0

    @property
    def number(self) -> int:
        """Of the file."""
        return self.work.number


@dataclass(frozen=True)
class Needs:
    """What a job asks of its machine. GPUs are for preparing and painting."""

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int = 0  # bytes

    def of(self, part: Part) -> dict[str, float]:
        """As Ray has it."""
        gpus = 0.0 if part is Part.SPLICE else self.gpus
        return {"num_cpus": self.cpus, "num_gpus": gpus, "memory": self.memory}

    def slots(self, resources: dict[str, float]) -> int:
        """How many jobs a machine with these resources does at once."""
        wanted = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory}
        shares = [resources.get(name, 0) // each for name, each in wanted.items() if each > 0]
        return int(min(shares, default=1))


@dataclass
class File:
    """How far a file is. `n_painted` and `n_segments` tell of mouths."""

    work: Work
    to_paint: int = 0  # jobs
    n_painted: int = 0
    n_segments: int = 0
    warnings: dict[str, None] = field(default_factory=dict)
    is_over: bool = False


class Course:
    """`retries` is how often a job may be lost and tried again."""

    def __init__(self, works: Sequence[Work], retries: int, group_s: float = GROUP_S) -> None:
        self.files = {work.number: File(work) for work in works}
        self._place = {work.number: place for place, work in enumerate(works)}
        self._retries, self._group_s = retries, group_s
        self._ids = itertools.count(1)
        self._ready: list[tuple[int, int, int, Job]] = []
        for work in works:
            self._push(Job(next(self._ids), work, Part.PREPARE))

    @property
    def is_over(self) -> bool:
        return all(file.is_over for file in self.files.values())

    def next(self) -> Job | None:
        """The job to begin now, None where none can begin."""
        while self._ready:
            job = heapq.heappop(self._ready)[-1]
            if not self.files[job.number].is_over:
                return job
        return None

    def prepared(self, job: Job, found: Prepared) -> None:
        """A file is ready to be painted."""
        file = self.files[job.number]
        file.warnings.update(dict.fromkeys(found.warnings))
        groups = grouped(found.segments, self._group_s)
        file.to_paint, file.n_segments = len(groups), len(found.segments)
        for segments in groups:
            self._push(Job(next(self._ids), job.work, Part.PAINT, segments))
        self._splice_if_painted(job)

    def painted(self, job: Job, warnings: Sequence[str]) -> None:
        """Some segments of a file have their mouths."""
        file = self.files[job.number]
        file.warnings.update(dict.fromkeys(warnings))
        file.to_paint -= 1
        file.n_painted += len(job.segments)
        self._splice_if_painted(job)

    def lost(self, job: Job, why: str) -> bool:
        """A job ended with the machine that did it. Returns whether it is tried again."""
        if job.n_lost >= self._retries:
            return False
        told = f"its job to {job.part.name.lower()} was begun again: {why}"
        self.files[job.number].warnings[told] = None
        self._push(replace(job, id=next(self._ids), n_lost=job.n_lost + 1))
        return True

    def end(self, number: int) -> None:
        """A file is done or failed: nothing more is begun of it."""
        self.files[number].is_over = True

    def _splice_if_painted(self, job: Job) -> None:
        if self.files[job.number].to_paint == 0:
            work = self.files[job.number].work
            self._push(Job(next(self._ids), work, Part.SPLICE))

    def _push(self, job: Job) -> None:
        heapq.heappush(self._ready, (self._place[job.number], job.part, job.id, job))


def grouped(segments: Sequence[tuple[int, float]], at_most_s: float) -> list[tuple[int, ...]]:
    """Neighbours together, up to so many seconds; a longer segment stays alone."""
    groups: list[list[int]] = []
    room = 0.0
    for index, seconds in segments:
        if groups and seconds <= room:
            groups[-1].append(index)
            room -= seconds
        else:
            groups.append([index])
            room = at_most_s - seconds
    return [tuple(group) for group in groups]
