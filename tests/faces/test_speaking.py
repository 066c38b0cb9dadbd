from fractions import Fraction

import numpy as np
import pytest

from avdub.faces.detect import box_of
from avdub.faces.speaking import agreement, mouth_opening, outline, speaking_score
from avdub.faces.speaking import assign as assign_outlines
from avdub.faces.track import FaceTrack
from avdub.timeline import Segment, Span, Timeline
from tests.faces.conftest import Floats
from tests.faces.test_lips import TEMPLATE, posed

RATE = 25
N = 100
TIMELINE = Timeline(tuple(Fraction(n, RATE) for n in range(N)), Fraction(N, RATE))
RNG = np.random.default_rng(5)
SPEECH = np.clip(np.convolve(RNG.normal(0, 1, N), np.ones(4) / 4, "same"), 0, None) * 0.2


def mouth(number: int, gaps: Floats, x: float = 100.0, start: int = 0) -> FaceTrack:
    """A face at `x` whose lips are `gaps` inter-ocular distances apart."""
    landmarks = np.repeat(posed(TEMPLATE, (0.0, 0.0, 0.0), 40, x)[None], len(gaps), axis=0)
    landmarks[:, 14, 1] += 40 * np.asarray(gaps, np.float32)
    return FaceTrack(
        id=number,
        frames=Span(start, start + len(gaps)),
        landmarks=landmarks,
        box=np.stack([box_of(each) for each in landmarks]),
        visible=np.ones(len(gaps), bool),
        reason=("",) * len(gaps),
        shot=0,
    )


def hidden(track: FaceTrack, reason: str) -> FaceTrack:
    n = len(track.frames)
    return FaceTrack(
        track.id, track.frames, track.landmarks, track.box, np.zeros(n, bool), (reason,) * n, 0
    )


def line(index: int, start: int, end: int, speaker: str | None = None) -> Segment:
    """A segment of frames [start, end)."""
    return Segment(index, start * 40, end * 40, "words", speaker)


def assign(
    segments: list[Segment],
    tracks: list[FaceTrack],
    timeline: Timeline,
    energy: Floats | None = None,
) -> dict[int, tuple[int | None, str]]:
    return assign_outlines(segments, [outline(track) for track in tracks], timeline, energy)


STILL = np.full(N, 0.01)


def test_the_opening_is_measured_in_inter_ocular_distances() -> None:
    openings = mouth_opening(mouth(0, np.array([0.0, 0.1, 0.3])))
    np.testing.assert_allclose(np.diff(openings), [0.1, 0.2], atol=0.01)


def test_a_talking_mouth_scores_above_a_still_one() -> None:
    assert speaking_score(SPEECH, None, RATE) > 5 * speaking_score(STILL, None, RATE)


def test_the_mouth_that_goes_with_the_sound_scores_above_one_that_does_not() -> None:
    with_sound = speaking_score(SPEECH, SPEECH.astype(np.float32), RATE)
    against = speaking_score(SPEECH[::-1], SPEECH.astype(np.float32), RATE)
    assert with_sound > 1.2 * against


def test_a_small_lag_between_lips_and_sound_is_forgiven() -> None:
    assert agreement(np.roll(SPEECH, 2), SPEECH, RATE) > 0.8


def test_two_frames_are_too_few_to_judge() -> None:
    assert speaking_score(SPEECH[:2], None, RATE) == 0


def test_the_only_face_speaks() -> None:
    assert assign([line(1, 10, 60)], [mouth(0, STILL)], TIMELINE) == {1: (0, "the only face")}


def test_of_two_faces_the_talking_one_speaks() -> None:
    tracks = [mouth(0, STILL), mouth(1, SPEECH, 300)]
    assert assign([line(1, 10, 90)], tracks, TIMELINE)[1][0] == 1


def test_sound_decides_between_two_moving_mouths() -> None:
    tracks = [mouth(0, SPEECH[::-1]), mouth(1, SPEECH, 300)]
    chosen = assign([line(1, 0, 100)], tracks, TIMELINE, SPEECH.astype(np.float32))
    assert chosen[1][0] == 1


def test_a_tag_keeps_its_face_where_the_motion_alone_would_mislead() -> None:
    left, right = SPEECH.copy(), np.full(N, 0.01)
    left[70:] = 0.01
    right[70:] = 0.3 * SPEECH[70:]
    tracks = [mouth(0, left), mouth(1, right, 300)]
    tagged = assign([line(1, 0, 70, "ann"), line(2, 72, 98, "ann")], tracks, TIMELINE)
    free = assign([line(1, 0, 70), line(2, 72, 98)], tracks, TIMELINE)
    assert (tagged[1][0], tagged[2][0]) == (0, 0)
    assert (free[1][0], free[2][0]) == (0, 1)


def test_tracks_of_one_place_in_one_shot_are_one_person() -> None:
    before, after = mouth(0, SPEECH[:45]), mouth(2, STILL[55:], start=55)
    other = mouth(1, np.where(np.arange(N) > 55, 0.3 * SPEECH, 0.01), 300)
    chosen = assign(
        [line(1, 0, 45, "ann"), line(2, 56, 99, "ann")], [before, other, after], TIMELINE
    )
    assert (chosen[1][0], chosen[2][0]) == (0, 2)


def test_without_a_face_the_reason_says_so() -> None:
    assert assign([line(4, 0, 20)], [], TIMELINE) == {4: (None, "no face found")}


@pytest.mark.parametrize("word", ["profile", "tiny", "occluded"])
def test_a_face_that_cannot_be_painted_is_named(word: str) -> None:
    chosen = assign([line(1, 0, 20)], [hidden(mouth(0, SPEECH), word)], TIMELINE)
    assert chosen == {1: (None, f"face not paintable: {word}")}


def test_a_face_that_is_seen_only_briefly_does_not_take_the_line() -> None:
    tracks = [mouth(0, STILL), mouth(1, 2 * SPEECH[:15], 300)]
    assert assign([line(1, 0, 100)], tracks, TIMELINE)[1] == (0, "the only face")
