"""One hash of everything that makes a product: equal exactly where all of it is equal."""

from dataclasses import dataclass
from enum import Enum, auto
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.pipeline.digest import digest, file_digest

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=6,
)


class Mark(Enum):
    DASH = auto()
    DOTS = auto()


@dataclass(frozen=True)
class Pair:
    a: object
    b: object


@given(PLAIN, PLAIN)
def test_values_have_the_same_hash_exactly_where_they_are_the_same(a: object, b: object) -> None:
    assert digest(a) == digest(a)
    assert (digest(a) == digest(b)) == (repr(a) == repr(b))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        ((("a",), "b"), ("a", ("b",))),
        ((1,), (True,)),
        ((1,), (1.0,)),
        ((1,), ("1",)),
        ((b"1",), ("1",)),
        ((None,), ("None",)),
        ((Fraction(1, 2),), (0.5,)),
        ((Mark.DASH,), (Mark.DOTS,)),
        ((Pair(1, 2),), (Pair(2, 1),)),
        ((np.zeros(4, np.float32),), (np.zeros(4, np.int32),)),
        ((np.zeros((2, 3)),), (np.zeros((3, 2)),)),
        ((np.arange(3),), (np.arange(3)[::-1],)),
    ],
)
def test_what_differs_has_another_hash(one: tuple[object, ...], other: tuple[object, ...]) -> None:
    assert digest(*one) != digest(*other)


def test_the_order_of_a_dictionary_does_not_matter() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_how_an_array_lies_in_memory_does_not_matter() -> None:
    values = np.arange(12.0).reshape(3, 4)
    assert digest(values) == digest(np.asfortranarray(values)) == digest(torch.from_numpy(values))


def test_a_path_is_what_its_file_holds(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"same")
    other.write_bytes(b"same")
    assert digest(one) == digest(other)
    other.write_bytes(b"else")
    assert digest(one) != digest(other)


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"before")
    before = file_digest(file)
    file.write_bytes(b"after it")
    assert file_digest(file) != before


def test_what_has_no_value_of_its_own_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        digest(object())
    with pytest.raises(TypeError, match="objects"):
        digest(np.array([object()]))
