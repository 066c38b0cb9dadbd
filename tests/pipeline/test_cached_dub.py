"""A dub that remembers: nothing is made twice, an edit remakes one line, a failure stays alone."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import avdub.pipeline.follow as follow_module
import avdub.pipeline.lines as lines_module
import avdub.pipeline.voiced as voiced_module
from avdub.errors import WeightsError
from avdub.media import gops
from avdub.media.audio import read_audio
from avdub.media.probe import probe
from avdub.media.video import FrameReader
from avdub.pipeline.animate import Animator
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import make_plan
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import dub
from avdub.pipeline.store import Memory
from tests.make import make_tone
from tests.pipeline.test_plan import write_srt
from tests.pipeline.test_store import Shelf
from tests.tiny import make_face_clip

CUES = ((120, 680, "Hello there."), (880, 1320, "Good day."), (1440, 1840, "Well."))
EDITED = (CUES[0], (880, 1320, "Good night."), CUES[2])
KINDS = {"lines", "faces", "prosody", "speech"}  # of which a segment is made before its picture


class Counted:
    """What was made in a run, by counting the calls that make it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.detectors = self.lines = 0
        self.spoken: list[int] = []  # segments
        self.painted: list[int] = []  # segments
        paint, speak = Animator._paint_actor, voiced_module._spoken
        detector, line = follow_module.make_detector, lines_module.read_line

        def make_detector(*words, **named):
            self.detectors += 1
            return detector(*words, **named)

        def read_line(*words):
            self.lines += 1
            return line(*words)

        def speaking(job, info, weights, seed):
            self.spoken.append(job.segment.index)
            return speak(job, info, weights, seed)

        def painting(animator, actor, wanted, pictures):
            self.painted.append(wanted.segment)
            return paint(animator, actor, wanted, pictures)

        monkeypatch.setattr(follow_module, "make_detector", make_detector)
        monkeypatch.setattr(lines_module, "read_line", read_line)
        monkeypatch.setattr(voiced_module, "_spoken", speaking)
        monkeypatch.setattr(Animator, "_paint_actor", painting)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Counted:
    return Counted(monkeypatch)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    return make_face_clip(path, audio=make_tone(2.0, 16_000))


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights), overwrite=True, max_rate=3.0)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture(scope="module")
def first(
    clip: Path, weights: Path, shelf: Shelf, tmp_path_factory: pytest.TempPathFactory
) -> DubReport:
    """A dub that fills the shelf."""
    folder = tmp_path_factory.mktemp("first")
    options = DubOptions(model=str(weights), max_rate=3.0)
    return dub(clip, write_srt(folder / "s.srt", *CUES), folder / "out.mp4", options, store=shelf)


def a_copy(shelf: Shelf) -> Shelf:
    other = Shelf()
    other.products = dict(shelf.products)
    return other


def decoded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """All pictures and all samples."""
    info = probe(path)
    with FrameReader(info) as reader:
        pictures = np.stack([frame.image for frame in reader])
    sound = read_audio(path, info)
    assert sound is not None
    return pictures, sound.samples


def assert_same(a: Path, b: Path) -> None:
    for one, other in zip(decoded(a), decoded(b), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_second_run_makes_nothing_and_gives_the_same(
    first: DubReport, shelf: Shelf, clip: Path, tmp_path: Path, options: DubOptions, made: Counted
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    again = dub(clip, srt, tmp_path / "out.mp4", options, store=a_copy(shelf))
    assert (made.detectors, made.lines, made.spoken, made.painted) == (0, 0, [], [])
    assert_same(again.output, first.output)
    assert [s.cached for s in first.segments] == [(), (), ()]
    assert [set(s.cached) for s in again.segments] == [{*KINDS, "stretches"}] * 3
    assert [s.status for s in again.segments] == ["dubbed"] * 3


def test_the_memory_changes_nothing(
    first: DubReport, clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    assert_same(dub(clip, srt, tmp_path / "out.mp4", options).output, first.output)


def test_an_edited_line_is_made_again_alone(
    first: DubReport, shelf: Shelf, clip: Path, tmp_path: Path, options: DubOptions, made: Counted
) -> None:
    srt = write_srt(tmp_path / "s.srt", *EDITED)
    again = dub(clip, srt, tmp_path / "out.mp4", options, store=a_copy(shelf))
    assert (made.detectors, made.lines, made.spoken, set(made.painted)) == (0, 1, [2], {2})
    whole = {*KINDS, "mouths"}
    assert [set(s.cached) for s in again.segments] == [whole, {"faces", "prosody"}, whole]
    fresh = dub(clip, srt, tmp_path / "fresh.mp4", options)
    assert_same(again.output, fresh.output)


def test_a_lost_stretch_is_made_of_kept_mouths(
    first: DubReport, shelf: Shelf, clip: Path, tmp_path: Path, options: DubOptions, made: Counted
) -> None:
    srt, other = write_srt(tmp_path / "s.srt", *CUES), a_copy(shelf)
    other.products = {k: made for k, made in other.products.items() if k[0] != "stretches"}
    again = dub(clip, srt, tmp_path / "out.mp4", options, store=other)
    assert made.painted == []
    assert [set(s.cached) for s in again.segments] == [{*KINDS, "mouths"}] * 3
    assert_same(again.output, first.output)
    assert other.products.keys() == shelf.products.keys()


@pytest.mark.parametrize("lost", range(3))
def test_a_stretch_that_begins_amid_painted_frames_is_made_as_it_was(
    tmp_path: Path,
    options: DubOptions,
    made: Counted,
    monkeypatch: pytest.MonkeyPatch,
    lost: int,
) -> None:
    monkeypatch.setattr(gops, "TOGETHER", 12)
    clip = make_face_clip(tmp_path / "face.mp4", audio=make_tone(2.0, 16_000), group=12)
    srt, shelf = write_srt(tmp_path / "s.srt", (120, 1900, "Hello there, good day.")), Shelf()
    options = replace(options, min_rate=0.3)
    whole = dub(clip, srt, tmp_path / "whole.mp4", options, store=shelf)
    kept = [key for key in shelf.products if key[0] == "stretches"]
    assert len(kept) == 3
    other, n_painted = a_copy(shelf), len(made.painted)
    other.products = {
        key: each
        for key, each in other.products.items()
        if key != kept[lost] and key[0] != "mouths"  # as if these had been dropped
    }
    again = dub(clip, srt, tmp_path / "again.mp4", options, store=other)
    assert len(made.painted) > n_painted
    assert_same(again.output, whole.output)
    assert other.products.keys() == shelf.products.keys()


def test_a_renamed_video_is_the_same_and_another_is_not(
    first: DubReport, shelf: Shelf, clip: Path, tmp_path: Path, options: DubOptions, made: Counted
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(clip.read_bytes())
    dub(moved, srt, tmp_path / "out.mp4", options, store=a_copy(shelf))
    assert made.painted == []
    other = make_face_clip(tmp_path / "other.mp4", audio=make_tone(2.0, 16_000, hz=300))
    dub(other, srt, tmp_path / "out.mp4", options, store=a_copy(shelf))
    assert (made.detectors, made.spoken, set(made.painted)) == (1, [1, 2, 3], {1, 2, 3})


def test_another_seed_or_voice_is_spoken_and_painted_anew(
    first: DubReport, shelf: Shelf, clip: Path, tmp_path: Path, weights: Path, made: Counted
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    for n, change in enumerate(({"seed": 7}, {"voice": "michael"}), start=1):
        options = DubOptions(model=str(weights), overwrite=True, max_rate=3.0, **change)
        dub(clip, srt, tmp_path / "out.mp4", options, store=a_copy(shelf))
        assert (made.detectors, len(made.spoken)) == (0, 3 * n)
    assert set(made.painted) == {1, 2, 3}


def test_a_plan_finds_faces_for_the_dub(
    clip: Path, tmp_path: Path, options: DubOptions, made: Counted
) -> None:
    shelf, srt = Shelf(), write_srt(tmp_path / "s.srt", *CUES)
    plan = make_plan(clip, srt, options, memory=Memory(shelf))
    again = make_plan(clip, srt, options, memory=Memory(shelf))
    assert (made.detectors, made.lines) == (1, 3)
    assert again.rows == plan.rows
    assert again.tracks.keys() == plan.tracks.keys()
    for track in plan.tracks:
        np.testing.assert_array_equal(again.tracks[track].landmarks, plan.tracks[track].landmarks)
        assert again.tracks[track].reason == plan.tracks[track].reason


def test_parts_of_a_video_are_watched_one_by_one(
    tmp_path: Path, options: DubOptions, made: Counted
) -> None:
    clip = make_face_clip(tmp_path / "v.mp4", n_frames=150, rate=Fraction(25))
    shelf, early, late = Shelf(), (200, 800, "Hello."), (4900, 5600, "Good day.")
    make_plan(clip, write_srt(tmp_path / "s.srt", early), options, memory=Memory(shelf))
    both = write_srt(tmp_path / "s.srt", early, late)
    memory = Memory(shelf)
    plan = make_plan(clip, both, options, memory=memory)
    assert made.detectors == 2
    assert ("faces" in memory.cached(1), "faces" in memory.cached(2)) == (True, False)
    plain = make_plan(clip, both, options)
    assert {k: t.frames for k, t in plan.tracks.items()} == {
        k: t.frames for k, t in plain.tracks.items()
    }


def failing_in(segment: int, monkeypatch: pytest.MonkeyPatch, after: int = 1) -> None:
    """Painting breaks in a segment, from its second chunk on."""
    paint, tries = Animator._paint_actor, []

    def painting(animator, actor, wanted, pictures):
        tries.append(wanted.segment)
        if wanted.segment == segment and tries.count(segment) > after:
            raise ZeroDivisionError("made to fail")
        return paint(animator, actor, wanted, pictures)

    monkeypatch.setattr(Animator, "_paint_actor", painting)


@pytest.fixture
def untouched(first: DubReport, clip: Path) -> tuple[np.ndarray, np.ndarray]:
    return decoded(clip)


def test_a_mouth_that_cannot_be_painted_keeps_its_original_and_is_retried_alone(
    clip: Path,
    tmp_path: Path,
    options: DubOptions,
    first: DubReport,
    untouched: tuple[np.ndarray, np.ndarray],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf, srt = Shelf(), write_srt(tmp_path / "s.srt", *CUES)
    with monkeypatch.context() as patch:
        failing_in(2, patch)
        report = dub(clip, srt, tmp_path / "out.mp4", options, store=shelf)
    assert report.exit_code == 5
    assert [s.status for s in report.segments] == ["dubbed", "failed", "dubbed"]
    assert report.segments[1].reason == "ZeroDivisionError: made to fail"
    pictures, sound = decoded(report.output)
    change = np.abs(pictures[22:33].astype(int) - untouched[0][22:33]).max()
    assert change < 40  # the codec's; a mouth differs by more
    inside = slice(round(0.95 * 16_000), round(1.25 * 16_000))
    tone = np.abs(np.fft.rfft(sound[inside, 0]))
    assert tone.argmax() == round(220 * 0.3)  # still the original's
    made = Counted(monkeypatch)
    again = dub(clip, srt, tmp_path / "out.mp4", options, store=shelf)
    assert (made.spoken, set(made.painted)) == ([], {2})
    assert again.exit_code == 0
    assert_same(again.output, first.output)


@pytest.mark.parametrize("error", [ZeroDivisionError("odd"), RuntimeError("odd"), OSError("odd")])
def test_whatever_goes_wrong_in_speaking_concerns_one_line(
    clip: Path,
    tmp_path: Path,
    options: DubOptions,
    first: DubReport,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    shelf, srt = Shelf(), write_srt(tmp_path / "s.srt", *CUES)
    speak = voiced_module._spoken

    def failing(job, info, weights, seed):
        if job.segment.index == 3:
            raise error
        return speak(job, info, weights, seed)

    with monkeypatch.context() as patch:
        patch.setattr(voiced_module, "_spoken", failing)
        report = dub(clip, srt, tmp_path / "out.mp4", options, store=shelf)
    assert [s.status for s in report.segments] == ["dubbed", "dubbed", "failed"]
    assert report.segments[2].reason == f"{type(error).__name__}: odd"
    made = Counted(monkeypatch)
    assert dub(clip, srt, tmp_path / "out.mp4", options, store=shelf).exit_code == 0
    assert (made.spoken, set(made.painted)) == ([3], {3})


def test_a_text_that_breaks_its_reader_fails_alone(
    clip: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lines_module.read_aloud

    def failing(text, *rest):
        if text == "Good day.":
            raise RecursionError("too deep")
        return read(text, *rest)

    monkeypatch.setattr(lines_module, "read_aloud", failing)
    srt = write_srt(tmp_path / "s.srt", *CUES)
    report = dub(clip, srt, tmp_path / "out.mp4", options)
    assert [s.status for s in report.segments] == ["dubbed", "failed", "dubbed"]
    assert report.segments[1].reason == "RecursionError: too deep"
    plan = make_plan(clip, srt, options)
    assert plan.exit_code == 5


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), WeightsError("gone")])
def test_what_concerns_every_line_stops_the_run(
    clip: Path,
    tmp_path: Path,
    options: DubOptions,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    def failing(*_):
        raise error

    monkeypatch.setattr(voiced_module, "_spoken", failing)
    srt = write_srt(tmp_path / "s.srt", *CUES)
    with pytest.raises(type(error)):
        dub(clip, srt, tmp_path / "out.mp4", options)
    assert not (tmp_path / "out.mp4").exists()


def test_a_store_that_fails_is_a_warning(
    clip: Path, tmp_path: Path, options: DubOptions, first: DubReport
) -> None:
    from avdub.jobs.cache import DiskCache

    (tmp_path / "file").write_text("no folder")
    srt = write_srt(tmp_path / "s.srt", *CUES)
    cache = DiskCache(tmp_path / "file" / "cache")
    report = dub(clip, srt, tmp_path / "out.mp4", options, store=cache)
    assert report.exit_code == 0
    assert any("cannot be written to" in warning for warning in report.warnings)
    assert_same(report.output, first.output)


def test_the_original_voice_is_looked_for_once(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listened: list[str] = []
    named = lines_module.cast_voices

    def listening(info, segments, weights, name):
        listened.append(name)
        return named(info, segments, weights, "heart")

    monkeypatch.setattr(lines_module, "cast_voices", listening)
    clip = make_face_clip(tmp_path / "v.mp4", n_frames=30)
    shelf, srt = Shelf(), write_srt(tmp_path / "s.srt", (100, 900, "Hello."))
    options = DubOptions(model=str(weights), voice="original")
    plans = [make_plan(clip, srt, options, memory=Memory(shelf)) for _ in "ab"]
    assert listened == ["original"]
    styles = [plan.jobs[0].voice.styles["speech"] for plan in plans]
    np.testing.assert_array_equal(styles[0], styles[1])
    assert plans[0].model == plans[1].model
