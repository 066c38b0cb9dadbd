"""Parts of a dub made apart leave everything the dub needs."""

from pathlib import Path

import pytest

import avdub.pipeline.part as part_module
from avdub.media.probe import probe
from avdub.pipeline.options import DubOptions
from avdub.pipeline.part import paint, prepare
from avdub.pipeline.ready import Task
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import dub, perform
from avdub.pipeline.weights import Weights
from avdub.progress import silent
from tests.make import make_tone
from tests.pipeline.test_cached_dub import CUES, Counted, assert_same
from tests.pipeline.test_plan import write_srt
from tests.pipeline.test_store import Shelf
from tests.tiny import make_face_clip

KINDS = {"lines", "speech", "faces", "mouths", "prosody"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    return make_face_clip(path, audio=make_tone(2.0, 16_000))


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights), overwrite=True, max_rate=3.0)


@pytest.fixture
def srt(tmp_path: Path) -> Path:
    return write_srt(tmp_path / "s.srt", *CUES)


def test_the_dub_of_parts_paints_nothing_and_is_the_dub(
    clip: Path, srt: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    segments = prepare(clip, srt, options, silent, shelf)
    assert segments == (1, 2, 3)
    for segment in (3, 1, 2):
        paint(clip, srt, options, [segment], silent, shelf)
    made = Counted(monkeypatch)
    joined = dub(clip, srt, tmp_path / "joined.mp4", options, store=shelf)
    assert (made.detectors, made.lines, made.spoken, made.painted) == (0, 0, [], [])
    whole = dub(clip, srt, tmp_path / "whole.mp4", options)
    assert_same(joined.output, whole.output)


def test_a_part_makes_its_own_segments_alone_and_once(
    clip: Path, srt: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, made = Shelf(), Counted(monkeypatch)
    prepare(clip, srt, options, silent, shelf)
    assert (set(made.spoken), made.painted) == ({1, 2, 3}, [])
    for _ in "ab":
        paint(clip, srt, options, [2], silent, shelf)
    assert set(made.painted) == {2}
    assert len(made.painted) == -(-painted_frames(clip, srt, options) // 8)


def painted_frames(clip: Path, srt: Path, options: DubOptions) -> int:
    """Of the second cue."""
    _, cue, _ = CUES
    times = probe(clip).frame_times
    return sum(cue[0] <= 1000 * time < cue[1] for time in times)


def test_a_segment_that_cannot_be_painted_is_left_to_the_dub(
    clip: Path, srt: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()

    def breaking(*words: object) -> None:
        raise ZeroDivisionError("made to fail")

    with monkeypatch.context() as patch:
        patch.setattr("avdub.pipeline.animate.Animator._paint_actor", breaking)
        paint(clip, srt, options, [1], silent, shelf)
    report = dub(clip, srt, tmp_path / "out.mp4", options, store=shelf)
    assert [s.status for s in report.segments] == ["dubbed"] * 3


def test_open_weights_are_used_again(
    clip: Path, srt: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Weights(options.model)

    def no_more(*words: object) -> Weights:
        raise AssertionError("they are open already")

    monkeypatch.setattr("avdub.pipeline.run.Weights", no_more)
    monkeypatch.setattr(part_module, "Weights", no_more)
    reports: list[DubReport] = []
    for name in ("a.mp4", "b.mp4"):
        task = Task(clip, srt, options)
        reports.append(perform(task, tmp_path / name, weights=weights))
        prepare(clip, srt, options, silent, Shelf(), weights)
    assert_same(reports[0].output, reports[1].output)
