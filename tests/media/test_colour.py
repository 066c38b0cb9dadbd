import math
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avdub.media.colour import Colour, Orientation, orientation_of
from avdub.media.probe import probe
from avdub.media.video import FrameReader, FrameWriter
from tests.make import make_clip, numbered_picture


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    return 10 * math.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    ("pixel_format", "tags"),
    [
        ("yuv420p", {}),
        ("yuv420p", {"colorspace": 1, "color_primaries": 1, "color_trc": 1, "color_range": 1}),
        ("yuv420p", {"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 1}),
        ("yuvj420p", {"colorspace": 1, "color_range": 2}),
        ("yuvj420p", {"colorspace": 5, "color_range": 2}),
    ],
    ids=["untagged", "bt709", "bt601", "bt709-full", "bt601-full"],
)
def test_decoding_and_encoding_again_keeps_colours_and_tags(
    pixel_format: str, tags: dict[str, int], suffix: str, tmp_path: Path
) -> None:
    clip = make_clip(
        tmp_path / f"in{suffix}", size=(128, 96), n_frames=4, pixel_format=pixel_format, tags=tags
    )
    info = probe(clip)
    with FrameReader(info) as reader:
        before = list(reader)
    with FrameWriter(tmp_path / f"out{suffix}", info) as writer:
        for frame in before:
            writer.write(frame.image, frame.time)
    dub = probe(tmp_path / f"out{suffix}")
    with FrameReader(dub) as reader:
        after = list(reader)
    assert min(psnr(a.image, b.image) for a, b in zip(before, after, strict=True)) >= 42
    assert dub.colour == info.colour


def test_tags_decide_how_colours_are_read(tmp_path: Path) -> None:
    tags = [{"colorspace": 1}, {"colorspace": 6}]
    clips = [make_clip(tmp_path / f"{n}.mp4", tags=tags[n], n_frames=1) for n in range(2)]
    images = []
    for clip in clips:
        with FrameReader(probe(clip)) as reader:
            images.append(next(iter(reader)).image)
    assert psnr(*images) < 40


def test_untagged_pictures_are_read_as_players_read_them() -> None:
    assert Colour().swscale_matrix(height=1080) == 1
    assert Colour().swscale_matrix(height=480) == 5


def test_a_clockwise_quarter_turn_puts_the_first_row_at_the_right() -> None:
    stored = numbered_picture(5)
    upright = Orientation(90).apply(stored)
    assert np.array_equal(upright[:, -1], stored[0])


def test_mirroring_comes_before_turning() -> None:
    stored = numbered_picture(5)
    upright = Orientation(90, mirrored=True).apply(stored)
    assert np.array_equal(upright, np.rot90(stored[:, ::-1], -1))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirrored", [False, True])
def test_display_matrices_are_read_back(rotation: int, mirrored: bool) -> None:
    angle = math.radians(rotation)
    turn = np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0])
    matrix = np.zeros((3, 3), np.int32)
    matrix[:2, :2] = np.round(flip @ turn * 65_536)
    assert orientation_of(matrix) == Orientation(rotation, mirrored)
