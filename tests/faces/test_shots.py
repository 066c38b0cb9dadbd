import cv2
import numpy as np
import pytest

from avdub.faces.shots import ShotCuts, change
from tests.faces.conftest import Image


def scene(seed: int) -> Image:
    """A picture (90, 160, 3) with structure and colours of its own."""
    rng = np.random.default_rng(seed)
    base = rng.integers(40, 200, 3)
    coarse = np.clip(rng.normal(base, 45, (6, 9, 3)), 0, 255).astype(np.uint8)
    return cv2.resize(coarse, (160, 90), interpolation=cv2.INTER_CUBIC)


def cuts_of(frames: list[Image]) -> list[int]:
    shots = ShotCuts()
    for index, frame in enumerate(frames):
        shots.feed(index, frame)
    return shots.finish()


def test_a_cut_is_found_at_its_frame() -> None:
    assert cuts_of([scene(0)] * 10 + [scene(1)] * 10 + [scene(2)] * 10) == [10, 20]


def test_a_cut_near_the_end_is_found() -> None:
    assert cuts_of([scene(0)] * 10 + [scene(1)] * 2) == [10]


def test_a_still_picture_has_no_cut() -> None:
    assert cuts_of([scene(0)] * 12) == []


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_flash_is_no_cut(length: int) -> None:
    white = np.full((90, 160, 3), 250, np.uint8)
    assert cuts_of([scene(0)] * 8 + [white] * length + [scene(0)] * 8) == []


def test_a_lamp_switched_on_is_no_cut() -> None:
    bright = np.clip(scene(0).astype(int) * 1.4 + 20, 0, 255).astype(np.uint8)
    assert cuts_of([scene(0)] * 8 + [bright] * 8) == []


def test_a_pan_is_no_cut() -> None:
    wide = cv2.resize(scene(0), (800, 450), interpolation=cv2.INTER_CUBIC)
    pan = [np.ascontiguousarray(wide[100:190, n * 15 : n * 15 + 160]) for n in range(40)]
    assert cuts_of(pan) == []


def test_the_frame_after_a_cut_is_suspected_at_once() -> None:
    shots = ShotCuts()
    suspected = [shots.feed(n, frame) for n, frame in enumerate([scene(0)] * 3 + [scene(1)] * 3)]
    assert suspected == [False, False, False, True, False, False]


def test_change_is_symmetric_and_zero_for_the_same_picture() -> None:
    a, b = (scene(seed).astype(np.float32) for seed in (0, 1))
    assert change(a, a) == pytest.approx(0, abs=1e-3)
    assert change(a, b) == pytest.approx(change(b, a))
