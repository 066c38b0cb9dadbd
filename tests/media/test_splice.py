import os
import shutil
from pathlib import Path

import pytest

from avdub.errors import InputError, MediaError
from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.splice import check_output, write_dub
from avdub.media.video import FrameReader
from tests.make import make_clip, make_tone


@pytest.fixture
def info(tmp_path: Path) -> MediaInfo:
    return probe(make_clip(tmp_path / "in.mp4", audio=make_tone(0.4)))


def test_a_dub_reports_how_many_frames_it_has(info: MediaInfo, tmp_path: Path) -> None:
    with FrameReader(info) as reader:
        pairs = ((f.time, f.image) for f in reader)
        assert write_dub(info, tmp_path / "out.mp4", pairs, iter_audio(info.path, info)) == 10
    assert len(probe(tmp_path / "out.mp4").frame_times) == 10


def test_missing_frames_are_an_error_and_leave_no_file(info: MediaInfo, tmp_path: Path) -> None:
    with FrameReader(info) as reader:
        pairs = [(f.time, f.image) for f in reader][:-1]
    with pytest.raises(MediaError, match=r"9 frames where .* has 10"):
        write_dub(info, tmp_path / "out.mp4", pairs, None)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_a_new_name_beside_the_input_is_fine(info: MediaInfo, tmp_path: Path) -> None:
    check_output(tmp_path / "out.mp4", info.path, overwrite=False)


@pytest.mark.parametrize("link", ["same", "symbolic", "hard"])
def test_the_input_is_never_the_output(link: str, info: MediaInfo, tmp_path: Path) -> None:
    output = info.path if link == "same" else tmp_path / "link.mp4"
    if link == "symbolic":
        output.symlink_to(info.path)
    elif link == "hard":
        output.hardlink_to(info.path)
    with pytest.raises(InputError, match="is the input video itself"):
        check_output(output, info.path, overwrite=True)


def test_an_existing_output_needs_permission(info: MediaInfo, tmp_path: Path) -> None:
    (tmp_path / "out.mp4").touch()
    with pytest.raises(InputError, match="already exists") as caught:
        check_output(tmp_path / "out.mp4", info.path, overwrite=False)
    assert "--force" in caught.value.hint
    check_output(tmp_path / "out.mp4", info.path, overwrite=True)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none/out.mp4", "does not exist"),
        ("out.avi", r"cannot write \.avi files"),
        ("out", "without a suffix"),
        ("folder.mp4", "is a folder"),
    ],
)
def test_outputs_that_cannot_be_are_refused(
    name: str, words: str, info: MediaInfo, tmp_path: Path
) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(InputError, match=words):
        check_output(tmp_path / name, info.path, overwrite=True)


def test_a_folder_without_rights_is_refused(
    info: MediaInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match="cannot be written to"):
        check_output(tmp_path / "out.mp4", info.path, overwrite=False)


def test_a_full_disk_is_noticed_before_any_work(
    info: MediaInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(InputError, match="free, the dub needs about"):
        check_output(tmp_path / "out.mp4", info.path, overwrite=False)
