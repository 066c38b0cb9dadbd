"""The side-by-side clip: exact times, the right pictures on each side, nothing left behind."""

import inspect
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError, MediaError
from avdub.media.audio import read_audio
from avdub.media.caption_drawing import draw_band
from avdub.media.probe import probe
from avdub.media.video import Frame, read_frames
from avdub.media.waveform import loudness
from avdub.pipeline.cut import dub_cut
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import DubReport
from avdub.progress import Progress
from avdub.report import preview as module
from avdub.report.preview import Shown, compose, pane_size, preview, segment_text
from tests.make import make_clip, make_tone, number_of

SRT = "1\n00:00:00,100 --> 00:00:00,300\nHello there.\n\n2\n00:00:00,300 --> 00:00:00,400\nBye.\n"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    (tmp_path / "a b.srt").write_text(SRT)
    return make_clip(tmp_path / "a b.mp4", audio=make_tone(0.4))


def parts(picture: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The two panes of a composed picture, below the label band."""
    top = len(draw_band("before", size[0], module.SMALLEST_FONT, 1))
    panes = picture[top : top + size[1]]
    return panes[:, : size[0]], panes[:, size[0] :]


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), Fraction(25), Fraction(60000, 1001)])
def test_frames_keep_their_count_time_and_side(tmp_path: Path, rate: Fraction) -> None:
    size = (256, 96)
    before = make_clip(tmp_path / "b.mp4", rate=rate, size=size, n_frames=14)
    after = make_clip(tmp_path / "a.mp4", rate=rate, size=size, n_frames=14, audio=make_tone(0.5))
    output = tmp_path / "side by side.mp4"
    compose(before, after, "Hello.", output)
    info = probe(output)
    assert info.rate == rate
    assert info.frame_times == tuple(n / rate for n in range(14))
    assert info.width == 512
    for n, picture in read_frames(info, range(14)).items():
        assert [number_of(pane) for pane in parts(picture, size)] == [n, n]


def test_the_sound_is_that_of_the_dub(tmp_path: Path) -> None:
    before = make_clip(tmp_path / "b.mp4", audio=make_tone(0.4))
    quiet = make_clip(tmp_path / "quiet.mp4")
    loud = make_clip(tmp_path / "loud.mp4", audio=make_tone(0.4))
    compose(before, quiet, "", tmp_path / "1.mp4")
    compose(quiet, loud, "", tmp_path / "2.mp4")
    assert probe(tmp_path / "1.mp4").audio is None
    sound = read_audio(tmp_path / "2.mp4", probe(tmp_path / "2.mp4"))
    assert sound is not None
    assert loudness(sound) == pytest.approx(loudness(make_tone(0.4)), abs=1)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clip = make_clip(tmp_path / "a.mp4", audio=make_tone(0.4))

    def broken(self: Shown, frame: Frame) -> None:
        raise MediaError("the picture broke")

    monkeypatch.setattr(Shown, "_scaled", broken)
    with pytest.raises(MediaError, match="the picture broke"):
        compose(clip, clip, "Hello.", tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_a_frame_is_shown_until_the_next_is_due() -> None:
    pictures = [np.full((2, 2, 3), n, np.uint8) for n in range(3)]
    times = (Fraction(0), Fraction(1, 30), Fraction(1, 2))
    frames = [Frame(n, times[n], pictures[n]) for n in range(3)]
    shown = Shown(frames, (2, 2))
    asked = [0.0, 0.0, 1 / 30, 0.49, 0.5, 9.0]
    assert [int(shown(t)[0, 0, 0]) for t in asked] == [0, 0, 1, 1, 2, 2]


def test_panes_are_even_and_bounded(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "odd.mkv", size=(65, 49), pixel_format="yuv444p"))
    assert pane_size(info) == (64, 48)
    wide = make_clip(tmp_path / "wide.mp4", size=(2160, 16), n_frames=2)
    assert pane_size(probe(wide)) == (module.MAX_PANE, 16)


def test_long_captions_wrap_and_end_in_an_ellipsis() -> None:
    short, long = (draw_band("word " * n, 200, 16, 3) for n in (1, 500))
    assert long.shape[1] == 200
    assert len(short) < len(long) < 100
    assert long.max() == 255


class Cutter:
    """Stands in for the pipeline's dub_cut: makes the cuts in the folder it is given."""

    def __init__(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    def dub_cut(
        self,
        video: Path,
        subtitles: Path | None,
        index: int,
        folder: Path,
        options: DubOptions,
        progress: Progress,
    ) -> tuple[Path, Path, DubReport]:
        self.calls.append((video, subtitles, index, folder, options))
        names = (folder / "before.mp4", folder / "after.mp4")
        report = DubReport(names[1], 1, 1.0, ())
        return make_clip(names[0]), make_clip(names[1], audio=make_tone(0.4)), report


@pytest.fixture
def cutter(monkeypatch: pytest.MonkeyPatch) -> Cutter:
    fake = Cutter()
    monkeypatch.setattr(module, "dub_cut", fake.dub_cut)
    return fake


def test_the_stand_in_is_called_like_the_pipeline() -> None:
    stand_in = list(inspect.signature(Cutter().dub_cut).parameters)
    assert list(inspect.signature(dub_cut).parameters)[: len(stand_in)] == stand_in


def test_a_preview_lies_beside_the_video_and_its_cuts_are_gone(video: Path, cutter: Cutter) -> None:
    made, _ = preview(video, None, None, 2, DubOptions())
    assert made == video.with_name("a b.preview-2.mp4")
    assert probe(made).width == 128
    ((*asked, folder, options),) = cutter.calls
    assert (asked, options) == ([video, None, 2], DubOptions())
    assert not folder.exists()
    assert {p.name for p in video.parent.iterdir()} == {"a b.mp4", "a b.srt", made.name}


def test_a_segment_that_is_not_there_names_the_range(video: Path, cutter: Cutter) -> None:
    with pytest.raises(InputError, match="no segment 3") as caught:
        preview(video, None, None, 3, DubOptions())
    assert "1 to 2" in caught.value.hint
    assert not cutter.calls


@pytest.mark.parametrize("name", ["there.mp4", "a b.mp4", "missing/x.mp4", "x.exe"])
def test_an_output_that_cannot_be_is_refused_before_any_work(
    video: Path, cutter: Cutter, name: str
) -> None:
    (video.parent / "there.mp4").write_text("mine")
    with pytest.raises(InputError):
        preview(video, None, video.parent / name, 1, DubOptions())
    assert not cutter.calls
    assert (video.parent / "there.mp4").read_text() == "mine"


def test_transcript_lines_are_segments(tmp_path: Path) -> None:
    text = tmp_path / "talk.txt"
    text.write_text("First line.\n\nSecond line.\n")
    assert segment_text(tmp_path / "talk.mp4", text, 2, "en") == "Second line."
