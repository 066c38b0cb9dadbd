from fractions import Fraction

import av
import numpy as np
import pytest

from avdub.media.colour import Colour, Orientation, to_rgb
from avdub.media.retouch import Repaint, retouched
from avdub.timeline import Span
from tests.make import numbered_picture

SIZE = (64, 48)
BT709 = Colour(1, 1, 1, 1)


def noisy_frame(kind: str) -> av.VideoFrame:
    """A frame with values in all its bits, also such as no RGB picture gives."""
    rng = np.random.default_rng(0)
    frame = av.VideoFrame(*SIZE, kind)
    deep = frame.format.components[0].bits > 8
    for plane in frame.planes:
        kind_of_value = np.uint16 if deep else np.uint8
        rows = np.frombuffer(plane, kind_of_value).reshape(plane.height, -1)
        rows[:] = rng.integers(300, 700, rows.shape) if deep else rng.integers(75, 175, rows.shape)
    frame.pts, frame.time_base = 7, Fraction(1, 25)
    return frame


@pytest.mark.parametrize("kind", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le"])
def test_what_does_not_change_keeps_every_bit(kind: str) -> None:
    frame = noisy_frame(kind)
    before = to_rgb(frame, BT709, SIZE)
    after = before.copy()
    after[20:30, 24:40] = 255 - after[20:30, 24:40]
    result = retouched(frame, before, after, BT709, Orientation())
    old, new = frame.to_ndarray(), result.to_ndarray()
    luma = old[:48] != new[:48] if kind.startswith("yuv42") else (old != new).any(0)
    outside = np.ones((48, 64), bool)
    outside[16:34, 20:44] = False
    assert not luma[outside].any()
    assert luma[22:28, 26:38].mean() > 0.8


@pytest.mark.parametrize("kind", ["yuv420p", "yuv444p", "yuv420p10le"])
def test_the_changed_part_looks_as_asked(kind: str) -> None:
    smooth = av.VideoFrame.from_ndarray(numbered_picture(5, SIZE), format="rgb24")
    frame = smooth.reformat(format=kind, dst_colorspace=1, dst_color_range=1)
    before = to_rgb(frame, BT709, SIZE)
    after = before.copy()
    after[20:40, 16:48] = (180, 120, 100)
    result = to_rgb(retouched(frame, before, after, BT709, Orientation()), BT709, SIZE)
    inner = result[24:36, 20:44].astype(int)
    assert np.abs(inner - (180, 120, 100)).max() <= 4


def test_an_unchanged_picture_gives_the_same_frame() -> None:
    frame = noisy_frame("yuv420p")
    image = to_rgb(frame, BT709, SIZE)
    assert retouched(frame, image, image.copy(), BT709, Orientation()) is frame


def test_the_decoders_own_frame_is_not_written_to() -> None:
    frame = noisy_frame("yuv420p")
    kept = frame.to_ndarray().copy()
    image = to_rgb(frame, BT709, SIZE)
    result = retouched(frame, image, 255 - image, BT709, Orientation())
    assert result is not frame
    assert np.array_equal(frame.to_ndarray(), kept)
    assert (result.pts, result.time_base) == (7, Fraction(1, 25))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_pictures_go_back_the_way_they_came(rotation: int, mirrored: bool) -> None:
    stored, turn = numbered_picture(5, SIZE), Orientation(rotation, mirrored)
    assert np.array_equal(turn.undo(turn.apply(stored)), stored)


def test_spans_are_sorted_and_joined() -> None:
    repaint = Repaint((Span(8, 9), Span(1, 3), Span(5, 5), Span(3, 4), Span(2, 3)), iter)
    assert repaint.spans == (Span(1, 4), Span(8, 9))
    assert [n for n in range(12) if n in repaint] == [1, 2, 3, 8]
