from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from avdub.errors import InputError, MediaError
from avdub.media.audio import write_wav
from avdub.media.probe import probe
from avdub.media.video import FrameReader
from avdub.timeline import Timeline
from tests.make import make_clip, make_segment, make_tone, number_of


def shifted(source: Path, target: Path, seconds: Fraction) -> Path:
    """A copy of the packets of a clip with all times moved."""
    with av.open(str(source)) as clip, av.open(str(target), "w") as copy:
        streams = {s.index: copy.add_stream_from_template(s) for s in clip.streams}
        for packet in clip.demux():
            if packet.dts is None or packet.pts is None or packet.time_base is None:
                continue
            move = round(seconds / packet.time_base)
            packet.dts, packet.pts = packet.dts + move, packet.pts + move
            packet.stream = streams[packet.stream.index]
            copy.mux(packet)
    return target


def test_time_starts_at_the_first_frame_whatever_the_container_says(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", n_frames=10, audio=make_tone(0.4, 48_000))
    info = probe(shifted(clip, tmp_path / "late.mkv", Fraction(3)))
    assert info.start == 3
    assert info.frame_times[0] == 0
    assert info.end == Fraction(2, 5)
    assert info.audio is not None
    assert abs(info.audio.start) <= Fraction(3, 100)


def test_sound_that_starts_later_than_the_picture_says_so(tmp_path: Path) -> None:
    sound = make_tone(0.2, 48_000)
    audio = probe(make_clip(tmp_path / "a.mp4", audio=sound, audio_start=Fraction(1, 5))).audio
    assert audio is not None
    priming_s = 1024 / 48_000
    assert audio.start == pytest.approx(0.2 - priming_s, abs=0.001)


def test_frames_cut_off_by_an_edit_list_are_not_counted(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "a.mp4", n_frames=20, options={"bf": "0", "g": "20"})
    path = shifted(source, tmp_path / "cut.mp4", Fraction(-8, 25))
    info = probe(path)
    assert len(info.frame_times) == 12
    with FrameReader(info) as reader:
        assert [number_of(f.image) for f in reader] == list(range(8, 20))
    assert reader.n_repeated == 0


def test_rotation_is_clockwise_to_upright(tmp_path: Path) -> None:
    for rotation in (90, 180, 270):
        info = probe(make_clip(tmp_path / f"{rotation}.mp4", n_frames=3, rotation=rotation))
        assert info.rotation == rotation
        with FrameReader(info) as reader:
            upright = [f.image for f in reader]
        stored = [np.rot90(image, rotation // 90) for image in upright]
        assert [number_of(image) for image in stored] == [0, 1, 2]


def test_pixels_that_are_not_square_stay_so(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", tags={"sample_aspect_ratio": Fraction(16, 15)})
    assert probe(clip).pixel_aspect == Fraction(16, 15)
    turned = make_clip(
        tmp_path / "b.mp4", rotation=90, tags={"sample_aspect_ratio": Fraction(16, 15)}
    )
    assert probe(turned).pixel_aspect == Fraction(15, 16)


def test_colour_tags_come_from_the_stream(tmp_path: Path) -> None:
    tags = {"color_primaries": 6, "color_trc": 6, "colorspace": 6, "color_range": 1}
    colour = probe(make_clip(tmp_path / "a.mp4", tags=tags)).colour
    assert (colour.primaries, colour.transfer, colour.matrix, colour.range) == (6, 6, 6, 1)


def test_the_timeline_maps_segments_to_frames(tmp_path: Path) -> None:
    timeline = probe(make_clip(tmp_path / "a.mp4", n_frames=25)).timeline
    assert isinstance(timeline, Timeline)
    assert timeline.frames(make_segment(200, 600)).range() == range(5, 15)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_refused_by_name(transfer: int, name: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=name) as caught:
        probe(make_clip(tmp_path / "hdr.mp4", tags={"color_trc": transfer}))
    assert "BT.709" in caught.value.hint


def test_more_bits_than_can_be_kept_are_refused_by_name(tmp_path: Path) -> None:
    codec = {"codec": "libx265", "options": {"x265-params": "log-level=none"}}
    with pytest.raises(MediaError, match="12 bits"):
        probe(make_clip(tmp_path / "a.mp4", pixel_format="yuv420p12le", **codec))
    with pytest.raises(MediaError, match="10 bits"):
        probe(make_clip(tmp_path / "a.ts", pixel_format="yuv420p10le"))


def test_ten_bits_that_can_be_spliced_are_read(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "a.mp4", pixel_format="yuv420p10le"))
    assert info.is_deep
    with FrameReader(info) as reader:
        assert [number_of(f.image) for f in reader] == list(range(10))


def test_transparency_is_dropped(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "a.mov", codec="qtrle", pixel_format="argb"))
    with FrameReader(info) as reader:
        assert [number_of(f.image) for f in reader] == list(range(10))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.mp4 does not exist"):
        probe(tmp_path / "none.mp4")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        probe(tmp_path)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(MediaError, match="is empty"):
        probe(tmp_path / "a.mp4")


def test_a_file_of_another_kind_keeps_the_decoders_words(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video at all\n" * 50)
    with pytest.raises(MediaError, match="cannot be opened") as caught:
        probe(tmp_path / "a.mp4")
    assert caught.value.detail


def test_plain_text_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no video at all\n" * 50)
    with pytest.raises(MediaError, match="is not a video"):
        probe(tmp_path / "a.txt")


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", make_tone())
    with pytest.raises(MediaError, match="sound but no picture"):
        probe(tmp_path / "a.wav")


def test_a_video_cut_before_its_index_is_refused(tmp_path: Path) -> None:
    path = make_clip(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[:-1500])
    with pytest.raises(MediaError, match="cannot be opened"):
        probe(path)


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "none.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(MediaError, match=r"no (frame|picture)"):
        probe(tmp_path / "none.mp4")


def test_a_file_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_clip(tmp_path / "locked.mp4")

    def refuse(self: Path, *args: object, **kwargs: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # rights do not bind every user who runs tests
    with pytest.raises(InputError, match=r"locked\.mp4 cannot be read: Permission denied") as error:
        probe(path)
    assert "rights" in error.value.hint
