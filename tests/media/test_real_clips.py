"""The whole way through for real clips, where they are at hand."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avdub.media.audio import iter_audio
from avdub.media.probe import probe
from avdub.media.splice import write_dub
from avdub.media.video import Frame, FrameReader, default_suffix
from avdub.timeline import boundary

CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"


def psnr(a: Frame, b: Frame) -> float:
    error = np.mean((a.image.astype(np.float32) - b.image) ** 2)
    return 10 * math.log10(255**2 / max(float(error), 1e-6))


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the clips in ../shared/data/clips")
@pytest.mark.parametrize(
    ("name", "rate", "n_frames"),
    [
        pytest.param("address_450x450_25fps_20s.mp4", Fraction(25), 500, marks=pytest.mark.slow),
        pytest.param("webcam_1080x720_30fps_10s.mp4", Fraction(30), 299, marks=pytest.mark.slow),
        ("two_faces_silent_480x270.gif", Fraction(2750, 229), 56),
        ("lowres_mpeg1_360x288_3s.mpg", Fraction(25), 75),
        pytest.param(
            "no_face_no_audio_640x360_40s.mp4", Fraction(179, 6), 1189, marks=pytest.mark.slow
        ),
    ],
)
def test_real_clips_come_out_as_they_went_in(
    name: str, rate: Fraction, n_frames: int, tmp_path: Path
) -> None:
    info = probe(CLIPS / name)
    assert info.rate == rate
    output = tmp_path / f"out{default_suffix(info)}"
    sound = iter_audio(info.path, info) if info.audio else None
    assert write_dub(info, output, None, sound).frames == n_frames
    dub = probe(output)
    assert dub.frame_times == info.frame_times
    assert abs(dub.end - info.end) <= 1 / rate
    with FrameReader(info) as before, FrameReader(dub) as after:
        assert min(psnr(a, b) for a, b in zip(before, after, strict=True)) >= 42
    if info.audio is not None:
        n_samples = sum(map(len, iter_audio(output, dub)))
        assert n_samples == boundary(info.end, info.audio.rate)
