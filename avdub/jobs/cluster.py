"""The one door to Ray: connecting, what its machines are like, and functions that run on them.

Loading it raises WeightsError where Ray is not installed.
"""

import logging
import os
import signal
import socket
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from avdub.arenas import share_arenas
from avdub.errors import InputError, WeightsError
from avdub.jobs.carried_model import Model, pack_model, place_model
from avdub.jobs.course import Job, Needs, Part
from avdub.jobs.desk import HERE, Desk, Relay
from avdub.jobs.node import Look, Prepared, Wanted, look_around, paint, prepare
from avdub.jobs.shared_store import open_store
from avdub.jobs.worker import Outcome, Telling, Work, perform
from avdub.pipeline.store import Product, Store

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is told to anybody
try:
    import ray
    from ray import exceptions
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy
except ImportError as error:
    raise WeightsError(
        "--engine ray needs Ray, which is not installed", "pip install 'avdub[ray]'"
    ) from error

ANSWER_S, CONNECT_S, LOOK_S = 10, 60, 180  # of patience
TELL_EVERY_S = 1.0
ASK_S = 300  # for a product to come or go
CALLS_AT_ONCE = 8
LOSSES = (
    exceptions.WorkerCrashedError,
    exceptions.NodeDiedError,
    exceptions.LocalRayletDiedError,
    exceptions.OutOfMemoryError,
    exceptions.ObjectLostError,
    exceptions.ObjectStoreFullError,
    exceptions.OutOfDiskError,
    exceptions.RayActorError,
    exceptions.RaySystemError,
    exceptions.RpcError,
    exceptions.GetTimeoutError,
    exceptions.TaskCancelledError,
)
Result = Prepared | tuple[str, ...] | Outcome


@dataclass(frozen=True)
class Lost:
    """Why a job did not end itself, and whether it may go well elsewhere: a machine or process went
    away, not the job's own code."""

    why: str
    may_go_well: bool


@dataclass(frozen=True)
class Machine:
    """A machine of the cluster that can work."""

    id: str
    host: str
    slots: int


@dataclass(frozen=True)
class Ways:
    """How a job reaches what it shares with others: the desk, the cache and the model.

    `cache` is a folder that all machines see, or a URL, with its bytes; None: by way of the desk.
    `encodes` tells whether who paints encodes as well: not where it would keep a GPU waiting.
    """

    desk: Any
    cache: tuple[str, int] | None
    model: Model | None
    encodes: bool = True


class Cluster:
    """A connection to Ray, and what is asked of it. `address` None starts it on this machine,
    with room for `jobs` jobs."""

    def __init__(self, address: str | None, jobs: int, needs: Needs) -> None:
        self.needs = needs
        self._is_own = not ray.is_initialized()
        if self._is_own:
            _connect(address, jobs, needs)
        self._here = ray.get_runtime_context().get_node_id()
        self._desk: Any = None

    def machines(self) -> list[Machine]:
        """Those that can do a job now."""
        listed = [node for node in ray.nodes() if node["Alive"]]
        told = [(n["NodeID"], n["NodeManagerHostname"], n["Resources"]) for n in listed]
        able = [Machine(id, host, self.needs.slots(has)) for id, host, has in told]
        return [machine for machine in able if machine.slots > 0]

    def look(self, machines: Sequence[Machine], wanted: Wanted) -> list[Look]:
        """What each machine sees. Raises InputError for one that cannot run avdub."""
        looking = ray.remote(look_around)
        refs = [
            looking.options(num_cpus=0, max_retries=0, scheduling_strategy=_on(m.id)).remote(wanted)
            for m in machines
        ]
        looks: list[Look] = []
        for machine, ref in zip(machines, refs, strict=True):
            try:
                looks.append(ray.get(ref, timeout=LOOK_S))
            except exceptions.RayError as error:
                raise InputError(
                    f"the machine {machine.host} cannot run avdub: {why(error)}",
                    "install the same avdub for the Python of Ray on every machine",
                ) from error
        return looks

    def open_desk(self, folder: str | None, bound: int) -> Any:
        """A desk on this very machine; it comes back if it dies."""
        options = {"num_cpus": 0, "max_restarts": -1, "max_concurrency": CALLS_AT_ONCE}
        place = _on(self._here)
        made = ray.remote(Desk).options(**options, scheduling_strategy=place)
        self._desk = made.remote(folder, bound)
        return self._desk

    def heard(self) -> list[tuple[int, str, int, int | None]]:
        """What jobs told."""
        with suppress(exceptions.RayError):
            return list(ray.get(self._desk.heard.remote(), timeout=CONNECT_S))
        return []

    def share_model(self, name: str) -> Model | None:
        """Put a model's files where each machine can fetch them; None for the shipped one.

        Raises WeightsError or InputError.
        """
        return pack_model(name, ray.put)

    def begin(self, job: Job, ways: Ways) -> Any:
        """Hand a job to the scheduler; returns what to wait for."""
        name = f"avdub {job.part.name.lower()} {Path(job.work.video).name}"
        task = ray.remote(_do).options(**self.needs.of(job.part), max_retries=0, name=name)
        return task.remote(job, ways)

    def wait(self, refs: Sequence[Any], seconds: float, n: int = 1) -> list[Any]:
        """Those of which something is known."""
        if not refs:
            return []
        done, _ = ray.wait(list(refs), num_returns=min(n, len(refs)), timeout=seconds)
        return list(done)

    def result(self, ref: Any) -> Result | Lost:
        """What came of a job that ended."""
        try:
            result: Result = ray.get(ref)
        except exceptions.RayError as error:
            cause = getattr(error, "cause", None)
            is_loss = isinstance(error, LOSSES) or isinstance(cause, LOSSES)
            return Lost(why(error), is_loss)
        return result

    def cancel(self, ref: Any, by_force: bool) -> None:
        """End a job, politely or not."""
        with suppress(exceptions.RayError, ValueError):
            ray.cancel(ref, force=by_force)

    def close(self) -> None:
        """Let go of everything."""
        if self._desk is not None:
            with suppress(exceptions.RayError):
                ray.kill(self._desk)
        if self._is_own:
            ray.shutdown()


def why(error: Exception) -> str:
    """An error of Ray in a few words; its own fill a page."""
    cause = getattr(error, "cause", None)
    known = {
        exceptions.OutOfMemoryError: "its memory was full",
        exceptions.NodeDiedError: "its machine went away",
        exceptions.LocalRayletDiedError: "its machine went away",
        exceptions.WorkerCrashedError: "its process died",
        exceptions.TaskCancelledError: "it was ended",
    }
    for kind, said in known.items():
        if isinstance(error, kind) or isinstance(cause, kind):
            return said
    lines = str(cause or error).strip().splitlines() or [""]
    return f"{type(cause or error).__name__}: {lines[-1]}".rstrip(": ")


def _connect(address: str | None, jobs: int, needs: Needs) -> None:
    """Raises InputError where there is no such cluster."""
    address = address or os.environ.get("RAY_ADDRESS")
    if address and "://" in address:
        raise InputError(
            f"{address} is for Ray clients, and the batch must run in the cluster",
            "run it on one of its machines, with --address auto",
        )
    on_main = threading.current_thread() is threading.main_thread()
    own = signal.getsignal(signal.SIGTERM)
    how: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if not address:
        address = "local"
        how |= {"num_cpus": max(1, round(jobs * needs.cpus)), "include_dashboard": False}
    try:
        _hush()
        _check_answers(address)
        ray.init(address, **how)
    except (ConnectionError, RuntimeError, ValueError, OSError, exceptions.RayError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise InputError(
            f"no Ray cluster answers at {address}: {lines[0]}",
            "start one with `ray start --head`, or leave --address out",
        ) from error
    finally:
        if on_main:  # Ray would end the process on the spot
            signal.signal(signal.SIGTERM, own)


def _check_answers(address: str) -> None:
    """Ray itself asks for minutes where nobody answers. Raises OSError."""
    host, _, port = address.rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), ANSWER_S).close()


def _hush() -> None:
    """Ray prints the end of machines to stdout, among the results; the engine tells of them."""
    import ray._private.worker as printing

    printing._worker_logs_enabled = False  # no public way is there; without it they are printed


def _on(node: str) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(node_id=node, soft=False)


def _do(job: Job, ways: Ways) -> Result:
    """A job, in a process of any machine."""
    share_arenas()
    ways.desk.tell.remote((job.id, HERE, 0, None))
    work, store = _here(job, ways.model), _store(ways)
    progress = Telling(partial(_tell, ways.desk, job.id), TELL_EVERY_S)
    if job.part is Part.PREPARE:
        return prepare(work, progress, store)
    if job.part is Part.PAINT:
        return paint(work, job.segments, ways.encodes, progress, store)
    return perform(work, progress, store)


def _here(job: Job, model: Model | None) -> Work:
    """The work with what is other on this machine. What only splices needs no GPU."""
    here: dict[str, Any] = {}
    if model is not None:
        here["model"] = str(place_model(model, ray.get))
    if job.part is Part.SPLICE:
        here["device"] = "auto"
    return replace(job.work, here=here)


def _store(ways: Ways) -> Store:
    if ways.cache is not None:
        return open_store(*ways.cache)
    desk = ways.desk

    def get(kind: str, key: str) -> Product | None:
        product: Product | None = ray.get(desk.get.remote(kind, key), timeout=ASK_S)
        return product

    def put(kind: str, key: str, product: Product) -> tuple[str, ...]:
        warnings: tuple[str, ...] = ray.get(desk.put.remote(kind, key, product), timeout=ASK_S)
        return warnings

    return Relay(get, put, Path(gettempdir()), exceptions.RayError)


def _tell(desk: Any, number: int, stage: str, done: int, total: int | None) -> None:
    desk.tell.remote((number, stage, done, total))
