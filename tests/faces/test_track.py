from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import pytest

from avdub.faces.detect import Detection, Detector, box_of
from avdub.faces.lips import lip_shape, opening
from avdub.faces.track import FaceTrack, Tracker, yaw
from avdub.timeline import Span
from tests.faces.conftest import Floats, Image, moved
from tests.faces.test_lips import TEMPLATE, posed
from tests.faces.test_shots import scene


def face(x: float, y: float = 80.0, eyes: float = 30.0, turn: float = 0.0) -> Detection:
    """A face turned by degrees, between its eyes at x, y, with eyes this many px apart."""
    landmarks = posed(TEMPLATE, (0.0, np.radians(turn), 0.0), eyes, 0.0)
    landmarks[:, :2] += [x, y]
    return Detection(box_of(landmarks), 0.9, landmarks)


@dataclass
class Scripted:
    """A detector that knows which faces each fed picture shows (by its first pixel)."""

    faces: list[list[Detection]]
    looks: list[int] = field(default_factory=list)

    def detect(self, image: Image, deep: bool | None = None) -> list[Detection]:
        self.looks.append(int(image[0, 0, 0]))
        return self.faces[image[0, 0, 0]]

    def refine(self, image: Image, landmarks: Floats) -> Detection | None:
        def distance(each: Detection) -> float:
            return float(np.abs(each.landmarks - landmarks).mean())

        near = [each for each in self.faces[image[0, 0, 0]] if distance(each) < 15]
        return min(near, key=distance, default=None)


def follow(
    faces: list[list[Detection]], rate: Fraction | float = 25, cut_at: int | None = None
) -> list[FaceTrack]:
    """Tracks of scripted faces in still pictures; a new scene begins at `cut_at`."""
    tracker = Tracker(Scripted(faces), rate)
    for n in range(len(faces)):
        image = scene(0 if cut_at is None or n < cut_at else 1).copy()
        image[0, 0, 0] = n
        tracker.feed(n, image)
    return tracker.finish()


def test_a_face_becomes_one_track_of_all_frames() -> None:
    (track,) = follow([[face(60 + n)] for n in range(30)])
    assert track.frames == Span(0, 30)
    assert track.visible.all()
    assert set(track.reason) == {""}
    assert track.landmarks.shape == (30, 468, 3)
    assert track.box.shape == (30, 4)
    assert track.landmarks.dtype == np.float32


def test_even_movement_is_kept_exactly() -> None:
    (track,) = follow([[face(60 + n)] for n in range(30)])
    np.testing.assert_allclose(track.at(15), face(75).landmarks, atol=0.05)


def test_a_short_loss_is_bridged_but_not_painted() -> None:
    faces = [[face(60 + n)] if not 10 <= n < 14 else [] for n in range(30)]
    (track,) = follow(faces)
    assert track.frames == Span(0, 30)
    assert [n for n in range(30) if not track.visible[n]] == [10, 11, 12, 13]
    assert track.why(12) == "gap"
    np.testing.assert_allclose(track.at(12), face(72).landmarks, atol=0.5)


def test_a_long_loss_ends_the_track() -> None:
    faces = [[face(60)] if not 12 <= n < 22 else [] for n in range(40)]
    first, second = follow(faces)
    assert first.frames == Span(0, 12)
    assert second.frames.end == 40
    assert second.frames.start <= 25


@pytest.mark.parametrize("rate", [Fraction(24000, 1001), 25, 50, Fraction(60000, 1001)])
def test_gaps_are_measured_in_seconds_whatever_the_rate(rate: Fraction | float) -> None:
    lost = int(0.2 * rate)
    faces = [[face(60)] if not 20 <= n < 20 + lost else [] for n in range(40 + lost)]
    (track,) = follow(faces, rate)
    assert track.reason.count("gap") == lost


def test_a_face_seen_for_less_than_a_third_of_a_second_is_no_track() -> None:
    assert follow([[face(60)] if n < 6 else [] for n in range(30)]) == []


def test_two_faces_keep_their_tracks_apart() -> None:
    left, right = follow([[face(45 + n / 5), face(115 - n / 5)] for n in range(30)])
    assert left.at(29)[168, 0] < 60
    assert right.at(29)[168, 0] > 100
    assert left.frames == right.frames == Span(0, 30)


def test_a_second_face_is_found_while_the_first_is_followed() -> None:
    tracks = follow([[face(45), face(115)] if n >= 5 else [face(45)] for n in range(40)])
    assert len(tracks) == 2
    assert tracks[1].frames.start <= 5 + 10


def test_a_cut_ends_the_track_though_the_next_face_is_in_its_place() -> None:
    first, second = follow([[face(60)] for _ in range(40)], cut_at=20)
    assert (first.frames, first.shot) == (Span(0, 20), 0)
    assert (second.frames, second.shot) == (Span(20, 40), 1)
    assert first.why(20) == "cut"
    assert first.at(20) is None


def test_a_face_in_profile_is_not_painted() -> None:
    (track,) = follow([[face(80, turn=60 if n >= 15 else 10)] for n in range(30)])
    assert track.why(2) == ""
    assert track.why(28) == "profile"
    assert not track.visible[28]


def test_a_tiny_face_is_not_painted() -> None:
    (track,) = follow([[face(80, eyes=9)] for _ in range(20)])
    assert set(track.reason) == {"tiny"}
    assert not track.visible.any()


def test_no_face_no_tracks() -> None:
    assert follow([[] for _ in range(12)]) == []


def test_frames_out_of_order_are_refused() -> None:
    tracker = Tracker(Scripted([[]]))
    with pytest.raises(AssertionError, match="out of order"):
        tracker.feed(3, scene(0))


def test_full_searches_are_rare_while_a_face_is_followed() -> None:
    detector = Scripted([[face(60)] for _ in range(100)])
    tracker = Tracker(detector, 25)
    for n in range(100):
        image = scene(0).copy()
        image[0, 0, 0] = n
        tracker.feed(n, image)
    assert len(detector.looks) <= 12


def test_seen_counts_paintable_frames_of_a_span() -> None:
    (track,) = follow([[face(60)] if not 10 <= n < 14 else [] for n in range(30)])
    assert track.seen(Span(8, 16)) == 4
    assert track.seen(Span(28, 90)) == 2
    assert track.seen(Span(50, 60)) == 0


@pytest.mark.parametrize("angle", [-50.0, -20.0, 0.0, 30.0])
def test_yaw_is_the_turn_of_the_head(angle: float) -> None:
    turned = yaw(face(0, turn=angle).landmarks[None])
    assert abs(float(turned[0])) == pytest.approx(abs(angle), abs=2)


def play(detector: Detector, frames: list[Image]) -> list[FaceTrack]:
    tracker = Tracker(detector, 25)
    for n, frame in enumerate(frames):
        tracker.feed(n, frame)
    return tracker.finish()


def test_a_real_face_that_moves_is_one_track(detector: Detector, portrait: Image) -> None:
    frames = [moved(portrait, 12 * np.sin(n / 4), 6 * np.cos(n / 5), n / 2) for n in range(20)]
    (track,) = play(detector, frames)
    assert track.frames == Span(0, 20)
    assert track.visible.all()
    raw = np.stack([detector.detect(frame)[0].landmarks for frame in frames])
    assert np.abs(track.landmarks - raw)[..., :2].mean() < 1.0


def test_a_real_still_face_keeps_its_mouth_open(
    detector: Detector, portrait: Image, found: Detection
) -> None:
    (track,) = play(detector, [portrait] * 10)
    openings = opening(lip_shape(track.landmarks, TEMPLATE))
    assert openings.std() < 0.01
    expected = opening(lip_shape(found.landmarks[None], TEMPLATE))[0]
    assert openings.mean() == pytest.approx(expected, abs=0.02)


def test_something_before_the_mouth_is_not_painted_over(
    detector: Detector, portrait: Image
) -> None:
    frames = [portrait.copy() for _ in range(30)]
    for frame in frames[12:18]:
        frame[135:185, 130:195] = (20, 60, 30)
    tracks = play(detector, frames)
    assert all(track.why(n) for track in tracks for n in range(12, 18))
    assert any(track.why(5) == "" for track in tracks)
