from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from avdub.errors import InputError, MediaError
from avdub.media.audio import Waveform, iter_audio, join, read_audio, read_sound, write_wav
from avdub.media.probe import probe
from avdub.timeline import boundary
from tests.make import make_clip, make_tone


def sounding(w: Waveform) -> tuple[float, float]:
    """First and last moment (s) above a tenth of full scale."""
    loud = np.flatnonzero(np.abs(w.samples).max(axis=1) > 0.1)
    return loud[0] / w.rate, loud[-1] / w.rate


def test_a_late_start_is_filled_with_silence(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "a.mp4", n_frames=25, audio=make_tone(0.4, 48_000), audio_start=Fraction(1, 2)
    )
    info = probe(clip)
    w = read_audio(clip, info)
    assert w is not None
    assert len(w) == 48_000
    assert sounding(w) == pytest.approx((0.5, 0.9), abs=0.005)


def test_sound_before_the_first_frame_is_cut(tmp_path: Path) -> None:
    tone = make_tone(0.8, 48_000)
    late = tuple(Fraction(n, 25) + Fraction(1, 5) for n in range(10))
    clip = make_clip(tmp_path / "a.mkv", times=late, audio=tone)
    info = probe(clip)
    assert info.audio is not None
    assert info.audio.start == pytest.approx(-0.2, abs=0.03)
    w = read_audio(clip, info)
    assert w is not None
    assert len(w) == boundary(info.end, 48_000)
    expected = tone.samples[9_600 : 9_600 + len(w)]
    assert np.corrcoef(w.samples[:, 0], expected[:, 0])[0, 1] > 0.99


def test_a_hole_in_the_sound_stays_a_hole(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "b.mp4", n_frames=50, audio=make_tone(2.0))
    path = tmp_path / "a.mp4"
    with av.open(str(source)) as clip, av.open(str(path), "w") as copy:
        streams = {s.index: copy.add_stream_from_template(s) for s in clip.streams}
        for packet in clip.demux():
            if packet.pts is None or packet.time_base is None:
                continue
            sound = packet.stream.type == "audio"
            if not (sound and 0.5 < packet.pts * packet.time_base < 1.2):
                packet.stream = streams[packet.stream.index]
                copy.mux(packet)
    w = read_audio(path, probe(path))
    assert w is not None
    assert len(w) == 32_000
    assert np.abs(w.samples[int(0.7 * 16_000) : int(1.1 * 16_000)]).max() < 0.01
    assert np.abs(w.samples[int(1.4 * 16_000) : int(1.9 * 16_000)]).max() > 0.4


def test_blocks_have_the_size_asked_for_and_join_to_the_whole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", n_frames=60, audio=make_tone(2.4, 16_000))
    info = probe(clip)
    blocks = list(iter_audio(clip, info, block_s=1))
    assert [len(w) for w in blocks] == [16_000, 16_000, 6_400]
    whole = read_audio(clip, info)
    assert whole is not None
    assert np.array_equal(join(blocks).samples, whole.samples)


def test_a_span_is_the_same_part_of_the_whole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", n_frames=100, audio=make_tone(4.0, 48_000, 2))
    info = probe(clip)
    whole = read_audio(clip, info)
    assert whole is not None
    for start_s, end_s in ((0.25, 0.75), (2.5, 3.25), (3.5, 9.0)):
        part = read_audio(clip, info, (start_s, end_s))
        assert part is not None
        expected = whole.samples[int(start_s * 48_000) : int(end_s * 48_000)]
        assert part.samples.shape == expected.shape
        assert np.abs(part.samples - expected).max() < 0.02


def test_channels_keep_their_places(tmp_path: Path) -> None:
    tone = make_tone(0.4, 48_000, 6)
    clip = make_clip(tmp_path / "a.mp4", audio=tone, layout="5.1")
    w = read_audio(clip, probe(clip))
    assert w is not None
    for channel in (0, 1, 2, 4, 5):  # the fourth holds only deep sounds
        pair = np.corrcoef(
            w.samples[2000:-2000, channel], tone.samples[2000 : len(w) - 2000, channel]
        )
        assert pair[0, 1] > 0.98


def test_a_video_without_sound_has_none(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4")
    assert read_audio(clip, probe(clip)) is None
    assert read_audio(clip, None) is None


def test_wav_files_round_trip(tmp_path: Path) -> None:
    tone = make_tone(0.25, 22_050, 2)
    write_wav(tmp_path / "a.wav", tone)
    back = read_sound(tmp_path / "a.wav")
    assert back.rate == 22_050
    assert np.abs(back.samples - tone.samples).max() < 1e-4
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]


def test_too_loud_samples_are_clipped_not_wrapped(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", Waveform(np.full((10, 1), 1.5, np.float32), 8000))
    assert read_sound(tmp_path / "a.wav").samples.min() > 0.99


@pytest.mark.parametrize("name", ["a.flac", "a.ogg", "a.mp3"])
def test_other_sound_files_are_read(name: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / name, make_tone(0.5, 16_000).samples, 16_000)
    w = read_sound(tmp_path / name)
    assert w.rate == 16_000
    assert w.seconds == pytest.approx(0.5, abs=0.1)


def test_a_voice_sample_may_be_a_video(tmp_path: Path) -> None:
    w = read_sound(make_clip(tmp_path / "a.mp4", audio=make_tone(0.4, 44_100)))
    assert w.rate == 44_100
    assert w.seconds == pytest.approx(0.4, abs=0.05)


def test_files_without_sound_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="has no sound"):
        read_sound(make_clip(tmp_path / "a.mp4"))
    with pytest.raises(InputError, match="does not exist"):
        read_sound(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("not sound")
    with pytest.raises(MediaError):
        read_sound(tmp_path / "text.wav")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "none"
    with pytest.raises(MediaError, match="cannot be written"):
        write_wav(folder / "a.wav", make_tone())
    assert list(tmp_path.iterdir()) == []
