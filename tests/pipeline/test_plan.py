"""The plan: what is said where, and every way in which the input can be bad."""

from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path

import pytest

from avdub.errors import InputError, MediaError, SubtitleError, WeightsError
from avdub.media.probe import MediaInfo, probe
from avdub.pipeline.follow import sound_energy, watched_parts
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Plan, make_plan
from avdub.timeline import Segment, Span
from tests.make import make_clip, make_segment, make_tone
from tests.tiny import make_face_clip

WORDS = "one two three four five six seven eight nine ten "


def write_srt(path: Path, *cues: tuple[int, int, str]) -> Path:
    def stamp(ms: int) -> str:
        return f"00:{ms // 60_000:02}:{ms // 1000 % 60:02},{ms % 1000:03}"

    blocks = [f"{n}\n{stamp(a)} --> {stamp(b)}\n{text}\n" for n, (a, b, text) in enumerate(cues, 1)]
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights))


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds at 5 frames/s without a face."""
    path = tmp_path_factory.mktemp("bars") / "bars.mp4"
    return make_clip(path, rate=Fraction(5), n_frames=15, audio=make_tone(3.0))


def plan_of(video: Path, tmp_path: Path, options: DubOptions, *cues: tuple[int, int, str]) -> Plan:
    return make_plan(video, write_srt(tmp_path / "s.srt", *cues), options)


def test_a_plan_says_everything_about_a_segment(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    plan = plan_of(face_clip, tmp_path, options, (200, 1400, "Hello there."))
    (job,) = plan.jobs
    assert (job.slot, job.frames, job.face) == (Span(10, 70), Span(5, 35), 0)
    assert job.line is not None
    assert job.problem == ""
    assert plan.exit_code == 0
    assert plan.cuts == ()
    (row,) = plan.rows
    assert (row.start_s, row.end_s, row.slot_s, row.voice) == (0.2, 1.4, 1.2, "heart")
    assert plan.video == "320x256, 25 frames/s, 2.00 s, 44100 Hz, stereo"
    assert plan.predicted_s > 5
    assert plan.as_json()["segments"] == [
        {
            "index": 1, "start_s": 0.2, "end_s": 1.4, "text": "Hello there.", "voice": "heart",
            "face": 0, "natural_s": row.natural_s, "slot_s": 1.2, "rate": row.rate, "problem": "",
            "prosody": asdict(job.prosody),
        }
    ]  # fmt: skip


def test_a_missing_video_is_named(tmp_path: Path, options: DubOptions) -> None:
    with pytest.raises(InputError, match=r"none\.mp4"):
        plan_of(tmp_path / "none.mp4", tmp_path, options, (0, 900, "Hi."))


@pytest.mark.parametrize("content", [b"", b"hello", bytes(range(256)) * 20])
def test_what_is_not_a_video_is_refused(
    content: bytes, tmp_path: Path, options: DubOptions
) -> None:
    (tmp_path / "v.mp4").write_bytes(content)
    with pytest.raises(MediaError):
        plan_of(tmp_path / "v.mp4", tmp_path, options, (0, 900, "Hi."))


def test_sound_alone_is_refused(tmp_path: Path, options: DubOptions) -> None:
    from avdub.media.audio import write_wav

    write_wav(tmp_path / "a.wav", make_tone(1.0))
    with pytest.raises(MediaError, match="sound but no picture"):
        plan_of(tmp_path / "a.wav", tmp_path, options, (0, 900, "Hi."))


def test_missing_subtitles_list_what_was_looked_for(bars: Path, options: DubOptions) -> None:
    with pytest.raises(InputError, match=r"bars\.en\.srt"):
        make_plan(bars, None, options)


def test_subtitles_beside_the_video_are_found(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    video = tmp_path / "v.mp4"
    video.symlink_to(bars)
    write_srt(tmp_path / "v.en.srt", (0, 900, "Hi."))
    assert len(make_plan(video, None, options).jobs) == 1


@pytest.mark.parametrize(
    "text", ["", "\n\n", "nothing with a time\n", "1\n00:00:01,000 -->\nHi.\n"]
)
def test_empty_and_malformed_subtitles_are_an_error(
    text: str, bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    (tmp_path / "s.srt").write_text(text)
    with pytest.raises(SubtitleError, match="no readable subtitle"):
        make_plan(bars, tmp_path / "s.srt", options)


def test_a_malformed_cue_is_named_and_the_others_are_kept(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    good = "2\n00:00:01,000 --> 00:00:02,000\nHello.\n"
    (tmp_path / "s.srt").write_text("1\n00:00:xx,000 --> 00:00:01,000\nLost.\n\n" + good)
    plan = make_plan(bars, tmp_path / "s.srt", options)
    assert [job.segment.text for job in plan.jobs] == ["Hello."]
    assert plan.warnings[0].startswith("line 2:")


def test_an_empty_cue_is_skipped_with_its_line(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    plan = plan_of(bars, tmp_path, options, (0, 900, ""), (1000, 1900, "Hello."))
    assert [job.segment.text for job in plan.jobs] == ["Hello."]
    assert "has no text" in plan.warnings[0]


@pytest.mark.parametrize("text", ["♪ ♪", "...", "你好"])
def test_a_cue_without_a_sound_stays_as_it_is(
    text: str, bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    plan = plan_of(bars, tmp_path, options, (0, 900, text))
    assert plan.jobs[0].line is None
    assert plan.jobs[0].problem == "nothing to say in this text"
    assert plan.exit_code == 5


def test_cues_past_the_end_are_cut_or_skipped_with_a_warning(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    cues = ((2000, 9000, "Cut."), (10_000, 11_000, "Late."))
    plan = plan_of(bars, tmp_path, options, *cues)
    (job,) = plan.jobs
    assert job.slot.end == 150
    assert [
        part
        for w in plan.warnings
        for part in ("cut at the end", "after the video ends")
        if part in w
    ] == ["cut at the end", "after the video ends"]


def test_subtitles_of_another_video_are_an_error(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    with pytest.raises(InputError, match=r"no cue of .* lies inside"):
        plan_of(bars, tmp_path, options, (60_000, 61_000, "Hi."))


def test_overlapping_cues_are_both_said(bars: Path, tmp_path: Path, options: DubOptions) -> None:
    plan = plan_of(bars, tmp_path, options, (0, 2000, "Hello."), (1000, 3000, "Good day."))
    first, second = plan.jobs
    assert first.steps.end > second.steps.start
    assert first.line is not None
    assert second.line is not None


def test_500_words_in_two_seconds_are_reported_and_kept(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    plan = plan_of(bars, tmp_path, options, (0, 2000, WORDS * 50), (2000, 2900, "Hello."))
    long, short = plan.jobs
    assert long.line is None
    assert long.problem.startswith("too long: ")
    assert "for 2.0 s, at most 1.5 times faster" in long.problem
    assert short.line is not None
    assert plan.exit_code == 5


def test_a_long_line_may_use_the_silence_before_the_next_cue(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    text = "one two three four five"
    alone = plan_of(bars, tmp_path, options, (0, 1000, text)).jobs[0]
    assert alone.line is not None
    assert 50 < alone.line.natural_steps < 90
    assert 50 < alone.steps.end <= 75
    followed = plan_of(bars, tmp_path, options, (0, 1000, text), (1000, 2000, "Hi.")).jobs[0]
    assert followed.steps.end == 50
    late = plan_of(bars, tmp_path, options, (2000, 2960, text)).jobs[0]
    assert late.steps.end <= 150


def test_a_higher_rate_allows_longer_lines(bars: Path, tmp_path: Path, weights: Path) -> None:
    text = WORDS * 2
    slow, fast = (
        plan_of(bars, tmp_path, DubOptions(model=str(weights), max_rate=rate), (0, 2000, text))
        for rate in (1.0, 9.0)
    )
    assert slow.jobs[0].line is None
    assert fast.jobs[0].line is not None


def test_a_cue_of_no_step_is_too_short_at_any_rate(
    bars: Path, tmp_path: Path, weights: Path
) -> None:
    hasty = DubOptions(model=str(weights), max_rate=1000.0)
    (job,) = plan_of(bars, tmp_path, hasty, (2995, 2999, "Hello.")).jobs
    assert len(job.steps) == 0
    assert job.line is None
    assert job.problem.startswith("too long")


def test_an_unknown_voice_lists_the_known_ones(bars: Path, tmp_path: Path, weights: Path) -> None:
    with pytest.raises(InputError, match="no voice 'zoe'") as caught:
        plan_of(bars, tmp_path, DubOptions(voice="zoe", model=str(weights)), (0, 900, "Hi."))
    assert "heart, michael" in caught.value.hint


def test_an_unsupported_language_lists_the_known_ones(
    bars: Path, tmp_path: Path, weights: Path
) -> None:
    with pytest.raises(InputError, match="no text front end for language 'de'") as caught:
        plan_of(bars, tmp_path, DubOptions(language="de", model=str(weights)), (0, 900, "Hallo."))
    assert "en-us" in caught.value.hint


def test_missing_weights_are_named(bars: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="weights are missing"):
        plan_of(bars, tmp_path, DubOptions(model=str(tmp_path)), (0, 900, "Hi."))


def test_an_unknown_face_backend_is_refused(bars: Path, tmp_path: Path, weights: Path) -> None:
    odd = DubOptions(face_backend="magic", model=str(weights))
    with pytest.raises(WeightsError, match="no face backend 'magic'"):
        plan_of(bars, tmp_path, odd, (0, 900, "Hi."))


def test_without_a_face_only_the_voice_changes(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    plan = plan_of(bars, tmp_path, options, (0, 1900, "Hello."))
    (job,) = plan.jobs
    assert job.face is None
    assert job.line is not None
    assert "face" in job.problem
    assert plan.exit_code == 5


def test_videos_without_sound_are_planned(tmp_path: Path, options: DubOptions) -> None:
    silent = make_face_clip(tmp_path / "v.mp4", n_frames=25)
    plan = plan_of(silent, tmp_path, options, (0, 900, "Hi."))
    assert plan.jobs[0].face == 0
    assert plan.video.endswith("no sound")


def test_chosen_segments_alone_are_planned(bars: Path, tmp_path: Path, weights: Path) -> None:
    cues = [(n * 900, n * 900 + 800, f"Number {n}.") for n in range(3)]
    some = DubOptions(model=str(weights), segments=frozenset({1, 3}))
    assert [j.segment.index for j in plan_of(bars, tmp_path, some, *cues).jobs] == [1, 3]


def test_segments_that_do_not_exist_are_named_with_the_range(
    bars: Path, tmp_path: Path, weights: Path
) -> None:
    odd = DubOptions(model=str(weights), segments=frozenset({2, 7}))
    cues = [(n * 900, n * 900 + 800, "Hi.") for n in range(3)]
    with pytest.raises(InputError, match="no segment 7") as caught:
        plan_of(bars, tmp_path, odd, *cues)
    assert "segments 1 to 3" in caught.value.hint


def test_a_transcript_is_spread_over_the_sound(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    (tmp_path / "t.txt").write_text("Hello.\nGood day.\n")
    plan = make_plan(bars, tmp_path / "t.txt", options)
    assert [job.segment.text for job in plan.jobs] == ["Hello.", "Good day."]


def test_progress_counts_the_frames_that_are_watched(
    bars: Path, tmp_path: Path, options: DubOptions
) -> None:
    seen: list[tuple[str, int | None]] = []

    def progress(items, stage, total=None):
        kept = list(items)
        seen.append((stage, total))
        assert total == len(kept)
        return kept

    srt = write_srt(tmp_path / "s.srt", (0, 500, "Hi."))
    make_plan(bars, srt, options, progress)
    assert seen == [("faces", 8)]


def test_watched_spans_have_a_margin_and_are_joined(bars: Path) -> None:
    info = probe(bars)
    assert spans(info, make_segment(1200, 1500)) == [Span(1, 13)]
    both = [make_segment(2600, 2800, index=2), make_segment(0, 300)]
    assert spans(info, *both) == [Span(0, 7), Span(8, 15)]
    assert spans(info, *both, make_segment(1200, 1300)) == [Span(0, 15)]


def spans(info: MediaInfo, *segments: Segment) -> list[Span]:
    return [part.frames for part in watched_parts(info, segments)]


def test_what_is_watched_in_one_go_does_not_grow_with_the_video(bars: Path) -> None:
    info = replace(probe(bars), frame_times=tuple(Fraction(n) for n in range(600)))
    segments = [make_segment(2000 * n, 2000 * n + 2000, index=n) for n in range(300)]
    parts = watched_parts(info, segments)
    assert max(len(part.frames) for part in parts) <= 62
    assert [n for part in parts for n in part.segments] == list(range(300))
    for part in parts:
        starts = [info.timeline.frames(segments[n]).start for n in part.segments]
        assert all(start in part.home for start in starts)
        assert all(start not in p.home for start in starts for p in parts if p is not part)
        assert part.frames.start <= part.home.start - 1 or part.home.start == 0


def test_energy_is_the_power_during_each_frame(tmp_path: Path) -> None:
    from avdub.media.waveform import join, silence

    sound = join([silence(16_000, 1, 16_000), make_tone(1.0)])
    clip = make_clip(tmp_path / "v.mkv", rate=Fraction(10), n_frames=20, audio=sound)
    energy = sound_energy(probe(clip))
    assert energy is not None
    assert energy.shape == (20,)
    assert energy[:9].max() < 1e-4
    assert energy[12:18] == pytest.approx(0.125, rel=0.1)


def test_silent_videos_have_no_energy(tmp_path: Path) -> None:
    assert sound_energy(probe(make_clip(tmp_path / "v.mp4"))) is None
