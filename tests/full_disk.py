"""Disks that are full, fill up or cannot be written to, under dubs by the real command.

`python -m tests.full_disk` does it on small disks in memory (mounting needs root) and prints the
table of the reliability report; exit code 1 if a run did anything but what it should.
"""

import ctypes
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.kills import MANIFEST, OUTPUT, Rig, Run, decoded

PAGE = 4096  # such disks count in these
SHARES = (0.0, 0.3, 0.6, 0.8, 0.9, 0.97)  # of the way from the input's size to the output's
MS_RDONLY, MS_REMOUNT, MNT_DETACH = 1, 32, 2
FINE = ("--crf", "1")  # outputs that are larger than their input
DONE, REFUSED = 0, 3


class Disk:
    """A disk in memory of a size in bytes, mounted at `path`."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        path.mkdir()
        _mount("tmpfs", path, 0, f"size={size},mode=0755")

    def resize(self, size: int) -> None:
        """Make it larger or smaller."""
        _mount("tmpfs", self.path, MS_REMOUNT, f"size={size}")

    def lock(self) -> None:
        """Let nobody write to it any more."""
        _mount("tmpfs", self.path, MS_REMOUNT | MS_RDONLY, "")

    def fill(self) -> Path:
        """Take all the room that is left; returns the file that does."""
        ballast = self.path / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError:
                return ballast


@contextmanager
def disk(path: Path, size: int) -> Iterator[Disk]:
    """A disk that is gone in the end. Raises OSError where mounting is not allowed."""
    made = Disk(path, size)
    try:
        yield made
    finally:
        ctypes.CDLL(None).umount2(os.fsencode(path), MNT_DETACH)
        path.rmdir()


def may_mount() -> bool:
    """Whether disks can be made here."""
    folder = Path(tempfile.mkdtemp(prefix="mount"))
    try:
        with disk(folder / "disk", PAGE):
            return True
    except (OSError, AttributeError):
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mount(kind: str, path: Path, flags: int, options: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    words = kind.encode(), os.fsencode(path), kind.encode(), ctypes.c_ulong(flags)
    if libc.mount(*words, options.encode()):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))


def refusal(run: Run, *words: str) -> list[str]:
    """What is wrong with how a run ended that had to be refused with these words."""
    code, shown = run.end()
    lines = [line.split(":")[0] for line in shown.splitlines() if line]
    if code != REFUSED or lines != ["error", "hint"] or not any(word in shown for word in words):
        return [f"exit code {code}: {shown}"]
    return []


def left(folder: Path, *wanted: str) -> list[str]:
    """What lies in an output's folder and should not, or the other way round."""
    found = {path.name for path in folder.iterdir()}
    return [] if found == set(wanted) else [f"the folder holds {sorted(found)}"]


def no_room_for_the_output(rig: Rig, name: str, share: float) -> list[str]:
    """Too small for the output but not for the input, then made larger and run again."""
    small, large = rig.clip.stat().st_size, rig.output.stat().st_size
    assert small + 10 * PAGE < large, "the output must be the larger one"
    size = PAGE * (2 + int((small + share * (large - small)) / PAGE))
    with disk(rig.root / name, size) as room:
        cache = rig.root / f"{name}.cache"
        wrong = refusal(rig.run(room.path, *FINE), "cannot be written", "MB free")
        wrong += left(room.path)
        wrong += rig.cache_faults(cache, whole=False)
        room.resize(4 * large)
        return wrong + finished(rig, rig.run(room.path, *FINE), room.path, cache)


def filled_meanwhile(rig: Rig, name: str, stage: str) -> list[str]:
    """A disk that others fill while the dub is in a stage, then empty."""
    with disk(rig.root / name, 4 * rig.output.stat().st_size) as room:
        cache = rig.root / f"{name}.cache"
        run = rig.run(room.path, *FINE)
        run.wait_for(stage, 0.0)
        ballast = room.fill()
        wrong = refusal(run, "cannot be written", "MB free") + left(room.path, ballast.name)
        ballast.unlink()
        return wrong + finished(rig, rig.run(room.path, *FINE), room.path, cache)


def no_room_for_the_manifest(rig: Rig, name: str) -> list[str]:
    """The output fits and nothing else: the dub is whole, and what is missing is said."""
    size = -(-rig.output.stat().st_size // PAGE) * PAGE
    with disk(rig.root / name, size) as room:
        code, shown = rig.run(room.path, *FINE).end()
        told = [line for line in shown.splitlines() if line]
        wrong = [] if code == DONE and len(told) == 1 else [f"exit code {code}: {shown}"]
        if f"warning: {room.path / MANIFEST} cannot be written" not in shown:
            wrong.append(f"not said: {shown}")
        wrong += left(room.path, OUTPUT)
        same = decoded(room.path / OUTPUT) == rig.content
        return wrong if same else [*wrong, "the output differs"]


def full_cache(rig: Rig, name: str, size: int, stage: str = "") -> list[str]:
    """A cache without room from the start, or from a stage on: the dub needs none of it."""
    with disk(rig.root / f"{name}.cache", size) as room:
        folder = rig.folder(name)
        run = rig.run(folder, *FINE)
        if stage:
            run.wait_for(stage, 0.0)
            room.fill()
        wrong = finished(rig, run, folder, room.path, warned=True)
        (room.path / "ballast").unlink(missing_ok=True)
        room.resize(64 << 20)
        again = rig.run(folder, *FINE, "--force")
        return wrong + finished(rig, again, folder, room.path)


def finished(rig: Rig, run: Run, folder: Path, cache: Path, warned: bool = False) -> list[str]:
    """What is wrong with a run that should end well; `warned`: about its cache, once."""
    code, shown = run.end()
    told = [line for line in shown.splitlines() if line]
    wrong = [f"exit code {code}: {shown}"] if code else []
    if not code and len(told) != warned:
        wrong.append(f"said {shown or 'nothing'}")
    if warned and "the cache in" not in shown:
        wrong.append("did not warn of the cache")
    return wrong + rig.differences(folder) + rig.cache_faults(cache, whole=not warned)


def read_only_input(rig: Rig, name: str) -> list[str]:
    """A folder that cannot be written to: dubbed elsewhere, or refused before any work."""
    with disk(rig.root / name, 4 << 20) as room:
        video, text = room.path / rig.clip.name, room.path / rig.subtitles.name
        shutil.copy(rig.clip, video)
        shutil.copy(rig.subtitles, text)
        room.lock()
        options = ["--model", str(rig.model), "--max-rate", "3", "--progress", "jsonl", *FINE]
        options += ["--cache-dir", str(rig.root / f"{name}.cache")]
        beside = Run(["dub", str(video), str(text), *options], video.with_name("face.dub.mp4"))
        wrong = refusal(beside, "cannot be written to")
        if len(beside.starts()) > 1:
            wrong.append("worked before it refused")
        folder = rig.folder(f"{name}_out")
        words = ["dub", str(video), str(text), "-o", str(folder / OUTPUT), *options]
        wrong += finished(rig, Run(words, folder / OUTPUT), folder, rig.root / f"{name}.cache")
        return wrong + left(room.path, video.name, text.name)


def cases(rig: Rig) -> Iterator[tuple[str, Callable[[], list[str]]]]:
    """What is done to a disk, and doing it; returns what went wrong."""
    for n, share in enumerate(SHARES):
        yield (
            "output: no room, refused; with room, goes on to an equal output",
            lambda n=n, share=share: no_room_for_the_output(rig, f"small{n}", share),
        )
    for stage in ("speech", "lips", "picture"):
        yield (
            "output: filled by others meanwhile, refused; then goes on",
            lambda stage=stage: filled_meanwhile(rig, f"filled_{stage}", stage),
        )
    yield (
        "output: room for all but the manifest, done with a warning",
        lambda: no_room_for_the_manifest(rig, "tight"),
    )
    for size in (PAGE, 64 << 10, 400 << 10):
        yield (
            "cache: no room, done with one warning",
            lambda size=size: full_cache(rig, f"cache{size}", size),
        )
    for stage in ("faces", "speech", "picture"):
        yield (
            "cache: filled by others meanwhile, done with one warning",
            lambda stage=stage: full_cache(rig, f"cache_{stage}", 64 << 20, stage),
        )
    yield (
        "input: read-only, dubbed elsewhere; beside it refused before any work",
        lambda: read_only_input(rig, "fixed"),
    )


def main() -> int:
    """Do all of it; print the table, and what went wrong."""
    if not may_mount():
        print("skipped: this user may not mount disks; run it as root")
        return 0
    root = Path(tempfile.mkdtemp(prefix="disks"))
    counts: dict[str, list[int]] = {}
    try:
        rig = Rig(root, *FINE)
        for what, run in cases(rig):
            wrong = run()
            count = counts.setdefault(what, [0, 0])
            count[0] += 1
            count[1] += bool(wrong)
            if wrong:
                sys.stderr.write(f"{what}: {wrong}\n")
    finally:
        shutil.rmtree(root, ignore_errors=True)
    print("| disk | runs | went wrong |\n|---|---|---|")
    for what, (n_runs, n_wrong) in counts.items():
        print(f"| {what} | {n_runs} | {n_wrong} |")
    return any(n_wrong for _, n_wrong in counts.values())


if __name__ == "__main__":
    raise SystemExit(main())
