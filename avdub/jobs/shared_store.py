"""Products in a store that many machines share: a bucket or whatever else fsspec reaches by URL.

The files are those of the cache folder. What such a store drops, and when, is its owner's rule.
"""

import logging
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import fsspec

from avdub.errors import InputError, WeightsError
from avdub.jobs.cache import DiskCache
from avdub.jobs.product_file import check_plain, read_product, write_product
from avdub.pipeline.store import Product, Store

URL = re.compile(r"[a-z][a-z0-9+.-]+://")
IN_MEMORY = 1 << 24  # bytes of a product that do not touch the disk on their way
# A put appears whole in these, and renaming would send everything twice.
WHOLE_PUTS = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci"})
OF_A_PROCESS = frozenset({"memory", "data", "reference"})  # or of nobody: nothing could be shared
log = logging.getLogger(__name__)


def is_url(place: str | None) -> bool:
    """Whether a cache is somewhere else than in a folder."""
    return place is not None and URL.match(place) is not None and not place.startswith("file://")


def open_store(place: str | None, bound: int) -> Store:
    """The store in a folder (None: the user's own), of at most `bound` bytes, or behind a URL.

    Raises InputError or WeightsError for a URL that cannot be used.
    """
    if place is not None and is_url(place):
        return SharedStore(place)
    folder = place.removeprefix("file://") if place else None
    return DiskCache(Path(folder) if folder else None, bound)


class SharedStore:
    """The store behind an fsspec URL, such as s3://bucket/avdub.

    What cannot be read is not there; what cannot be written costs a warning.
    """

    def __init__(self, url: str) -> None:
        protocol = url.partition("://")[0].lower()
        if protocol in OF_A_PROCESS:
            raise InputError(
                f"{protocol}:// is seen by one process only", "name a store that all machines see"
            )
        try:
            self._files, self._root = fsspec.core.url_to_fs(url)
        except ImportError as error:
            raise WeightsError(
                f"{protocol}:// cannot be used: {error}", "install that package on every machine"
            ) from error
        except (ValueError, OSError) as error:
            raise InputError(f"{url} cannot be used: {error}", "check the address") from error
        self.warnings: tuple[str, ...] = ()
        self.folder: Path | None = Path(tempfile.gettempdir())  # for what a run puts aside
        self._url = url
        self._is_whole = protocol in WHOLE_PUTS
        self._is_broken = False

    def check(self) -> None:
        """Write, read and remove a small file. Raises InputError where that fails."""
        path = f"{self._root}/.avdub-{secrets.token_hex(8)}"
        try:
            if not self._is_whole:  # else it would make a bucket of a mistyped name
                self._files.makedirs(self._root, exist_ok=True)
            self._files.pipe_file(path, b"avdub")
            is_there = self._files.cat_file(path) == b"avdub"
            self._files.rm_file(path)
        except Exception as error:  # each kind of store raises its own
            raise InputError(
                f"{self._url} cannot be written and read: {_why(error)}",
                "check the address and your credentials for it",
            ) from error
        if not is_there:
            raise InputError(f"{self._url} gives back something else", "name another store")

    def get(self, kind: str, key: str) -> Product | None:
        """What was put; None for what was not, or is damaged."""
        try:
            with _spooled() as file:
                with self._files.open(self._path(kind, key), "rb", block_size=IN_MEMORY) as sent:
                    shutil.copyfileobj(sent, file, IN_MEMORY)
                file.seek(0)
                return read_product(file, f"{kind}/{key}")
        except Exception as error:  # each kind of store raises its own
            if not isinstance(error, FileNotFoundError):
                log.info("%s/%s cannot be read from %s: %s", kind, key, self._url, error)
            return None

    def put(self, kind: str, key: str, product: Product) -> None:
        """Keep a product; where that fails, say so once and keep nothing more in this run."""
        check_plain(product)
        if self._is_broken:
            return
        path = self._path(kind, key)
        part = path if self._is_whole else f"{path}.{secrets.token_hex(8)}.part"
        try:
            with _spooled() as file:
                write_product(file, product, f"{kind}/{key}")
                file.seek(0)
                self._send(file, part)
            if part != path:
                self._files.mv(part, path)
        except Exception as error:  # each kind of store raises its own
            self._is_broken = True
            self.warnings = (f"the cache in {self._url} cannot be written to ({_why(error)})",)
            log.info("nothing more is kept in %s", self._url, exc_info=True)
            with suppress(Exception):
                if part != path:
                    self._files.rm_file(part)

    def _send(self, file: IO[bytes], path: str) -> None:
        if not self._is_whole:
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
        with self._files.open(path, "wb", block_size=IN_MEMORY) as sent:
            shutil.copyfileobj(file, sent, IN_MEMORY)

    def _path(self, kind: str, key: str) -> str:
        return f"{self._root}/{kind}/{key[:2]}/{key}.product"


@contextmanager
def _spooled() -> Iterator[Any]:
    with tempfile.SpooledTemporaryFile(IN_MEMORY) as file:
        yield file


def _why(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
