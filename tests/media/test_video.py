import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from avdub.errors import InputError, MediaError
from avdub.media.audio import Waveform, iter_audio, read_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.video import FrameReader, FrameWriter, default_suffix, read_frames
from avdub.timeline import Span
from tests.make import make_clip, make_tone, number_of, numbered_picture

SIZE = (64, 48)


@pytest.fixture
def info(tmp_path: Path) -> MediaInfo:
    (tmp_path / "source").mkdir()
    return probe(make_clip(tmp_path / "source" / "a.mp4", audio=make_tone(0.4), n_frames=10))


def fill(writer: FrameWriter, info: MediaInfo) -> None:
    for n, time in enumerate(info.frame_times):
        writer.write(numbered_picture(n, SIZE), time)


def fail_midway(path: Path, info: MediaInfo, error: type[BaseException]) -> None:
    with FrameWriter(path, info) as writer:
        fill(writer, info)
        raise error


def files(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.is_file()]


def test_damaged_frames_repeat_the_one_before_and_are_counted(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4", n_frames=60, size=(160, 120), options={"g": "20"})
    with av.open(str(path)) as clip:
        packet = list(clip.demux(video=0))[25]
        start, size = packet.pos, packet.size
    data = bytearray(path.read_bytes())
    data[start + 4 : start + size] = bytes(255 - x for x in data[start + 4 : start + size])
    path.write_bytes(data)
    info = probe(path)
    assert len(info.frame_times) == 60
    with FrameReader(info) as reader:
        frames = list(reader)
    assert len(frames) == 60
    assert 0 < reader.n_repeated < 20
    assert [number_of(f.image) for f in frames[:15] + frames[-15:]] == [*range(15), *range(45, 60)]


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        (".mp4", {"g": "50", "bf": "8", "x264-params": "open-gop=1"}),
        (".mkv", {"g": "50", "bf": "8", "x264-params": "open-gop=1"}),
        (".mp4", {"g": "250"}),
        (".ts", {"g": "30"}),
    ],
    ids=["open-gop-mp4", "open-gop-mkv", "one-keyframe", "transport"],
)
def test_random_access_gives_the_right_pictures(
    suffix: str, options: dict[str, str], tmp_path: Path
) -> None:
    info = probe(make_clip(tmp_path / f"a{suffix}", n_frames=250, options=options))
    wanted = [0, 3, 99, 100, 101, 173, 249]
    images = read_frames(info, wanted)
    assert [number_of(images[n]) for n in wanted] == wanted
    with FrameReader(info, Span(148, 153)) as reader:
        assert [number_of(f.image) for f in reader] == [148, 149, 150, 151, 152]
        assert reader.n_repeated == 0


def test_nothing_is_read_for_an_empty_wish(info: MediaInfo) -> None:
    assert read_frames(info, []) == {}
    with FrameReader(info, Span(3, 3)) as reader:
        assert list(reader) == []


def test_a_reader_can_be_read_twice(info: MediaInfo) -> None:
    with FrameReader(info) as reader:
        assert len(list(reader)) == len(list(reader)) == 10


def test_an_error_inside_the_with_leaves_no_file(info: MediaInfo, tmp_path: Path) -> None:
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error):
            fail_midway(tmp_path / "out.mp4", info, error)
        assert files(tmp_path) == []


def test_an_error_of_the_sound_leaves_no_file(info: MediaInfo, tmp_path: Path) -> None:
    def broken() -> Iterator[Waveform]:
        yield make_tone(0.1)
        raise RuntimeError("no more sound")

    with (
        pytest.raises(RuntimeError, match="no more sound"),
        FrameWriter(tmp_path / "out.mp4", info, broken()) as writer,
    ):
        fill(writer, info)
    assert files(tmp_path) == []


def test_an_older_output_survives_a_failed_write(info: MediaInfo, tmp_path: Path) -> None:
    (tmp_path / "out.mp4").write_text("precious")
    with pytest.raises(RuntimeError):
        fail_midway(tmp_path / "out.mp4", info, RuntimeError)
    assert (tmp_path / "out.mp4").read_text() == "precious"


@contextmanager
def largest_file(n_bytes: int) -> Iterator[None]:
    """The system refuses to write beyond `n_bytes`, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_full_disk_is_an_error_with_a_hint_and_no_file(
    suffix: str, info: MediaInfo, tmp_path: Path
) -> None:
    with largest_file(20_000), pytest.raises(MediaError) as caught:
        write_noise(tmp_path / f"out{suffix}", info)
    assert "free some space" in caught.value.hint
    assert files(tmp_path) == []


def write_noise(path: Path, info: MediaInfo) -> None:
    rng = np.random.default_rng(0)
    with FrameWriter(path, info, crf=1) as writer:
        for time in info.frame_times:
            writer.write(rng.integers(0, 256, (48, 64, 3), np.uint8), time)


def test_a_missing_folder_is_an_error(info: MediaInfo, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="cannot be written"):
        FrameWriter(tmp_path / "none" / "out.mp4", info).__enter__()


def test_unknown_suffixes_are_refused_with_the_known_ones(info: MediaInfo, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write \.gif files") as caught:
        FrameWriter(tmp_path / "out.gif", info)
    assert ".mp4, .m4v, .mov, .mkv, .webm" in caught.value.hint


def test_inputs_that_cannot_be_written_default_to_mp4(tmp_path: Path) -> None:
    gif = make_clip(tmp_path / "a.gif", codec="gif", pixel_format="rgb8", rate=Fraction(10))
    mkv = make_clip(tmp_path / "a.MKV")
    assert default_suffix(probe(gif)) == ".mp4"
    assert default_suffix(probe(mkv)) == ".mkv"


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov", ".mkv", ".MP4"])
def test_every_container_keeps_pictures_and_sound(
    suffix: str, info: MediaInfo, tmp_path: Path
) -> None:
    path = tmp_path / f"out{suffix}"
    with FrameWriter(path, info, iter_audio(info.path, info)) as writer:
        fill(writer, info)
    out = probe(path)
    assert [round(t * 25) for t in out.frame_times] == list(range(10))
    with FrameReader(out) as reader:
        assert [number_of(f.image) for f in reader] == list(range(10))
    before, after = read_audio(info.path, info), read_audio(path, out)
    assert before is not None
    assert after is not None
    n_common = min(len(before), len(after))
    pair = np.corrcoef(before.samples[:n_common, 0], after.samples[:n_common, 0])
    assert pair[0, 1] > 0.99


def test_webm_is_written_with_its_own_codecs(info: MediaInfo, tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "out.webm", info, iter_audio(info.path, info)) as writer:
        fill(writer, info)
    out = probe(tmp_path / "out.webm")
    assert out.codec.endswith("vp9")
    assert out.audio is not None
    assert out.audio.codec.endswith("opus")
    assert len(out.frame_times) == 10


@pytest.mark.parametrize("rate", [96_000, 11_025, 37_800])
def test_unusual_sound_rates_are_written(rate: int, info: MediaInfo, tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "out.mp4", info, iter([make_tone(0.4, rate)])) as writer:
        fill(writer, info)
    out = probe(tmp_path / "out.mp4")
    w = read_audio(out.path, out)
    assert w is not None
    assert w.seconds == pytest.approx(0.4, abs=0.001)
    crossings = np.count_nonzero(np.diff(np.signbit(w.samples[len(w) // 4 : -len(w) // 4, 0])))
    assert crossings == pytest.approx(2 * 220 * 0.2, abs=3)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8])
def test_up_to_eight_channels_are_written(channels: int, info: MediaInfo, tmp_path: Path) -> None:
    sound = iter([make_tone(0.4, 48_000, channels)])
    with FrameWriter(tmp_path / "out.mp4", info, sound) as writer:
        fill(writer, info)
    audio = probe(tmp_path / "out.mp4").audio
    assert audio is not None
    assert audio.channels == channels


def test_names_that_look_like_addresses_are_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_clip(tmp_path / "talk: one.mp4")
    monkeypatch.chdir(tmp_path)
    info = probe(Path("talk: one.mp4"))
    Path("talk: two").mkdir()
    with FrameWriter(Path("talk: two/out.mp4"), info) as writer:
        fill(writer, info)
    assert len(probe(Path("talk: two/out.mp4")).frame_times) == 10


def test_titles_and_chapters_are_carried_over(info: MediaInfo, tmp_path: Path) -> None:
    source = tmp_path / "source" / "titled.mp4"
    make_clip(source, n_frames=10, metadata={"title": "A walk"})
    chapters = [
        {
            "id": 1,
            "start": 0,
            "end": 200,
            "time_base": Fraction(1, 1000),
            "metadata": {"title": "x"},
        }
    ]
    chaptered = tmp_path / "source" / "chaptered.mkv"
    with av.open(str(source)) as clip, av.open(str(chaptered), "w") as copy:
        copy.metadata.update(clip.metadata)
        copy.set_chapters(chapters)
        stream = copy.add_stream_from_template(clip.streams.video[0])
        for packet in clip.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                copy.mux(packet)
    with FrameWriter(tmp_path / "out.mp4", probe(chaptered)) as writer:
        fill(writer, info)
    with av.open(str(tmp_path / "out.mp4")) as out:
        assert out.metadata["title"] == "A walk"
        assert [c["metadata"]["title"] for c in out.chapters()] == ["x"]


@pytest.mark.parametrize("n_frames", [1, 2, 3, 4, 7, 30])
def test_the_last_frame_shown_is_the_last_one_decoded(n_frames: int, tmp_path: Path) -> None:
    """Else MP4, whose lengths are in decoding order, cannot tell how long it is shown."""
    info = probe(make_clip(tmp_path / "a.mp4", n_frames=n_frames))
    with FrameWriter(tmp_path / "out.mp4", info) as writer:
        fill(writer, info)
    with av.open(str(tmp_path / "out.mp4")) as made:
        shown = [packet.pts for packet in made.demux(video=0) if packet.size]
    assert shown[-1] == max(shown)
    assert probe(tmp_path / "out.mp4").end == info.end


def test_frames_that_do_not_rise_in_time_are_refused(info: MediaInfo, tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "out.mp4", info) as writer:
        writer.write(numbered_picture(0, SIZE), Fraction(1, 25))
        with pytest.raises(AssertionError, match="rise in time"):
            writer.write(numbered_picture(1, SIZE), Fraction(1, 25))


def test_sound_is_pulled_as_pictures_are_written(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "a.mp4", n_frames=150))
    pulled = 0

    def sound() -> Iterator[Waveform]:
        nonlocal pulled
        for _ in range(6):
            pulled += 1
            yield make_tone(1.0)

    with FrameWriter(tmp_path / "out.mp4", info, sound()) as writer:
        for n, time in enumerate(info.frame_times):
            writer.write(numbered_picture(n, SIZE), time)
            assert pulled <= time + 3
    assert pulled == 6
