"""Products behind a URL: whole or not there, and what cannot be used is said before any work."""

from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError, WeightsError
from avdub.jobs.cache import DiskCache
from avdub.jobs.shared_store import SharedStore, is_url, open_store
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import dub
from avdub.pipeline.store import Product
from tests.make import make_tone
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip

KEY = "b" * 64


@pytest.fixture
def store(tmp_path: Path) -> SharedStore:
    return SharedStore(f"file://{tmp_path}/store")


def test_what_was_put_comes_back_to_whoever_asks(store: SharedStore, tmp_path: Path) -> None:
    store.check()
    store.put("speech", KEY, Product({"a": np.arange(3)}, {"words": ["a"]}))
    got = SharedStore(f"file://{tmp_path}/store").get("speech", KEY)
    assert got is not None
    assert (got.arrays["a"].tolist(), got.facts) == ([0, 1, 2], {"words": ["a"]})
    assert store.get("speech", "c" * 64) is None
    assert store.warnings == ()


def test_its_files_are_those_of_the_cache_folder(store: SharedStore, tmp_path: Path) -> None:
    store.put("speech", KEY, Product({"a": np.arange(3)}))
    assert [p.name for p in (tmp_path / "store").rglob("*") if p.is_file()] == [f"{KEY}.product"]
    assert DiskCache(tmp_path / "store").get("speech", KEY) is not None


def test_a_damaged_product_is_not_there_until_it_is_put_again(
    store: SharedStore, tmp_path: Path
) -> None:
    store.put("speech", KEY, Product({"a": np.arange(3)}))
    (file,) = (tmp_path / "store").rglob("*.product")
    file.write_bytes(file.read_bytes()[:-9])
    assert store.get("speech", KEY) is None
    store.put("speech", KEY, Product({"a": np.arange(3)}))
    assert store.get("speech", KEY) is not None


def test_what_cannot_be_written_is_one_warning(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where a folder should be")
    store = SharedStore(f"file://{tmp_path}/store")
    for _ in range(2):
        store.put("speech", KEY, Product())
    assert len(store.warnings) == 1
    with pytest.raises(InputError, match="cannot be written and read"):
        store.check()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("memory://x", InputError),  # seen by one process only
        ("nonsense://x", InputError),
        ("sftp://host/x", WeightsError),  # needs a package that is no part of avdub
    ],
)
def test_a_url_that_cannot_be_shared_is_refused(
    url: str, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "paramiko", None)
    with pytest.raises(kind):
        open_store(url, 1000)


def test_a_file_url_is_a_folder_with_its_bound(tmp_path: Path) -> None:
    opened = open_store(f"file://{tmp_path}", 1000)
    assert isinstance(opened, DiskCache)
    assert opened.folder == tmp_path
    assert not is_url(f"file://{tmp_path}")
    assert not is_url("C:/folder")


def test_a_dub_finds_everything_in_it(tmp_path: Path, weights: Path) -> None:
    clip = make_face_clip(tmp_path / "a.mp4", n_frames=28, audio=make_tone(1.12, 16_000))
    srt = write_srt(tmp_path / "a.srt", (120, 560, "Hello there."))
    options = DubOptions(model=str(weights), max_rate=3.0, overwrite=True)
    files = clip, srt, tmp_path / "out.mp4", options
    assert dub(*files, store=SharedStore(f"file://{tmp_path}/store")).segments[0].cached == ()
    (again,) = dub(*files, store=SharedStore(f"file://{tmp_path}/store")).segments
    assert {"speech", "stretches"} <= set(again.cached)
