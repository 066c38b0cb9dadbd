"""An output's place: written under a hidden name beside it, and put there when it is whole.

The hidden file is locked while its writer lives, so that what a killed run left behind can be told
from what another run is writing, and removed.
"""

import hashlib
import os
import platform
import secrets
from pathlib import Path

from avdub.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove or rename what somebody has open
    fcntl = None  # type: ignore[assignment]

FREE, TAKEN, UNKNOWN = "free", "taken", "unknown"


class Part:
    """A hidden file of `output`'s kind beside it; its `path` is for writing to.

    What lies at the output's name when writing begins may be replaced in the end; what appears
    there meanwhile may not. Raises OSError where no file can be made.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self._replaces = os.path.lexists(output)
        sweep(output)
        self.path, self._handle = _made(output)

    def put(self) -> None:
        """Give the whole file the output's name.

        Raises InputError where the name was taken meanwhile, and OSError.
        """
        os.fsync(self._handle)  # or a power cut could leave the name with nothing behind it
        if fcntl is None:
            self._close()
        if self._replaces:
            self.path.replace(self.output)
        else:
            self._put_anew()
        self._close()

    def discard(self) -> None:
        """Remove the file, where it has not been put."""
        if fcntl is None:
            self._close()
        self.path.unlink(missing_ok=True)
        self._close()

    def _put_anew(self) -> None:
        taken = InputError(
            f"{self.output} appeared while it was being made",
            "move it away, or pass --force, and run this again",
        )
        try:
            os.link(self.path, self.output)
        except FileExistsError as error:
            raise taken from error
        except OSError as error:  # not every disk knows links
            if os.path.lexists(self.output):
                raise taken from error
            self.path.replace(self.output)
        else:
            self.path.unlink()

    def _close(self) -> None:
        handle, self._handle = self._handle, -1
        if handle >= 0:
            os.close(handle)


def sweep(output: Path) -> bool:
    """Remove what killed runs left of `output`; returns whether a living one is writing it."""
    is_written = False
    for path in output.parent.glob(f"{_prefix(output)}*.part{_escaped(output.suffix)}"):
        try:
            handle = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except OSError:
            continue
        try:
            lock = _lock(handle)
            is_written = is_written or lock == TAKEN
            if lock == FREE:
                path.unlink(missing_ok=True)
        except OSError:
            continue
        finally:
            os.close(handle)
    return is_written


def _made(output: Path) -> tuple[Path, int]:
    """A new hidden file, locked where that can be done, and its descriptor."""
    while True:
        path = output.with_name(f"{_prefix(output)}{secrets.token_hex(6)}.part{output.suffix}")
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        # between these two lines somebody else may have swept it away
        if _lock(handle) != TAKEN and path.exists():
            return path, handle
        os.close(handle)
        path.unlink(missing_ok=True)


def _prefix(output: Path) -> str:
    """Of the hidden names for this output on this machine: locks may not reach beyond it."""
    of = hashlib.sha256(f"{platform.node()}\0{output.name}".encode("utf-8", "surrogateescape"))
    return f".avdub-{of.hexdigest()[:12]}-"


def _escaped(suffix: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in suffix)


def _lock(handle: int) -> str:
    if fcntl is None:
        return FREE
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return TAKEN
    except OSError:
        return UNKNOWN
    return FREE
