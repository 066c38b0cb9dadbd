"""The demo clip: what is promised about it."""

import itertools
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError
from avdub.media.audio import read_audio
from avdub.media.probe import probe
from avdub.media.subtitles import read_subtitles
from avdub.media.waveform import loudness
from avdub.report import demo


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> demo.DemoFiles:
    return demo.make_demo(tmp_path_factory.mktemp("a demo") / "new folder")


def test_the_clip_has_the_promised_frames_and_sound(files: demo.DemoFiles) -> None:
    info = probe(files.video)
    assert (info.width, info.height, info.rate) == (512, 512, Fraction(25))
    assert (len(info.frame_times), info.end) == (150, 6)
    sound = read_audio(files.video, info)
    assert sound is not None
    assert sound.seconds == 6
    assert -70 < loudness(sound) < -55


def test_the_subtitles_fit_the_clip(files: demo.DemoFiles) -> None:
    segments, warnings = read_subtitles(files.subtitles)
    assert (len(segments), warnings) == (2, [])
    assert segments[0].end <= segments[1].start
    assert segments[1].end <= 6


def test_the_portrait_moves_a_little_in_every_frame() -> None:
    pictures = itertools.islice(demo.moving_portrait(), 20)
    for before, after in itertools.pairwise(pictures):
        difference = np.abs(before.astype(int) - after).mean()
        assert 0.05 < difference < 8


def test_the_portrait_fills_the_picture() -> None:
    poses = [demo._pose(n / 25) for n in range(150)]
    corners = np.array([(0, 0), (511, 0), (0, 511), (511, 511)], float)
    for pose in poses:
        x, y = ((corners - pose[:, 2]) @ np.linalg.inv(pose[:, :2]).T).T
        assert min(x.min(), y.min()) >= 0
        assert max(x.max(), y.max()) <= 511


def test_nothing_but_the_clip_and_its_subtitles_is_left(files: demo.DemoFiles) -> None:
    assert {path.name for path in files.video.parent.iterdir()} == {"demo.mp4", "demo.srt"}


@pytest.mark.parametrize("name", ["demo.mp4", "demo.srt", "demo.dub.mp4"])
def test_files_that_are_there_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="already exists"):
        demo.make_demo(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="cannot be made"):
        demo.make_demo(tmp_path / "file" / "demo")
