"""Repainted mouths: which frames, from which exemplars, and that the answer does not leak."""

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from avdub.errors import FaceError, MediaError
from avdub.evaluation.picture import inside, psnr
from avdub.evaluation.repaint import (
    APART_S,
    RUN,
    PaintChoice,
    Repainter,
    allowed_exemplars,
    find_runs,
    paste_nearest,
)
from avdub.faces.crop import mouth_mask
from avdub.faces.lips import SHAPE_POINTS
from avdub.faces.track import FaceTrack
from avdub.media.probe import MediaInfo, probe
from avdub.media.video import Frame, FrameReader
from avdub.pipeline.animate import Animator
from avdub.pipeline.drive import Drive
from avdub.pipeline.weights import Weights
from avdub.timeline import Span
from tests.conftest import FACES
from tests.tiny import track_face


def make_track(visible: list[bool], start: int = 0) -> FaceTrack:
    n = len(visible)
    reason = tuple("" if seen else "gap" for seen in visible)
    marks, box = np.zeros((n, 468, 3), np.float32), np.zeros((n, 4), np.float32)
    return FaceTrack(0, Span(start, start + n), marks, box, np.array(visible), reason, 0)


VISIBLE = st.lists(st.integers(0, 9).map(lambda n: n > 0), min_size=1, max_size=120)


@given(VISIBLE, st.integers(0, 30), st.integers(8, 40), st.integers(0, 4))
def test_runs_do_not_overlap_and_may_be_painted(
    visible: list[bool], start: int, every: int, margin: int
) -> None:
    runs = find_runs(make_track(visible, start), every, margin)
    for run in runs:
        around = range(run.start - margin - start, run.end + margin - start)
        assert len(run) == RUN
        assert around.start >= 0
        assert around.stop <= len(visible)
        assert all(visible[n] for n in around)
    for one, following in pairwise(runs):
        assert following.start >= one.start + every


def test_an_unbroken_track_has_a_run_every_so_many_frames() -> None:
    assert [run.start for run in find_runs(make_track([True] * 75), 25, 2)] == [2, 27, 52]


@given(VISIBLE, st.integers(8, 40), st.sampled_from(["other-half", "apart"]), st.integers(10, 60))
def test_exemplars_are_seen_and_never_near_what_is_painted(
    visible: list[bool], every: int, exemplars: str, rate: int
) -> None:
    track = make_track(visible, 5)
    times = (np.arange(len(visible)) + 5) / rate
    for run in find_runs(track, every, 1):
        found = allowed_exemplars(track, times, run, exemplars)
        assert not (found & ~track.visible).any()
        painted = times[run.start - 5 : run.end - 5]
        for time in times[found]:
            assert np.abs(painted - time).min() > APART_S


def test_exemplars_of_the_other_half_lie_on_its_side_of_the_middle() -> None:
    track, times = make_track([True] * 80), np.arange(80) / 25
    early = allowed_exemplars(track, times, Span(10, 18), "other-half")
    late = allowed_exemplars(track, times, Span(60, 68), "other-half")
    assert np.flatnonzero(early).tolist() == list(range(40, 80))
    assert np.flatnonzero(late).tolist() == list(range(40))


def test_a_run_across_the_middle_still_keeps_its_distance() -> None:
    track, times = make_track([True] * 80), np.arange(80) / 25
    found = allowed_exemplars(track, times, Span(37, 45), "other-half")
    assert np.flatnonzero(found).tolist() == list(range(32))


def test_exemplars_apart_come_from_both_halves() -> None:
    track, times = make_track([True] * 80), np.arange(80) / 25
    found = allowed_exemplars(track, times, Span(10, 18), "apart")
    assert np.flatnonzero(found).tolist() == [*range(5), *range(23, 80)]


@pytest.fixture(scope="module")
def info(face_clip: Path) -> MediaInfo:
    return probe(face_clip)


@pytest.fixture(scope="module")
def frames(info: MediaInfo) -> list[Frame]:
    with FrameReader(info) as reader:
        return list(reader)


@pytest.fixture(scope="module")
def track(frames: list[Frame]) -> FaceTrack:
    return track_face(frames, FACES)


@pytest.fixture(scope="module")
def models(weights: Path) -> Weights:
    return Weights(str(weights))


@pytest.fixture(scope="module")
def painter(info: MediaInfo, track: FaceTrack, models: Weights) -> Repainter:
    return Repainter(info, track, models, PaintChoice())


def test_the_frames_of_a_run_are_painted_at_full_strength(
    painter: Repainter, frames: list[Frame], track: FaceTrack
) -> None:
    run = next(painter.runs())
    actor = painter.actor(Span(run[0].index, run[-1].index + 1))
    lips = painter._lips(actor, track.frames)  # a drive that ends far from the run
    drive = Drive(0, track.frames, lips)
    animator = Animator(painter.model, painter.template, {0: actor}, [drive], Fraction(25))
    wanted = [image for _, image in animator.animate(frames[run[0].index : run[-1].index + 1])]
    for made, image in zip(run, wanted, strict=True):
        np.testing.assert_array_equal(made.painted, image)


def test_the_real_mouth_does_not_reach_the_painted_one(
    painter: Repainter, frames: list[Frame]
) -> None:
    span = painter.spans[0]
    actor = painter.actor(span)
    chosen = frames[span.start : span.end]
    made = painter._paint(actor, span, chosen)
    hidden = []
    for frame, x in zip(chosen, made, strict=True):
        lips = inside(x.landmarks[list(SHAPE_POINTS[:20]), :2], frame.image.shape[:2])
        hidden.append(replace(frame, image=np.where(lips[..., None], 255, frame.image)))
    again = painter._paint(
        actor, span, [replace(f, image=f.image.astype(np.uint8)) for f in hidden]
    )
    for x, y in zip(made, again, strict=True):
        lips = inside(x.landmarks[list(SHAPE_POINTS[20:40]), :2], x.real.shape[:2])
        away = [np.abs(x.real[lips].astype(int) - y.real[lips])]
        away += [np.abs(x.painted[lips].astype(int) - y.painted[lips])]
        away += [np.abs(x.pasted[lips].astype(int) - y.pasted[lips])]
        assert away[0].mean() > 30
        # what little comes through is the soft edge of the painter's coarse mask
        assert max(each.max() for each in away[1:]) <= 4


def test_all_frames_of_a_half_share_their_exemplars(painter: Repainter) -> None:
    early = [painter.actor(span) for span in (Span(2, 10), Span(3, 11))]
    assert early[0] is early[1]
    assert min(early[0].chosen) >= 25


def test_real_lips_ask_for_the_frames_own_shape(painter: Repainter) -> None:
    for x in next(painter.runs()):
        own = x.landmarks[list(SHAPE_POINTS), :2]
        assert np.abs(x.wanted - own).max() < 0.05


def test_lips_from_sound_are_those_of_the_sound(
    info: MediaInfo, track: FaceTrack, models: Weights
) -> None:
    painter = Repainter(info, track, models, PaintChoice(lips="sound"))
    for x in next(painter.runs()):
        own = x.landmarks[list(SHAPE_POINTS), :2]
        assert np.abs(x.wanted - own).max() > 2  # the tiny model's lips are far from rest


def test_only_the_patch_is_painted(painter: Repainter) -> None:
    x = next(painter.runs())[0]
    changed = np.abs(x.painted.astype(int) - x.real).max(-1) > 0
    size = round(x.square.side_px)
    y, across = np.nonzero(changed)
    at = np.column_stack([across, y]) @ x.square.matrix[:, :2].T + x.square.matrix[:, 2]
    assert changed.any()
    column, row = np.clip(np.rint(at * size - 0.5).astype(int), 1, size - 2).T
    mask = mouth_mask(x.landmarks, x.square, size) > 0
    assert all(mask[r - 1 : r + 2, c - 1 : c + 2].any() for r, c in zip(row, column, strict=True))


def test_an_exemplar_pasted_where_it_came_from_is_the_frame(
    painter: Repainter, frames: list[Frame], track: FaceTrack
) -> None:
    actor = painter.actor(painter.spans[0])
    n = actor.chosen[2]
    landmarks = track.landmarks[n - track.frames.start]
    pasted = paste_nearest(actor, frames[n], landmarks, landmarks[list(SHAPE_POINTS), :2])
    assert psnr(frames[n].image, pasted) > 40


def test_a_face_seen_in_one_moment_only_leaves_no_exemplars(
    info: MediaInfo, track: FaceTrack, models: Weights
) -> None:
    visible = np.zeros(len(track.visible), bool)
    visible[10:22] = True
    reason = tuple("" if seen else "gap" for seen in visible)
    brief = replace(track, visible=visible, reason=reason)
    painter = Repainter(info, brief, models, PaintChoice(exemplars="apart"))
    with pytest.raises(FaceError, match="no frames are left"):
        list(painter.runs())


def test_lips_from_sound_need_sound(
    info: MediaInfo, track: FaceTrack, models: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avdub.evaluation.lips.read_audio", lambda path, info: None)
    with pytest.raises(MediaError, match="has no sound"):
        Repainter(info, track, models, PaintChoice(lips="sound"))
