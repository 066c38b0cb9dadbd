"""Frame to faces: a box network finds them, a mesh network gives each its 468 points.

The boxes are BlazeFace's, or come from the user's own insightface pack. The only module here that
knows onnxruntime and insightface; where the weights are is the caller's affair.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from avdub.errors import WeightsError
from avdub.faces.boxes import Candidate, anchors, distinct, inside, tiles
from avdub.faces.warp import resample

Floats = NDArray[np.float32]
Image = NDArray[np.uint8]

BOX_SIZE = 128  # pixels a side of the box network's input
MESH_SIZE = 192  # pixels a side of the mesh network's input
MESH_MARGIN = 1.5  # side of the mesh's region over the longer side of the face's box
MIN_SCORE = 0.5
MIN_PRESENCE = 0.5
MAX_FACES = 8
LARGE_FRAME = 600  # pixels of the shorter side from which small faces are looked for in tiles
EYES = (33, 263)  # outer corners, left to right in the image


@dataclass(frozen=True)
class Detection:
    """A face in one image.

    box (4,) float32 x0, y0, x1, y1 in px; landmarks (468, 3) float32, x and y in px, z in the same
    scale; score in [0, 1]; identity is an ArcFace embedding where the backend has one.
    """

    box: Floats
    score: float
    landmarks: Floats
    identity: Floats | None = None


class FindBoxes(Protocol):
    """Image (H, W, 3) RGB → candidates; `deep` also searches small tiles."""

    def __call__(self, image: Image, deep: bool) -> list[Candidate]: ...


class Detector:
    """Finds faces with `find`, and their 468 points with the mesh network."""

    def __init__(self, find: FindBoxes, mesh: Callable[[Floats], tuple[Floats, float]]) -> None:
        self._find = find
        self._mesh = mesh

    def detect(self, image: Image, deep: bool | None = None) -> list[Detection]:
        """Faces in `image` (H, W, 3) RGB uint8, best first.

        deep: search small tiles too; None does so when the image is large or shows no face.
        """
        large = min(image.shape[:2]) >= LARGE_FRAME
        found = self._find(image, large if deep is None else deep)
        if not found and deep is None and not large:
            found = self._find(image, True)
        meshed = [self._candidate(image, each) for each in found[:MAX_FACES]]
        return distinct([each for each in meshed if each is not None])

    def refine(self, image: Image, landmarks: Floats) -> Detection | None:
        """The face near the previous frame's `landmarks` (468, 3), or None if it is not there."""
        low, high = landmarks[:, :2].min(0), landmarks[:, :2].max(0)
        eyes = landmarks[list(EYES), :2]
        return self._fit(image, (low + high) / 2, float((high - low).max()), eyes)

    def _candidate(self, image: Image, found: Candidate) -> Detection | None:
        low, high = found.box[:2], found.box[2:]
        first = self._fit(image, (low + high) / 2, float((high - low).max()), found.eyes)
        if first is None:
            return None
        # the box network's region is loose; the mesh is steadier in its own
        second = self.refine(image, first.landmarks) or first
        return replace(second, score=found.score, identity=found.identity)

    def _fit(
        self, image: Image, centre: NDArray[Any], side: float, eyes: NDArray[Any]
    ) -> Detection | None:
        if not np.isfinite(side) or side < 8:
            return None
        matrix = _region(centre, side * MESH_MARGIN, eyes)
        patch = resample(image, matrix, (MESH_SIZE, MESH_SIZE))
        points, presence = self._mesh(np.divide(patch[None], 255, dtype=np.float32))
        if presence < MIN_PRESENCE:
            return None
        back = cv2.invertAffineTransform(matrix)
        landmarks = np.empty((468, 3), np.float32)
        landmarks[:, :2] = points[:, :2] @ back[:, :2].T + back[:, 2]
        landmarks[:, 2] = points[:, 2] * np.hypot(back[0, 0], back[1, 0])
        return Detection(box_of(landmarks), presence, landmarks)


def box_of(landmarks: Floats) -> Floats:
    """Bounding box (4,) of `landmarks` (468, 3)."""
    corners = [landmarks[:, :2].min(0), landmarks[:, :2].max(0)]
    return np.asarray(np.concatenate(corners), np.float32)


def make_detector(
    folder: Path, backend: str = "mediapipe", threads: int = 1, pack: Path | None = None
) -> Detector:
    """The detector whose ONNX files lie in `folder`; `threads` is per network.

    backend "mediapipe" needs nothing else; "insightface" takes boxes and identities from `pack`, a
    folder of the user's own .onnx files (default ~/.insightface/models/buffalo_l).
    Raises WeightsError for a missing or damaged file and for an unknown backend.
    """
    mesh = _open_mesh(folder / "face_mesh.onnx", threads)
    if backend == "mediapipe":
        return Detector(_BlazeFace(_open(folder / "face_detection.onnx", threads)), mesh)
    if backend == "insightface":
        default = Path.home() / ".insightface" / "models" / "buffalo_l"
        return Detector(_Insightface(pack or default), mesh)
    raise WeightsError(
        f"there is no face backend {backend!r}", "choose 'mediapipe' or 'insightface'"
    )


class _BlazeFace:
    """MediaPipe's short-range box network over the whole image and over square tiles."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._input = session.get_inputs()[0].name
        self._anchors = anchors()

    def __call__(self, image: Image, deep: bool) -> list[Candidate]:
        height, width = image.shape[:2]
        found = self._look(image, 0, 0, max(height, width))
        for x, y, side in tiles(width, height, deep):
            found += self._look(image, x, y, side)
        found = [each for each in found if inside(each, width, height)]
        return distinct(found)

    def _look(self, image: Image, x: int, y: int, side: int) -> list[Candidate]:
        stride = max(1, side // (4 * BOX_SIZE))  # a coarse grid is enough, and fast at 4K
        part = image[y : y + side : stride, x : x + side : stride]
        scale = BOX_SIZE * stride / side
        size = [min(BOX_SIZE, max(1, round(n * scale))) for n in part.shape[1::-1]]
        square = np.zeros((BOX_SIZE, BOX_SIZE, 3), np.float32)
        square[: size[1], : size[0]] = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        boxes, logits = self._session.run(None, {self._input: square[None] / 127.5 - 1})
        score = 1 / (1 + np.exp(-np.clip(logits[0, :, 0], -80, 80)))
        good = np.flatnonzero(score >= MIN_SCORE)
        good = good[np.argsort(-score[good])][: 4 * MAX_FACES]
        values = boxes[0, good].reshape(-1, 8, 2) / BOX_SIZE  # centre, size, six keypoints
        values[:, [0, 2, 3, 4, 5, 6, 7]] += self._anchors[good, None]
        values *= side
        origin = np.array([x, y], np.float32)
        return [
            Candidate(
                np.concatenate([v[0] - v[1] / 2 + origin, v[0] + v[1] / 2 + origin]),
                float(score[n]),
                v[2:4] + origin,
            )
            for n, v in zip(good, values, strict=True)
        ]


def _region(centre: NDArray[Any], side: float, eyes: NDArray[Any]) -> NDArray[np.float64]:
    """Matrix (2, 3) from image px to mesh px of a square turned so that the eyes are level."""
    across = eyes[1] - eyes[0]
    length = max(float(np.hypot(*across)), 1e-6)
    cos, sin = across / length
    scale = MESH_SIZE / side
    turn = scale * np.array([[cos, sin], [-sin, cos]], np.float64)
    shift = (MESH_SIZE - 1) / 2 - turn @ np.asarray(centre, np.float64)
    return np.asarray(np.hstack([turn, shift[:, None]]), np.float64)


class _Insightface:
    """SCRFD boxes and ArcFace identities from a folder of the user's own models."""

    def __init__(self, pack: Path) -> None:
        files = sorted(pack.glob("*.onnx"))
        if not files:
            raise WeightsError(
                f"no insightface models in {pack}",
                f"put your own pack's .onnx files into {pack} (the published packs are for "
                "non-commercial use only), or use the backend 'mediapipe'",
            )
        from insightface import model_zoo  # takes seconds, and only this backend needs it

        providers = ["CPUExecutionProvider"]
        models = [model_zoo.get_model(str(path), providers=providers) for path in files]
        by_task = {model.taskname: model for model in models if model is not None}
        if "detection" not in by_task:
            raise WeightsError(
                f"the insightface models in {pack} have no face detector",
                "add the pack's det_*.onnx",
            )
        self._boxes = by_task["detection"]
        self._boxes.prepare(ctx_id=-1, input_size=(640, 640), det_thresh=MIN_SCORE)
        self._faces = by_task.get("recognition")

    def __call__(self, image: Image, deep: bool) -> list[Candidate]:
        from insightface.app.common import Face

        bgr = np.ascontiguousarray(image[..., ::-1])
        boxes, points = self._boxes.detect(bgr, max_num=MAX_FACES)
        found = []
        for box, kps in zip(boxes, points, strict=True):
            identity = None
            if self._faces is not None:
                face = Face(bbox=box[:4], kps=kps, det_score=box[4])
                identity = np.asarray(self._faces.get(bgr, face), np.float32)
            found.append(
                Candidate(
                    np.asarray(box[:4], np.float32),
                    float(box[4]),
                    np.asarray(kps[:2], np.float32),
                    identity,
                )
            )
        return distinct(found)


def _open(path: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not path.is_file():
        raise WeightsError(f"no face model at {path}", "reinstall avdub or pass the right folder")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions share no public base class
        raise WeightsError(f"cannot load the face model {path}", "replace the file") from error


def _open_mesh(path: Path, threads: int) -> Callable[[Floats], tuple[Floats, float]]:
    session = _open(path, threads)
    name = session.get_inputs()[0].name

    def mesh(patch: Floats) -> tuple[Floats, float]:
        points, logit = session.run(None, {name: patch})
        presence = 1 / (1 + np.exp(-float(logit.ravel()[0])))
        return points.reshape(468, 3), presence

    return mesh
