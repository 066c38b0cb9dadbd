"""Patches: what painting changes, exact to the last bit, however it is kept."""

from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from avdub.pipeline.patches import MOUTHS, Album, Packed, Patch, Piece
from avdub.pipeline.store import Memory
from tests.pipeline.test_store import Shelf

SIZE = (24, 32)


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (*SIZE, 3)).astype(np.uint8)


def painted(picture: NDArray[np.uint8], box: tuple[int, int, int, int], seed: int) -> NDArray:
    """`picture` with noise in half the pixels of x0, y0, x1, y1."""
    x0, y0, x1, y1 = box
    made = picture.copy()
    is_new = np.random.default_rng(seed).random((y1 - y0, x1 - x0, 1)) < 0.5
    made[y0:y1, x0:x1] = np.where(is_new, noise(seed + 1)[y0:y1, x0:x1], picture[y0:y1, x0:x1])
    return made


@st.composite
def boxes(draw: st.DrawFn) -> tuple[int, int, int, int]:
    x0, y0 = draw(st.integers(0, 30)), draw(st.integers(0, 22))
    return x0, y0, draw(st.integers(x0, 32)), draw(st.integers(y0, 24))


@given(boxes(), st.integers(0, 9))
def test_a_patch_turns_the_old_picture_into_the_new(
    box: tuple[int, int, int, int], seed: int
) -> None:
    old = noise(seed)
    new = painted(old, box, seed)
    patch = Patch.between(old, new, box)
    np.testing.assert_array_equal(patch.laid(old, old), new)
    np.testing.assert_array_equal(Packed.of(patch).patch().laid(old, old), new)


@given(boxes(), st.integers(0, 9))
def test_a_patch_is_no_larger_than_the_change(box: tuple[int, int, int, int], seed: int) -> None:
    old = noise(seed)
    new = painted(old, box, seed)
    changed = (old != new).any(2)
    height, width = Patch.between(old, new, (0, 0, 32, 24)).change.shape[:2]
    assert (height, width) == (
        (np.ptp(np.flatnonzero(changed.any(1))) + 1, np.ptp(np.flatnonzero(changed.any(0))) + 1)
        if changed.any()
        else (0, 0)
    )


def test_the_picture_and_the_old_one_stay_as_they_are() -> None:
    old = noise(1)
    before = old.copy()
    Patch.between(old, noise(2), (0, 0, 32, 24)).laid(old, old)
    np.testing.assert_array_equal(old, before)


def test_of_two_faces_each_changes_only_its_own_pixels() -> None:
    old = noise(1)
    left, right = painted(old, (0, 0, 16, 24), 2), painted(old, (10, 4, 30, 20), 5)
    patches = [Patch.between(old, each, (0, 0, 32, 24)) for each in (left, right)]
    both = patches[1].laid(patches[0].laid(old, old), old)
    of_right = (right != old).any(2, keepdims=True)
    np.testing.assert_array_equal(both, np.where(of_right, right, left))


def test_where_nothing_changes_there_is_nothing_to_lay() -> None:
    old = noise(1)
    for box in ((3, 3, 9, 9), None):
        patch = Patch.between(old, old.copy(), box)
        assert Packed.of(patch).png == b""
        np.testing.assert_array_equal(Packed.of(patch).patch().laid(old, old), old)


def test_a_kept_piece_gives_back_its_patches() -> None:
    old = noise(1)
    made = {n: Packed.of(Patch.between(old, noise(n), (0, 0, 32, 24))) for n in (7, 8, 30)}
    made[9] = Packed.of(Patch.between(old, old, None))
    assert MOUTHS.unpack(MOUTHS.pack(made)) == made
    assert MOUTHS.unpack(MOUTHS.pack({})) == {}


def piece(*frames: int, parts: tuple[object, ...] | None = ("all",)) -> Piece:
    return Piece(1, frames, lambda: parts)


def a_patch() -> Patch:
    return Patch.between(noise(1), noise(2), (0, 0, 32, 24))


def test_a_piece_is_kept_once_its_last_frame_is_painted(tmp_path: Path) -> None:
    shelf = Shelf()
    album, whole = Album(Memory(shelf)), piece(4, 5, 9)
    assert album.find(whole, [4, 5]) is None
    album.add(whole, {4: a_patch(), 5: a_patch()})
    assert shelf.products == {}
    assert album.find(whole, [9]) is None
    album.add(whole, {9: a_patch()})
    assert len(shelf.products) == 1
    found = Album(Memory(shelf)).find(piece(4, 5, 9), [4, 9])
    assert found is not None
    np.testing.assert_array_equal(found[9].change, a_patch().change)


def test_what_depends_on_who_knows_what_is_not_kept() -> None:
    shelf = Shelf()
    album, whole = Album(Memory(shelf)), piece(4, parts=None)
    assert album.find(whole, [4]) is None
    album.add(whole, {4: a_patch()})
    assert shelf.products == {}
