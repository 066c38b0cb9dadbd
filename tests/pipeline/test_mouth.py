"""How far a video's speakers open their mouths: which frames are asked, and what comes of it."""

from pathlib import Path

import numpy as np
import pytest

from avdub.faces.track import FaceTrack
from avdub.learning.lip_actor import LipFit
from avdub.media.probe import probe
from avdub.pipeline import mouth
from avdub.pipeline.mouth import LISTENED_S, PART_S, fit_mouth, parts_of
from avdub.pipeline.weights import Weights
from avdub.timeline import Span


def make_track(start: int, n_frames: int, visible: bool = True) -> FaceTrack:
    landmarks = np.zeros((n_frames, 468, 3), np.float32)
    landmarks[:, :, 0] = np.arange(start, start + n_frames)[:, None]
    return FaceTrack(
        0,
        Span(start, start + n_frames),
        landmarks,
        np.zeros((n_frames, 4), np.float32),
        np.full(n_frames, visible),
        ("" if visible else "profile",) * n_frames,
        0,
    )


def test_a_short_track_is_taken_whole() -> None:
    (part,) = parts_of([make_track(10, 40)], 25.0)
    assert part.frames == Span(10, 50)


def test_of_a_long_video_pieces_from_all_over_are_taken() -> None:
    parts = parts_of([make_track(0, 25 * 3600)], 25.0)
    assert sum(len(p.frames) for p in parts) <= LISTENED_S * 25
    assert parts[0].frames.start == 0
    assert parts[-1].frames.end == 25 * 3600
    assert max(len(p.frames) for p in parts) <= PART_S * 25


def test_a_piece_keeps_its_own_landmarks() -> None:
    for part in parts_of([make_track(7, 400)], 25.0):
        assert part.landmarks[0, 0, 0] == part.frames.start
        assert len(part.landmarks) == len(part.visible) == len(part.reason) == len(part.frames)


def test_what_is_not_seen_is_not_asked() -> None:
    assert parts_of([make_track(0, 50, visible=False)], 25.0) == []


def test_a_video_in_which_nobody_speaks_changes_nothing(face_clip: Path, weights: Path) -> None:
    models = Weights(str(weights))
    model, report = fit_mouth(probe(face_clip), [make_track(0, 50)], models)
    assert model is models.latents_to_face
    assert report.gain == 1
    assert report.reason == "too little is seen of who is heard"


def test_no_face_changes_nothing(face_clip: Path, weights: Path) -> None:
    models = Weights(str(weights))
    model, report = fit_mouth(probe(face_clip), [], models)
    assert model is models.latents_to_face
    assert report.reason == "nobody is seen and heard"


def test_what_was_found_widens_a_copy_and_is_told(
    face_clip: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = Weights(str(weights))
    fit = LipFit(2.0, np.full(114, 0.01), (0.08, 0.06), 0.5, (0.3, 0.6))
    monkeypatch.setattr(mouth, "fit_lips", lambda said: (fit, ""))
    model, report = fit_mouth(probe(face_clip), [make_track(0, 50)], models)
    assert model is not models.latents_to_face
    assert report.amplitudes == (0.3, 0.6)
    assert "2.00 times as far" in report.sentence
    assert "25% less error" in report.sentence
