"""Products on disk: whole or not there, for one process or many, within a bound."""

import errno
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from avdub.jobs import cache as cache_module
from avdub.jobs import product_file
from avdub.jobs.cache import DiskCache, clear, entries
from avdub.pipeline.store import Product

KEYS = [f"{n:064x}" for n in range(200)]
NUMBERS = st.sampled_from([np.uint8, np.int32, np.int64, np.float32, np.float64, np.bool_])


def product(size: int = 1000, seed: int = 0) -> Product:
    """Of about `size` bytes."""
    noise = np.random.default_rng(seed).integers(0, 256, size).astype(np.uint8)
    return Product({"noise": noise}, {"seed": seed, "words": ["a", None, 1.5]})


def same(a: Product | None, b: Product) -> bool:
    return (
        a is not None
        and a.facts == b.facts
        and list(a.arrays) == list(b.arrays)
        and all(np.array_equal(a.arrays[n], b.arrays[n]) for n in b.arrays)
        and all(a.arrays[n].dtype == b.arrays[n].dtype for n in b.arrays)
    )


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def cache(tmp_path: Path) -> DiskCache:
    return DiskCache(tmp_path / "cache")


@given(
    st.dictionaries(
        st.text("abc.0123", min_size=1, max_size=5),
        arrays_of.arrays(NUMBERS, arrays_of.array_shapes(min_dims=0, min_side=0, max_side=4)),
        max_size=3,
    ),
    st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.floats(allow_nan=False)),
)
def test_what_was_put_comes_back(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, Any], facts: dict[str, Any]
) -> None:
    cache = DiskCache(tmp_path_factory.mktemp("cache"))
    finite = {name: np.nan_to_num(array) for name, array in arrays.items()}
    cache.put("speech", KEYS[0], Product(finite, facts))
    assert same(cache.get("speech", KEYS[0]), Product(finite, facts))
    assert cache.warnings == ()


def test_what_was_not_put_is_not_there(cache: DiskCache) -> None:
    cache.put("speech", KEYS[0], product())
    assert cache.get("speech", KEYS[1]) is None
    assert cache.get("mouths", KEYS[0]) is None


@pytest.mark.parametrize("at", [0, 5, 20, 50, 300, -1, -30])
def test_a_flipped_bit_is_noticed(cache: DiskCache, tmp_path: Path, at: int) -> None:
    cache.put("speech", KEYS[0], product())
    (file,) = files(tmp_path)
    data = bytearray(file.read_bytes())
    data[at] ^= 4
    file.write_bytes(data)
    assert cache.get("speech", KEYS[0]) is None
    assert files(tmp_path) == []  # it would never be of use
    cache.put("speech", KEYS[0], product())
    assert same(cache.get("speech", KEYS[0]), product())


@pytest.mark.parametrize("left", [0, 1, 30, 48, 500])
def test_half_a_file_is_noticed(cache: DiskCache, tmp_path: Path, left: int) -> None:
    cache.put("speech", KEYS[0], product())
    (file,) = files(tmp_path)
    file.write_bytes(file.read_bytes()[:left])
    assert cache.get("speech", KEYS[0]) is None


def test_a_file_under_another_name_is_noticed(cache: DiskCache, tmp_path: Path) -> None:
    cache.put("speech", KEYS[0], product())
    cache.put("speech", KEYS[1], product(seed=1))
    cache._path("speech", KEYS[0]).replace(cache._path("speech", KEYS[1]))
    assert cache.get("speech", KEYS[1]) is None


def test_a_pickle_is_never_run(cache: DiskCache, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(tmp_path / "run"),)

    cache.put("speech", KEYS[0], product())
    with cache._path("speech", KEYS[0]).open("w+b") as file:
        file.write(bytes(product_file.HEAD))
        np.savez(file, facts=np.array([Evil()], object))
        head = product_file.MAGIC + product_file._checksum(file, f"speech/{KEYS[0]}")
        file.seek(0)
        file.write(head)
    assert cache.get("speech", KEYS[0]) is None
    assert not (tmp_path / "run").exists()


def test_objects_are_never_kept(cache: DiskCache) -> None:
    with pytest.raises(AssertionError, match="numbers only"):
        cache.put("speech", KEYS[0], Product({"o": np.array([object()])}))


@pytest.mark.parametrize("name", ["../up", "a/b", "", "A", "."])
def test_no_name_leads_out_of_the_folder(cache: DiskCache, name: str) -> None:
    with pytest.raises(AssertionError):
        cache.put(name, KEYS[0], product())
    with pytest.raises(AssertionError):
        cache.get("speech", name)


def test_only_the_user_may_read_it(cache: DiskCache, tmp_path: Path) -> None:
    cache.put("speech", KEYS[0], product())
    made = [path for path in tmp_path.rglob("*")]
    modes = {path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in made}
    assert modes == {True: 0o700, False: 0o600}


def used(cache: DiskCache, key: str, age_s: float) -> None:
    """As if it was last used so long ago."""
    at = time.time() - age_s
    os.utime(cache._path("speech", key), (at, at))


def test_the_bound_holds_and_the_least_recently_used_go(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path, bound=100_000)
    for n in range(9):
        cache.put("speech", KEYS[n], product(10_000, n))
        used(cache, KEYS[n], 100 - n)
    assert cache.get("speech", KEYS[0]) is not None  # used just now
    for n in range(9, 12):
        cache.put("speech", KEYS[n], product(10_000, n))
        used(cache, KEYS[n], 50 - n)
        assert sum(each.size for each in entries(tmp_path)) <= 100_000
    there = {n for n in range(12) if cache._path("speech", KEYS[n]).exists()}
    assert 0 in there
    assert 1 not in there
    assert {9, 10, 11} <= there


def test_adapted_weights_count_and_go_like_all_else(tmp_path: Path) -> None:
    old = tmp_path / "adapt" / "0123abcd.safetensors"
    old.parent.mkdir()
    old.write_bytes(bytes(95_000))
    os.utime(old, (1e9, 1e9))
    DiskCache(tmp_path, bound=100_000).put("speech", KEYS[0], product(10_000))
    assert [each.kind for each in entries(tmp_path)] == ["speech"]


def test_what_is_larger_than_the_bound_is_not_kept(tmp_path: Path) -> None:
    cache = DiskCache(tmp_path / "cache", bound=5000)
    cache.put("speech", KEYS[0], product(10_000))
    assert files(tmp_path) == []
    assert cache.warnings == ()


def test_files_of_others_are_neither_counted_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "speech" / "00").mkdir(parents=True)
    others = [tmp_path / "letter.txt", tmp_path / "speech" / "00" / "mine.product"]
    for other in others:
        other.write_bytes(bytes(1_000_000))
    cache = DiskCache(tmp_path, bound=50_000)
    for n in range(10):
        cache.put("speech", KEYS[n], product(10_000, n))
    clear(tmp_path)
    assert files(tmp_path) == sorted(others)


def test_what_a_killed_process_left_is_swept_up(tmp_path: Path) -> None:
    left, fresh = (
        tmp_path / "speech" / "00" / f".{KEYS[0]}.{digit * 16}.part" for digit in ("a", "b")
    )
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    fresh.write_bytes(b"half")
    os.utime(left, (time.time() - 7200,) * 2)
    DiskCache(tmp_path).put("speech", KEYS[1], product())
    assert not left.exists()
    assert fresh.exists()  # somebody may be writing it


def test_a_full_disk_is_told_once_and_costs_nothing_else(
    cache: DiskCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.put("speech", KEYS[0], product())
    tries = []

    def full(file: Any, **arrays: Any) -> None:
        tries.append(file)
        file.write(bytes(100))
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(product_file.np, "savez", full)
    for n in (1, 2, 3):
        cache.put("speech", KEYS[n], product())
    assert len(tries) == 1
    (warning,) = cache.warnings
    assert "No space left on device" in warning
    assert same(cache.get("speech", KEYS[0]), product())
    assert len(files(tmp_path)) == 1  # no half file stays


def test_a_nearly_full_disk_is_left_alone(
    cache: DiskCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"total": 1_000_000, "free": 55_000})
    monkeypatch.setattr(cache_module.shutil, "disk_usage", lambda _: usage)
    cache.put("speech", KEYS[0], product(3000))
    assert len(files(tmp_path)) == 1
    usage.free = 40_000
    cache.put("speech", KEYS[1], product(3000))
    assert "hardly any space" in cache.warnings[0]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    cache = DiskCache(tmp_path / "file" / "cache")
    assert cache.get("speech", KEYS[0]) is None
    cache.put("speech", KEYS[0], product())
    assert str(tmp_path / "file" / "cache") in cache.warnings[0]


def test_clearing_may_spare_what_was_used_lately(cache: DiskCache, tmp_path: Path) -> None:
    for n in range(3):
        cache.put("speech", KEYS[n], product())
    used(cache, KEYS[0], 10 * 86_400)
    size = cache._path("speech", KEYS[0]).stat().st_size
    assert clear(tmp_path / "cache", older_than_days=7) == (1, size)
    assert clear(tmp_path / "cache") == (2, 2 * size)
    assert list((tmp_path / "cache").iterdir()) == []


HAMMER = """if True:
    import sys
    import numpy as np
    from pathlib import Path
    from avdub.jobs.cache import DiskCache, clear
    from avdub.pipeline.store import Product
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    cache, rng = DiskCache(folder, bound=200_000), np.random.default_rng(seed)
    for turn in range(400):
        n = int(rng.integers(30))
        key, value = f"{n:064x}", np.full(8000 + n, n, np.uint8)
        found = cache.get("speech", key)
        if found is not None:
            assert np.array_equal(found.arrays["value"], value), n
        else:
            cache.put("speech", key, Product({"value": value}, {"n": n}))
        if turn % 150 == 149:
            clear(folder)
    assert cache.warnings == (), cache.warnings
"""


def test_processes_share_a_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HAMMER, str(tmp_path)]
    started = [
        subprocess.Popen([*command, str(seed)], stderr=subprocess.PIPE, text=True)
        for seed in range(3)
    ]
    for process in started:
        _, told = process.communicate(timeout=120)
        assert process.returncode == 0, told
    assert all(path.suffix == ".product" for path in files(tmp_path))
    assert sum(each.size for each in entries(tmp_path)) <= 250_000
