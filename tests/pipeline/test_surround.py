"""Dubs of surround sound: speech comes from the middle, the room around it only steps back."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from avdub.media.audio import read_audio
from avdub.media.probe import AudioInfo, probe
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import dub
from tests.media.test_sound_track import make
from tests.pipeline.test_plan import write_srt

RATE = 48_000
CUE = (700, 1300, "Hello there.")
BEFORE, AFTER = slice(8192, round(0.65 * RATE)), slice(round(1.35 * RATE), round(1.9 * RATE))
INSIDE = slice(round(0.75 * RATE), round(1.25 * RATE))
CENTRE, AROUND = 2, [0, 1, 3, 4, 5]


@dataclass(frozen=True)
class Surround:
    """What a file says of its sound, and its samples (S, 6), before and after."""

    codec: str
    infos: tuple[AudioInfo, AudioInfo]
    old: NDArray[np.float32]
    new: NDArray[np.float32]


@pytest.fixture(
    scope="module",
    params=[(".mp4", "aac"), (".mkv", "aac"), (".mkv", "ac3"), (".mov", "pcm_s16le")],
    ids=lambda param: "".join(param),
)
def surround(
    request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Surround:
    suffix, codec = request.param
    folder = tmp_path_factory.mktemp("surround")
    video, output = make(folder / f"in{suffix}", codec, 6), folder / f"out{suffix}"
    report = dub(video, write_srt(folder / "s.srt", CUE), output, DubOptions(model=str(weights)))
    assert [each.status for each in report.segments] == ["voice_only"]
    infos = [probe(each).audio for each in (video, output)]
    sounds = [read_audio(each, probe(each)) for each in (video, output)]
    assert infos[0] is not None
    assert infos[1] is not None
    assert sounds[0] is not None
    assert sounds[1] is not None
    both = infos[0], infos[1]
    return Surround(codec, both, sounds[0].samples, sounds[1].samples)


def level(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """RMS of each channel in dB."""
    power = np.square(samples, dtype=np.float64).mean(0)
    return np.asarray(10 * np.log10(np.maximum(power, 1e-12)))


def test_codec_rate_layout_and_length_are_the_sources(surround: Surround) -> None:
    before, after = surround.infos
    assert (after.channels, after.rate) == (6, RATE)
    assert (after.codec, after.layout) == (before.codec, before.layout)
    assert after.layout.startswith("5.1")
    assert surround.new.shape == surround.old.shape == (2 * RATE, 6)


def test_the_centre_speaks_inside_the_cue(surround: Surround) -> None:
    old, new = surround.old[INSIDE, CENTRE], surround.new[INSIDE, CENTRE]
    assert level(new[:, None])[0] > -45
    assert abs(np.corrcoef(old, new)[0, 1]) < 0.3  # the tone is gone


def test_the_other_channels_only_step_back_inside_the_cue(surround: Surround) -> None:
    old, new = surround.old[INSIDE][:, AROUND], surround.new[INSIDE][:, AROUND]
    assert (level(old)[[0, 1, 3, 4]] > -20).all()  # codecs leave no such tone to the deep channel
    assert (level(new) < level(old) - 35).all()


def test_all_channels_are_unchanged_outside_the_cue(surround: Surround) -> None:
    for part in (BEFORE, AFTER):
        old, new = surround.old[part], surround.new[part]
        if surround.codec.startswith("pcm"):
            np.testing.assert_array_equal(new, old)
        assert (level(new - old) < level(old) - 25).all()
