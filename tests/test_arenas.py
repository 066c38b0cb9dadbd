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


GIVEN_BACK = """
import ctypes
from pathlib import Path
from avdub.arenas import trim_arenas

def held_mb():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 >> 20

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes = ctypes.c_void_p, [ctypes.c_size_t]
libc.free.argtypes = [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
places = [libc.malloc(100_000) for _ in range(1000)]
for each in places:
    libc.memset(each, 1, 100_000)
for each in places[:-1]:  # the last one keeps the heap from shrinking by itself
    libc.free(each)
before = held_mb()
trim_arenas()
print(before - held_mb())
"""


ON_GLIBC = pytest.mark.skipif(
    sys.platform != "linux" or not hasattr(ctypes.CDLL(None), "malloc_info"),
    reason="only glibc tells of its heaps",
)


@ON_GLIBC
def test_threads_share_two_heaps_unless_the_user_wants_others() -> None:
    assert n_heaps("few") == 2
    assert n_heaps("many") > 2
    assert n_heaps("few", MALLOC_ARENA_MAX="5") > 2


@ON_GLIBC
def test_what_is_free_amid_a_heap_is_given_back() -> None:
    command = [sys.executable, "-c", GIVEN_BACK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 80  # MB, of 100
