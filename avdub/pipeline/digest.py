"""What makes a product, as one hash: values by what they are, files by what they hold.

Two runs get the same hash exactly where all values are the same, on any machine and in any order
of dictionaries.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np

BLOCK = 1 << 20  # bytes of a file read at once


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...


def digest(*parts: object) -> str:
    """SHA-256 (64 hex digits) of nested plain values, arrays, tensors, dataclasses and files.

    A Path stands for its file's content, read once a process while it stays as it is. Raises
    OSError for a file that cannot be read, TypeError for what has no value of its own.
    """
    made = hashlib.sha256()
    _feed(made, parts)
    return made.hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of a file's content, streamed."""
    facts = path.stat()
    return _file_digest(path, facts.st_size, facts.st_mtime_ns, facts.st_ino)


@cache
def _file_digest(path: Path, *_: int) -> str:
    made = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            made.update(block)
    return made.hexdigest()


def _feed(made: _Hash, value: Any) -> None:
    """Each value with its kind and length, so that no two lists of values run into the same."""
    if value is None or isinstance(value, bool | int | float | Fraction):
        _put(made, type(value).__name__, repr(value).encode())
    elif isinstance(value, str):
        _put(made, "str", value.encode("utf-8", "surrogatepass"))
    elif isinstance(value, bytes):
        _put(made, "bytes", value)
    elif isinstance(value, Path):
        _put(made, "file", bytes.fromhex(file_digest(value)))
    elif isinstance(value, Enum):
        _put(made, "enum", f"{type(value).__name__}.{value.name}".encode())
    elif isinstance(value, np.ndarray) or hasattr(value, "detach"):
        _feed_array(made, value)
    else:
        _feed_nested(made, value)


def _feed_nested(made: _Hash, value: Any) -> None:
    if isinstance(value, list | tuple):
        _put(made, "list", struct.pack("<q", len(value)))
        for each in value:
            _feed(made, each)
    elif isinstance(value, Mapping):
        _put(made, "map", struct.pack("<q", len(value)))
        for key in sorted(value, key=repr):
            _feed(made, key)
            _feed(made, value[key])
    elif is_dataclass(value) and not isinstance(value, type):
        _put(made, "data", type(value).__name__.encode())
        _feed(made, {each.name: getattr(value, each.name) for each in fields(value)})
    else:
        raise TypeError(f"{type(value).__name__} has no value that could be hashed")


def _feed_array(made: _Hash, value: Any) -> None:
    if hasattr(value, "detach"):  # a tensor, told without loading torch
        value = value.detach().cpu().numpy()
    if value.dtype.hasobject:
        raise TypeError("an array of objects has no value that could be hashed")
    _put(made, "array", f"{value.dtype.str}{value.shape}".encode())
    made.update(np.ascontiguousarray(value).tobytes())


def _put(made: _Hash, kind: str, data: bytes) -> None:
    made.update(kind.encode() + struct.pack("<q", len(data)) + data)
