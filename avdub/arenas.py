"""What the C library keeps for threads: few heaps, given back now and then, or a process keeps much
more than it uses."""

import ctypes
import os
import sys
from collections.abc import Callable
from functools import cache

M_ARENA_MAX = -8  # of glibc's malloc.h
MOST = 2


def share_arenas() -> None:
    """Let all threads of this process share MOST heaps, where the C library is glibc.

    Threads that decode and paint come and go, and whatever each leaves in a heap of its own adds
    up: a fifth of a dub's memory, and more with time. Does nothing if `$MALLOC_ARENA_MAX` is set.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(M_ARENA_MAX, MOST)


def trim_arenas() -> None:
    """Give back what is free in all heaps (20 to 40 ms): left in pieces, it grows with time."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


@cache
def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library; None where that is another one."""
    if sys.platform != "linux":
        return None
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
