"""What a run needs again later and cannot hold: products in an unnamed file that ends with the run.

So memory does not grow with a video's length, and a run that was killed leaves nothing behind.
"""

import tempfile
import weakref
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Lock
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError
from avdub.pipeline.store import Product


@dataclass(frozen=True)
class Lying:
    """Where an array lies: which file, from which byte on, and what it is."""

    file: int
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Place:
    """Where in a spill a product lies: its arrays, and its facts."""

    arrays: dict[str, Lying]
    facts: dict[str, Any]


class Spill:
    """Products on disk, in `folder` while that can be written to, else where temporary files go."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._files: list[IO[bytes]] = []
        self._is_writable = False  # the last of them
        self._lock = Lock()

    def put(self, product: Product) -> Place:
        """Write a product. Raises InputError where there is no room."""
        with self._lock:
            while True:
                try:
                    arrays = {name: self._write(array) for name, array in product.arrays.items()}
                    return Place(arrays, product.facts)
                except OSError as error:
                    if self._folder is None:
                        raise self._no_room(error) from error
                # that disk is full: what lies there is still read, the rest goes elsewhere
                self._folder, self._is_writable = None, False

    def get(self, place: Place) -> Product:
        """Read a product back."""
        with self._lock:
            arrays = {name: self._read(lying) for name, lying in place.arrays.items()}
        return Product(arrays, place.facts)

    def _write(self, array: NDArray[Any]) -> Lying:
        assert not array.dtype.hasobject, "numbers only"
        if not self._is_writable:
            file = self._opened()
            self._files.append(file)
            weakref.finalize(self, file.close)
            self._is_writable = True
        file = self._files[-1]
        offset = file.seek(0, 2)
        left = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        while left:
            left = left[file.write(left) :]
        return Lying(len(self._files) - 1, offset, array.dtype, array.shape)

    def _read(self, lying: Lying) -> NDArray[Any]:
        data = np.empty(prod(lying.shape) * lying.dtype.itemsize, np.uint8)
        file, left = self._files[lying.file], data.data
        file.seek(lying.offset)
        while left:
            n_read = file.readinto(left)  # type: ignore[attr-defined]
            assert n_read, "nobody else can shorten it"
            left = left[n_read:]
        return data.view(lying.dtype).reshape(lying.shape)

    def _opened(self) -> IO[bytes]:
        # Without a buffer, or what did not fit would be in the way when something is read back.
        if self._folder is not None and self._folder.is_dir():
            with suppress(OSError):
                return tempfile.TemporaryFile(dir=self._folder, buffering=0)
        return tempfile.TemporaryFile(buffering=0)

    def _no_room(self, error: OSError) -> InputError:
        return InputError(
            f"{tempfile.gettempdir()} cannot hold what this run has to put aside: {error.strerror}",
            "free some space, or name another folder with TMPDIR",
        )
