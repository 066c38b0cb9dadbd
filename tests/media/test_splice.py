import os
import shutil
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from avdub.errors import InputError, MediaError
from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.retouch import Repaint
from avdub.media.splice import check_depth, check_output, write_dub
from avdub.media.video import Frame, Image
from avdub.timeline import Span
from tests.make import make_clip, make_tone


@pytest.fixture
def info(tmp_path: Path) -> MediaInfo:
    return probe(make_clip(tmp_path / "in.mp4", audio=make_tone(0.4)))


def test_a_dub_reports_how_many_frames_it_has(info: MediaInfo, tmp_path: Path) -> None:
    written = write_dub(info, tmp_path / "out.mp4", None, iter_audio(info.path, info))
    assert written.frames == len(probe(tmp_path / "out.mp4").frame_times) == 10


@pytest.mark.parametrize("suffix", [".mp4", ".webm"], ids=["spliced", "whole"])
def test_missing_pictures_are_an_error_and_leave_no_file(
    suffix: str, info: MediaInfo, tmp_path: Path
) -> None:
    def forget(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        yield from [(f.time, f.image) for f in frames][:-1]

    with pytest.raises(MediaError, match=r"pictures are missing|9 frames where .* has 10"):
        write_dub(info, tmp_path / f"out{suffix}", Repaint((Span(2, 6),), forget), None)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_an_error_of_the_painter_reaches_its_caller_and_leaves_no_file(
    info: MediaInfo, tmp_path: Path
) -> None:
    def fail(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        yield from ((f.time, f.image) for f in frames)
        raise ValueError("no more paint")

    with pytest.raises(ValueError, match="no more paint"):
        write_dub(info, tmp_path / "out.mp4", Repaint((Span(2, 6),), fail), None)
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


def test_ten_bits_are_refused_where_they_would_become_eight(tmp_path: Path) -> None:
    deep = probe(make_clip(tmp_path / "in.mkv", pixel_format="yuv420p10le"))
    check_depth(deep, tmp_path / "out.mkv")
    with pytest.raises(MediaError, match="more than 8 bits a colour and would lose them") as caught:
        check_depth(deep, tmp_path / "out.mp4")
    assert "own kind" in caught.value.hint


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
