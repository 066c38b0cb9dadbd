"""The whole way with tiny untrained models and a real face: what a dub must keep, and bad runs."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

import avdub.pipeline.run as run_module
import avdub.pipeline.voiced as voiced_module
from avdub.errors import InputError, MediaError
from avdub.media.audio import read_audio
from avdub.media.probe import probe
from avdub.media.video import FrameReader
from avdub.pipeline.cut import dub_cut
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import default_output, dub, speak_text
from tests.make import make_clip, make_tone
from tests.pipeline.test_plan import WORDS, write_srt
from tests.tiny import make_face_clip

CUES = ((400, 1000, "Hello there."), (1200, 1720, "Good day."))
DUBBED = [*range(10, 25), *range(30, 43)]


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights))


@pytest.fixture(scope="module")
def dubbed(face_clip: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> DubReport:
    folder = tmp_path_factory.mktemp("dubbed")
    srt = write_srt(folder / "s.srt", *CUES)
    return dub(face_clip, srt, folder / "out.mp4", DubOptions(model=str(weights)))


def pictures(path: Path) -> np.ndarray:
    """(N, H, W, 3)."""
    with FrameReader(probe(path)) as reader:
        return np.stack([frame.image for frame in reader])


def psnr(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """dB of each frame (N,)."""
    error = np.square(a.astype(np.float64) - b).mean((1, 2, 3))
    return 10 * np.log10(255**2 / np.maximum(error, 1e-9))


def sound(path: Path) -> np.ndarray:
    found = read_audio(path, probe(path))
    assert found is not None
    return found.samples


def test_a_dub_of_a_face_is_complete(dubbed: DubReport) -> None:
    assert dubbed.exit_code == 0
    assert [s.status for s in dubbed.segments] == ["dubbed", "dubbed"]
    assert [s.reason for s in dubbed.segments] == ["", ""]
    assert [s.face for s in dubbed.segments] == [0, 0]
    assert all(s.rate is not None and 0.9 < s.rate <= 1.5 for s in dubbed.segments)


def test_frames_and_their_times_are_the_inputs(dubbed: DubReport, face_clip: Path) -> None:
    before, after = probe(face_clip), probe(dubbed.output)
    assert dubbed.frames == len(after.frame_times) == 50
    assert after.frame_times == before.frame_times
    assert abs(after.end - before.end) < Fraction(1, 25)


def test_sound_and_picture_end_together(dubbed: DubReport) -> None:
    info = probe(dubbed.output)
    assert info.audio is not None
    assert abs(info.audio.start + info.audio.duration - info.end) <= Fraction(1, 25)


def test_frames_outside_the_slots_are_the_inputs_up_to_the_codec(
    dubbed: DubReport, face_clip: Path
) -> None:
    quality = psnr(pictures(face_clip), pictures(dubbed.output))
    outside = [n for n in range(50) if n not in DUBBED]
    assert quality[outside].min() > 42


def test_mouths_change_in_dubbed_frames_and_nothing_else_does(
    dubbed: DubReport, face_clip: Path
) -> None:
    before, after = pictures(face_clip)[DUBBED], pictures(dubbed.output)[DUBBED]
    change = np.abs(before.astype(int) - after).max((0, 3))
    rows, columns = np.nonzero(change > 40)
    assert len(rows) > 50
    assert rows.min() > 120  # below the nose
    assert 110 < columns.min() < columns.max() < 215
    top = psnr(before[:, :120], after[:, :120])
    assert top.min() > 42


def test_sound_outside_the_slots_is_the_inputs_up_to_the_codec(
    dubbed: DubReport, face_clip: Path
) -> None:
    before, after = sound(face_clip), sound(dubbed.output)
    assert len(before) == len(after)
    edge = 2048  # an AAC frame may spread what changed
    for start, end in ((0, 0.4), (1.0, 1.2), (1.72, 1.9)):
        part = slice(round(start * 44_100) + edge, round(end * 44_100) - edge)
        error = np.sqrt(np.square(before[part] - after[part]).mean())
        assert error < 0.02


def test_the_tone_is_gone_under_the_new_speech(dubbed: DubReport) -> None:
    inside = sound(dubbed.output)[round(0.5 * 44_100) : round(0.9 * 44_100), 0]
    time = np.arange(len(inside)) / 44_100
    tone = abs(np.mean(inside * np.exp(-2j * np.pi * 220 * time)))
    assert tone < 0.02  # it was 0.25


def tracks_of(path: Path) -> list[tuple[str, bool, int]]:
    """Language, whether it is the default, and samples of each sound track."""
    with av.open(str(path)) as container:
        streams = container.streams.audio
        found = [(s.language or "", bool(s.disposition & Disposition.default)) for s in streams]
        counts = [sum(f.samples for f in _frames(path, n)) for n in range(len(streams))]
    return [(*facts, n) for facts, n in zip(found, counts, strict=True)]


def _frames(path: Path, number: int) -> list[av.AudioFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(audio=number))


def test_the_original_sound_is_the_second_track(dubbed: DubReport) -> None:
    (new, first, n_new), (_, second, n_old) = tracks_of(dubbed.output)
    assert (new, first, second) == ("eng", True, False)
    assert n_new == pytest.approx(n_old, abs=2048)


def test_the_original_sound_may_be_replaced(
    dubbed: DubReport, face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    alone = dub(face_clip, srt, tmp_path / "alone.mp4", replace(options, audio="replace"))
    assert [facts[:2] for facts in tracks_of(alone.output)] == [("eng", True)]
    np.testing.assert_array_equal(sound(alone.output), sound(dubbed.output))


def test_the_report_says_where_time_went(dubbed: DubReport) -> None:
    stages = {
        "probe_s",
        "plan_s",
        "speech_s",
        "lips_s",
        "faces_s",
        "picture_s",
        "paint_s",
        "total_s",
    }
    assert set(dubbed.timing) == set(stages)
    assert dubbed.peak_rss_mb > 50
    assert dubbed.duration_s == 2.0
    assert dubbed.as_json()["output"] == str(dubbed.output)


def test_the_same_inputs_give_the_same_dub(
    dubbed: DubReport, face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    again = dub(face_clip, srt, tmp_path / "again.mp4", options)
    np.testing.assert_array_equal(pictures(again.output), pictures(dubbed.output))
    np.testing.assert_array_equal(sound(again.output), sound(dubbed.output))


def test_the_dub_lies_beside_the_video_by_default(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    video = tmp_path / "mein größtes Vidéo 1.mp4"
    video.symlink_to(face_clip)
    write_srt(tmp_path / "mein größtes Vidéo 1.en.srt", (400, 1000, "Hello."))
    report = dub(video, options=options)
    assert report.output == tmp_path / "mein größtes Vidéo 1.dub.mp4"
    assert report.exit_code == 0
    assert len(pictures(report.output)) == 50


def test_containers_that_cannot_be_written_become_mp4(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "v.avi", codec="mpeg4")
    assert default_output(probe(clip)) == tmp_path / "v.dub.mp4"


def test_a_video_without_a_face_gets_a_voice_and_keeps_its_picture(
    tmp_path: Path, options: DubOptions
) -> None:
    clip = make_face_clip(tmp_path / "v.mp4", n_frames=30, audio=make_tone(1.2), face=False)
    srt = write_srt(tmp_path / "s.srt", (200, 900, "Hello there."))
    report = dub(clip, srt, tmp_path / "out.mp4", options)
    assert report.exit_code == 5
    assert report.segments[0].status == "voice_only"
    assert "face" in report.segments[0].reason
    assert psnr(pictures(clip), pictures(report.output)).min() > 42
    assert not np.allclose(sound(clip)[5000:12_000], sound(report.output)[5000:12_000], atol=0.1)


def test_a_silent_video_gets_a_sound_track(tmp_path: Path, options: DubOptions) -> None:
    clip = make_face_clip(tmp_path / "v.mp4", n_frames=30)
    srt = write_srt(tmp_path / "s.srt", (200, 900, "Hello there."))
    report = dub(clip, srt, tmp_path / "out.mp4", options)
    assert report.exit_code == 0
    info = probe(report.output)
    assert info.audio is not None
    assert info.audio.rate == 48_000
    heard = np.abs(sound(report.output)[:, 0])
    assert heard[12_000:40_000].max() > 0.02
    assert heard[: round(0.1 * 48_000)].max() < 1e-3


def test_500_words_are_kept_and_the_rest_is_dubbed(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", (0, 900, WORDS * 50), (1000, 1800, "Hello."))
    report = dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert report.exit_code == 5
    assert [s.status for s in report.segments] == ["kept", "dubbed"]
    assert report.segments[0].reason.startswith("too long")
    quality = psnr(pictures(face_clip), pictures(report.output))
    assert quality[:22].min() > 42


def test_where_every_line_is_too_long_the_video_stays_as_it_is(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", (0, 900, WORDS * 50))
    report = dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert report.exit_code == 5
    assert psnr(pictures(face_clip), pictures(report.output)).min() > 42
    assert np.abs(sound(face_clip) - sound(report.output))[4000:-4000].max() < 0.1


def test_overlapping_cues_are_both_dubbed(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", (200, 1400, "Hello there."), (800, 1900, "Good day."))
    report = dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert [s.status for s in report.segments] == ["dubbed", "dubbed"]


@pytest.mark.parametrize("rate", [Fraction(24_000, 1001), Fraction(30), Fraction(60)])
def test_a_cue_of_a_frame_or_two_does_no_harm(
    rate: Fraction, tmp_path: Path, weights: Path
) -> None:
    clip = make_face_clip(tmp_path / "v.mp4", rate=rate, n_frames=36, audio=make_tone(0.6))
    srt = write_srt(tmp_path / "s.srt", (100, 130, "Hi."), (300, 550, "Hello."))
    report = dub(clip, srt, tmp_path / "out.mp4", DubOptions(model=str(weights), max_rate=50))
    assert report.frames == 36
    assert {s.status for s in report.segments} <= {"dubbed", "voice_only"}


def failing_after(n: int) -> Callable[..., Iterable[object]]:
    """A progress that breaks while the pictures are written."""

    def progress(items: Iterable[object], stage: str, total: int | None = None):
        for count, item in enumerate(items):
            if stage == "picture" and count == n:
                raise MediaError("made to fail")
            yield item

    return progress


def files_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_run_that_fails_midway_leaves_nothing(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    with pytest.raises(MediaError, match="made to fail"):
        dub(face_clip, srt, tmp_path / "out.mp4", options, failing_after(20))
    assert files_in(tmp_path) == {"s.srt"}


def test_an_interrupted_run_leaves_nothing(
    face_clip: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_module.Animator, "_paint_actor", interrupt)
    srt = write_srt(tmp_path / "s.srt", *CUES)
    with pytest.raises(KeyboardInterrupt):
        dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert files_in(tmp_path) == {"s.srt"}


def test_a_failed_run_leaves_the_older_dub(face_clip: Path, tmp_path: Path, weights: Path) -> None:
    (tmp_path / "out.mp4").write_bytes(b"older")
    srt = write_srt(tmp_path / "s.srt", *CUES)
    over = DubOptions(model=str(weights), overwrite=True)
    with pytest.raises(MediaError):
        dub(face_clip, srt, tmp_path / "out.mp4", over, failing_after(20))
    assert (tmp_path / "out.mp4").read_bytes() == b"older"


def test_a_segment_that_cannot_be_spoken_fails_alone(
    face_clip: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = voiced_module._spoken

    def failing(job: Job, *words: object) -> object:
        if job.segment.index == 1:
            raise MediaError("made to fail")
        return real(job, *words)

    monkeypatch.setattr(voiced_module, "_spoken", failing)
    srt = write_srt(tmp_path / "s.srt", *CUES)
    report = dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert [s.status for s in report.segments] == ["failed", "dubbed"]
    assert report.segments[0].reason == "made to fail"
    assert report.exit_code == 5


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("none/out.mp4", "does not exist"),
        ("v.mp4", "input video itself"),
        ("out.xyz", "cannot write"),
    ],
)
def test_outputs_that_cannot_be_are_refused_before_any_work(
    output: str, words: str, face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "make_ready", None)
    video = tmp_path / "v.mp4"
    video.symlink_to(face_clip)
    srt = write_srt(tmp_path / "s.srt", *CUES)
    with pytest.raises(InputError, match=words):
        dub(video, srt, tmp_path / output)
    assert files_in(tmp_path) == {"v.mp4", "s.srt"}


def test_devices_that_are_not_there_are_refused(face_clip: Path, weights: Path) -> None:
    with pytest.raises(InputError, match="unknown device 'abacus'"):
        dub(face_clip, options=DubOptions(model=str(weights), device="abacus"))


def test_inputs_are_never_written_to(face_clip: Path, tmp_path: Path, options: DubOptions) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    before = face_clip.read_bytes(), srt.read_bytes()
    dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert (face_clip.read_bytes(), srt.read_bytes()) == before


def test_a_cut_shows_a_segment_before_and_after(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    before, after, report = dub_cut(face_clip, srt, 2, tmp_path, options, margin_s=0.4)
    assert [s.text for s in report.segments] == ["Good day."]
    assert len(pictures(before)) == len(pictures(after)) == len(range(20, 50))
    quality = psnr(pictures(before), pictures(after))
    assert quality[:10].min() > 42
    assert quality[12:20].min() < 42
    assert psnr(pictures(before), pictures(face_clip)[20:50]).min() > 40


@pytest.mark.parametrize("seconds", [0.9, 1.234, 3.0])
def test_spoken_text_fills_the_asked_seconds(seconds: float, options: DubOptions) -> None:
    spoken = speak_text("Hello there.", options, seconds)
    assert abs(spoken.seconds - seconds) <= 0.02
    assert spoken.rate == 16_000
    assert np.abs(spoken.samples).max() > 0.01


def test_spoken_text_takes_its_natural_time(options: DubOptions) -> None:
    short, long = speak_text("Hello.", options), speak_text("Hello there, my old friend.", options)
    assert 0.2 < short.seconds < long.seconds


def test_voices_and_seeds_sound_different(weights: Path) -> None:
    sounds = [
        speak_text("Hello.", DubOptions(model=str(weights), voice=voice, seed=seed), 1.0).samples
        for voice, seed in (("heart", 0), ("michael", 0), ("heart", 1), ("heart", 0))
    ]
    assert np.array_equal(sounds[0], sounds[3])
    assert not np.array_equal(sounds[0], sounds[1])
    assert not np.array_equal(sounds[0], sounds[2])


def test_text_that_cannot_be_said_is_refused(options: DubOptions) -> None:
    with pytest.raises(InputError, match="nothing to say"):
        speak_text("♪", options)
    with pytest.raises(InputError, match=r"cannot be spoken in 0\.1 s"):
        speak_text(WORDS, options, 0.1)
