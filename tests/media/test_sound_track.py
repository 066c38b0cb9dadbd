"""The new sound of a spliced file: its codec, place, language, and what becomes of the old."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from avdub.media.audio import iter_audio, read_audio
from avdub.media.probe import probe
from avdub.media.sound_track import Tracks, three_letters
from avdub.media.splice import write_dub
from tests.make import make_clip, make_tone


def make(path: Path, codec: str, channels: int = 2, rate: int = 48_000, **more: Any) -> Path:
    """Two seconds of picture with a sound in `codec`."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        track = container.add_stream(codec, rate=rate)
        track.codec_context.layout = {1: "mono", 2: "stereo", 6: "5.1"}[channels]
        for name, value in more.items():
            setattr(track.codec_context, name, value)
        track.metadata["language"] = "jpn"
        for n in range(50):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), n, np.uint8), format="rgb24")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        samples = make_tone(2.0, rate, channels).samples.reshape(1, -1)
        sound = av.AudioFrame.from_ndarray(samples, "flt", track.codec_context.layout.name)
        sound.sample_rate, sound.pts = rate, 0
        container.mux(track.encode(sound))
        container.mux(track.encode(None))
    return path


def dub(path: Path, tracks: Tracks) -> Path:
    info, output = probe(path), path.with_name(f"out{path.suffix}")
    result = write_dub(info, output, None, iter_audio(path, info), tracks=tracks)
    assert not result.whole
    return output


@pytest.mark.parametrize(
    ("suffix", "codec", "channels", "rate"),
    [
        (".mp4", "aac", 2, 44_100),
        (".mp4", "aac", 6, 48_000),
        (".mp4", "ac3", 6, 48_000),
        (".mp4", "alac", 2, 48_000),
        (".mp4", "libmp3lame", 2, 44_100),
        (".mov", "pcm_s16le", 2, 48_000),
        (".mov", "pcm_s24le", 1, 48_000),
        (".mkv", "libopus", 2, 48_000),
        (".mkv", "flac", 2, 44_100),
        (".mkv", "eac3", 6, 48_000),
        (".mkv", "pcm_s16le", 6, 48_000),
    ],
)
def test_codec_rate_and_layout_are_the_sources(
    suffix: str, codec: str, channels: int, rate: int, tmp_path: Path
) -> None:
    path = make(tmp_path / f"in{suffix}", codec, channels, rate)
    output = dub(path, Tracks())
    before, after = probe(path).audio, probe(output).audio
    assert before is not None
    assert after is not None
    assert (after.codec, after.rate, after.channels, after.layout) == (
        *(before.codec, before.rate, before.channels),
        before.layout,
    )
    assert abs(after.start) <= Fraction(1, 200)
    old, new = read_audio(path, probe(path)), read_audio(output, probe(output))
    assert old is not None
    assert new is not None
    middle = slice(rate // 2, rate)
    assert np.abs(old.samples[middle] - new.samples[middle]).max() < 0.1


@pytest.mark.parametrize(("suffix", "codec"), [(".mkv", "flac"), (".mov", "pcm_s24le")])
def test_lossless_sound_stays_bit_identical(suffix: str, codec: str, tmp_path: Path) -> None:
    path = make(tmp_path / f"in{suffix}", codec, format=av.AudioFormat("s32"))
    output = dub(path, Tracks())
    old, new = read_audio(path, probe(path)), read_audio(output, probe(output))
    assert old is not None
    assert new is not None
    assert np.array_equal(old.samples, new.samples)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_original_may_stay_as_the_second_track(suffix: str, tmp_path: Path) -> None:
    path = make(tmp_path / f"in{suffix}", "aac")
    output = dub(path, Tracks("add", "es-419"))
    with av.open(str(output)) as new, av.open(str(path)) as old:
        first, second = new.streams.audio
        assert [s.metadata["language"] for s in (first, second)] == ["spa", "jpn"]
        assert first.disposition & Disposition.default
        assert not second.disposition & Disposition.default
        copied = [bytes(p) for p in new.demux(second) if p.size]
        assert copied == [bytes(p) for p in old.demux(old.streams.audio[0]) if p.size]


def test_only_the_new_sound_may_stay(tmp_path: Path) -> None:
    output = dub(make(tmp_path / "in.mp4", "aac"), Tracks("only", "en"))
    with av.open(str(output)) as container:
        assert [s.metadata["language"] for s in container.streams.audio] == ["eng"]


def test_a_video_without_sound_gets_the_usual_codec(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "silent.mp4"))
    write_dub(info, tmp_path / "out.mp4", None, iter([make_tone(0.4, 48_000)]))
    audio = probe(tmp_path / "out.mp4").audio
    assert audio is not None
    assert (audio.codec, audio.rate) == ("aac", 48_000)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_starts_with_a_picture_that_starts_late(suffix: str, tmp_path: Path) -> None:
    late = Fraction(3, 10)
    path = make_clip(
        tmp_path / f"in{suffix}",
        times=[late + Fraction(n, 25) for n in range(50)],
        audio=make_tone(2.0, 48_000),
        audio_start=late,
        options={"g": "10"},
    )
    info = probe(path)
    assert info.start > 0
    output = dub(path, Tracks())
    out = probe(output)
    assert out.audio is not None
    assert (out.start, out.frame_times) == (info.start, info.frame_times)
    assert Fraction(-6, 100) <= out.audio.start <= Fraction(1, 200)
    sound = read_audio(output, out)
    assert sound is not None
    loud = np.flatnonzero(np.abs(sound.samples[:, 0]) > 0.1)
    assert loud[0] < 48_000 * 0.01  # the tone begins with the picture


def test_languages_are_written_as_containers_have_them() -> None:
    assert [three_letters(each) for each in ("en", "en-GB", "es-419", "ces")] == [
        *("eng", "eng", "spa", "ces"),
    ]
