"""Painted mouths of whole videos: what is pooled, what is unknown, and what is reported."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from avdub.errors import InputError, WeightsError
from avdub.evaluation import painting
from avdub.evaluation.painting import Measured, PictureReport, measure_picture, quality
from avdub.evaluation.repaint import RUN, PaintChoice
from avdub.faces.detect import Detection, Detector, make_detector
from avdub.pipeline.weights import Weights
from tests.conftest import FACES
from tests.make import make_clip

CHOICE = PaintChoice(every=20)


@pytest.fixture(scope="module")
def models(weights: Path) -> Weights:
    return Weights(str(weights))


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sheets") / "made"


@pytest.fixture(scope="module")
def report(
    face_clip: Path, models: Weights, sheets: Path, tmp_path_factory: pytest.TempPathFactory
) -> PictureReport:
    empty = make_clip(tmp_path_factory.mktemp("empty") / "empty.mp4")
    return measure_picture([empty, face_clip], models, CHOICE, sheets=sheets)


def test_every_measure_of_a_face_is_known_but_identity(report: PictureReport) -> None:
    clip = report.clips[1]
    assert clip.frames == 2 * RUN
    for found in (clip.painted, clip.pasted):
        assert found is not None
        told = {name: value for name, value in vars(found).items() if value is None}
        # the portrait's mouth hardly opens, so its inside may have no colour
        assert set(told) <= {"identity", "l", "a", "b", "abs_a", "abs_b"}
    assert clip.frechet_floor is not None
    assert clip.real_over_surround is not None


def test_a_painter_that_paints_too_bright_scores_worse_than_the_paste(
    face_clip: Path, weights: Path
) -> None:
    spoiled = Weights(str(weights))
    with torch.no_grad():
        spoiled.latents_to_face.paint.out.bias.fill_(0.5)  # a tenth of full light, everywhere
    (clip,) = measure_picture([face_clip], spoiled, CHOICE).clips
    assert clip.painted is not None
    assert clip.pasted is not None
    assert clip.painted.psnr_db < clip.pasted.psnr_db - 5
    assert clip.painted.ssim < clip.pasted.ssim
    assert clip.painted.frechet > clip.pasted.frechet


def test_a_video_without_a_face_is_named_and_the_others_measured(report: PictureReport) -> None:
    assert report.clips[0].painted is None
    assert "shows no usable face" in report.clips[0].problem
    assert report.all.frames == report.clips[1].frames
    assert report.all.painted == report.clips[1].painted


def test_a_report_is_plain_json(report: PictureReport) -> None:
    told = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert told["choice"] == {"lips": "real", "exemplars": "other-half", "every": 20}
    assert told["clips"][1]["painted"]["psnr_db"] == report.clips[1].painted.psnr_db
    assert "face_mesh.onnx" in told["features"]


def test_identity_needs_the_users_own_models(report: PictureReport) -> None:
    assert "no insightface models in" in report.identity_problem


def test_each_run_has_a_sheet_of_real_painted_and_pasted_mouths(
    report: PictureReport, sheets: Path
) -> None:
    found = sorted(sheets.glob("*.png"))
    assert [path.stem for path in found] == ["face_000002", "face_000022"]
    image = cv2.imread(str(found[0]))
    assert image.shape == (3 * 256, RUN * 256, 3)


def test_videos_without_any_mouth_are_an_input_error(models: Weights, tmp_path: Path) -> None:
    empty = make_clip(tmp_path / "empty.mp4")
    with pytest.raises(InputError, match="no mouth could be painted"):
        measure_picture([empty], models, CHOICE)


def test_a_clip_too_short_for_a_run_says_so(
    face_clip: Path, models: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(painting.Repainter, "runs", lambda self: iter(()))
    with pytest.raises(InputError, match="8 frames in a row"):
        measure_picture([face_clip], models, CHOICE)


def test_identity_is_the_cosine_of_embeddings(
    face_clip: Path, models: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_detector
    seen = iter([[2.0, 0.0], [0.6, 0.8], [3.0, 0.0]])  # real, painted, pasted

    class Knows(Detector):
        def __init__(self) -> None:
            self.mesh = plain(FACES)

        def detect(self, image: np.ndarray, deep: bool | None = None) -> list[Detection]:
            (found,) = self.mesh.detect(image, deep)
            return [replace(found, identity=np.float32(next(seen)))]

    monkeypatch.setattr(
        painting,
        "make_detector",
        lambda folder, backend="mediapipe": Knows() if backend == "insightface" else plain(folder),
    )
    report = measure_picture([face_clip], models, PaintChoice(every=40))
    assert report.identity_problem == ""
    assert report.all.painted.identity == pytest.approx(0.6)
    assert report.all.pasted.identity == pytest.approx(1)


def test_damaged_insightface_models_leave_identity_unknown(
    face_clip: Path, models: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = make_detector

    def broken(folder: Path, backend: str = "mediapipe") -> Detector:
        if backend == "insightface":
            raise WeightsError("cannot load the pack", "")
        return plain(folder)

    monkeypatch.setattr(painting, "make_detector", broken)
    report = measure_picture([face_clip], models, PaintChoice(every=40))
    assert report.identity_problem == "cannot load the pack"
    assert report.all.frechet_floor is None  # of a single run there are no two halves


ROW = {"psnr": 30.0, "a": -4.0, "b": 1.0, "l": 0.0, "sharp": 2.0, "sharp_real": 4.0}


def test_means_are_over_frames_that_know() -> None:
    made = quality([ROW, ROW | {"psnr": 20.0, "a": float("nan")}], 0.5)
    assert made is not None
    assert (made.psnr_db, made.a, made.open_frames, made.frechet) == (25.0, -4.0, 1, 0.5)
    assert made.ssim is None


def test_colour_errors_do_not_cancel_out_unsigned() -> None:
    made = quality([ROW, ROW | {"a": 4.0}], None)
    assert made is not None
    assert (made.a, made.abs_a) == (0.0, 4.0)


def test_ratios_weigh_frames_by_what_they_are_measured_against() -> None:
    made = quality([ROW, ROW | {"sharp": 0.0, "sharp_real": 12.0}], None)
    assert made is not None
    assert made.sharpness == 2 / 16


def test_no_frames_have_no_quality() -> None:
    assert quality([], None) is None
    assert Measured().score("x").painted is None
