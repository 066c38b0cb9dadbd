"""What is encoded anew takes about the bits of what it replaces, and the same ones every time."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from avdub.media.gops import PacketTable
from avdub.media.probe import probe
from avdub.media.rate import ENTRY_ROOM, MORE, cap_of
from avdub.media.retouch import Repaint
from avdub.media.scan import Scan, scan
from avdub.media.splice import write_dub
from avdub.timeline import Span
from tests.media.test_splicer import paint

RATE, N, GROUP = 25, 100, 50
RNG = np.random.default_rng(0)
GROUND = RNG.integers(0, 255, (200, 400, 3), np.uint8)


@pytest.fixture(scope="module", params=["libx264", "libx265"])
def sparse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A busy picture, coarsely coded."""
    path = tmp_path_factory.mktemp("sparse") / f"{request.param}.mp4"
    x265 = f"keyint={GROUP}:scenecut=0:open-gop=0:log-level=none"
    options = {
        "libx264": {"crf": "38", "g": str(GROUP), "x264-params": "scenecut=0"},
        "libx265": {"crf": "38", "x265-params": x265},
    }
    with av.open(str(path), "w") as target:
        stream = target.add_stream(request.param, rate=RATE, options=options[request.param])
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for n in range(N):
            image = np.ascontiguousarray(GROUND[20 : 20 + 128, n : n + 192])
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        target.mux(stream.encode(None))
    return path


def sizes(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


def dub(path: Path, output: Path, crf: int | None) -> list[int]:
    """Sizes of the packets after a dub of some frames in the second half."""
    write_dub(probe(path), output, Repaint((Span(60, 90),), paint), None, crf)
    return sizes(output)


def test_a_stretch_is_hardly_larger_than_what_it_replaces(sparse: Path, tmp_path: Path) -> None:
    before = sizes(sparse)[GROUP:]
    entry = max(before)  # another one is needed amid the group
    like_source = sum(dub(sparse, tmp_path / "a.mp4", None)[GROUP:])
    fine = sum(dub(sparse, tmp_path / "b.mp4", 16)[GROUP:])
    assert fine > 2 * sum(before)
    assert like_source < 1.25 * (entry + sum(before))


def test_the_same_dub_has_the_same_bytes(sparse: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / f"{n}.mp4" for n in range(3)]
    for output in outputs:
        dub(sparse, output, None)
    assert len({output.read_bytes() for output in outputs}) == 1


def test_what_is_coded_finely_keeps_its_quality(tmp_path: Path) -> None:
    path = tmp_path / "fine.mp4"
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=RATE, options={"crf": "6", "g": str(GROUP)})
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for n in range(N):
            image = np.ascontiguousarray(GROUND[20 : 20 + 128, n : n + 192])
            target.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        target.mux(stream.encode(None))
    free = sum(dub(path, tmp_path / "a.mp4", 16)[GROUP:])
    like_source = sum(dub(path, tmp_path / "b.mp4", None)[GROUP:])
    assert like_source > 0.95 * free


def made_scan(bytes_of: list[int], entries: list[int]) -> Scan:
    n = len(bytes_of)
    ticks = np.arange(n, dtype=np.int64)
    kinds = np.zeros(n, np.uint8)
    kinds[entries] = 1
    record: Any = None
    table = PacketTable(ticks, ticks, kinds)
    keys, ones = kinds.astype(bool), np.ones(n, np.int64)
    return Scan("h264", record, table, keys, ones, np.array(bytes_of), None, True)


def test_amid_a_group_the_cap_is_the_rate_of_what_is_replaced() -> None:
    scanned = made_scan([9000, *[100] * 9, 5000, *[200] * 9], [0, 10])
    cap = cap_of(Span(14, 20), scanned, 1 / RATE)
    assert cap.rate == round(MORE * 8 * 200 * RATE)
    assert cap.buffer == round(ENTRY_ROOM * 8 * 5000)


def test_an_entry_that_is_replaced_is_paid_for_once() -> None:
    scanned = made_scan([9000, *[100] * 9, 5000, *[200] * 9], [0, 10])
    cap = cap_of(Span(0, 20), scanned, 1 / RATE)
    assert cap.rate == round(MORE * 8 * (9 * 100 + 5000 + 9 * 200) * RATE / 20)
    assert cap.buffer == round(ENTRY_ROOM * 8 * 9000)


def test_a_single_frame_has_room_for_an_entry() -> None:
    cap = cap_of(Span(0, 1), made_scan([1000], [0]), 1 / RATE)
    assert cap.buffer >= ENTRY_ROOM * 8 * 1000


def test_the_sizes_of_a_scan_are_those_of_its_packets(sparse: Path, tmp_path: Path) -> None:
    assert scan(probe(sparse), tmp_path / "a.mp4").sizes.tolist() == sizes(sparse)
