"""What a file that is encoded as a whole keeps beside its picture."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from numpy.typing import NDArray

from avdub.errors import MediaError
from avdub.media import beside, carry
from avdub.media.audio import iter_audio
from avdub.media.captions import Caption, Captions
from avdub.media.probe import probe
from avdub.media.sound_track import Tracks
from avdub.media.splice import write_dub
from avdub.media.spliced import Spliced
from tests.make import make_tone, numbered_picture

FONT = b"letters" * 30
LINES = [(100, 500, b"One"), (700, 1200, b"Two")]
ADD = Tracks("add", "es")
CAPTIONS = Captions((Caption(300, 900, "Hola"),))


def make(
    path: Path, video: str, sound: str, texts: str = "", start: Fraction = Fraction(0)
) -> Path:
    """Two seconds with two sounds, subtitles where asked for, and in Matroska a font."""
    with av.open(str(path), "w") as container:
        options = {"cpu-used": "8"} if video == "libvpx-vp9" else {}
        stream = container.add_stream(video, rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = stream.time_base = Fraction(1, 25)
        tracks = [container.add_stream(sound, rate=48_000, layout="stereo") for _ in range(2)]
        for track, language in zip(tracks, ("jpn", "deu"), strict=True):
            track.metadata["language"] = language
        subtitles: Any = container.add_mux_stream(texts) if texts else None
        if texts:
            subtitles.time_base = Fraction(1, 1000)
            subtitles.metadata["language"] = "fra"
        if path.suffix == ".mkv":
            container.add_attachment("font.ttf", "application/x-truetype-font", FONT)
        container.start_encoding()
        for begin, end, text in LINES if texts else ():
            body = len(text).to_bytes(2, "big") + text if texts == "mov_text" else text
            packet: Any = av.Packet(body)
            packet.pts = packet.dts = begin + round(start * 1000)
            packet.duration, packet.time_base = end - begin, Fraction(1, 1000)
            packet.stream = subtitles
            container.mux(packet)
        for n in range(50):
            frame = av.VideoFrame.from_ndarray(numbered_picture(n, (96, 64)), format="rgb24")
            frame.pts, frame.time_base = n + round(start * 25), Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for track in tracks:
            tone = make_tone(2.0, 48_000, 2).samples.reshape(1, -1)
            frames = av.AudioFrame.from_ndarray(tone, "flt", "stereo")
            frames.sample_rate, frames.pts = 48_000, 0
            container.mux(track.encode(frames))
            container.mux(track.encode(None))
    return path


def dub(path: Path, name: str, tracks: Tracks = ADD) -> tuple[Spliced, Path]:
    info, output = probe(path), path.with_name(name)
    result = write_dub(info, output, None, iter_audio(path, info), tracks=tracks)
    assert result.whole
    return result, output


def streams_of(path: Path) -> list[tuple[str, str]]:
    with av.open(str(path)) as container:
        return [(s.type, s.metadata.get("language", "")) for s in container.streams]


def packets_of(path: Path, number: int) -> list[tuple[Fraction, bytes]]:
    with av.open(str(path)) as container:
        found = container.demux(container.streams[number])
        return [((p.pts or 0) * p.time_base, bytes(p)) for p in found if p.size > 2]


KINDS = [
    ("in.webm", "libvpx-vp9", "libopus", "webvtt", "out.webm"),
    ("in.mkv", "libvpx-vp9", "aac", "subrip", "out.mkv"),
    ("in.mp4", "mpeg4", "aac", "mov_text", "out.mp4"),
    ("in.mov", "mpeg4", "pcm_s16le", "mov_text", "out.mov"),
]


@pytest.mark.parametrize(("name", "video", "sound", "texts", "output"), KINDS)
def test_sounds_and_subtitles_keep_every_packet_and_time(
    name: str, video: str, sound: str, texts: str, output: str, tmp_path: Path
) -> None:
    path = make(tmp_path / name, video, sound, texts)
    result, dubbed = dub(path, output)
    attached = [("attachment", "")] if path.suffix == ".mkv" else []
    assert (result.left, result.carried) == ((), 3 + len(attached))
    own = [each for each in streams_of(path)[1:] if each[0] != "attachment"]
    assert streams_of(dubbed)[1:] == [("audio", "spa"), *own, *attached]
    for number in (1, 2, 3):
        assert packets_of(dubbed, number + 1) == packets_of(path, number)


def test_the_dub_is_what_players_choose(tmp_path: Path) -> None:
    path = make(tmp_path / "in.mkv", "libvpx-vp9", "aac", "subrip")
    _, output = dub(path, "out.mkv", Tracks("add", "es", CAPTIONS))
    with av.open(str(output)) as container:
        chosen = [
            (s.type, s.metadata.get("title", ""))
            for s in container.streams
            if s.disposition & Disposition.default
        ]
        assert chosen == [("audio", "Dub"), ("subtitle", "Dub")]
        assert container.streams.audio[1].disposition & Disposition.original


@pytest.mark.parametrize(("policy", "languages"), [("replace", ["spa", "deu"]), ("only", ["spa"])])
def test_the_original_sounds_may_be_left_out(
    policy: Any, languages: list[str], tmp_path: Path
) -> None:
    path = make(tmp_path / "in.mkv", "libvpx-vp9", "aac")
    _, output = dub(path, "out.mkv", Tracks(policy, "es"))
    found = [language for kind, language in streams_of(output) if kind == "audio"]
    assert found == languages


def test_without_new_sound_all_sounds_stay(tmp_path: Path) -> None:
    path = make(tmp_path / "in.mkv", "libvpx-vp9", "aac")
    write_dub(probe(path), tmp_path / "out.mkv", None, None)
    assert streams_of(tmp_path / "out.mkv") == streams_of(path)


@pytest.mark.parametrize("name", ["in.mkv", "in.webm"])
def test_the_new_sound_has_the_codec_of_a_file_of_the_same_kind(name: str, tmp_path: Path) -> None:
    path = make(tmp_path / name, "libvpx-vp9", "libopus")
    _, output = dub(path, f"out{path.suffix}")
    audio = probe(output).audio
    assert audio is not None
    assert (audio.codec, audio.rate, audio.layout) == ("opus", 48_000, "stereo")


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_streams_of_a_transport_stream_move_to_where_the_picture_starts(
    suffix: str, tmp_path: Path
) -> None:
    path = make(tmp_path / "in.ts", "libx264", "aac")
    assert probe(path).start > 0
    result, output = dub(path, f"out{suffix}")
    assert (result.carried, result.left) == (2, ())
    info = probe(output)
    assert info.start == 0
    for number in (0, 1):
        assert abs(late_ms(path, output, number)) <= 1


def late_ms(before: Path, after: Path, number: int) -> float:
    """By how much a track is later than the first one was, if by no more than half a wave."""
    old, new = heard(before, 0)[20_000:60_000], heard(after, number)
    errors = [np.abs(new[20_000 + k : 60_000 + k] - old).mean() for k in range(-100, 101)]
    assert min(errors) < 0.05
    return float(np.argmin(errors) - 100) / 48


def heard(path: Path, number: int) -> NDArray[np.float32]:
    """Samples of a sound track's first channel, counted from the first frame's time."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=number))
    late = (frames[0].pts or 0) * frames[0].time_base - probe(path).start
    whole = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    silence = np.zeros(max(0, round(late * 48_000)), np.float32)
    return np.concatenate([silence, whole[max(0, -round(late * 48_000)) :]])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_what_lies_before_a_picture_that_starts_late_stays_behind(
    suffix: str, tmp_path: Path
) -> None:
    texts = "subrip" if suffix == ".mkv" else "mov_text"
    late = Fraction(8, 25)
    path = make(tmp_path / f"in{suffix}", "mpeg4", "aac", texts, late)
    result, output = dub(path, f"out{suffix}")
    assert result.left == ()
    assert probe(output).start == 0
    assert [time for time, _ in packets_of(output, 4)] == [Fraction(1, 10), Fraction(7, 10)]
    with av.open(str(output)) as container:
        first = next(container.decode(audio=1))
        assert 0 <= first.pts * first.time_base < Fraction(1, 20)


def test_another_kind_of_file_gets_what_it_can_hold_and_the_rest_is_named(tmp_path: Path) -> None:
    path = make(tmp_path / "in.mkv", "libx264", "ac3", "subrip")
    result, output = dub(path, "out.mp4")
    assert result.left == ("subtitle stream 3 (srt)", "attachment stream 4 (font.ttf)")
    kinds = [("audio", "spa"), ("audio", "jpn"), ("audio", "deu")]
    assert streams_of(output)[1:] == kinds


def test_sound_of_mp4_keeps_its_time_in_matroska(tmp_path: Path) -> None:
    path = make(tmp_path / "in.mp4", "mpeg4", "aac")
    _, output = dub(path, "out.mkv")
    info = probe(output)
    assert (info.start, info.frame_times) == (0, probe(path).frame_times)
    assert abs(late_ms(path, output, 1)) <= 1


def test_a_broken_packet_costs_itself_and_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Damaging(carry.Carrier):
        n = 0

        def mux(self, packet: Any) -> None:
            self.n += 1
            if self.n == 40:
                packet.dts = packet.pts = 0  # time does not go back
            super().mux(packet)

    monkeypatch.setattr(beside, "Carrier", Damaging)
    path = make(tmp_path / "in.mkv", "libvpx-vp9", "aac")
    result, output = dub(path, "out.mkv")
    assert len(result.left) == 1
    assert result.left[0].startswith("1 broken packets of audio stream ")
    assert len(probe(output).frame_times) == 50


def test_a_packet_lost_on_the_way_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing(carry.Carrier):
        n = 0

        def mux(self, packet: Any) -> None:
            self.n += 1
            if self.n == 40:
                self.kept[packet.stream.index].tally.add(packet)
                return
            super().mux(packet)

    monkeypatch.setattr(beside, "Carrier", Losing)
    path = make(tmp_path / "in.mkv", "libvpx-vp9", "aac")
    with pytest.raises(MediaError, match="packets instead of"):
        dub(path, "out.mkv")
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]
