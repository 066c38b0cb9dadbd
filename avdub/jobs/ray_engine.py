"""A batch over many machines by Ray: segments are the unit of work, machines may come and go.

Each file is prepared, painted in parts and spliced by jobs that share a cache. A job whose machine
or process dies is begun again elsewhere and finds what was kept; one that tells nothing for too
long is ended. Everything is told as the events of `batch`.
"""

import math
import secrets
import shutil
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avdub.errors import AvdubError, InputError
from avdub.home import user_cache
from avdub.jobs.batch import Ended, Event, Stage, Started, lost_outcome, silence
from avdub.jobs.cluster import Cluster, Lost, Ways
from avdub.jobs.course import Course, Job, Needs, Part
from avdub.jobs.desk import HERE
from avdub.jobs.node import Prepared, Wanted, build
from avdub.jobs.shared_store import SharedStore, is_url
from avdub.jobs.survey import scratch_name
from avdub.jobs.worker import Outcome, Work

TURN_S = 0.25  # between looks at what was told
LOOK_EVERY_S = 10.0  # at the machines there are
ALONE_S = 60.0  # without any machine that could work, until the batch gives up
POLITE_S, RUDE_S = 8.0, 5.0  # for jobs to end when they are told to
AHEAD = 2  # jobs handed over for each that can run, so that no machine waits for the next
FILE_OPTIONS = ("voice", "adapt_video")  # those that may name a file
OWN_BOUND = 1 << 40  # bytes of a cache that ends with the batch


@dataclass(frozen=True)
class Choices:
    """How the engine works: `retries` of a lost job, patience with a silent one (0: endless)."""

    address: str | None = None
    jobs: int = 1  # at once, where the cluster is started for this batch
    needs: Needs = field(default_factory=Needs)
    retries: int = 3
    patience_s: float = 1800.0


@dataclass
class _Running:
    job: Job
    ref: Any
    heard: float | None = None  # when it last told something; None: it waits for a machine
    is_given_up: bool = False


class RayWorkers:
    """The engine. All machines must see inputs and output folders under the same names; the cache
    may be a folder that they share, a URL, or this machine's own, which then serves the others."""

    def __init__(self, choices: Choices | None = None) -> None:
        self._choices = choices or Choices()
        self._running: dict[int, _Running] = {}
        self._begun: dict[int, float] = {}  # files, and when
        self._sweep: set[Path] = set()
        self._own: Path | None = None

    def run(self, works: Sequence[Work]) -> Generator[Event, None, None]:
        """Events of all works. Raises InputError before any work where the cluster cannot do it."""
        if not works:
            return
        works = [absolute(work) for work in works]
        cluster = Cluster(self._choices.address, self._choices.jobs, self._choices.needs)
        try:
            ways = self._ways(cluster, works)
            yield from self._work(cluster, ways, Course(works, self._choices.retries))
        finally:
            self._end(cluster)

    def _ways(self, cluster: Cluster, works: Sequence[Work]) -> Ways:
        """Look at the machines, and choose how they share what they make."""
        machines = cluster.machines()
        if not machines:
            raise InputError(
                "no machine of the cluster has the processors, GPUs and memory that a job asks for",
                "ask for less with --cpus-per-worker, --gpus-per-worker or --memory-gb",
            )
        place, bound = works[0].cache or (None, 0)
        is_kept = works[0].cache is not None
        if place is not None and is_url(place):
            SharedStore(place).check()
        elif is_kept:
            folder = Path(place.removeprefix("file://")) if place else user_cache()
            place = str(folder.expanduser().absolute())
        else:
            self._own = Path(tempfile.mkdtemp(prefix="avdub-"))
            place, bound = str(self._own), OWN_BOUND
        token = None if is_url(place) or not is_kept else _token(Path(place))
        try:
            looks = cluster.look(machines, _wanted(works, token))
        finally:
            if token is not None:
                token.unlink(missing_ok=True)
        for look in looks:
            if look.problem:
                raise InputError(
                    f"the machine {look.host} cannot take part: {look.problem}",
                    "all machines need the same avdub, and shared folders under the same names",
                )
        is_shared = is_url(place) or all(look.sees_cache for look in looks)
        adapts = any(work.options.get("adapt") for work in works)
        if adapts and (is_url(place) or not is_shared):
            raise InputError(
                "--adapt keeps its models in the cache folder, which not all machines see",
                "name a folder that they share with --cache-dir, or leave --adapt out",
            )
        desk = cluster.open_desk(None if is_url(place) else place, bound)
        model = cluster.share_model(str(works[0].options["model"]))
        encodes = not self._choices.needs.gpus
        return Ways(desk, (place, bound) if is_shared else None, model, encodes)

    def _work(self, cluster: Cluster, ways: Ways, course: Course) -> Generator[Event, None, None]:
        looked, last_able, room = -math.inf, time.monotonic(), 0
        while not course.is_over:
            now = time.monotonic()
            if now - looked > LOOK_EVERY_S:
                looked, slots = now, sum(machine.slots for machine in cluster.machines())
                room = AHEAD * slots
                last_able = now if slots else last_able
            if now - last_able > ALONE_S:
                error = AvdubError("no machine of the cluster is left", "run the batch again")
                for number in [n for n, file in course.files.items() if not file.is_over]:
                    yield self._failed(cluster, course, number, error)
                return
            while len(self._running) < room and (job := course.next()) is not None:
                self._begin(cluster, ways, job)
            done = cluster.wait([each.ref for each in self._running.values()], TURN_S)
            if not self._running:
                time.sleep(TURN_S)  # all machines are gone, or the last one is being lost
            yield from self._hear(cluster, course)
            for each in [r for r in self._running.values() if r.ref in done]:
                yield from self._came(cluster, course, each)
            self._give_up(cluster)

    def _begin(self, cluster: Cluster, ways: Ways, job: Job) -> None:
        if job.part is Part.SPLICE:  # a name of its own each time: a lost one may still be writing
            job = replace(job, work=replace(job.work, scratch=scratch_name(job.id)))
            self._sweep.add(Path(job.work.output).parent / job.work.scratch)
        self._running[job.id] = _Running(job, cluster.begin(job, ways))

    def _hear(self, cluster: Cluster, course: Course) -> Iterator[Event]:
        """What jobs told, of those that still count."""
        for id, stage, done, total in cluster.heard():
            each = self._running.get(id)
            if each is None or course.files[each.job.number].is_over:
                continue
            each.heard = time.monotonic()
            number = each.job.number
            if number not in self._begun:
                self._begun[number] = each.heard
                yield Started(number)
            if stage != HERE and each.job.part is not Part.PAINT:
                yield Stage(number, stage, done, total)

    def _came(self, cluster: Cluster, course: Course, each: _Running) -> Iterator[Event]:
        """A job ended, well or not."""
        job, number = each.job, each.job.number
        file = course.files[number]
        del self._running[job.id]
        result = cluster.result(each.ref)
        if isinstance(result, Lost):
            if not file.is_over:
                yield from self._lost(cluster, course, each, result)
            return
        if file.is_over:
            return
        if number not in self._begun:  # it was faster than its own words
            self._begun[number] = time.monotonic()
            yield Started(number)
        if isinstance(result, Outcome):
            course.end(number)
            warnings = tuple(dict.fromkeys((*file.warnings, *result.warnings)))
            yield Ended(number, replace(result, warnings=warnings, seconds=self._seconds(number)))
            return
        if isinstance(result, Prepared):
            course.prepared(job, result)
        else:
            course.painted(job, result)
        if file.n_segments:
            yield Stage(number, "mouths", file.n_painted, file.n_segments)

    def _lost(
        self, cluster: Cluster, course: Course, each: _Running, lost: Lost
    ) -> Iterator[Event]:
        told = silence(self._choices.patience_s) if each.is_given_up else lost.why
        if (lost.may_go_well or each.is_given_up) and course.lost(each.job, told):
            return
        part, times = each.job.part.name.lower(), each.job.n_lost + 1
        often = f", {times} times" if times > 1 else ""
        known = AvdubError(
            f"its job to {part} ended unfinished{often}: {told}",
            "run the batch again to retry it; if memory was full, raise --memory-gb",
        )
        yield self._failed(cluster, course, each.job.number, known)

    def _failed(self, cluster: Cluster, course: Course, number: int, error: AvdubError) -> Event:
        course.end(number)
        for other in self._running.values():
            if other.job.number == number:
                cluster.cancel(other.ref, by_force=True)
        work = course.files[number].work
        return Ended(number, lost_outcome(work, error, self._seconds(number)))

    def _give_up(self, cluster: Cluster) -> None:
        """End jobs that told nothing for too long; they are then lost."""
        if not self._choices.patience_s:
            return
        for each in self._running.values():
            patience = self._choices.patience_s + each.job.work.quiet_s
            if each.heard is not None and time.monotonic() - each.heard > patience:
                each.is_given_up, each.heard = True, None
                cluster.cancel(each.ref, by_force=True)

    def _seconds(self, number: int) -> float:
        began = self._begun.get(number)
        return 0.0 if began is None else round(time.monotonic() - began, 3)

    def _end(self, cluster: Cluster) -> None:
        """End all jobs, politely, then not; and remove what they leave."""
        try:
            for by_force, seconds in ((False, POLITE_S), (True, RUDE_S)):
                refs = [each.ref for each in self._running.values()]
                for ref in refs:
                    cluster.cancel(ref, by_force)
                done = cluster.wait(refs, seconds, len(refs))
                gone = [id for id, each in self._running.items() if each.ref in done]
                for id in gone:
                    del self._running[id]
        finally:  # also when the user will not wait
            cluster.close()
            for folder in self._sweep:
                shutil.rmtree(folder, ignore_errors=True)
            if self._own is not None:
                shutil.rmtree(self._own, ignore_errors=True)
            self._running, self._begun, self._own = {}, {}, None


def _token(folder: Path) -> Path:
    """A file by which other machines tell that they see this very folder. Raises InputError."""
    path = folder / f".avdub-{secrets.token_hex(8)}"
    try:
        folder.mkdir(0o700, parents=True, exist_ok=True)
        path.touch(0o600)
    except OSError as error:
        raise InputError(
            f"the cache in {folder} cannot be written to: {error.strerror}",
            "the machines hand over their work there: name another folder with --cache-dir",
        ) from error
    return path


def absolute(work: Work) -> Work:
    """A work whose files have the same names wherever it is done."""
    options = dict(work.options)
    for name in FILE_OPTIONS:
        value = options.get(name)
        if value and Path(value).expanduser().is_file():
            options[name] = str(Path(value).expanduser().absolute())
    files = (work.video, work.subtitles, work.output)
    video, subtitles, output = (str(Path(name).absolute()) for name in files)
    return replace(work, video=video, subtitles=subtitles, output=output, options=options)


def _wanted(works: Sequence[Work], token: Path | None) -> Wanted:
    """What all machines must see: inputs, files that options name, and where outputs go."""
    named = {
        str(work.options[name]) for work in works for name in FILE_OPTIONS if name in work.options
    }
    inputs = [name for work in works for name in (work.video, work.subtitles)]
    files = dict.fromkeys([*inputs, *sorted(n for n in named if Path(n).is_file())])
    sizes = tuple((name, Path(name).stat().st_size) for name in files)
    folders = tuple({str(Path(work.output).parent): None for work in works})
    return Wanted(build(), sizes, folders, str(token) if token else None)
