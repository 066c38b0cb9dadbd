"""The painted mouth against the real one of the same frame: matched sets of real videos.

Each frame is also judged with the nearest exemplar merely pasted in, so that one sees what the
painter adds. Knows how to measure; what is painted is `repaint`'s affair.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from avdub.errors import FaceError, InputError, MediaError, WeightsError
from avdub.evaluation.frechet import NAME, LocalFeatures, frechet
from avdub.evaluation.lips import main_face
from avdub.evaluation.painted_frame import Row, measure_frame, measure_step, mouth_cells
from avdub.evaluation.picture import Image
from avdub.evaluation.repaint import RUN, PaintChoice, Repaint, Repainter
from avdub.faces.boxes import overlap
from avdub.faces.crop import crop
from avdub.faces.detect import Detector, box_of, make_detector
from avdub.faces.lips import Floats
from avdub.media.probe import probe
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent

Identify = Callable[[Image, Floats], Floats | None]
NOBODY_KNOWN = "the insightface models recognise no face here"


@dataclass(frozen=True)
class Quality:
    """Means over frames; None where unknown. Ratios are of the made picture over the real one.

    psnr_db, ssim: inside the mouth mask. lmd: distance of the lips found again, in inter-ocular
    distances, and lmd_px in px. frechet: see `frechet.NAME`, not FID. identity: cosine of ArcFace
    embeddings. flicker: change from frame to frame, 1 as real; unrest: change from frame to frame
    of the error, as a share of the real change, 0 best. sharpness: of the mask, and lips_sharpness
    of lips and mouth alone; patch_over_surround: of the mask over the skin around it. seam: slope
    across the patch's border, above 1 where it shows; step: levels off just inside it.
    l, a, b: signed colour error of the open mouth's inside in CIELAB, abs_a and abs_b unsigned;
    open_frames is how many frames that is.
    """

    psnr_db: float | None
    ssim: float | None
    lmd: float | None
    lmd_px: float | None
    frechet: float | None
    identity: float | None
    flicker: float | None
    unrest: float | None
    sharpness: float | None
    lips_sharpness: float | None
    patch_over_surround: float | None
    seam: float | None
    step: float | None
    l: float | None  # noqa: E741 (the L of CIELAB)
    a: float | None
    b: float | None
    abs_a: float | None
    abs_b: float | None
    open_frames: int


@dataclass(frozen=True)
class ClipPicture:
    """One video: frames measured, the painter's and the paste's quality; `frechet_floor` is the
    distance of every other run of the real mouths from the rest, `real_over_surround` the real
    mouth's own sharpness over the skin around it. `problem` says why there is nothing.
    """

    video: str
    frames: int
    painted: Quality | None
    pasted: Quality | None
    frechet_floor: float | None
    real_over_surround: float | None
    problem: str = ""


@dataclass(frozen=True)
class PictureReport:
    """All clips and `all` of their frames together; `identity_problem` says why it is unknown."""

    clips: tuple[ClipPicture, ...]
    all: ClipPicture
    choice: PaintChoice
    features: str
    identity_problem: str

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


@dataclass
class Measured:
    """What was found in the frames of one clip, or of several."""

    painted: list[Row] = field(default_factory=list)
    pasted: list[Row] = field(default_factory=list)
    cells: dict[str, list[Floats]] = field(default_factory=dict)  # a row of features a mouth cell

    def add(self, other: "Measured") -> None:
        self.painted += other.painted
        self.pasted += other.pasted
        for name, rows in other.cells.items():
            self.cells.setdefault(name, []).extend(rows)

    def score(self, video: str) -> ClipPicture:
        """The means of all frames; what cannot be known is None."""
        real = [*self.cells.get("even", []), *self.cells.get("odd", [])]
        scale = np.concatenate(real).std(0, dtype=np.float64) if real else np.ones(1)

        def distance(a: Sequence[Floats], b: Sequence[Floats]) -> float | None:
            both = [np.concatenate(rows) for rows in (a, b) if rows]
            if len(both) < 2 or min(map(len, both)) < 2:
                return None
            return frechet(both[0], both[1], scale)

        return ClipPicture(
            video,
            len(self.painted),
            quality(self.painted, distance(real, self.cells.get("painted", []))),
            quality(self.pasted, distance(real, self.cells.get("pasted", []))),
            distance(self.cells.get("even", []), self.cells.get("odd", [])),
            _ratio(self.painted, "sharp_real", "sharp_around"),
        )


class Judges:
    """The networks that look at painted frames. Raises WeightsError where a shipped one is missing.

    `identify` (picture, landmarks → ArcFace embedding) is there only with the user's own pack.
    """

    def __init__(self, weights: Weights, backend: str = "mediapipe") -> None:
        self.detector = make_detector(weights.faces, backend)
        self.mesh = self.detector.refine
        self.features = LocalFeatures(weights.faces)
        self.identify: Identify | None = None
        self.identity_problem = ""
        try:
            known = make_detector(weights.faces, "insightface")
        except WeightsError as error:
            self.identity_problem = error.message
        else:
            self.identify = lambda image, landmarks: identity_of(known, image, landmarks)

    def look(self, run: Sequence[Repaint], half: str) -> Measured:
        """Measure consecutive frames; `half` is "even" or "odd", for the floor of real mouths."""
        found = Measured()
        for n, x in enumerate(run):
            for name, rows, image in (
                ("painted", found.painted, x.painted),
                ("pasted", found.pasted, x.pasted),
            ):
                row = measure_frame(x, image, self.mesh)
                if n:
                    row |= measure_step(run[n - 1], x, name)
                rows.append(row)
                found.cells.setdefault(name, []).append(mouth_cells(self.features, x, image))
            found.cells.setdefault(half, []).append(mouth_cells(self.features, x, x.real))
        if run and self.identify:
            self._compare_identity(run[0], found)
        return found

    def _compare_identity(self, x: Repaint, found: Measured) -> None:
        """One frame of a run is enough: a person does not change within it."""
        assert self.identify is not None
        real = self.identify(x.real, x.landmarks)
        if real is None:
            return
        for rows, image in ((found.painted, x.painted), (found.pasted, x.pasted)):
            made = self.identify(image, x.landmarks)
            if made is not None:
                lengths = float(np.linalg.norm(real)) * float(np.linalg.norm(made))
                rows[0]["identity"] = float(real @ made) / max(lengths, 1e-12)


def measure_picture(
    videos: Sequence[Path],
    weights: Weights,
    choice: PaintChoice,
    backend: str = "mediapipe",
    sheets: Path | None = None,
    progress: Progress = silent,
) -> PictureReport:
    """Paint and judge every video that can be; raises InputError where none can, WeightsError.

    sheets: a folder for a PNG a run, with rows of real, painted and pasted mouths.
    """
    _ = weights.latents_to_face  # missing weights show before any work
    judges = Judges(weights, backend)
    together, clips = Measured(), []
    for path in progress(videos, "picture", len(videos)):
        try:
            found = _clip(path, weights, choice, judges, sheets)
        except (FaceError, MediaError) as error:
            clips.append(ClipPicture(path.name, 0, None, None, None, None, error.message))
            continue
        together.add(found)
        clips.append(found.score(path.name))
    if not together.painted:
        why = clips[0].problem if clips else "there is no video"
        raise InputError(f"no mouth could be painted: {why}", "give videos of a person who speaks")
    everything = together.score("all")
    known = everything.painted is not None and everything.painted.identity is not None
    why = "" if known else judges.identity_problem or NOBODY_KNOWN
    return PictureReport(tuple(clips), everything, choice, NAME, why)


def _clip(
    path: Path, weights: Weights, choice: PaintChoice, judges: Judges, sheets: Path | None
) -> Measured:
    info = probe(path)
    painter = Repainter(info, main_face(info, judges.detector), weights, choice)
    found = Measured()
    for n, run in enumerate(painter.runs()):
        found.add(judges.look(run, "odd" if n % 2 else "even"))
        if sheets is not None:
            write_sheet(sheets / f"{path.stem}_{run[0].index:06d}.png", run)
    if not found.painted:
        raise FaceError(f"{path} has no {RUN} frames in a row to paint", "give a longer video")
    return found


def identity_of(detector: Detector, image: Image, landmarks: Floats) -> Floats | None:
    """The embedding of the face in `image` that lies where `landmarks` (468, 3) are."""
    box = box_of(landmarks)
    faces = [each for each in detector.detect(image) if overlap(each.box, box) > 0.3]
    return faces[0].identity if faces else None


def write_sheet(path: Path, run: Sequence[Repaint], size: int = 256) -> None:
    """A PNG with the run's mouths side by side: real above, painted in the middle, pasted below.

    Raises InputError where it cannot be written.
    """
    rows = [
        np.hstack([crop(getattr(x, name), x.square, size) for x in run])
        for name in ("real", "painted", "pasted")
    ]
    done, coded = cv2.imencode(".png", np.vstack(rows)[..., ::-1])
    try:
        assert done, "a picture was not coded"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(coded.tobytes())
    except OSError as error:
        raise InputError(f"cannot write {path}", "choose another folder") from error


def quality(rows: Sequence[Row], distance: float | None) -> Quality | None:
    """The means of frames, None for no frames."""
    if not rows:
        return None
    is_open = [row for row in rows if np.isfinite(row["a"])]
    return Quality(
        psnr_db=_mean(rows, "psnr"),
        ssim=_mean(rows, "ssim"),
        lmd=_mean(rows, "lmd"),
        lmd_px=_mean(rows, "lmd_px"),
        frechet=distance,
        identity=_mean(rows, "identity"),
        flicker=_ratio(rows, "moved", "moved_real"),
        unrest=_ratio(rows, "unrest", "moved_real"),
        sharpness=_ratio(rows, "sharp", "sharp_real"),
        lips_sharpness=_ratio(rows, "sharp_lips", "sharp_lips_real"),
        patch_over_surround=_ratio(rows, "sharp", "sharp_around"),
        seam=_ratio(rows, "slope", "slope_real"),
        step=_mean(rows, "step"),
        l=_mean(is_open, "l"),
        a=_mean(is_open, "a"),
        b=_mean(is_open, "b"),
        abs_a=_mean([{"a": abs(row["a"])} for row in is_open], "a"),
        abs_b=_mean([{"b": abs(row["b"])} for row in is_open], "b"),
        open_frames=len(is_open),
    )


def _known(rows: Sequence[Row], name: str) -> list[float]:
    return [row[name] for row in rows if name in row and np.isfinite(row[name])]


def _mean(rows: Sequence[Row], name: str) -> float | None:
    known = _known(rows, name)
    return float(np.mean(known)) if known else None


def _ratio(rows: Sequence[Row], above: str, below: str) -> float | None:
    total = sum(_known(rows, below))
    return sum(_known(rows, above)) / total if total else None
