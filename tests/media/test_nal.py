from pathlib import Path

import av
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.media import h264, hevc
from avdub.media.h264 import Avcc
from avdub.media.hevc import Hvcc, Numbers, renumbered_sets, renumbered_slices
from avdub.media.nal import (
    Bits,
    BrokenStream,
    Entry,
    annexb_units,
    escaped,
    golomb_bits,
    joined,
    unescaped,
    units,
)
from tests.make import make_clip

HEVC = {"codec": "libx265", "options": {"g": "5", "x265-params": "log-level=none"}}


def extradata(path: Path) -> bytes:
    with av.open(str(path)) as container:
        return container.streams.video[0].codec_context.extradata or b""


def packets(path: Path) -> list[tuple[bytes, bool]]:
    with av.open(str(path)) as container:
        return [(bytes(p), p.is_keyframe) for p in container.demux(video=0) if p.size]


@given(st.binary(max_size=40))
def test_escaping_is_undone_and_leaves_no_start_code(data: bytes) -> None:
    text = escaped(data)
    assert unescaped(text) == data
    assert b"\x00\x00\x01" not in text
    assert b"\x00\x00\x00" not in text


@given(st.lists(st.sampled_from([0, 0, 0, 1, 2, 3, 4]), max_size=12).map(bytes))
def test_escaping_holds_where_zeros_abound(data: bytes) -> None:
    text = escaped(data)
    assert unescaped(text) == data
    assert b"\x00\x00\x00" not in text


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=5))
def test_units_with_lengths_are_read_back(parts: list[bytes]) -> None:
    assert list(units(joined(parts))) == parts


@given(st.integers(0, 70_000))
def test_exp_golomb_numbers_are_read_back(value: int) -> None:
    text = golomb_bits(value) + "1" * 7
    data = int(text[: len(text) // 8 * 8], 2).to_bytes(len(text) // 8, "big")
    assert Bits(data).golomb() == value


def test_start_codes_of_either_length_part_units() -> None:
    assert list(annexb_units(b"\0\0\0\1\x67ab\0\0\1\x68c")) == [b"\x67ab", b"\x68c"]


@pytest.mark.parametrize("data", [b"\0\0\0\x09abc", b"\0\0\0\0", b"\0\0\1"])
def test_lengths_that_cannot_be_are_refused(data: bytes) -> None:
    with pytest.raises(BrokenStream):
        list(units(data))


@given(st.binary(max_size=60))
def test_records_of_noise_are_refused_or_read(data: bytes) -> None:
    for read in (Avcc.read, Hvcc.read):
        for record in (data, b"\x01" + data):
            try:
                read(record)
            except BrokenStream:
                continue


@pytest.mark.parametrize(
    ("profile", "pixels"), [("baseline", "yuv420p"), ("main", "yuv420p"), ("high", "yuv420p")]
)
def test_profile_of_an_avcc_record_is_named(profile: str, pixels: str, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", pixel_format=pixels, options={"profile": profile})
    record = Avcc.read(extradata(path))
    assert record.profile == profile
    assert record.is_progressive


@pytest.mark.parametrize("pixels", ["yuv444p", "yuv420p10le", "yuv422p10le"])
def test_interlaced_video_is_told_from_progressive(pixels: str, tmp_path: Path) -> None:
    for interlaced in (0, 1):
        options = {"x264-params": f"interlaced={interlaced}"}
        path = make_clip(tmp_path / f"{interlaced}.mp4", pixel_format=pixels, options=options)
        assert Avcc.read(extradata(path)).is_progressive == (not interlaced)


def test_sets_of_another_encoder_are_added_to_a_record(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    other = make_clip(tmp_path / "b.mp4", options={"x264-params": "sps-id=1"})
    record, more = (Avcc.read(extradata(p)) for p in (path, other))
    assert record.free_number() == 1
    merged = Avcc.read(record.with_sets(more.units))
    assert merged.sps == record.sps + more.sps
    assert merged.pps == record.pps + more.pps
    assert merged.tail == record.tail
    assert merged.free_number() == 2


def test_renumbered_hevc_decodes_to_the_same_pictures(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", n_frames=20, **HEVC)
    numbers = Numbers(3, 5, 20)
    sets = tuple(renumbered_sets(Hvcc.read(extradata(path)).units, numbers))
    start = b"\0\0\0\1"
    frames = []
    for is_new in (False, True):
        decoder = av.CodecContext.create("hevc", "r")
        stream = b"".join(start + u for u in (sets if is_new else Hvcc.read(extradata(path)).units))
        found = []
        for data, _ in packets(path):
            parts = units(data)
            for unit in renumbered_slices(parts, numbers) if is_new else parts:
                stream += start + unit
            found += decoder.decode(av.Packet(stream))
            stream = b""
        frames.append([bytes(f.to_ndarray()) for f in [*found, *decoder.decode(None)]])
    assert len(frames[0]) == 20
    assert frames[0] == frames[1]


def test_free_numbers_of_hevc_are_not_the_sources(tmp_path: Path) -> None:
    record = Hvcc.read(extradata(make_clip(tmp_path / "a.mp4", **HEVC)))
    numbers = record.free_numbers()
    assert numbers == Numbers(1, 1, 15)
    merged = Hvcc.read(record.with_sets(renumbered_sets(record.units, numbers)))
    assert len(merged.units) == len(record.units) + 3
    assert merged.free_numbers() == Numbers(2, 2, 16)


def test_entries_of_h264_are_its_idr_pictures(tmp_path: Path) -> None:
    options = {"g": "5", "x264-params": "open-gop=1:scenecut=0:bframes=2"}
    path = make_clip(tmp_path / "a.mp4", n_frames=20, options=options)
    found = [h264.entry_of(data, is_key) for data, is_key in packets(path)]
    assert found == [Entry.CLEAN, *[Entry.NONE] * 19]
    assert sum(is_key for _, is_key in packets(path)) > 1


def test_entries_of_hevc_are_clean_or_open(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", n_frames=20, **HEVC)
    keys = [hevc.entry_of(data, True) for data, is_key in packets(path) if is_key]
    assert keys[0] == Entry.CLEAN
    assert set(keys[1:]) == {Entry.OPEN}
