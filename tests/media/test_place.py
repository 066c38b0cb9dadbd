"""An output takes its name whole or not at all, and never that of what appeared meanwhile."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import avdub
from avdub.errors import InputError
from avdub.media.place import Part, sweep
from avdub.media.probe import probe
from avdub.media.splice import check_output, write_dub
from tests.make import make_clip

HOLDER = """if True:
    import sys, time
    from pathlib import Path
    from avdub.media.place import Part

    part = Part(Path(sys.argv[1]))
    part.path.write_bytes(b"half")
    print(part.path, flush=True)
    time.sleep(60)
"""


def holding(output: Path) -> "tuple[subprocess.Popen[str], Path]":
    """A process that writes `output`, and its unfinished file."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(output)],
        env={**os.environ, "PYTHONPATH": str(Path(avdub.__file__).parents[1])},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def refuse(*_: object) -> None:
    raise PermissionError("no links on this disk")


def test_the_name_is_taken_when_the_file_is_whole(tmp_path: Path) -> None:
    part = Part(tmp_path / "out.mp4")
    part.path.write_bytes(b"whole")
    assert not (tmp_path / "out.mp4").exists()
    part.put()
    part.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]
    assert (tmp_path / "out.mp4").read_bytes() == b"whole"


def test_what_lay_there_before_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"old")
    part = Part(tmp_path / "out.mp4")
    part.path.write_bytes(b"new")
    part.put()
    assert (tmp_path / "out.mp4").read_bytes() == b"new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("has_links", [True, False])
def test_what_appeared_meanwhile_is_not_replaced(
    tmp_path: Path, has_links: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    part = Part(tmp_path / "out.mp4")
    part.path.write_bytes(b"mine")
    (tmp_path / "out.mp4").write_bytes(b"theirs")
    with pytest.raises(InputError, match="appeared while it was being made"):
        part.put()
    part.discard()
    assert (tmp_path / "out.mp4").read_bytes() == b"theirs"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_disk_without_links_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", refuse)
    part = Part(tmp_path / "out.mp4")
    part.path.write_bytes(b"whole")
    part.put()
    assert [path.name for path in tmp_path.iterdir()] == ["out.mp4"]


def test_what_a_killed_run_left_is_removed_by_the_next(tmp_path: Path) -> None:
    process, left = holding(tmp_path / "out.mp4")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert left.exists()
    Part(tmp_path / "out.mp4").discard()
    assert list(tmp_path.iterdir()) == []


def test_what_another_run_is_writing_is_left_alone_and_told(tmp_path: Path) -> None:
    video = make_clip(tmp_path / "in.mp4")
    (folder := tmp_path / "out").mkdir()
    process, theirs = holding(folder / "out.mp4")
    try:
        assert sweep(folder / "out.mp4")
        assert theirs.exists()
        with pytest.raises(InputError, match="another run is writing"):
            check_output(folder / "out.mp4", video, overwrite=True)
        check_output(folder / "other.mp4", video, overwrite=False)
    finally:
        process.kill()
        process.communicate()


def test_only_leftovers_of_the_same_output_are_removed(tmp_path: Path) -> None:
    other = Part(tmp_path / "other.mp4").path
    names = (".avdub-123456.part.mp4", ".hidden.mp4", "out.part.mp4")
    for name in names:
        (tmp_path / name).touch()
    assert not sweep(tmp_path / "out.mp4")
    assert {path.name for path in tmp_path.iterdir()} == {*names, other.name}


def test_an_output_has_the_rights_that_the_user_gives_new_files(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "in.mp4"))
    before = os.umask(0o027)
    try:
        write_dub(info, tmp_path / "out.mp4", None, None)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out.mp4").stat().st_mode) == 0o640


def test_an_output_that_appears_while_a_dub_is_written_stays(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "in.mp4"))
    output = tmp_path / "out.mp4"

    def progress(items, stage, total=None):
        output.write_bytes(b"theirs")
        yield from items

    with pytest.raises(InputError, match="appeared while it was being made"):
        write_dub(info, output, None, None, progress=progress)
    assert output.read_bytes() == b"theirs"
    assert {path.name for path in tmp_path.iterdir()} == {"in.mp4", "out.mp4"}
