"""Tracks of a long video: outlines at hand, landmarks read back."""

import numpy as np
import pytest

from avdub.faces.speaking import outline
from avdub.faces.track import FaceTrack
from avdub.pipeline.keep_faces import FACES, Seen
from avdub.pipeline.spill import Spill
from avdub.pipeline.tracks import MOST_HELD, Tracks
from avdub.timeline import Span


def make_track(number: int, start: int, n: int, shot: int = 0) -> FaceTrack:
    rng = np.random.default_rng(number + start)
    reason = tuple("gap" if place == 1 else "" for place in range(n))
    return FaceTrack(
        id=number,
        frames=Span(start, start + n),
        landmarks=rng.random((n, 468, 3)).astype(np.float32) * 100,
        box=rng.random((n, 4)).astype(np.float32),
        visible=np.array([not word for word in reason]),
        reason=reason,
        shot=shot,
    )


@pytest.fixture
def parts() -> list[Seen]:
    first = Seen((make_track(0, 0, 10), make_track(1, 4, 6, shot=1)), (4,))
    return [first, *(Seen((make_track(0, n, 8),), ()) for n in range(3, 7))]


@pytest.fixture
def tracks(parts: list[Seen]) -> Tracks:
    spill = Spill()
    made = Tracks(spill)
    for n, part in enumerate(parts):
        made.add(spill.put(FACES.pack(part)), 100 * n, Span(100 * n, 100 * n + 50))
    return made


def test_tracks_are_counted_through_and_placed_in_the_video(tracks: Tracks) -> None:
    assert list(tracks) == [0, 1, 2, 3, 4, 5]
    assert [tracks[n].frames.start for n in tracks] == [0, 4, 103, 204, 305, 406]
    assert [tracks[n].id for n in tracks] == list(tracks)


def test_each_shot_has_a_number_of_its_own(tracks: Tracks) -> None:
    assert [tracks[n].shot for n in tracks] == [0, 1, 2, 3, 4, 5]


def test_landmarks_come_back_as_they_were(tracks: Tracks, parts: list[Seen]) -> None:
    every = [track for part in parts for track in part.tracks]
    for n in (5, 0, 3, 1, 5, 2, 4):
        np.testing.assert_array_equal(tracks[n].landmarks, every[n].landmarks)
        assert tracks[n].reason == every[n].reason


def test_an_outline_says_what_its_track_says(tracks: Tracks) -> None:
    for n, known in tracks.outlines.items():
        whole = outline(tracks[n])
        np.testing.assert_array_equal(known.opening, whole.opening)
        np.testing.assert_array_equal(known.box, whole.box)
        for frame in range(known.frames.start - 1, known.frames.end + 1):
            assert known.why(frame) == tracks[n].why(frame)
        assert known.seen(Span(0, 500)) == tracks[n].seen(Span(0, 500)) > 0


def test_a_track_speaks_what_begins_in_its_own_part(tracks: Tracks) -> None:
    assert tracks.outlines[2].may_speak_from(149)
    assert not tracks.outlines[2].may_speak_from(150)


def test_few_parts_are_held(tracks: Tracks) -> None:
    for n in tracks:
        tracks[n]
    assert len(tracks._held) == MOST_HELD


def test_a_track_that_is_not_there_is_a_key_error(tracks: Tracks) -> None:
    with pytest.raises(KeyError):
        tracks[6]
