"""Heaps of the C library, counted by its own account of them in a process of its own."""

import ctypes
import subprocess
import sys

import pytest

COUNT = """
import ctypes, sys, threading
from avdub.arenas import share_arenas

if sys.argv[1] == "few":
    share_arenas()
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
all_here = threading.Barrier(8)

def allocate():
    all_here.wait()
    libc.malloc(1000)
    all_here.wait()

threads = [threading.Thread(target=allocate) for _ in range(8)]
[each.start() for each in threads]
[each.join() for each in threads]
libc.fdopen.restype, libc.fdopen.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_char_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.fflush.argtypes = [ctypes.c_void_p]
out = libc.fdopen(1, b"w")
libc.malloc_info(0, out)
libc.fflush(out)
"""


def n_heaps(how: str, **environment: str) -> int:
    command = [sys.executable, "-c", COUNT, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"),
    reason="only glibc tells of its heaps",
)
def test_threads_share_two_heaps_unless_the_user_wants_others() -> None:
    assert n_heaps("few") == 2
    assert n_heaps("many") > 2
    assert n_heaps("few", MALLOC_ARENA_MAX="5") > 2
