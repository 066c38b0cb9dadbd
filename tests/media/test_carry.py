"""All that is not picture or new sound comes through a splice as it was."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition

from avdub.errors import MediaError
from avdub.media import splicing
from avdub.media.audio import iter_audio, read_audio
from avdub.media.probe import probe
from avdub.media.retouch import Repaint
from avdub.media.splice import write_dub
from avdub.media.spliced import Spliced
from avdub.media.video import Frame, Image
from avdub.timeline import Span
from tests.make import make_tone, numbered_picture

SIZE = (96, 64)
N_FRAMES = 50
CHAPTERS: list[Any] = [
    {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000), "metadata": {"title": t}}
    for n, (start, end, t) in enumerate([(0, 900, "First"), (900, 2000, "Second")])
]
FONT = bytes(range(256)) * 20
LINES = [(200, 600, b"One line"), (700, 900, b"Another"), (1500, 1900, b"The last")]


def picture_bytes(codec: str = "png") -> bytes:
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 32, 32, "rgb24"
    context.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(numbered_picture(3, (32, 32)), format="rgb24")
    packets = [*context.encode(frame), *context.encode(None)]
    return b"".join(bytes(packet) for packet in packets)


def make_rich(path: Path) -> Path:
    """Two seconds with two sounds, subtitles, chapters, tags; in Matroska a font and a cover."""
    is_mkv = path.suffix == ".mkv"
    with av.open(str(path), "w") as container:
        container.metadata.update({"title": "A talk", "comment": "kept"})
        container.set_chapters(CHAPTERS)
        stream = container.add_stream(
            "libx264", rate=25, options={"g": "10", "x264-params": "scenecut=0"}
        )
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.metadata["title"] = "Camera"
        tracks = [container.add_stream("aac", rate=48_000, layout="stereo") for _ in range(2)]
        tracks[1].metadata.update({"language": "deu", "title": "Kommentar"})
        tracks[1].disposition = Disposition.comment
        texts = container.add_mux_stream("subrip" if is_mkv else "mov_text")
        texts.metadata["language"] = "spa"
        texts.time_base = Fraction(1, 1000)
        if is_mkv:
            container.add_attachment("font.ttf", "application/x-truetype-font", FONT)
            container.add_attachment("cover.png", "image/png", picture_bytes())
        container.start_encoding()
        for start, end, text in LINES:
            body = text if is_mkv else len(text).to_bytes(2, "big") + text
            packet: Any = av.Packet(body)
            packet.pts = packet.dts = start
            packet.duration, packet.time_base = end - start, Fraction(1, 1000)
            packet.stream = texts
            container.mux(packet)
        for number in range(N_FRAMES):
            frame = av.VideoFrame.from_ndarray(numbered_picture(number, SIZE), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        for n, track in enumerate(tracks):
            tone = make_tone(2.0, 48_000, 2, hz=300.0 * (n + 1))
            sound = av.AudioFrame.from_ndarray(tone.samples.reshape(1, -1), "flt", "stereo")
            sound.sample_rate, sound.pts = 48_000, 0
            container.mux(track.encode(sound))
            container.mux(track.encode(None))
    return path


def paint(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
    for frame in frames:
        image = frame.image.copy()
        image[:20, :20] = 255 - image[:20, :20]
        yield frame.time, image


def packets_of(path: Path) -> dict[str, list[tuple[Fraction, bytes]]]:
    """Packets of all streams but picture and first sound, by type and language."""
    found: dict[str, list[tuple[Fraction, bytes]]] = {}
    with av.open(str(path)) as container:
        first = container.streams.audio[0].index
        for packet in container.demux():
            stream = packet.stream
            if packet.size == 0 or stream.index in (0, first):
                continue
            if stream.type == "subtitle" and packet.size <= 2:
                continue
            key = f"{stream.type} {stream.metadata.get('language', '')}"
            time = (packet.pts or 0) * packet.time_base
            found.setdefault(key, []).append((time, bytes(packet)))
    return found


def splice_rich(path: Path) -> tuple[Spliced, Path]:
    info, output = probe(path), path.with_name(f"out{path.suffix}")
    return write_dub(info, output, Repaint((Span(22, 26),), paint), iter_audio(path, info)), output


@pytest.fixture(params=[".mkv", ".mp4", ".mov"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return make_rich(tmp_path / f"in{request.param}")


def test_other_sounds_and_subtitles_keep_every_packet_and_time(path: Path) -> None:
    result, output = splice_rich(path)
    assert (result.whole, result.left) == ("", ())
    before, after = packets_of(path), packets_of(output)
    assert {key.split()[0] for key in before} >= {"audio", "subtitle"}
    assert after == before


def test_chapters_and_tags_are_kept(path: Path) -> None:
    _, output = splice_rich(path)
    with av.open(str(output)) as container:
        chapters = container.chapters()
        tags = {key.lower(): value for key, value in container.metadata.items()}
    assert (tags["title"], tags["comment"]) == ("A talk", "kept")
    found = [
        (c["start"] * c["time_base"], c["end"] * c["time_base"], c["metadata"]["title"])
        for c in chapters
        if c["time_base"]
    ]
    assert found == [(0, Fraction(9, 10), "First"), (Fraction(9, 10), 2, "Second")]


def test_streams_keep_their_order_language_and_disposition(path: Path) -> None:
    _, output = splice_rich(path)
    with av.open(str(path)) as old, av.open(str(output)) as new:
        assert [s.type for s in new.streams] == [s.type for s in old.streams]
        for a, b in zip(old.streams.audio[1:], new.streams.audio[1:], strict=True):
            assert b.metadata.get("language") == a.metadata.get("language")
            assert b.disposition == a.disposition
        assert new.streams.subtitles[0].metadata["language"] == "spa"


def test_attachments_and_covers_of_matroska_are_kept(tmp_path: Path) -> None:
    result, output = splice_rich(make_rich(tmp_path / "in.mkv"))
    assert result.left == ()
    with av.open(str(output)) as container:
        fonts = [s for s in container.streams if s.type == "attachment"]
        covers = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
        assert [(f.name, f.mimetype, f.data) for f in fonts] == [
            ("font.ttf", "application/x-truetype-font", FONT)
        ]
        assert [bytes(next(container.demux(s))) for s in covers] == [picture_bytes()]


def test_a_cover_picture_of_mp4_is_kept(tmp_path: Path) -> None:
    plain, path = make_rich(tmp_path / "plain.mp4"), tmp_path / "in.mp4"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        video, sound = source.streams.video[0], source.streams.audio[0]
        new = {s.index: target.add_stream_from_template(s, opaque=True) for s in (video, sound)}
        cover: Any = target.add_mux_stream("png", width=32, height=32)
        cover.disposition = Disposition.attached_pic
        cover.time_base = Fraction(1, 90_000)
        target.start_encoding()
        picture: Any = av.Packet(picture_bytes())
        picture.pts = picture.dts = 0
        picture.stream = cover
        target.mux(picture)
        for packet in source.demux(video, sound):
            if packet.size:
                packet.stream = new[packet.stream.index]
                target.mux(packet)
    result, output = splice_rich(path)
    assert (result.whole, result.left) == ("", ())
    with av.open(str(output)) as container:
        covers = [s for s in container.streams.video if s.disposition & Disposition.attached_pic]
        assert [bytes(next(container.demux(s))) for s in covers] == [picture_bytes()]


def test_the_new_sound_starts_with_the_first_frame_and_is_as_long(path: Path) -> None:
    _, output = splice_rich(path)
    info, dub = probe(path), probe(output)
    assert info.audio is not None
    assert dub.audio is not None
    assert dub.start == info.start
    assert abs(dub.audio.start) <= Fraction(1, 1000)
    before, after = read_audio(path, info), read_audio(output, dub)
    assert before is not None
    assert after is not None
    assert before.samples.shape == after.samples.shape
    middle = slice(20_000, 70_000)
    assert np.abs(before.samples[middle] - after.samples[middle]).max() < 0.05


def test_without_new_sound_all_sounds_stay(path: Path) -> None:
    output = path.with_name(f"out{path.suffix}")
    write_dub(probe(path), output, None, None)
    with av.open(str(path)) as old, av.open(str(output)) as new:
        for a, b in zip(old.streams.audio, new.streams.audio, strict=True):
            assert a.codec_context.name == b.codec_context.name
    assert packets_of(output) == packets_of(path)


def test_what_the_container_cannot_hold_is_named(tmp_path: Path) -> None:
    path = make_rich(tmp_path / "in.mkv")
    with av.open(str(path)) as source, av.open(str(tmp_path / "a.mp4"), "w") as target:
        carrier = splicing.Carrier(source, target, path)
        target.add_stream_from_template(source.streams.video[0], opaque=True)
        for stream in source.streams:
            if stream.type == "subtitle":
                carrier.add(stream)
    assert carrier.left == ["subtitle stream 3 (srt)"]


def test_a_packet_lost_on_the_way_is_an_error_and_leaves_no_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing(splicing.Carrier):
        n = 0

        def mux(self, packet: Any) -> None:
            self.n += 1
            if self.n == 30:
                self.kept[packet.stream.index].tally.add(packet)
                return
            super().mux(packet)

    monkeypatch.setattr(splicing, "Carrier", Losing)
    with pytest.raises(MediaError, match="packets instead of"):
        splice_rich(path)
    assert [p.name for p in path.parent.iterdir()] == [path.name]
