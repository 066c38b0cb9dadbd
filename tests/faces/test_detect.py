import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import cv2
import numpy as np
import pytest

from avdub.errors import WeightsError
from avdub.faces.boxes import distinct, overlap, tiles
from avdub.faces.detect import Detection, Detector, box_of, make_detector
from avdub.faces.lips import interocular
from tests.faces.conftest import FOLDER, Floats, Image, moved


def test_a_face_is_found_where_it_is(found: Detection) -> None:
    assert found.score > 0.8
    assert found.landmarks.shape == (468, 3)
    x, y = found.landmarks[1, :2]  # the astronaut's nose
    assert abs(x - 159) < 8
    assert abs(y - 131) < 8


def test_eyes_nose_mouth_and_chin_lie_below_one_another(found: Detection) -> None:
    eyes, nose, mouth, chin = (found.landmarks[n, 1] for n in (168, 4, 13, 152))
    assert eyes < nose < mouth < chin


def test_the_box_holds_all_landmarks(found: Detection) -> None:
    np.testing.assert_array_equal(found.box, box_of(found.landmarks))


def test_an_image_without_faces_has_no_detections(detector: Detector) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
    assert detector.detect(noise) == []


def test_two_faces_are_found_once_each(detector: Detector, portrait: Image) -> None:
    both = np.hstack([portrait[:, :300], portrait[:, ::-1][:, :300]])
    centres = sorted(float(each.landmarks[1, 0]) for each in detector.detect(both))
    assert len(centres) == 2
    assert centres[1] - centres[0] > 100


def test_a_small_face_in_a_large_frame_is_found(detector: Detector, portrait: Image) -> None:
    frame = np.full((720, 1280, 3), 90, np.uint8)
    frame[500:628, 1000:1160] = cv2.resize(portrait, (160, 128), interpolation=cv2.INTER_AREA)
    (only,) = detector.detect(frame)
    assert 1000 < only.landmarks[1, 0] < 1160
    assert 500 < only.landmarks[1, 1] < 628


def test_a_tilted_head_gives_the_same_points_tilted(
    detector: Detector, portrait: Image, found: Detection
) -> None:
    tilted = detector.detect(moved(portrait, 0, 0, turn=25))[0].landmarks
    turn = cv2.getRotationMatrix2D((160, 128), 25, 1)
    expected = found.landmarks[:, :2] @ turn[:, :2].T + turn[:, 2]
    error = np.hypot(*(tilted[:, :2] - expected).T).mean()
    assert error < 0.06 * float(interocular(found.landmarks[None])[0])


def test_refine_follows_a_face_that_moved(
    detector: Detector, portrait: Image, found: Detection
) -> None:
    now = detector.refine(moved(portrait, 6, -4), found.landmarks)
    assert now is not None
    shift = (now.landmarks - found.landmarks)[:, :2].mean(0)
    np.testing.assert_allclose(shift, [6, -4], atol=1.0)


def test_refine_sees_that_the_face_is_gone(
    detector: Detector, portrait: Image, found: Detection
) -> None:
    assert detector.refine(np.full_like(portrait, 128), found.landmarks) is None


def test_enlarging_the_picture_enlarges_the_landmarks(
    detector: Detector, portrait: Image, found: Detection
) -> None:
    large = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
    landmarks = detector.detect(large)[0].landmarks / 3
    assert np.abs(landmarks - found.landmarks)[:, :2].mean() < 2.0


@pytest.mark.parametrize("name", ["face_mesh.onnx", "face_detection.onnx"])
def test_a_missing_model_is_named(tmp_path: Path, name: str) -> None:
    for other in {"face_mesh.onnx", "face_detection.onnx"} - {name}:
        (tmp_path / other).write_bytes((FOLDER / other).read_bytes())
    with pytest.raises(WeightsError, match=name):
        make_detector(tmp_path)


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "face_mesh.onnx").write_bytes(b"no model")
    with pytest.raises(WeightsError, match="cannot load"):
        make_detector(tmp_path)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(WeightsError, match="dlib"):
        make_detector(FOLDER, backend="dlib")


def test_a_missing_insightface_pack_says_where_it_belongs(tmp_path: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        make_detector(FOLDER, backend="insightface", pack=tmp_path / "mine")
    assert str(tmp_path / "mine") in caught.value.hint
    assert "non-commercial" in caught.value.hint


def test_insightface_boxes_and_identities_meet_the_same_mesh(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, portrait: Image, found: Detection
) -> None:
    eyes = found.landmarks[[33, 263], :2]

    def scrfd(bgr: Image, max_num: int) -> tuple[Floats, Floats]:
        np.testing.assert_array_equal(bgr[..., ::-1], portrait)
        return np.array([[*found.box, 0.8]], np.float32), np.array([[*eyes, *[[0, 0]] * 3]])

    models = {
        "det.onnx": SimpleNamespace(taskname="detection", prepare=lambda **_: None, detect=scrfd),
        "rec.onnx": SimpleNamespace(
            taskname="recognition", get=lambda bgr, face: np.full(512, face.det_score)
        ),
    }
    for name in models:
        (tmp_path / name).touch()
    package, app, common = (ModuleType(n) for n in ("insightface", "app", "common"))
    package.model_zoo = SimpleNamespace(get_model=lambda path, **_: models[Path(path).name])
    common.Face = SimpleNamespace
    for name, module in {"": package, ".app": app, ".app.common": common}.items():
        monkeypatch.setitem(sys.modules, "insightface" + name, module)
    (face,) = make_detector(FOLDER, backend="insightface", pack=tmp_path).detect(portrait)
    np.testing.assert_allclose(face.landmarks, found.landmarks, atol=3)
    np.testing.assert_allclose(face.identity, np.full(512, 0.8, np.float32))


def _box(*corners: float) -> Floats:
    return np.array(corners, np.float32)


def test_overlap_is_one_for_equal_and_zero_for_distant_boxes() -> None:
    a, b = _box(0, 0, 10, 10), _box(20, 0, 30, 10)
    assert overlap(a, a) == pytest.approx(1)
    assert overlap(a, b) == 0


def test_of_overlapping_boxes_the_best_remains() -> None:
    points = np.zeros((468, 3), np.float32)
    weak = Detection(_box(0, 0, 10, 10), 0.6, points)
    strong = Detection(_box(1, 1, 11, 11), 0.9, points)
    far = Detection(_box(50, 0, 60, 10), 0.7, points)
    assert distinct([weak, far, strong]) == [strong, far]


@pytest.mark.parametrize("size", [(1920, 1080), (1080, 1920), (640, 480), (400, 400)])
def test_tiles_cover_the_whole_picture_at_bounded_cost(size: tuple[int, int]) -> None:
    width, height = size
    covered = np.zeros((height, width), bool)
    looks = tiles(width, height, deep=True)
    for x, y, side in looks:
        covered[y : y + side, x : x + side] = True
    assert covered.all()
    assert len(looks) <= 24
