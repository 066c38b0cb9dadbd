"""What a whole dub must leave alone, on nine kinds of files, by what its manifest says of them."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from av.stream import Disposition
from skimage import data

from avdub.jobs.record import Record
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo, probe
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import dub
from tests.make import make_tone
from tests.pipeline.test_plan import write_srt

CUE = (600, 1100, "Hello there.")
LENGTH_S = Fraction(8, 5)
FONT = bytes(range(256)) * 8
TEXTS = [(100, 500, b"Before"), (700, 1200, b"During")]
X264 = {"g": "10", "crf": "14", "x264-params": "scenecut=0"}


@dataclass(frozen=True)
class Kind:
    """A file to dub; `steps` are the lengths of its frames in s, over and over."""

    name: str
    suffix: str = ".mp4"
    steps: tuple[Fraction, ...] = (Fraction(1, 25),)
    rotation: int = 0
    sound: str = "aac"
    channels: int = 2
    is_rich: bool = False  # with a second sound, subtitles, chapters and attachments

    @property
    def times(self) -> list[Fraction]:
        found, time, n = [], Fraction(0), 0
        while time < LENGTH_S:
            found.append(time)
            time += self.steps[n % len(self.steps)]
            n += 1
        return found


KINDS = [
    Kind("23.976", steps=(Fraction(1001, 24_000),)),
    Kind("25"),
    Kind("29.97", ".mkv", steps=(Fraction(1001, 30_000),)),
    Kind("59.94", steps=(Fraction(1001, 60_000),)),
    Kind("variable", steps=(Fraction(33, 1000), Fraction(47, 1000), Fraction(25, 1000))),
    Kind("rotated", rotation=90),
    Kind("5.1", ".mkv", sound="ac3", channels=6),
    Kind("attachments", ".mkv", is_rich=True),
    Kind("mov", ".mov", sound="pcm_s16le", is_rich=True),
]


def make(path: Path, kind: Kind) -> Path:
    """A gently moving face, as stored turned where the file says so."""
    portrait = cv2.GaussianBlur(data.astronaut()[:256, 60:380].copy(), (0, 0), 0.8)
    whole = kind.steps in ((Fraction(1001, 24_000),), (Fraction(1001, 60_000),))
    tick = kind.steps[0] if whole else Fraction(1, 1000)
    with av.open(str(path), "w") as container:
        rate = (1 / kind.steps[0]).limit_denominator(1001)
        stream = container.add_stream("libx264", rate=rate, options=X264)
        stream.width, stream.height = (256, 320) if kind.rotation else (320, 256)
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = stream.time_base = tick
        if kind.rotation:
            stream.set_display_rotation(-kind.rotation)
        tracks = [_add_sound(container, kind, n) for n in range(1 + kind.is_rich)]
        texts = _add_rich(container) if kind.is_rich else None
        container.start_encoding()
        for packet in _texts(path) if texts is not None else ():
            packet.stream = texts
            container.mux(packet)
        for n, time in enumerate(kind.times):
            shift = np.float32([[1, 0, 4 * np.sin(n / 6)], [0, 1, 2 * np.cos(n / 9)]])
            image = cv2.warpAffine(portrait, shift, (320, 256), borderMode=cv2.BORDER_REFLECT)
            stored = np.ascontiguousarray(np.rot90(image, kind.rotation // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame.pts, frame.time_base = round(time / tick), tick
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for track in tracks:
            _encode_sound(container, track, kind.channels)
    return path


def _add_sound(container: Any, kind: Kind, number: int) -> Any:
    layout = {2: "stereo", 6: "5.1"}[kind.channels]
    track = container.add_stream(kind.sound, rate=48_000, layout=layout)
    track.metadata["language"] = ("jpn", "deu")[number]
    if number:
        track.disposition = Disposition.comment
    return track


def _encode_sound(container: Any, track: Any, channels: int) -> None:
    samples = make_tone(float(LENGTH_S), 48_000, channels).samples.reshape(1, -1)
    sound = av.AudioFrame.from_ndarray(samples, "flt", track.codec_context.layout.name)
    sound.sample_rate, sound.pts = 48_000, 0
    container.mux(track.encode(sound))
    container.mux(track.encode(None))


def _add_rich(container: Any) -> Any:
    is_mkv = container.format.name == "matroska"
    container.metadata["title"] = "A talk"
    chapter: dict[str, Any] = {"id": 1, "start": 0, "end": 900, "time_base": Fraction(1, 1000)}
    container.set_chapters([{**chapter, "metadata": {"title": "First"}}])
    texts = container.add_mux_stream("subrip" if is_mkv else "mov_text")
    texts.metadata["language"] = "spa"
    texts.time_base = Fraction(1, 1000)
    if is_mkv:
        container.add_attachment("font.ttf", "application/x-truetype-font", FONT)
    return texts


def _texts(path: Path) -> Iterator[Any]:
    for start, end, text in TEXTS:
        body = text if path.suffix == ".mkv" else len(text).to_bytes(2, "big") + text
        packet: Any = av.Packet(body)
        packet.pts = packet.dts = start
        packet.duration, packet.time_base = end - start, Fraction(1, 1000)
        yield packet


@dataclass(frozen=True)
class Dubbed:
    """A file, its dub and what the manifest tells of the picture."""

    kind: Kind
    before: Path
    after: Path
    picture: dict[str, Any]

    @property
    def infos(self) -> tuple[MediaInfo, MediaInfo]:
        return probe(self.before), probe(self.after)


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind.name)
def dubbed(
    request: pytest.FixtureRequest, weights: Path, tmp_path_factory: pytest.TempPathFactory
) -> Dubbed:
    kind: Kind = request.param
    folder = tmp_path_factory.mktemp("faithful")
    video, output = make(folder / f"in{kind.suffix}", kind), folder / f"out{kind.suffix}"
    srt, options = write_srt(folder / "s.srt", CUE), DubOptions(model=str(weights))
    record = Record.begin(video, srt, output, options)
    report = dub(video, srt, output, options)
    assert [(each.status, each.reason) for each in report.segments] == [("dubbed", "")]
    record.keep(report)
    manifest = json.loads(output.with_name(f"{output.name}.avdub.json").read_text())
    return Dubbed(kind, video, output, manifest["picture"])


def packets(path: Path, stream: int) -> list[tuple[Fraction, bytes]]:
    """Times and bytes; texts in MP4 without those that fill the time between."""
    with av.open(str(path)) as container:
        found = container.demux(container.streams[stream])
        return [((p.pts or 0) * p.time_base, bytes(p)) for p in found if p.size > 2]


def test_every_frame_is_there_at_its_time(dubbed: Dubbed) -> None:
    before, after = dubbed.infos
    assert len(before.frame_times) == len(dubbed.kind.times) == dubbed.picture["frames"]
    assert list(after.frame_times) == list(before.frame_times)
    assert after.start == before.start
    assert (after.rate, after.time_base) == (before.rate, before.time_base)
    for wanted, found in zip(dubbed.kind.times, after.frame_times, strict=True):
        assert abs(wanted - found) <= Fraction(1, 2000)


def test_the_picture_and_the_file_are_as_long(dubbed: Dubbed) -> None:
    before, after = dubbed.infos
    assert abs(after.end - before.end) <= before.time_base
    with av.open(str(dubbed.before)) as old, av.open(str(dubbed.after)) as new:
        assert abs(new.duration - old.duration) <= 25_000  # microseconds; a packet of sound


def test_sound_starts_and_ends_with_the_picture(dubbed: Dubbed) -> None:
    before, after = dubbed.infos
    assert before.audio is not None
    assert after.audio is not None
    assert abs(after.audio.start) <= Fraction(1, 200)
    old, new = read_audio(dubbed.before, before), read_audio(dubbed.after, after)
    assert old is not None
    assert new is not None
    assert new.samples.shape == old.samples.shape
    until = slice(8192, round(0.55 * 48_000))  # what codecs make of a sudden start is theirs
    assert np.abs(new.samples[until] - old.samples[until]).max() < 0.05


def test_codec_rate_and_layout_of_the_sound_are_kept(dubbed: Dubbed) -> None:
    before, after = (info.audio for info in dubbed.infos)
    assert before is not None
    assert after is not None
    assert after.channels == dubbed.kind.channels
    assert (after.codec, after.rate, after.layout) == (before.codec, before.rate, before.layout)


def test_the_dub_is_the_default_track_before_the_original(dubbed: Dubbed) -> None:
    with av.open(str(dubbed.before)) as old, av.open(str(dubbed.after)) as new:
        dub, original = new.streams.audio[:2]
        assert (dub.metadata["language"], original.metadata["language"]) == ("eng", "jpn")
        assert bool(dub.disposition & Disposition.default)
        assert not any(bool(s.disposition & Disposition.default) for s in new.streams.audio[1:])
        numbers = old.streams.audio[0].index, original.index
    assert packets(dubbed.after, numbers[1]) == packets(dubbed.before, numbers[0])


def test_all_other_streams_are_carried(dubbed: Dubbed) -> None:
    assert dubbed.picture["left"] == []
    with av.open(str(dubbed.before)) as old, av.open(str(dubbed.after)) as new:
        own, left = [s.type for s in old.streams], [s.type for s in new.streams]
        assert left == ["video", "audio", *own[1:]]
        pairs = [(s.index, s.index + 1) for s in old.streams if s.index and s.type != "attachment"]
        fonts = [s.data for s in new.streams if s.type == "attachment"]
        assert fonts == [s.data for s in old.streams if s.type == "attachment"]
        chapters = [
            [(c["start"], c["metadata"]["title"]) for c in f.chapters()] for f in (old, new)
        ]
        assert chapters[0] == chapters[1]
        assert new.metadata.get("title") == old.metadata.get("title")
    assert dubbed.picture["carried"] == len([each for each in own if each != "data"]) - 1
    for before, after in pairs:
        assert packets(dubbed.after, after) == packets(dubbed.before, before)


def test_what_the_file_had_is_really_there(dubbed: Dubbed) -> None:
    kind = dubbed.kind
    rich = ["audio", "subtitle", "attachment" if kind.suffix == ".mkv" else "data"]
    with av.open(str(dubbed.after)) as new:
        kinds = [s.type for s in new.streams]
        assert kinds == ["video", "audio", "audio", *(rich if kind.is_rich else [])]
        titles = [c["metadata"]["title"] for c in new.chapters()]
    assert titles == (["First"] if kind.is_rich else [])


def test_rotation_is_kept(dubbed: Dubbed) -> None:
    before, after = dubbed.infos
    assert after.rotation == before.rotation == dubbed.kind.rotation
    assert (after.width, after.height) == (before.width, before.height) == (320, 256)


def test_untouched_packets_are_the_sources_as_the_manifest_says(dubbed: Dubbed) -> None:
    assert dubbed.picture["whole"] == ""
    before, after = packets(dubbed.before, 0), packets(dubbed.after, 0)
    pairs = zip(before, after, strict=True)
    same = [new for (_, old), (_, new) in pairs if old == new]
    assert dubbed.picture["copied"] == len(same)
    assert dubbed.picture["sha256"] == hashlib.sha256(b"".join(same)).hexdigest()
    touched = dubbed.picture["encoded"] + dubbed.picture["changed"]
    assert touched + len(same) == dubbed.picture["frames"]
    assert 0 < touched < 0.75 * dubbed.picture["frames"]
