"""A user's model on machines that lack it: carried once to each, kept there by what is in it."""

import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from avdub.errors import InputError
from avdub.home import find_model
from avdub.pipeline.digest import digest


@dataclass(frozen=True)
class ModelFile:
    """A file of a user's model: its path in the model's folder, bytes, and whatever fetches it."""

    name: str
    size: int
    content: Any


@dataclass(frozen=True)
class Model:
    """A model, named by its contents."""

    key: str
    files: tuple[ModelFile, ...]


def model_files(name: str) -> list[tuple[str, Path]] | None:
    """The files of a model that other machines may lack; None for the shipped one."""
    folder = find_model(name)
    if folder is None:
        return None
    there = sorted(p for p in folder.rglob("*") if p.is_file() and not p.name.startswith("."))
    return [(p.relative_to(folder).as_posix(), p) for p in there]


def pack_model(name: str, put: Callable[[Any], Any]) -> Model | None:
    """A model whose contents are given to `put` and named by what that returns; None for the
    shipped one. Raises WeightsError."""
    files = model_files(name)
    if files is None:
        return None
    key = digest({name: path for name, path in files})
    # as arrays, which the processes of a machine share without copies
    packed = [ModelFile(n, p.stat().st_size, put(np.fromfile(p, np.uint8))) for n, p in files]
    return Model(key, tuple(packed))


def place_model(model: Model, fetch: Callable[[Any], Any]) -> Path:
    """The folder of a model on this machine, written by whoever asks first. Raises InputError
    where that cannot be done."""
    home, key, files = _own_folder(), model.key, model.files
    folder = home / key
    with _locked(home / f"{key}.lock"):
        if not _is_whole(folder, files):
            shutil.rmtree(folder, ignore_errors=True)
            part = home / f".{key}.{secrets.token_hex(8)}"
            try:
                for file in files:
                    path = part / file.name
                    path.parent.mkdir(0o700, parents=True, exist_ok=True)
                    fetch(file.content).tofile(path)
                part.rename(folder)
            except OSError as error:
                raise InputError(
                    f"the model cannot be put into {home}: {error.strerror}",
                    "free some space there, or set TMPDIR for the workers",
                ) from error
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return folder


def _own_folder() -> Path:
    """For models, among temporary files, and nobody else's: weights decide what is made."""
    home = Path(tempfile.gettempdir()) / f"avdub-models-{os.getuid()}"
    try:
        home.mkdir(0o700, exist_ok=True)
        facts = home.lstat()
    except OSError as error:
        raise InputError(f"{home} cannot be used: {error.strerror}", "set TMPDIR") from error
    if home.is_symlink() or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise InputError(f"{home} is not this user's alone", "remove it, or set TMPDIR")
    return home


def _is_whole(folder: Path, files: Sequence[ModelFile]) -> bool:
    with suppress(OSError):
        return all((folder / file.name).stat().st_size == file.size for file in files)
    return False


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
