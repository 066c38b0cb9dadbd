"""A file that a user brings to a dictionary of tensors, without ever running what is inside it.

Knows file formats, not models. Each way in which a file can be wrong is an InputError naming it.
"""

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from avdub.checkpoint import read_tensors
from avdub.errors import InputError, WeightsError

HUGGING_FACE_FILES = ("model.safetensors", "pytorch_model.bin")
WRAPPERS = ("model", "state_dict", "generator")
AGAIN = "download it again, or copy it again from where it came"
FORMATS = "give a .pth, .pt, .bin or .safetensors file, or a Hugging Face folder"
ZIP, PICKLE, SAFETENSORS = b"PK\x03\x04", b"\x80", b"{"
POINTER, PAGES = b"version https://git-lfs", (b"<!doctype", b"<html", b"<?xml")


def file_of(path: Path) -> Path:
    """The weights file that `path`, a file or a Hugging Face folder, stands for."""
    if path.is_file():
        if path.stat().st_size == 0:
            raise InputError(f"{path} is empty", AGAIN)
        return path
    if not path.is_dir():
        raise InputError(f"there is no file {path}", "check the name; " + FORMATS)
    for name in HUGGING_FACE_FILES:
        if (path / name).is_file():
            return file_of(path / name)
    raise InputError(
        f"the folder {path} holds neither {' nor '.join(HUGGING_FACE_FILES)}",
        "name the checkpoint files themselves",
    )


def read_source(path: Path) -> tuple[dict[str, Tensor], int | None]:
    """All tensors of a file, mapped from disk where that works, and its training iteration."""
    with path.open("rb") as file:
        start = file.read(64)
    _refuse_lookalikes(path, start)
    loaded = _read_safetensors(path) if start[8:9] == SAFETENSORS else _read_pickle(path, start)
    if not isinstance(loaded, Mapping):
        raise InputError(f"{path} holds no weights by name but a {type(loaded).__name__}", FORMATS)
    iteration = loaded.get("iteration")
    inner = next((loaded[key] for key in WRAPPERS if isinstance(loaded.get(key), Mapping)), loaded)
    state = {str(k): v for k, v in inner.items() if isinstance(v, Tensor)}
    if not state:
        raise InputError(f"{path} holds no weights", FORMATS)
    return state, iteration if isinstance(iteration, int) else None


def _refuse_lookalikes(path: Path, start: bytes) -> None:
    if start.startswith(POINTER):
        raise InputError(
            f"{path} is only a git LFS pointer to the weights", "fetch them with `git lfs pull`"
        )
    if start.lstrip().lower().startswith(PAGES):
        raise InputError(
            f"{path} is a web page, not a checkpoint", "download the file itself, not its page"
        )


def _read_safetensors(path: Path) -> Any:
    try:
        return read_tensors(path)[1]
    except WeightsError as error:
        raise InputError(error.message, AGAIN) from error


def _read_pickle(path: Path, start: bytes) -> Any:
    """weights_only refuses every class that is not a tensor's own."""
    zipped = start.startswith(ZIP)
    if zipped:
        _check_sums(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickle protocols, which the error tells better
            # Only the zip format can be mapped; the one before it is read into memory.
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipped)
    except (MemoryError, PermissionError):
        raise
    except Exception as error:  # an unpickler fails on foreign bytes in any way there is
        blocked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if blocked or (start.startswith(PICKLE) and "Unsupported operand" in str(error)):
            what = f"to run {blocked[1]}" if blocked else "for more than torch's own classes"
            raise InputError(
                f"{path} asks {what} when opened, and is refused",
                "use the file as it was published, and open this one with no other program",
            ) from error
        raise InputError(
            f"{path} is damaged, cut short or no checkpoint at all", f"{AGAIN}; or {FORMATS}"
        ) from error


def _check_sums(path: Path) -> None:
    """A mapped file is not checked by torch, and half of a download may have the full size."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, EOFError) as error:
        raise InputError(f"{path} is damaged or cut short", AGAIN) from error
    if damaged:
        raise InputError(f"{path} is damaged (in {damaged})", AGAIN)
