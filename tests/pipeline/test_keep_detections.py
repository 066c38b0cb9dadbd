"""Following faces after an interruption: what was seen is not looked for again."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

import avdub.pipeline.follow as follow_module
import avdub.pipeline.keep_detections as keep_module
from avdub.faces.detect import Detection, Detector
from avdub.media.probe import MediaInfo, probe
from avdub.pipeline.follow import find_faces
from avdub.pipeline.keep_detections import ANSWERS
from avdub.pipeline.options import DubOptions
from avdub.pipeline.store import Memory
from avdub.pipeline.weights import Weights
from avdub.progress import silent
from tests.make import make_segment
from tests.pipeline.test_store import Shelf

SEGMENTS = [make_segment(0, 2000)]


@pytest.fixture(autouse=True)
def _short_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_module, "PIECE", 8)


@pytest.fixture(scope="module")
def info(face_clip: Path) -> MediaInfo:
    return probe(face_clip)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every question that a network had to answer."""
    asked: list[str] = []
    make = follow_module.make_detector

    def making(*words: object, **named: object) -> Detector:
        detector = make(*words, **named)
        detect, refine = detector.detect, detector.refine

        def detecting(*words: object) -> object:
            asked.append("detect")
            return detect(*words)

        def refining(*words: object) -> object:
            asked.append("refine")
            return refine(*words)

        monkeypatch.setattr(detector, "detect", detecting)
        monkeypatch.setattr(detector, "refine", refining)
        return detector

    monkeypatch.setattr(follow_module, "make_detector", making)
    return asked


def stopping_after(n: int):
    def progress(items: Iterable[object], stage: str, total: int | None = None):
        for count, item in enumerate(items):
            if count == n:
                raise KeyboardInterrupt
            yield item

    return progress


def test_an_interrupted_search_goes_on_and_ends_alike(
    info: MediaInfo, weights: Path, looks: list[str]
) -> None:
    family, options, shelf = Weights(str(weights)), DubOptions(), Shelf()
    plain, cuts = find_faces(info, SEGMENTS, family, options, silent)
    n_all = len(looks)
    for stop in (20, 45):
        with pytest.raises(KeyboardInterrupt):
            find_faces(info, SEGMENTS, family, options, stopping_after(stop), Memory(shelf))
    looks.clear()
    resumed, again = find_faces(info, SEGMENTS, family, options, silent, Memory(shelf))
    assert 0 < len(looks) <= n_all * (50 - 40) / 50 + 4
    assert again == cuts
    assert resumed.keys() == plain.keys()
    for track, other in zip(resumed.values(), plain.values(), strict=True):
        assert (track.frames, track.reason, track.shot) == (other.frames, other.reason, other.shot)
        np.testing.assert_array_equal(track.landmarks, other.landmarks)
        np.testing.assert_array_equal(track.box, other.box)


def test_answers_come_back_as_they_were() -> None:
    rng = np.random.default_rng(0)
    face = Detection(rng.random(4).astype(np.float32), 0.3, rng.random((468, 3)).astype(np.float32))
    known = replace(face, score=0.7, identity=rng.random(512).astype(np.float32))
    answers = [[face], [], [known, face, known], [known]]
    found = ANSWERS.unpack(ANSWERS.pack(answers))
    assert [len(answer) for answer in found] == [1, 0, 3, 1]
    for one, other in zip(chain(*found), chain(*answers), strict=True):
        assert one.score == other.score
        np.testing.assert_array_equal(one.box, other.box)
        np.testing.assert_array_equal(one.landmarks, other.landmarks)
        assert (one.identity is None) == (other.identity is None)
        if other.identity is not None:
            np.testing.assert_array_equal(one.identity, other.identity)
    assert ANSWERS.unpack(ANSWERS.pack([[], []])) == [[], []]
