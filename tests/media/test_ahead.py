"""Reading ahead keeps the order, the errors and nothing else."""

import threading
import time
from collections.abc import Iterator

import pytest

from avdub.media.ahead import read_ahead


def test_items_come_in_order() -> None:
    assert list(read_ahead(range(100), 3)) == list(range(100))


def test_an_error_of_the_reader_reaches_the_caller_in_its_place() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken")

    got = read_ahead(items())
    assert next(got) == 1
    with pytest.raises(ValueError, match="broken"):
        next(got)


def test_no_more_than_the_depth_is_read_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for n in range(50):
            taken.append(n)
            yield n

    got = read_ahead(items(), 4)
    next(got)
    time.sleep(0.3)
    assert len(taken) <= 6
    got.close()


def test_leaving_early_ends_the_thread() -> None:
    got = read_ahead(iter(range(10**6)))
    next(got)
    got.close()
    assert not [t for t in threading.enumerate() if t.name == "avdub-read-ahead"]
