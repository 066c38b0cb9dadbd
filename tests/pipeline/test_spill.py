"""What a run puts aside comes back as it was, and leaves nothing behind."""

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError
from avdub.pipeline.spill import Spill
from avdub.pipeline.store import Product


def test_products_come_back_in_any_order(tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    rng = np.random.default_rng(0)
    made = [
        Product({"a": rng.random((n, 3)).astype(np.float32), "b": np.arange(n)}, {"n": n})
        for n in range(4)
    ]
    places = [spill.put(each) for each in made]
    for n in (2, 0, 3, 1, 2):
        found = spill.get(places[n])
        assert found.facts == {"n": n}
        assert found.arrays.keys() == {"a", "b"}
        np.testing.assert_array_equal(found.arrays["a"], made[n].arrays["a"])
        assert found.arrays["b"].dtype == made[n].arrays["b"].dtype


def test_nothing_of_it_is_seen_or_stays_open(tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    before = open_files()
    spill.put(Product({"a": np.zeros(1000)}))
    if os.name == "posix":
        assert list(tmp_path.iterdir()) == []
    del spill
    gc.collect()
    assert open_files() <= before


def open_files() -> int:
    """Of this process; 0 where that cannot be told."""
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "none")
    place = spill.put(Product({"a": np.ones(3)}))
    assert spill.get(place).arrays["a"].sum() == 3
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_a_full_disk_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    spill = Spill()
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(spill, "_opened", lambda: full)
        with pytest.raises(InputError, match="cannot hold what this run has to put aside"):
            spill.put(Product({"a": np.zeros(10)}))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no disk that is always full")
def test_what_no_longer_fits_goes_elsewhere_and_all_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill = Spill(tmp_path)
    first = spill.put(Product({"a": np.arange(3)}))
    with Path("/dev/full").open("r+b", buffering=0) as full:
        monkeypatch.setattr(spill, "_files", [*spill._files, full])
        second = spill.put(Product({"a": np.arange(0), "b": np.array(7.0)}))
    assert spill.get(first).arrays["a"].tolist() == [0, 1, 2]
    found = spill.get(second).arrays
    assert (found["a"].shape, found["b"].shape, found["b"].item()) == ((0,), (), 7.0)
