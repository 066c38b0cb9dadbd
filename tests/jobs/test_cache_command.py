"""`avdub cache`, and the options of `dub` and `plan` that say what is kept and where."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import avdub.pipeline.plan as plan_module
import avdub.pipeline.run as run_module
from avdub.cli import app
from avdub.home import user_cache
from avdub.jobs.cache import DiskCache
from avdub.pipeline.store import NOTHING, Product
from tests.test_cli import REPORT, Pipeline, Record


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("AVDUB_CACHE_DIR", raising=False)
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="avdub")


def filled(folder: Path) -> DiskCache:
    cache = DiskCache(folder)
    for n in range(3):
        cache.put("speech" if n else "faces", f"{n:064x}", Product(facts={"n": n}))
    return cache


def test_show_counts_by_kind(home: Path) -> None:
    filled(home / "cache")
    shown = run("cache", "show").stdout.splitlines()
    assert [line.split()[:2] for line in shown[1:3]] == [["faces", "1"], ["speech", "2"]]
    assert shown[-1].endswith(f"of at most 10 GB in {home / 'cache'}")


def test_show_tells_programs_the_same(home: Path) -> None:
    filled(home / "cache")
    told = json.loads(run("cache", "show", "--json", "--cache-size", "2").stdout)
    assert told["folder"] == str(home / "cache")
    assert {kind: each["count"] for kind, each in told["kinds"].items()} == {
        "faces": 1,
        "speech": 2,
    }
    assert told["bytes"] == sum(each["bytes"] for each in told["kinds"].values())
    assert told["bound_bytes"] == 2_000_000_000


def test_an_empty_cache_is_no_error(home: Path) -> None:
    assert run("cache", "show").stdout == f"0.0 MB of at most 10 GB in {home / 'cache'}\n"
    assert json.loads(run("cache", "clear", "--json").stdout)["removed"] == 0
    assert not home.exists()


def test_clear_removes_what_is_kept(home: Path) -> None:
    filled(home / "cache")
    assert run("cache", "clear", "--older-than", "1").stdout.startswith("0 files")
    assert run("cache", "clear").stdout.startswith("3 files")
    assert json.loads(run("cache", "show", "--json").stdout)["kinds"] == {}


def test_another_folder_may_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path / "there")
    shown = run("cache", "show", "--cache-dir", str(tmp_path / "there"), "--json").stdout
    assert json.loads(shown)["bytes"] > 0
    monkeypatch.setenv("AVDUB_CACHE_DIR", str(tmp_path / "there"))
    assert user_cache() == tmp_path / "there"
    assert json.loads(run("cache", "show", "--json").stdout)["bytes"] > 0


class Asked:
    """Stands in for the pipeline and remembers the stores it was given."""

    def __init__(self) -> None:
        self.stores: list[Any] = []

    def dub(self, *_: Any, store: Any = None) -> Any:
        self.stores.append(store)
        return REPORT

    def make_plan(self, *_: Any, memory: Any = None) -> Any:
        self.stores.append(memory.store)
        return Pipeline().make_plan(None, None, None, None)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    stand_in = Asked()
    monkeypatch.setattr(run_module, "dub", stand_in.dub)
    monkeypatch.setattr(plan_module, "make_plan", stand_in.make_plan)
    monkeypatch.setattr("avdub.jobs.record.Record", Record)  # there is no talk.mp4
    return stand_in


@pytest.mark.parametrize("words", [("dub",), ("plan",), ("dub", "--dry-run")])
def test_the_users_cache_is_the_default(asked: Asked, home: Path, words: tuple[str, ...]) -> None:
    run(*words, "talk.mp4")
    assert [store.folder for store in asked.stores] == [home / "cache"]
    assert [store._bound for store in asked.stores] == [10_000_000_000]


@pytest.mark.parametrize("command", ["dub", "plan"])
def test_options_say_what_is_kept_and_where(asked: Asked, tmp_path: Path, command: str) -> None:
    run(command, "talk.mp4", "--cache-dir", str(tmp_path / "x"), "--cache-size", "0.5")
    run(command, "talk.mp4", "--no-cache")
    first, second = asked.stores
    assert (first.folder, first._bound) == (tmp_path / "x", 500_000_000)
    assert second is NOTHING


def test_variables_say_so_too(
    asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVDUB_CACHE_DIR", str(tmp_path / "x"))
    monkeypatch.setenv("AVDUB_CACHE_SIZE", "0.25")
    run("dub", "talk.mp4")
    (store,) = asked.stores
    assert (store.folder, store._bound) == (tmp_path / "x", 250_000_000)


def test_nothing_is_kept_by_looking(asked: Asked, home: Path) -> None:
    run("dub", "talk.mp4")
    assert not home.exists()
