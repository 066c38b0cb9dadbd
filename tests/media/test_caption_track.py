"""Captions as a track: what a player finds in each kind of file."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from av.stream import Disposition

from avdub.errors import MediaError
from avdub.media import caption_track, splicing
from avdub.media.audio import iter_audio
from avdub.media.captions import Caption, Captions, read_captions
from avdub.media.probe import probe
from avdub.media.sound_track import Tracks
from avdub.media.splice import write_dub
from tests.make import make_clip, make_tone
from tests.media.test_captions import ASS
from tests.media.test_carry import make_rich, packets_of

CAPTIONS = Captions(
    (Caption(200, 900, "- <i>Hola</i>, niño.\n- R&D."), Caption(800, 1500, "Adiós.")),
)


def clip(path: Path, **more: Any) -> Path:
    return make_clip(path, n_frames=50, audio=make_tone(2.0, 48_000), **more)


def dub(path: Path, captions: Captions = CAPTIONS, name: str = "out") -> Path:
    info, output = probe(path), path.with_name(name + path.suffix)
    write_dub(info, output, None, iter_audio(path, info), tracks=Tracks("add", "es", captions))
    return output


def texts(path: Path, number: int = -1) -> list[tuple[int, int, bytes]]:
    """(start_ms, end_ms, bytes) of a subtitle track; those that only fill time are left out."""
    with av.open(str(path)) as container:
        stream = container.streams.subtitles[number]
        found = [
            (p.pts * p.time_base * 1000, p.duration * p.time_base * 1000, bytes(p))
            for p in container.demux(stream)
            if p.size > 2
        ]
    return [(round(start), round(start + length), data) for start, length, data in found]


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov"])
def test_mp4_gets_timed_text_without_marks_one_at_a_time(suffix: str, tmp_path: Path) -> None:
    found = texts(dub(clip(tmp_path / f"in{suffix}")))
    assert [(start, end, data[2:].decode()) for start, end, data in found] == [
        (200, 800, "- Hola, niño.\n- R&D."),
        (800, 900, "- Hola, niño.\n- R&D.\nAdiós."),
        (900, 1500, "Adiós."),
    ]
    assert all(int.from_bytes(data[:2], "big") == len(data) - 2 for _, _, data in found)


def test_matroska_gets_subrip_with_its_italics(tmp_path: Path) -> None:
    assert texts(dub(clip(tmp_path / "in.mkv"))) == [
        (200, 900, "- <i>Hola</i>, niño.\n- R&D.".encode()),
        (800, 1500, "Adiós.".encode()),
    ]


def test_webm_gets_webvtt(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.webm", codec="libvpx-vp9", options={"cpu-used": "8"})
    assert texts(dub(path)) == [
        (200, 900, "- Hola, niño.\n- R&amp;D.".encode()),
        (800, 1500, "Adiós.".encode()),
    ]


@pytest.mark.parametrize(
    ("suffix", "codec"), [(".mp4", "mov_text"), (".mov", "mov_text"), (".mkv", "srt")]
)
def test_the_track_has_a_language_and_is_what_players_choose(
    suffix: str, codec: str, tmp_path: Path
) -> None:
    with av.open(str(dub(clip(tmp_path / f"in{suffix}")))) as container:
        (stream,) = container.streams.subtitles
        assert stream.codec_context.name == codec
        assert stream.metadata["language"] == "spa"
        assert "Dub" in (stream.metadata.get("title"), stream.metadata.get("name"))
        assert stream.disposition & Disposition.default


@pytest.mark.parametrize("suffix", [".mp4", ".mov"])
def test_timed_text_has_the_description_that_players_want(suffix: str, tmp_path: Path) -> None:
    with av.open(str(dub(clip(tmp_path / f"in{suffix}")))) as container:
        extradata = container.streams.subtitles[0].codec_context.extradata
    assert extradata is not None
    assert b"ftab" in extradata


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_the_sources_own_subtitles_stay_but_are_not_chosen(suffix: str, tmp_path: Path) -> None:
    path = make_rich(tmp_path / f"in{suffix}")
    output = dub(path)
    before, after = packets_of(path), packets_of(output)
    new = {data for _, _, data in texts(output)}
    own = [each for each in after["subtitle spa"] if each[1] not in new]
    assert own == before["subtitle spa"]
    with av.open(str(output)) as container:
        defaults = [s.disposition & Disposition.default for s in container.streams.subtitles]
    assert [bool(each) for each in defaults] == [False, True]


def test_ass_stays_ass_in_matroska(tmp_path: Path) -> None:
    (tmp_path / "s.ass").write_text(ASS, encoding="utf-8")
    captions = read_captions(tmp_path / "s.ass")
    output = dub(clip(tmp_path / "in.mkv"), captions.until(Fraction(2)))
    assert [data.decode().split(",", 8)[-1] for _, _, data in texts(output)] == [
        *("Uno, dos", "{\\p1}m 0 0 l 100 0{\\p0}"),
    ]
    with av.open(str(output)) as container:
        context = container.streams.subtitles[0].codec_context
        assert b"Style: Default,Arial,20" in (context.extradata or b"")


def test_ass_becomes_plain_text_in_mp4(tmp_path: Path) -> None:
    (tmp_path / "s.ass").write_text(ASS, encoding="utf-8")
    output = dub(clip(tmp_path / "in.mp4"), read_captions(tmp_path / "s.ass").until(Fraction(2)))
    assert [(start, end, data[2:]) for start, end, data in texts(output)] == [
        (1000, 2000, b"Uno, dos")
    ]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_captions_count_from_a_picture_that_starts_late(suffix: str, tmp_path: Path) -> None:
    late = Fraction(3, 10)
    times = [late + Fraction(n, 25) for n in range(50)]
    path = clip(tmp_path / f"in{suffix}", times=times, audio_start=late)
    assert probe(path).start == late
    assert texts(dub(path))[0][0] == 500


def test_a_spliced_dub_stays_spliced(tmp_path: Path) -> None:
    path = clip(tmp_path / "in.mp4")
    info, output = probe(path), tmp_path / "out.mp4"
    result = write_dub(info, output, None, None, tracks=Tracks("add", "es", CAPTIONS))
    assert (result.copied, result.whole, result.carried) == (50, "", 1)


def test_a_caption_lost_on_the_way_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Losing(caption_track.CaptionTrack):
        def write(self, until: Fraction | None) -> None:
            if self._following is not None and self._following[0] >= 800:
                packet: Any = av.Packet(self._following[2])
                self._tally.add(packet)
                self._following = None
            super().write(Fraction(1, 2) if until is None else min(until, Fraction(1, 2)))

    monkeypatch.setattr(splicing, "CaptionTrack", Losing)
    path = clip(tmp_path / "in.mkv")
    with pytest.raises(MediaError, match=r"subtitles of the dub has 1 packets instead of 2"):
        dub(path)
    assert [p.name for p in tmp_path.iterdir()] == ["in.mkv"]
