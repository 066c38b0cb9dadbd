"""Hours of video: what grows with them is tables of a few numbers a packet."""

import pickle
import subprocess
import sys
import tracemalloc
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import pytest

from avdub.media.frame_times import FrameTimes
from avdub.media.probe import probe
from avdub.media.retouch import Repaint
from avdub.media.splice import write_dub
from avdub.media.video import Frame, FrameReader, Image
from avdub.timeline import Span
from tests.make import make_clip, make_tone

CHILD = """
import re, sys
from pathlib import Path
from tests.media.test_long_video import dub_here_and_there
dub_here_and_there(Path(sys.argv[1]), Path(sys.argv[2]))
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def repeated(path: Path, output: Path, n_times: int) -> Path:
    """The packets of a short clip again and again, each time later."""
    with av.open(str(path)) as source, av.open(str(output), "w") as target:
        streams = {s.index: target.add_stream_from_template(s, opaque=True) for s in source.streams}
        packets = [(p.stream.index, bytes(p), p) for p in source.demux() if p.size]
        lengths = {n: sum(p.duration for m, _, p in packets if m == n) for n in streams}
        for turn in range(n_times):
            for n, data, old in packets:
                new: av.Packet[av.VideoStream] = av.Packet(data)
                assert old.pts is not None
                assert old.dts is not None
                new.pts, new.dts = old.pts + turn * lengths[n], old.dts + turn * lengths[n]
                new.duration, new.time_base = old.duration, old.time_base
                new.is_keyframe, new.stream = old.is_keyframe, streams[n]
                target.mux(new)
    return output


def darken(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
    for frame in frames:
        yield frame.time, frame.image // 2


def dub_here_and_there(path: Path, output: Path) -> None:
    """Repaint three frames every minute or so."""
    info = probe(path)
    spans = tuple(Span(n, n + 3) for n in range(40, len(info.frame_times) - 3, 1500))
    assert not write_dub(info, output, Repaint(spans, darken), None).whole


def test_what_is_kept_of_a_packet_is_a_few_numbers(tmp_path: Path) -> None:
    """The most that Python holds at once, in a splice and in reading all frames."""
    short = make_clip(tmp_path / "short.mp4", n_frames=500, options={"g": "20"})
    long = repeated(short, tmp_path / "long.mp4", 12)
    most = []
    dub_here_and_there(short, tmp_path / "out.mp4")  # or the first would pay for imports
    for path in (short, long):
        tracemalloc.start()
        dub_here_and_there(path, tmp_path / "out.mp4")
        most.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert (most[1] - most[0]) / 5500 < 120  # bytes a packet


def test_reading_all_frames_keeps_no_list_of_them(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mp4", n_frames=100)
    info = probe(repeated(path, tmp_path / "long.mp4", 60))
    tracemalloc.start()
    with FrameReader(info) as reader:
        n_frames = sum(1 for _ in reader.decoded(()))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_frames == 6000
    assert most < 6000 * 20  # bytes


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_an_hour_takes_little_more_memory_than_two_minutes(tmp_path: Path) -> None:
    minute = make_clip(
        tmp_path / "minute.mp4",
        n_frames=1500,
        size=(320, 180),
        audio=make_tone(60.0),
        options={"preset": "ultrafast", "g": "50", "bf": "2"},
    )
    most = []
    for n_minutes in (2, 60):
        path = repeated(minute, tmp_path / f"{n_minutes}.mp4", n_minutes)
        words = [sys.executable, "-c", CHILD, str(path), str(tmp_path / "out.mp4")]
        told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        most.append(int(told) / 1024)
    # some 60 MB are the tables of two open files and a written one in the codec library
    assert most[1] - most[0] < 85


class TestFrameTimes:
    def test_they_are_exact(self) -> None:
        times = FrameTimes([0, 1001, 2002], Fraction(1, 24_000))
        assert list(times) == [0, Fraction(1001, 24_000), Fraction(1001, 12_000)]
        assert (times[1], times[-1], len(times)) == (times[1:][0], times[2], 3)

    def test_they_equal_a_tuple_of_the_same_seconds_and_hash_like_it(self) -> None:
        times = FrameTimes([0, 2, 5], Fraction(1, 50))
        same = (Fraction(0), Fraction(1, 25), Fraction(1, 10))
        assert times == same
        assert same == times
        assert hash(times) == hash(same)
        assert times != same[:2]
        assert times != (*same[:2], Fraction(1, 9))

    def test_the_tick_does_not_matter_to_equality(self) -> None:
        fine = FrameTimes([0, 4, 10], Fraction(1, 100))
        assert fine == FrameTimes([0, 2, 5], Fraction(1, 50))
        assert fine != FrameTimes([0, 2, 6], Fraction(1, 50))

    def test_they_are_made_of_any_fractions(self) -> None:
        times = (Fraction(1, 3), Fraction(1, 2), Fraction(5))
        assert FrameTimes.of(times) == times
        assert FrameTimes.of(()) == ()

    def test_a_part_and_a_copy_are_like_the_whole(self) -> None:
        times = FrameTimes([0, 2, 5, 9], Fraction(1, 50))
        assert times[1:3] == (Fraction(1, 25), Fraction(1, 10))
        assert pickle.loads(pickle.dumps(times)) == times

    def test_they_cannot_be_changed(self) -> None:
        times = FrameTimes([0, 2], Fraction(1, 50))
        with pytest.raises(ValueError, match="read-only"):
            times.counted_in(Fraction(1, 50))[0] = 7

    def test_other_ticks_are_rounded(self) -> None:
        times = FrameTimes([0, 1, 2], Fraction(1, 30))
        assert times.counted_in(Fraction(1, 1000)).tolist() == [0, 33, 67]


def test_frames_are_counted_as_the_container_counts_them(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "in.mkv", n_frames=5, rate=Fraction(25))
    info = probe(path)
    assert (info.pts - info.pts[0]).tolist() == [0, 40, 80, 120, 160]
