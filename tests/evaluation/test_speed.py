"""Cold runs timed, and the looped clip that shows whether memory grows with length."""

from fractions import Fraction
from pathlib import Path

import pytest

from avdub.errors import AvdubError
from avdub.evaluation import speed
from avdub.evaluation.speed import Run, Task, loop_clip, measure_speed, tasks_for, time_command
from avdub.media.audio import read_audio
from avdub.media.probe import probe
from avdub.media.subtitles import read_subtitles
from avdub.media.video import FrameReader
from tests.make import make_clip, make_segment, make_tone, number_of


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "a.mp4", audio=make_tone(0.4))


@pytest.fixture
def cues(tmp_path: Path) -> Path:
    path = tmp_path / "a.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:00,300\nHi.\n", encoding="utf-8")
    return path


def test_a_command_runs_in_a_process_of_its_own() -> None:
    run = time_command(Task("help", ("--help",), media_s=2.0))
    assert (run.name, run.exit_code, run.media_s) == ("help", 0, 2.0)
    assert 0.05 < run.wall_s < 60
    assert run.peak_mb > 5


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(AvdubError, match=r"exited with 3: error: .*none\.mp4 does not exist"):
        time_command(Task("plan", ("plan", str(tmp_path / "none.mp4"))))


def test_the_looped_clip_repeats_pictures_sound_and_cues(clip: Path, tmp_path: Path) -> None:
    info = probe(clip)
    video, subtitles = tmp_path / "long.mp4", tmp_path / "long.srt"
    cues = [make_segment(100, 300, "One."), make_segment(300, 390, "Two.", 2)]
    assert loop_clip(info, cues, 1.0, video, subtitles) == 3
    long = probe(video)
    assert long.frame_times == tuple(Fraction(n, 25) for n in range(30))
    assert long.end == 3 * info.end
    with FrameReader(long) as reader:
        assert [number_of(f.image) for f in reader] == [*range(10)] * 3
    sound = read_audio(video, long)
    assert sound is not None
    assert sound.seconds == pytest.approx(1.2, abs=0.001)
    segments, warnings = read_subtitles(subtitles)
    assert (len(segments), warnings) == (6, [])
    assert [s.start_ms for s in segments] == [100, 300, 500, 700, 900, 1100]


def test_a_clip_that_is_long_enough_is_taken_once(clip: Path, tmp_path: Path) -> None:
    segments = [make_segment(0, 300)]
    out = tmp_path / "long.mp4", tmp_path / "long.srt"
    assert loop_clip(probe(clip), segments, 0.4, *out) == 1


def test_a_clip_without_sound_can_be_looped(tmp_path: Path) -> None:
    silent = make_clip(tmp_path / "silent.mp4")
    video = tmp_path / "long.mp4"
    loop_clip(probe(silent), [make_segment(0, 300)], 1.0, video, tmp_path / "long.srt")
    assert probe(video).audio is None


def test_every_command_that_has_a_limit_is_timed(clip: Path, cues: Path, tmp_path: Path) -> None:
    tasks = tasks_for(probe(clip), cues, 1, tmp_path)
    assert [task.words[0] for task in tasks] == ["dub", "plan", "preview", "speak", "speak"]


def stub_runs(task: Task) -> Run:
    """Each run as long as it takes to say that its words reached it."""
    speech_s = {"speak short": 5.0, "speak long": 30.0}.get(task.name)
    wall_s = {"speak short": 4.0, "speak long": 9.0}.get(task.name, 10.0)
    peak_mb = 930.0 if " x" in task.name else 900.0
    assert task.words[-2:] == ("--voice", "michael")
    return Run(task.name, wall_s, peak_mb, 0, speech_s or task.media_s)


def test_loading_is_taken_out_of_the_speed_of_speech(
    clip: Path, cues: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "time_command", stub_runs)
    bench = measure_speed(clip, cues, ["--voice", "michael"])
    assert bench.speak_rate == 0.2
    assert bench.growth_mb is None


def test_the_long_dub_is_compared_with_the_short_one(
    clip: Path, cues: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "time_command", stub_runs)
    bench = measure_speed(clip, cues, ["--voice", "michael"], long_s=0.8)
    assert bench.runs[-1].name == "dub x2"
    assert bench.runs[-1].media_s == pytest.approx(0.8)
    assert bench.growth_mb == 30.0
    assert bench.as_json()["runs"][0]["wall_s"] == 10.0
