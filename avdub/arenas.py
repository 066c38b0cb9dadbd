"""How many heaps the C library gives to threads: few, or a process keeps much more than it uses."""

import ctypes
import os
import sys

M_ARENA_MAX = -8  # of glibc's malloc.h
MOST = 2


def share_arenas() -> None:
    """Let all threads of this process share MOST heaps, where the C library is glibc.

    Threads that decode and paint come and go, and whatever each leaves in a heap of its own adds
    up: a fifth of a dub's memory, and more with time. Does nothing if `$MALLOC_ARENA_MAX` is set.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # another C library has none
    if mallopt is not None:
        mallopt(M_ARENA_MAX, MOST)
