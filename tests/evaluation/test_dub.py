"""A dub against its original: what changed, what did not, and whether the mouth follows."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from avdub.errors import InputError
from avdub.evaluation.dub import DubScore, Files, measure_dub, painted_opening
from avdub.evaluation.lips import LipSync
from avdub.evaluation.picture import Image
from avdub.evaluation.untouched import MouthMasks, PictureScore, compare_pictures, painted_jobs
from avdub.faces.lips import load_template
from avdub.media.audio import iter_audio
from avdub.media.probe import probe
from avdub.media.video import FrameReader, FrameWriter
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Plan, make_plan
from avdub.pipeline.run import dub
from tests.conftest import FACES
from tests.make import make_clip

SPAN = range(15, 40)  # frames of the cue


@pytest.fixture(scope="module")
def cues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cue over the middle of the clip."""
    path = tmp_path_factory.mktemp("cues") / "face.srt"
    path.write_text("1\n00:00:00,600 --> 00:00:01,600\nHello.\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights), device="cpu")


@pytest.fixture(scope="module")
def plan(face_clip: Path, cues: Path, options: DubOptions) -> Plan:
    return make_plan(face_clip, cues, options)


@pytest.fixture(scope="module")
def dubbed(
    face_clip: Path, cues: Path, options: DubOptions, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    return dub(face_clip, cues, tmp_path_factory.mktemp("dub") / "face.dub.mp4", options).output


@pytest.fixture(scope="module")
def score(face_clip: Path, dubbed: Path, cues: Path, options: DubOptions) -> DubScore:
    return measure_dub(Files(face_clip, dubbed, cues), options)


def rewritten(
    clip: Path, path: Path, change: Callable[[int, Image], Image], last: int = 50
) -> Path:
    """The clip's first `last` frames, each as `change` makes it."""
    info = probe(clip)
    times = info.frame_times[:last]
    part = replace(info, frame_times=times, end=Fraction(last, 25))
    sound = iter_audio(clip, info, span=(0, part.end))
    with FrameReader(info) as reader, FrameWriter(path, part, sound, crf=8) as writer:
        for frame in reader:
            if frame.index < last:
                writer.write(change(frame.index, frame.image.copy()), frame.time)
    return path


class TestMeasureDub:
    def test_frames_and_length_of_a_dub_are_those_of_the_original(self, score: DubScore) -> None:
        assert (score.frames, score.dub_frames) == (50, 50)
        assert score.dub_duration_s == pytest.approx(score.duration_s, abs=score.tolerance_s)

    def test_a_dub_changes_its_mouth_and_little_else(self, score: DubScore) -> None:
        p = score.picture
        assert p.mouth_change is not None
        assert p.beside_change is not None
        assert p.mouth_change > 3 * p.beside_change
        assert p.outside_min_db is not None
        assert p.outside_min_db > 38

    def test_each_painted_segment_is_measured(self, score: DubScore) -> None:
        (segment,) = score.segments
        assert (segment.index, segment.frames) == (1, len(SPAN))
        assert (segment.start_s, segment.end_s) == (0.6, 1.6)
        assert segment.sync is not None
        assert -1 <= segment.sync.correlation <= 1

    def test_an_untouched_video_is_no_dub(
        self, face_clip: Path, cues: Path, options: DubOptions
    ) -> None:
        score = measure_dub(Files(face_clip, face_clip, cues), options)
        assert score.picture.mouth_change == 0
        assert score.picture.beside_min_db == 100
        assert score.picture.sharpness == pytest.approx(1)
        assert "no mouth changed" in score.misses

    def test_a_video_of_another_size_is_refused(
        self, face_clip: Path, cues: Path, options: DubOptions, tmp_path: Path
    ) -> None:
        other = make_clip(tmp_path / "other.mp4")
        with pytest.raises(InputError, match="64x48"):
            measure_dub(Files(face_clip, other, cues), options)

    def test_a_missing_frame_is_a_miss(
        self, face_clip: Path, cues: Path, options: DubOptions, tmp_path: Path
    ) -> None:
        short = rewritten(face_clip, tmp_path / "short.mp4", lambda n, image: image, last=48)
        score = measure_dub(Files(face_clip, short, cues), options)
        assert "48 frames, not 50" in score.misses
        assert "the length is off by 80 ms" in score.misses

    def test_json_has_the_misses_in_words(self, score: DubScore) -> None:
        assert score.as_json()["misses"] == list(score.misses)


class TestPictures:
    def test_a_change_before_the_cue_is_seen(self, plan: Plan, tmp_path: Path) -> None:
        def spot(n: int, image: Image) -> Image:
            image[:40, :40] += np.uint8(60 * (n == 3))
            return image

        clean = rewritten(plan.info.path, tmp_path / "a.mp4", lambda n, image: image)
        dirty = rewritten(plan.info.path, tmp_path / "b.mp4", spot)
        good, bad = (compare_pictures(plan, probe(path)) for path in (clean, dirty))
        assert good.outside_min_db is not None
        assert bad.outside_min_db is not None
        assert good.outside_min_db > 42
        assert bad.outside_min_db < 30
        assert bad.beside_min_db == pytest.approx(good.beside_min_db, abs=0.5)

    def test_a_change_beside_the_mouth_is_seen(self, plan: Plan, tmp_path: Path) -> None:
        def brow(n: int, image: Image) -> Image:
            image[:40, :40] += np.uint8(60 * (n == 25))
            return image

        bad = compare_pictures(plan, probe(rewritten(plan.info.path, tmp_path / "b.mp4", brow)))
        assert bad.beside_min_db is not None
        assert bad.beside_min_db < 30

    def test_a_change_of_the_mouth_alone_counts_as_that(self, plan: Plan, tmp_path: Path) -> None:
        masks = MouthMasks(plan)

        def blur(n: int, image: Image) -> Image:
            mouth = masks.at(n, image.shape)
            if mouth is not None:
                image[mouth.mask] = cv2.GaussianBlur(image, (0, 0), 6)[mouth.mask]
            return image

        made = rewritten(plan.info.path, tmp_path / "b.mp4", blur)
        score = compare_pictures(plan, probe(made))
        assert score.beside_min_db is not None
        assert score.beside_min_db > 42
        assert score.mouth_change is not None
        assert score.beside_change is not None
        assert score.mouth_change > 3 * score.beside_change
        assert score.sharpness is not None
        assert score.sharpness < 0.7

    def test_masks_lie_on_the_lips_and_only_in_the_span(self, plan: Plan) -> None:
        masks, track = MouthMasks(plan), plan.tracks[0]
        shape = (plan.info.height, plan.info.width, 3)
        assert masks.at(SPAN.start - 1, shape) is None
        assert masks.at(SPAN.stop, shape) is None
        mouth = masks.at(25, shape)
        assert mouth is not None
        x, y = track.landmarks[25 - track.frames.start, 13, :2].round().astype(int)
        assert mouth.mask[y, x]
        eye_x, eye_y = track.landmarks[25 - track.frames.start, 33, :2].round().astype(int)
        assert not mouth.wide[eye_y, eye_x]
        assert (mouth.wide & ~mouth.mask).any()
        assert not (mouth.mask & ~mouth.wide).any()

    def test_a_face_that_may_not_be_painted_has_no_mask(self, plan: Plan) -> None:
        track = plan.tracks[0]
        hidden = replace(track, reason=("profile",) * len(track.frames))
        masks = MouthMasks(replace(plan, tracks={0: hidden}))
        mouth = masks.at(25, (plan.info.height, plan.info.width, 3))
        assert mouth is not None
        assert not mouth.wide.any()


class TestPaintedOpening:
    def test_the_dubs_own_track_of_that_face_is_read(self, plan: Plan) -> None:
        track, template = plan.tracks[0], load_template(FACES)
        found = painted_opening(plan, painted_jobs(plan), [track], template)
        assert list(np.flatnonzero(~np.isnan(found))) == list(SPAN)
        assert np.nanmean(found) == pytest.approx(0, abs=1e-9)

    def test_another_face_elsewhere_is_not_taken_for_it(self, plan: Plan) -> None:
        track, template = plan.tracks[0], load_template(FACES)
        aside = replace(track, box=track.box + 200)
        found = painted_opening(plan, painted_jobs(plan), [aside], template)
        assert np.isnan(found).all()


PICTURE = PictureScore(45.0, 46.0, 44.0, 45.0, 5.0, 1.0, 0.9)
SYNC = LipSync(0.6, 0.62, 10.0, (), ())
GOOD = DubScore(50, 50, 2.0, 2.02, 0.04, PICTURE, SYNC, ())


def test_a_good_dub_misses_nothing() -> None:
    assert GOOD.misses == ()


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (replace(GOOD, dub_frames=49), "49 frames"),
        (replace(GOOD, dub_duration_s=2.1), "100 ms"),
        (replace(GOOD, picture=replace(PICTURE, outside_min_db=41.9)), "outside"),
        (replace(GOOD, picture=replace(PICTURE, beside_min_db=41.9)), "beside"),
        (replace(GOOD, picture=replace(PICTURE, mouth_change=0.0)), "no mouth"),
        (replace(GOOD, sync=None), "could not be measured"),
        (replace(GOOD, sync=replace(SYNC, correlation=0.4)), "follows"),
        (replace(GOOD, sync=replace(SYNC, best_shift_ms=-60.0)), "out of time"),
    ],
)
def test_each_shortcoming_is_one_miss(bad: DubScore, word: str) -> None:
    (miss,) = bad.misses
    assert word in miss
