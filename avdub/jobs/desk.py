"""Where a batch over many machines comes together: what workers tell, and products for those that
do not share the cache.

`Desk` stays on the machine where the batch was started; `Relay` is the store of a worker that
reaches it by calls. Neither knows what carries them.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np

from avdub.jobs.shared_store import open_store
from avdub.pipeline.store import Product

Told = tuple[int, str, int, int | None]  # a job's number, its stage, items done, of how many
HERE = ""  # the stage of a job that has just begun
MOST_TOLD = 100_000


class Desk:
    """Hears, and keeps products in the cache `folder` (None: the user's own) of `bound` bytes."""

    def __init__(self, folder: str | None, bound: int) -> None:
        self._store = open_store(folder, bound)
        self._told: list[Told] = []
        self._lock = Lock()

    def tell(self, told: Told) -> None:
        """Remember what a worker said until somebody asks."""
        with self._lock:
            if len(self._told) < MOST_TOLD:
                self._told.append(told)

    def heard(self) -> list[Told]:
        """All that was told since the last time."""
        with self._lock:
            told, self._told = self._told, []
        return told

    def get(self, kind: str, key: str) -> Product | None:
        """A product that was kept."""
        return self._store.get(kind, key)

    def put(self, kind: str, key: str, product: Product) -> tuple[str, ...]:
        """Keep one; returns the store's warnings."""
        self._store.put(kind, key, product)
        return self._store.warnings


class Relay:
    """A store elsewhere, reached by `get` and `put`. Where they raise `lost`, nothing is there."""

    def __init__(
        self,
        get: Callable[[str, str], Product | None],
        put: Callable[[str, str, Product], tuple[str, ...]],
        folder: Path,
        lost: type[Exception],
    ) -> None:
        self.folder: Path | None = folder
        self.warnings: tuple[str, ...] = ()
        self._get, self._put, self._lost = get, put, lost

    def get(self, kind: str, key: str) -> Product | None:
        """What was put, with arrays that may be written to."""
        try:
            product = self._get(kind, key)
        except self._lost:
            return None
        if product is None:
            return None
        return Product({n: np.array(a) for n, a in product.arrays.items()}, product.facts)

    def put(self, kind: str, key: str, product: Product) -> None:
        """Returns when it is kept."""
        try:
            self.warnings = self._put(kind, key, product)
        except self._lost:
            self.warnings = ("what was made could not be sent to the machine that started this",)
