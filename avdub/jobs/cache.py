"""Products of earlier runs on disk: a file each, found by the hash of everything that made it.

Files are written beside their name and renamed, and carry a checksum, so that processes may share
a folder, and be killed, without anybody reading half a product. What was not used for longest goes
when the folder outgrows its bound. A folder that cannot be written to costs a warning, never a run.
"""

import errno
import logging
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from avdub.home import user_cache
from avdub.jobs.product_file import check_plain, read_product, write_product
from avdub.pipeline.store import ADAPTED, Product

BOUND_GB = 10.0
GB = 1_000_000_000
ROOM = 0.9  # of the bound is left after things have been dropped
LOOK_EVERY = 0.02  # of the bound is written before the folder is looked through again
LEAST_FREE_SHARE, LEAST_FREE = 0.05, 1 << 29  # of the disk is left alone, the smaller of both
ABANDONED_S = 3600  # after which a file that was not finished is nobody's
AHEAD_S = 120  # that the clock of another machine on a shared folder may be ahead
DAY_S = 86_400
NAME = re.compile(r"[0-9a-f]{64}\.product")
PART = re.compile(r"\.[0-9a-f]{64}\.[0-9a-f]{16}\.part")
KIND = re.compile(r"[a-z_]{1,32}")
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """A kept file; `used_s` is when it was last read or written (Unix time)."""

    kind: str
    path: Path
    size: int
    used_s: float


class DiskCache:
    """The store in `folder` (None: the user's own), of at most `bound` bytes."""

    def __init__(self, folder: Path | None = None, bound: int = round(BOUND_GB * GB)) -> None:
        self.folder: Path | None = (folder or user_cache()).expanduser().absolute()
        self.warnings: tuple[str, ...] = ()
        self._root = self.folder
        self._bound = bound
        self._to_look = 0  # bytes that may still be written before looking how much there is
        self._is_broken = False

    def get(self, kind: str, key: str) -> Product | None:
        """What was put; None for what was not, is damaged, or lies there under a wrong name."""
        path = self._path(kind, key)
        try:
            with path.open("rb") as file:
                product = read_product(file, f"{kind}/{key}")
        except OSError:
            return None
        with suppress(OSError):
            if product is None:
                log.info("%s is damaged and dropped", path)
                path.unlink(missing_ok=True)
            else:
                os.utime(path)
        return product

    def put(self, kind: str, key: str, product: Product) -> None:
        """Keep a product; where that fails, say so once and keep nothing more in this run."""
        check_plain(product)
        path = self._path(kind, key)
        size = sum(array.nbytes for array in product.arrays.values())
        if self._is_broken or size > self._bound:
            return
        try:
            self._make_room(size)
            _write(path, product, f"{kind}/{key}", self._root)
        except OSError as error:
            self._is_broken = True
            why = error.strerror or str(error)
            self.warnings = (f"the cache in {self._root} cannot be written to ({why})",)
            log.info("nothing more is kept in %s", self._root, exc_info=True)

    def _path(self, kind: str, key: str) -> Path:
        assert KIND.fullmatch(kind), f"{kind!r} cannot name a folder"
        name = f"{key}.product"
        assert NAME.fullmatch(name), f"{key!r} is no hash"
        return self._root / kind / key[:2] / name

    def _make_room(self, size: int) -> None:
        """Drop what was not used for longest until `size` more bytes fit. Raises OSError."""
        self._to_look -= size
        if self._to_look >= 0:
            return
        self._root.mkdir(0o700, parents=True, exist_ok=True)
        _sweep(self._root)
        listed = sorted(map(_dated, entries(self._root)), key=lambda entry: entry.used_s)
        there = sum(entry.size for entry in listed)
        disk = shutil.disk_usage(self._root)
        spare = disk.free - min(LEAST_FREE, round(LEAST_FREE_SHARE * disk.total))
        limit = min(self._bound, there + spare)
        if there + size > limit:
            there -= _drop(listed, there + size - round(ROOM * limit))
        if there + size > limit:
            raise OSError(errno.ENOSPC, "hardly any space is left on that disk")
        self._to_look = min(round(LOOK_EVERY * self._bound), limit - there - size)


def _dated(entry: Entry) -> Entry:
    """The entry; one from the future, which a wrong clock made, as used now."""
    now = time.time()
    if entry.used_s <= now + AHEAD_S:
        return entry
    with suppress(OSError):
        os.utime(entry.path)
    return replace(entry, used_s=now)


def entries(folder: Path) -> Iterator[Entry]:
    """Every kept file, and nothing else that may lie in `folder`."""
    for kind in _folders(folder):
        if kind.name == ADAPTED:
            yield from _files(kind, re.compile(r"[0-9a-f]+\.safetensors"), ADAPTED)
        elif KIND.fullmatch(kind.name):
            for shelf in _folders(kind):
                yield from _files(shelf, NAME, kind.name)


def clear(folder: Path, older_than_days: float = 0.0) -> tuple[int, int]:
    """Remove what was not used for so many days; returns how many files and bytes that were."""
    latest = time.time() - older_than_days * DAY_S
    old = [entry for entry in entries(folder) if not older_than_days or entry.used_s < latest]
    before = {entry.path for entry in old}
    freed = _drop(old, sum(entry.size for entry in old))
    for shelf in sorted({path.parent for path in before}):
        for empty in (shelf, shelf.parent):
            with suppress(OSError):
                if empty != folder:
                    empty.rmdir()
    return sum(not path.exists() for path in before), freed


def _drop(listed: Iterable[Entry], size: int) -> int:
    """Remove files in this order until at least `size` bytes are free; returns how many are."""
    freed = 0
    for entry in listed:
        if freed >= size:
            break
        with suppress(OSError):  # another process may have been first
            entry.path.unlink(missing_ok=True)
            freed += entry.size
    return freed


def _sweep(folder: Path) -> None:
    """Remove what killed processes left unfinished."""
    for kind in _folders(folder):
        for shelf in _folders(kind):
            for entry in _files(shelf, PART, kind.name):
                if abs(time.time() - entry.used_s) > ABANDONED_S:
                    _drop([entry], 1)


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(Path(each.path) for each in os.scandir(folder) if each.is_dir())
    except OSError:
        return []


def _files(folder: Path, name: re.Pattern[str], kind: str) -> Iterator[Entry]:
    with suppress(OSError):
        for each in os.scandir(folder):
            if name.fullmatch(each.name) and each.is_file(follow_symlinks=False):
                with suppress(OSError):  # gone meanwhile
                    facts = each.stat()
                    yield Entry(kind, Path(each.path), facts.st_size, facts.st_mtime)


def _write(path: Path, product: Product, label: str, root: Path) -> None:
    """Beside its name, then renamed; streamed, for a product may be large. Raises OSError."""
    part = path.with_name(f".{path.stem}.{secrets.token_hex(8)}.part")
    for folder in (root, path.parent.parent, path.parent):
        folder.mkdir(0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w+b") as file:
            write_product(file, product, label)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
