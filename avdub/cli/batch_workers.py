"""The engine of a batch, as its options ask for one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from avdub.cli.batch_options import EngineKind
from avdub.cli.cache import GB

if TYPE_CHECKING:
    import typer

    from avdub.jobs.batch import Cache, Engine

MINUTE_S = 60


def engine_of(ctx: typer.Context) -> Engine:
    """Raises WeightsError where Ray is asked for and not installed."""
    asked = ctx.params
    patience_s = asked["timeout_minutes"] * MINUTE_S
    if asked["engine"] is EngineKind.local:
        from avdub.jobs.batch import LocalWorkers

        return LocalWorkers(asked["jobs"], patience_s)
    from avdub.jobs.course import Needs
    from avdub.jobs.ray_engine import Choices, RayWorkers

    gpus = asked["gpus_per_worker"]
    gpus = float(asked["device"] == "cuda") if gpus is None else gpus
    needs = Needs(asked["cpus_per_worker"], gpus, round(asked["memory_gb"] * GB))
    kept = {"retries": asked["retries"], "patience_s": patience_s}
    return RayWorkers(Choices(asked["address"], asked["jobs"], needs, **kept))


def cache_of(ctx: typer.Context) -> Cache | None:
    """Where the batch keeps its products; None where nothing is kept."""
    asked = ctx.params
    if not asked["cache"]:
        return None
    folder = str(asked["cache_dir"]) if asked["cache_dir"] else None
    return asked["store"] or folder, round(asked["cache_size"] * GB)
