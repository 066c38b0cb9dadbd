"""The desk and its relay: what workers tell, and products for machines that share no folder."""

from pathlib import Path

import numpy as np

from avdub.jobs.desk import Desk, Relay
from avdub.pipeline.store import Product

KEY = "a" * 64


class GoneError(Exception):
    """As a machine that is away."""


def relay(desk: Desk) -> Relay:
    return Relay(desk.get, desk.put, Path("/nowhere"), GoneError)


def test_what_was_told_is_heard_once_and_in_order(tmp_path: Path) -> None:
    desk = Desk(str(tmp_path), 1000)
    desk.tell((1, "", 0, None))
    desk.tell((1, "faces", 3, 9))
    assert desk.heard() == [(1, "", 0, None), (1, "faces", 3, 9)]
    assert desk.heard() == []


def test_a_product_that_one_worker_sent_is_there_for_another(tmp_path: Path) -> None:
    desk = Desk(str(tmp_path), 1_000_000)
    relay(desk).put("speech", KEY, Product({"a": np.arange(5)}, {"n": 1}))
    got = relay(desk).get("speech", KEY)
    assert got is not None
    assert (got.arrays["a"].tolist(), got.facts) == ([0, 1, 2, 3, 4], {"n": 1})
    assert relay(desk).get("mouths", KEY) is None


def test_arrays_that_came_over_may_be_written_to(tmp_path: Path) -> None:
    shared = np.arange(5)
    shared.flags.writeable = False  # as what several processes see at once
    other = Relay(lambda kind, key: Product({"a": shared}), lambda *_: (), tmp_path, GoneError)
    got = other.get("speech", KEY)
    assert got is not None
    got.arrays["a"][0] = 7
    assert shared[0] == 0


def test_a_desk_that_is_away_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    def away(*_: object) -> None:
        raise GoneError

    store = Relay(away, away, tmp_path, GoneError)
    assert store.get("speech", KEY) is None
    store.put("speech", KEY, Product())
    assert len(store.warnings) == 1
