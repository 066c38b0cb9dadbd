"""One contract for every kind of video: what probe promises, readers deliver and writers keep."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avdub.media.audio import iter_audio
from avdub.media.probe import probe
from avdub.media.splice import write_dub
from avdub.media.video import FrameReader, FrameWriter, default_suffix, read_frames
from avdub.timeline import Span, boundary
from tests.make import make_clip, make_tone, number_of

NTSC_FILM = Fraction(24_000, 1001)
NTSC = Fraction(30_000, 1001)
UNEVEN = tuple(Fraction(n, 1000) for n in (0, 40, 50, 170, 175, 300, 333, 420, 500, 680))
SIDES = {"audio": make_tone(0.5, 48_000, 6), "layout": "5.1(side)"}


@dataclass(frozen=True)
class Clip:
    """How a clip is made and what must be read from it."""

    name: str
    rate: Fraction = Fraction(25)
    size: tuple[int, int] = (64, 48)  # as displayed
    n_frames: int = 12
    times: tuple[Fraction, ...] = ()
    samples: tuple[int, int] | None = None  # (rate, channels)
    make: dict[str, Any] = field(default_factory=dict)
    suffix: str = ".mp4"

    def build(self, folder: Path) -> Path:
        kind: dict[str, Any] = {"rate": self.rate, "size": self.size, "n_frames": self.n_frames}
        return make_clip(folder / f"{self.name}{self.suffix}", **(kind | self.make))

    @property
    def expected_times(self) -> tuple[Fraction, ...]:
        return self.times or tuple(n / self.rate for n in range(self.n_frames))


CLIPS = [
    Clip("constant"),
    Clip("film", rate=NTSC_FILM),
    Clip("ntsc", rate=NTSC),
    Clip("fifty", rate=Fraction(50)),
    Clip("sixty", rate=Fraction(60)),
    Clip("odd_rate", rate=Fraction(179, 6)),
    Clip("variable", n_frames=10, times=UNEVEN, make={"times": UNEVEN}),
    Clip("rotated", size=(48, 64), make={"rotation": 90, "size": (64, 48)}),
    Clip("odd_size", size=(161, 121), make={"pixel_format": "yuv444p"}),
    Clip("no_b_frames", make={"options": {"bf": "0"}}),
    Clip("many_b_frames", n_frames=30, make={"options": {"bf": "8", "g": "12"}}),
    Clip("stereo", samples=(44_100, 2), make={"audio": make_tone(0.5, 44_100, 2)}),
    Clip("surround", samples=(48_000, 6), make={"audio": make_tone(0.5, 48_000, 6)}),
    Clip(
        "late_sound",
        samples=(16_000, 1),
        make={"audio": make_tone(0.3), "audio_start": Fraction(1, 5)},
    ),
    Clip("webm", suffix=".webm", make={"codec": "libvpx-vp9", "options": {"cpu-used": "8"}}),
    Clip("gif", rate=Fraction(10), suffix=".gif", make={"codec": "gif", "pixel_format": "rgb8"}),
    Clip("mpeg1", suffix=".mpg", make={"codec": "mpeg1video", "options": {"b": "2M"}}),
    Clip("surround_at_the_sides", samples=(48_000, 6), make=SIDES),
    Clip("no_times_at_all", suffix=".h264"),
    Clip("hevc", make={"codec": "libx265", "options": {"x265-params": "log-level=0"}}),
    Clip("motion_jpeg", suffix=".mov", make={"codec": "mjpeg", "pixel_format": "yuvj420p"}),
    Clip("lossless_rgb", suffix=".mkv", make={"codec": "ffv1", "pixel_format": "bgr0"}),
    Clip("avi", suffix=".avi", make={"codec": "mpeg4", "options": {"bf": "2", "b": "2M"}}),
    Clip("transport", suffix=".ts"),
]


@pytest.fixture(params=CLIPS, ids=lambda clip: clip.name)
def clip(request: pytest.FixtureRequest) -> Clip:
    return request.param


@pytest.fixture
def path(clip: Clip, tmp_path: Path) -> Path:
    return clip.build(tmp_path)


def expected_time(clip: Clip, n: int) -> Fraction:
    """Matroska keeps whole milliseconds."""
    time = clip.expected_times[n]
    return Fraction(boundary(time, 1000), 1000) if clip.suffix in (".webm", ".mkv") else time


class TestEveryClip:
    def test_frame_times_are_exact(self, clip: Clip, path: Path) -> None:
        times = probe(path).frame_times
        assert list(times) == [expected_time(clip, n) for n in range(len(clip.expected_times))]

    def test_size_rate_and_sound_are_as_made(self, clip: Clip, path: Path) -> None:
        info = probe(path)
        assert (info.width, info.height) == clip.size
        if not clip.times and clip.suffix != ".webm":
            assert info.rate == clip.rate
        assert (info.audio and (info.audio.rate, info.audio.channels)) == clip.samples

    def test_the_last_frame_has_a_length(self, clip: Clip, path: Path) -> None:
        info = probe(path)
        assert info.end > info.frame_times[-1]
        if not clip.times:
            assert abs(info.end - clip.n_frames / clip.rate) <= Fraction(1, 500)

    def test_every_frame_is_read_once_with_its_time(self, clip: Clip, path: Path) -> None:
        info = probe(path)
        with FrameReader(info) as reader:
            frames = list(reader)
        assert [f.index for f in frames] == list(range(len(info.frame_times)))
        assert tuple(f.time for f in frames) == info.frame_times
        assert {f.image.shape for f in frames} == {(info.height, info.width, 3)}
        assert reader.n_repeated == 0
        if "rotation" not in clip.make:
            assert [number_of(f.image) for f in frames] == list(range(len(frames)))

    def test_a_range_reads_the_same_pictures_as_the_whole(self, clip: Clip, path: Path) -> None:
        info = probe(path)
        with FrameReader(info) as reader:
            whole = [f.image for f in reader]
        with FrameReader(info, Span(4, 9)) as reader:
            part = [f.image for f in reader]
        assert np.array_equal(part, whole[4:9])
        picked = read_frames(info, [7, 2, 7])
        assert sorted(picked) == [2, 7]
        assert np.array_equal(picked[7], whole[7])

    def test_sound_has_exactly_the_length_of_the_pictures(self, clip: Clip, path: Path) -> None:
        info = probe(path)
        blocks = list(iter_audio(path, info, block_s=1))
        if info.audio is None:
            assert blocks == []
        else:
            assert sum(map(len, blocks)) == boundary(info.end, info.audio.rate)
            assert {(w.rate, w.channels) for w in blocks} == {clip.samples}

    def test_a_dub_keeps_times_size_and_sound(self, clip: Clip, path: Path) -> None:
        info = probe(path)
        output = path.with_name("dub" + default_suffix(info))
        sound = iter_audio(path, info) if info.audio else None
        written = write_dub(info, output, None, sound)
        dub = probe(output)
        assert written.frames == len(dub.frame_times)
        assert dub.frame_times == info.frame_times
        assert (dub.width, dub.height) == (info.width, info.height)
        assert abs(dub.end - info.end) <= Fraction(1, 500)
        if info.audio is None or dub.audio is None:
            assert dub.audio == info.audio
        else:
            assert dub.audio.channels == info.audio.channels
            assert dub.audio.rate == info.audio.rate
            assert sum(map(len, iter_audio(output, dub))) == boundary(dub.end, dub.audio.rate)


@pytest.mark.parametrize("rate", [NTSC_FILM, NTSC, Fraction(60_000, 1001)], ids=str)
def test_exact_rates_survive_a_round_trip(rate: Fraction, tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "in.mp4", rate=rate, n_frames=200, size=(16, 16)))
    with FrameReader(info) as reader, FrameWriter(tmp_path / "out.mp4", info) as writer:
        for frame in reader:
            writer.write(frame.image, frame.time)
    out = probe(tmp_path / "out.mp4")
    assert out.rate == rate
    assert out.frame_times == tuple(n / rate for n in range(200))
    assert out.end == 200 / rate


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_truncated_file_gives_the_frames_before_the_cut(suffix: str, tmp_path: Path) -> None:
    index_first = {"movflags": "+faststart"} if suffix == ".mp4" else {}
    path = make_clip(
        tmp_path / f"whole{suffix}",
        n_frames=50,
        options={"g": "10"},
        container_options=index_first,
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    info = probe(path)
    assert 15 < len(info.frame_times) < 50
    with FrameReader(info) as reader:
        numbers = [number_of(f.image) for f in reader]
    assert len(numbers) == len(info.frame_times)
    assert numbers[:15] == list(range(15))
