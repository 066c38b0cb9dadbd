"""What the smart splice promises, seen by a decoder: nothing but touched groups differs."""

import gc
import re
import resource
import signal
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from avdub.errors import MediaError
from avdub.media import splicer, splicing, stretches
from avdub.media.audio import iter_audio
from avdub.media.nal import escaped, joined, units
from avdub.media.probe import probe
from avdub.media.retouch import Repaint
from avdub.media.scan import scan
from avdub.media.splice import write_dub
from avdub.media.spliced import Spliced
from avdub.media.video import Frame, FrameReader, Image
from avdub.timeline import Span
from tests.make import make_clip, make_tone

QUIET = "log-level=none"
H264 = {"options": {"g": "20", "x264-params": "scenecut=0"}}
OPEN_H264 = {"options": {"g": "20", "x264-params": "scenecut=0:open-gop=1"}}
HEVC = {"codec": "libx265", "options": {"g": "20", "x265-params": f"{QUIET}:scenecut=0"}}
CLOSED_HEVC = {
    "codec": "libx265",
    "options": {"g": "20", "x265-params": f"{QUIET}:scenecut=0:open-gop=0"},
}
TEN_BITS = {"pixel_format": "yuv420p10le"}
UNEVEN = tuple(Fraction(40 * n + 7 * (n % 3) + 90 * (n // 25), 1000) for n in range(100))
SIZE = (96, 64)
BOX = (slice(40, 56), slice(20, 52))


def paint(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
    """A red box at the lower left."""
    for frame in frames:
        image = frame.image.copy()
        image[BOX] = (200, 40, 40)
        yield frame.time, image


def decoded(path: Path) -> list[tuple[Fraction, NDArray[Any]]]:
    """All frames with their times; no decoder may complain, however softly."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"  # its complaints come from this thread then
        stream.codec_context.thread_count = 1
        av.logging.set_level(av.logging.WARNING)
        try:
            with av.logging.Capture() as complaints:
                frames = [(f.pts * f.time_base, f.to_ndarray()) for f in container.decode(stream)]
        finally:
            av.logging.set_level(None)
    assert not complaints
    return frames


def spliced(path: Path, span: Span, **more: Any) -> tuple[Spliced, Path]:
    info, output = probe(path), path.with_name("out" + path.suffix)
    sound = iter_audio(path, info) if info.audio else None
    return write_dub(info, output, Repaint((span,), paint), sound, **more), output


def differing(before: Path, after: Path) -> set[int]:
    """Frames that do not decode to the same bits; times must be equal."""
    old, new = decoded(before), decoded(after)
    assert [time for time, _ in old] == [time for time, _ in new]
    pairs = enumerate(zip(old, new, strict=True))
    return {n for n, ((_, a), (_, b)) in pairs if not np.array_equal(a, b)}


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize(
    "kind",
    [H264, HEVC, CLOSED_HEVC],
    ids=["h264", "hevc-open", "hevc-closed"],
)
def test_only_touched_groups_of_pictures_change(
    kind: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    path = make_clip(tmp_path / f"in{suffix}", n_frames=100, size=SIZE, **kind)
    result, output = spliced(path, Span(45, 52))
    assert not result.whole
    changed = differing(path, output)
    assert set(range(45, 52)) <= changed
    assert changed <= set(range(36, 60))  # with pictures that are shown before their entry
    assert result.copied >= 75
    assert result.copied + result.changed + result.encoded == result.frames == 100


def test_copied_packets_are_the_sources_own_bytes(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=100, size=SIZE, **H264)
    result, output = spliced(path, Span(45, 52))
    with av.open(str(path)) as old, av.open(str(output)) as new:
        before = [bytes(p) for p in old.demux(video=0) if p.size]
        after = [bytes(p) for p in new.demux(video=0) if p.size]
    same = [a == b for a, b in zip(before, after, strict=True)]
    assert result.copied == sum(same)
    assert same[:40] + same[60:] == [True] * 80
    assert not any(same[45:60])


def test_the_new_picture_is_there_and_the_rest_of_the_frame_is_close(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, **H264)
    _, output = spliced(path, Span(25, 30))
    info = probe(path)
    with FrameReader(info, Span(25, 30)) as reader:
        wanted = [image for _, image in paint(reader)]
    with FrameReader(probe(output), Span(25, 30)) as reader:
        found = [frame.image for frame in reader]
    error = np.abs(np.subtract(wanted, found, dtype=np.int32))
    assert error.mean() < 2


@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_ten_bits_stay_ten_bits(kind: dict[str, Any], tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", n_frames=60, size=SIZE, **kind, **TEN_BITS)
    _, output = spliced(path, Span(25, 30))
    with av.open(str(output)) as container:
        frames = list(container.decode(video=0))
    assert {frame.format.name for frame in frames} == {"yuv420p10le"}
    assert differing(path, output) <= set(range(17, 40))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_a_variable_rate_keeps_every_time(
    kind: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    path = make_clip(tmp_path / f"in{suffix}", times=UNEVEN, size=SIZE, **kind)
    result, output = spliced(path, Span(30, 50))
    assert not result.whole
    assert probe(output).frame_times == probe(path).frame_times
    assert probe(output).end == probe(path).end
    assert differing(path, output) <= set(range(17, 60))


@pytest.mark.parametrize(
    "rate",
    [Fraction(24_000, 1001), Fraction(25), Fraction(30_000, 1001), Fraction(60_000, 1001)],
    ids=str,
)
@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_rates_stay_exact(kind: dict[str, Any], rate: Fraction, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", rate=rate, n_frames=60, size=SIZE, **kind)
    result, output = spliced(path, Span(0, 5))
    assert not result.whole
    assert (probe(output).rate, probe(output).end) == (rate, 60 / rate)
    assert differing(path, output) <= set(range(20))


@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_the_last_group_may_be_touched(kind: dict[str, Any], tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=50, size=SIZE, **kind)
    result, output = spliced(path, Span(48, 50))
    assert differing(path, output) <= set(range(36, 50))
    assert result.changed == 0
    assert probe(output).end == 2


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_kept_and_painted_upright(rotation: int, tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, rotation=rotation, **H264)
    _, output = spliced(path, Span(25, 30))
    assert probe(output).rotation == rotation
    with FrameReader(probe(output), Span(27, 28)) as reader:
        image = next(iter(reader)).image
    box = image[BOX][4:-4, 4:-4]
    assert np.abs(box.mean((0, 1)) - (200, 40, 40)).max() < 12
    assert differing(path, output) <= set(range(20, 40))


def test_colour_tags_and_profile_are_the_sources(tmp_path: Path) -> None:
    tags = {"colorspace": 6, "color_primaries": 6, "color_trc": 6, "color_range": 1}
    kind = {"options": {**H264["options"], "profile": "main"}}
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, tags=tags, **kind)
    _, output = spliced(path, Span(25, 30))
    with av.open(str(output)) as container:
        frames = list(container.decode(video=0))
        assert container.streams.video[0].profile == "Main"
    found = {(f.colorspace, f.color_primaries, f.color_trc, f.color_range) for f in frames}
    assert found == {(6, 6, 6, 1)}


@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_a_group_is_copied_up_to_its_first_touched_frame(
    kind: dict[str, Any], tmp_path: Path
) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, **kind)
    result, output = spliced(path, Span(34, 36))
    assert min(differing(path, output)) >= 28
    assert result.encoded <= 12


def test_open_groups_of_h264_are_made_anew_with_their_neighbours(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, **OPEN_H264)
    result, output = spliced(path, Span(25, 30))
    assert not result.whole
    assert differing(path, output) >= set(range(25, 60))
    assert 30 <= result.encoded <= 40


def test_several_spans_are_several_stretches(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=200, size=SIZE, **HEVC)
    info = probe(path)
    spans = (Span(150, 153), Span(25, 30), Span(28, 33), Span(90, 95))
    result = write_dub(info, tmp_path / "out.mp4", Repaint(spans, paint), None)
    assert result.stretches == 3
    changed = differing(path, tmp_path / "out.mp4")
    assert changed <= {*range(16, 40), *range(76, 100), *range(136, 160)}


def test_nothing_is_decoded_where_nothing_is_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, audio=make_tone(2.4), **H264)
    info = probe(path)
    monkeypatch.setattr(stretches, "FrameReader", None)
    result = write_dub(info, tmp_path / "out.mp4", None, iter_audio(path, info))
    assert (result.copied, result.encoded) == (60, 0)
    monkeypatch.undo()
    assert differing(path, tmp_path / "out.mp4") == set()


@pytest.mark.parametrize(
    ("name", "make", "output", "words"),
    [
        ("in.webm", {"codec": "libvpx-vp9"}, "out.webm", "codec is vp9"),
        ("in.mkv", {}, "out.mp4", "another kind"),
        ("in.ts", {}, "out.mp4", "another kind"),
        ("in.avi", {"codec": "mpeg4"}, "out.mp4", "codec is mpeg4|no times"),
        ("in.mp4", {"options": {"x264-params": "interlaced=1"}}, "out.mp4", "interlaced"),
    ],
)
def test_what_cannot_be_spliced_is_written_whole_and_says_why(
    name: str, make: dict[str, Any], output: str, words: str, tmp_path: Path
) -> None:
    info = probe(make_clip(tmp_path / name, n_frames=20, size=SIZE, **make))
    result = write_dub(info, tmp_path / output, Repaint((Span(3, 9),), paint), None)
    assert re.search(words, result.whole)
    assert (result.encoded, result.copied) == (20, 0)
    assert probe(tmp_path / output).frame_times == info.frame_times


def test_memory_of_a_splice_holds_no_more_than_a_few_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=100, size=SIZE, options={"g": "100"})
    info, waiting, most = probe(path), 0, 0

    def count(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        nonlocal waiting, most
        for frame in frames:
            waiting += 1
            most = max(most, waiting)
            yield frame.time, frame.image
            waiting -= 1

    write_dub(info, tmp_path / "out.mp4", Repaint((Span(0, 100),), count), None)
    assert most == 1


@pytest.mark.parametrize(
    ("what", "words"),
    [("hash", "not the source's"), ("time", "late"), ("number", "frames where")],
)
def test_a_broken_promise_is_an_error_and_leaves_no_file(
    what: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, **H264)
    info = probe(path)

    class Spoiled(splicer.Splicer):
        def packets(self, packet: Any) -> Iterator[Any]:
            n = self._n
            for each in super().packets(packet):
                if n == 50 and what == "number":
                    continue
                if n == 50 and what == "time":
                    each.pts += 1
                if n == 50 and what == "hash":
                    data = bytearray(bytes(each))
                    data[-1] ^= 1
                    new: Any = av.Packet(bytes(data))
                    new.pts, new.dts, new.duration = each.pts, each.dts, each.duration
                    new.time_base, new.is_keyframe = each.time_base, each.is_keyframe
                    each = new
                yield each

    monkeypatch.setattr(splicing, "Splicer", Spoiled)
    with pytest.raises(MediaError, match=words):
        write_dub(info, tmp_path / "out.mp4", Repaint((Span(5, 9),), paint), None)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


def test_times_of_matroska_are_decoding_times_too(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", n_frames=60, size=SIZE, **H264)
    table = scan(probe(path), path).table
    assert len(table) == 60
    assert (np.diff(table.dts) > 0).all()
    assert (table.dts <= table.pts).all()


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(
    "kind",
    [{}, {"codec": "libx265", "options": {"x265-params": QUIET}}],
    ids=["h264", "hevc"],
)
def test_a_minute_with_one_cue_of_three_seconds_is_mostly_copied(
    kind: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    path = make_clip(tmp_path / f"in{suffix}", n_frames=1500, size=(320, 180), **kind)
    result, output = spliced(path, Span(800, 875))
    assert result.share_copied >= 0.85
    changed = differing(path, output)
    assert set(range(800, 875)) <= changed
    assert len(changed) <= 1500 - result.copied - result.changed


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({"video_track_timescale": "600"}, Fraction(30)),
        ({"movflags": "frag_keyframe+empty_moov"}, Fraction(25)),
        ({"movflags": "negative_cts_offsets"}, Fraction(25)),
        ({"use_editlist": "0"}, Fraction(25)),
    ],
    ids=["quicktime-ticks", "fragments", "negative-offsets", "no-edit-list"],
)
@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_other_ways_of_writing_mp4_are_spliced_too(
    kind: dict[str, Any], options: dict[str, str], rate: Fraction, tmp_path: Path
) -> None:
    path = make_clip(
        tmp_path / "in.mp4", n_frames=60, rate=rate, size=SIZE, container_options=options, **kind
    )
    result, output = spliced(path, Span(25, 30))
    assert not result.whole
    assert differing(path, output) <= set(range(20, 40))
    assert probe(output).end == probe(path).end


@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("extra", ["bf=0", "refs=1:bframes=1", "bframes=8:b-adapt=0"])
def test_any_depth_of_b_frames_is_spliced(extra: str, kind: dict[str, Any], tmp_path: Path) -> None:
    extra = extra.replace("bf=0", "bframes=0")
    name = "x265-params" if "codec" in kind else "x264-params"
    own = {**kind["options"], name: f"{kind['options'][name]}:{extra}"}
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, **{**kind, "options": own})
    result, output = spliced(path, Span(25, 30))
    assert not result.whole
    assert differing(path, output) <= set(range(12, 40))


@pytest.mark.parametrize("tag", ["hvc1", "hev1"])
def test_the_tag_of_hevc_tracks_is_kept_where_players_need_it(tag: str, tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", n_frames=60, size=SIZE, **HEVC)
    path = tmp_path / "in.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        new = target.add_stream_from_template(source.streams.video[0], opaque=True)
        new.codec_context.codec_tag = tag
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = new
                target.mux(packet)
    _, output = spliced(path, Span(25, 30))
    with av.open(str(output)) as container:
        assert container.streams.video[0].codec_context.codec_tag == tag


def test_a_full_disk_is_an_error_and_leaves_no_file(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=250, size=(320, 240), options={"g": "20"})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(MediaError, match="cannot be written"):
            spliced(path, Span(25, 200))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("kind", [H264, HEVC], ids=["h264", "hevc"])
def test_what_was_spliced_can_be_spliced_again(
    kind: dict[str, Any], suffix: str, tmp_path: Path
) -> None:
    path = make_clip(tmp_path / f"in{suffix}", n_frames=100, size=SIZE, **kind)
    _, first = spliced(path, Span(25, 30))
    again = first.rename(tmp_path / f"again{suffix}")
    for span, allowed in ((Span(46, 49), range(36, 60)), (Span(27, 50), range(20, 60))):
        result, second = spliced(again, span)
        assert not result.whole
        assert differing(again, second) <= set(allowed)
    assert differing(path, second) <= set(range(17, 60))


@given(spans=st.lists(st.tuples(st.integers(0, 79), st.integers(1, 12)), max_size=4))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.parametrize("kind", [H264, HEVC, OPEN_H264], ids=["h264", "hevc", "h264-open"])
def test_wherever_frames_are_touched_the_rest_decodes_to_the_same_bits(
    kind: dict[str, Any], spans: list[tuple[int, int]], tmp_path: Path
) -> None:
    path = tmp_path / "in.mp4"
    if not path.exists():
        make_clip(path, n_frames=80, size=SIZE, **kind)
    touched = tuple(Span(start, min(80, start + n)) for start, n in spans)
    result = write_dub(probe(path), tmp_path / "out.mp4", Repaint(touched, paint), None)
    changed = differing(path, tmp_path / "out.mp4")
    assert {n for span in touched for n in span.range()} <= changed
    assert len(changed) <= result.encoded


def captioned(path: Path, output: Path, header: bytes) -> Path:
    """The clip with closed captions in every picture: an SEI unit with `header` before it."""
    with av.open(str(path)) as source, av.open(str(output), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0], opaque=True)
        for n, old in enumerate(p for p in source.demux(video=0) if p.size):
            text = bytes([0xB5, 0, 0x31, *b"GA94", 3, 0x41, 0xFF, 0xFC, 0x94, 0x20 + n % 64, 0xFF])
            unit = escaped(header + bytes([4, len(text)]) + text + b"\x80")
            new: Any = av.Packet(joined([unit, *units(bytes(old))]))
            new.pts, new.dts, new.duration = old.pts, old.dts, old.duration
            new.time_base, new.is_keyframe, new.stream = old.time_base, old.is_keyframe, stream
            target.mux(new)
    return output


@pytest.mark.parametrize(
    ("kind", "header"), [(H264, b"\x06"), (HEVC, b"\x4e\x01")], ids=["h264", "hevc"]
)
def test_closed_captions_inside_the_picture_are_kept(
    kind: dict[str, Any], header: bytes, tmp_path: Path
) -> None:
    plain = make_clip(tmp_path / "plain.mp4", n_frames=60, size=SIZE, **kind)
    path = captioned(plain, tmp_path / "in.mp4", header)
    _, output = spliced(path, Span(25, 30))
    found = []
    for each in (path, output):
        with av.open(str(each)) as container:
            data = [frame.side_data.get("A53_CC") for frame in container.decode(video=0)]
        found.append([None if one is None else bytes(one) for one in data])
    assert None not in found[0]
    assert found[0] == found[1]


def test_no_frame_outlives_its_use(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=60, size=SIZE, **H264)
    info = probe(path)
    gc.collect()
    gc.disable()
    try:
        write_dub(info, tmp_path / "out.mp4", Repaint((Span(25, 30),), paint), None)
        left = [each for each in gc.get_objects() if type(each) is av.VideoFrame]
    finally:
        gc.enable()
    assert len(left) <= 1  # the last packet's, until the next
