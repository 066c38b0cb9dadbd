"""One painted frame against its real one: every number that a mouth's picture is judged by.

What is measured lies on the frame's own pixels; only what moves is put upright first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np

from avdub.evaluation.frechet import CELLS, INPUT, LocalFeatures
from avdub.evaluation.picture import (
    Image,
    Mask,
    across_border,
    border_step,
    change,
    inside,
    lab_mean,
    psnr,
    sharpness,
    ssim,
    widened,
)
from avdub.evaluation.repaint import Repaint
from avdub.faces.crop import crop, mouth_mask, window
from avdub.faces.detect import Detection
from avdub.faces.lips import LIP_POINTS, SHAPE_POINTS, Floats, interocular, opening
from avdub.faces.warp import resample

Row = dict[str, float]  # measures of a frame by name; NaN or absent where unknown
Mesh = Callable[[Image, Floats], Detection | None]

N_OUTER = 20  # points of the outer lips, before those of the inner ones
OPEN = 0.04  # inner-lip gap in inter-ocular distances from which the mouth's inside has a colour
FEATHER = 0.06  # of the square's side: the width of a patch's border
AROUND = 0.08  # of the square's side: the width of the skin a patch is compared with


@dataclass(frozen=True)
class View:
    """The part of a frame that holds its mouth: `real` and `made` (h, w, 3), the patch's `weight`
    (h, w), and the `origin` of the part in the frame (2,) px."""

    real: Image
    made: Image
    weight: Floats
    origin: Floats


def view_of(x: Repaint, made: Image) -> View:
    """The square's window of the frame; the mask is drawn there as the dub draws it."""
    box = window(x.square, x.real.shape)
    assert box is not None, "a painted mouth lies in the picture"
    x0, y0, x1, y1 = box
    size = max(1, round(x.square.side_px))
    back = cv2.invertAffineTransform(x.square.pixels(size))
    back[:, 2] -= [x0, y0]
    mask = mouth_mask(x.landmarks, x.square, size)
    weight = resample(mask, back, (x1 - x0, y1 - y0), cv2.BORDER_CONSTANT)
    cut = slice(y0, y1), slice(x0, x1)
    return View(x.real[cut], made[cut], weight, np.array([x0, y0], np.float32))


def measure_frame(x: Repaint, made: Image, mesh: Mesh) -> Row:
    """All measures of one frame (H, W, 3) by itself."""
    view = view_of(x, made)
    mask, side = view.weight > 0.5, x.square.side_px
    shape = cast(tuple[int, int], mask.shape)
    around = widened(view.weight > 0, max(2, round(AROUND * side))) & (view.weight == 0)
    lips = inside(x.wanted[:N_OUTER] - view.origin, shape)
    sigma = FEATHER / 2 * side
    row = {
        "psnr": psnr(view.real, view.made, mask),
        "ssim": ssim(view.real, view.made, mask),
        "sharp": sharpness(view.made, mask),
        "sharp_real": sharpness(view.real, mask),
        "sharp_around": sharpness(view.real, around),
        "sharp_lips": sharpness(view.made, lips),
        "sharp_lips_real": sharpness(view.real, lips),
        "slope": across_border(view.made, view.weight, sigma),
        "slope_real": across_border(view.real, view.weight, sigma),
        "step": border_step(view.real, view.made, view.weight, sigma),
    }
    return row | colour_error(x, view) | lip_distance(x, made, mesh)


def colour_error(x: Repaint, view: View) -> Row:
    """CIELAB error of the mouth's inside: what was made within the lips asked for, less what is
    within the real ones; NaN unless both are open. Lips that lie elsewhere than asked for count as
    inside, so the colour of a mere paste says less than the painter's."""
    own = x.landmarks[list(SHAPE_POINTS), :2]
    eyes = float(interocular(x.landmarks[None])[0])
    gaps = opening(np.asarray(np.stack([x.wanted, own]) / eyes, np.float32))
    shape = cast(tuple[int, int], view.weight.shape)
    n = len(LIP_POINTS)
    asked, real = (inside(p[N_OUTER:n] - view.origin, shape) for p in (x.wanted, own))
    error = lab_mean(view.made, asked) - lab_mean(view.real, real)
    if gaps.min() < OPEN:
        error[:] = np.nan
    return dict(zip("lab", error.tolist(), strict=True))


def lip_distance(x: Repaint, made: Image, mesh: Mesh) -> Row:
    """LMD: how far the lips found in the made picture are from those found in the real one."""
    theirs, ours = mesh(x.real, x.landmarks), mesh(made, x.landmarks)
    if theirs is None or ours is None:
        return {}
    lips = list(LIP_POINTS)
    away = (ours.landmarks - theirs.landmarks)[lips, :2]
    distance = float(np.hypot(away[:, 0], away[:, 1]).mean())
    return {"lmd_px": distance, "lmd": distance / float(interocular(theirs.landmarks[None])[0])}


def measure_step(before: Repaint, now: Repaint, name: str) -> Row:
    """What changes from a frame to the next inside the mouth, put upright by its square.

    name: "painted" or "pasted".
    """
    size = max(1, round(now.square.side_px))
    pictures = [
        crop(getattr(each, kind), each.square, size)
        for kind in ("real", name)
        for each in (before, now)
    ]
    masks = [mouth_mask(each.landmarks, each.square, size) > 0.5 for each in (before, now)]
    mask: Mask = masks[0] & masks[1]
    real_before, real_now, made_before, made_now = pictures
    errors = [
        np.subtract(made, real, dtype=np.float32)[mask]
        for made, real in ((made_before, real_before), (made_now, real_now))
    ]
    return {
        "moved": change(made_before, made_now, mask),
        "moved_real": change(real_before, real_now, mask),
        "unrest": float(np.abs(errors[1] - errors[0]).mean()) if mask.any() else 0.0,
    }


def mouth_cells(features: LocalFeatures, x: Repaint, image: Image) -> Floats:
    """Features of the cells of the mouth's square that lie in the mouth mask (n, CHANNELS)."""
    mask = mouth_mask(x.landmarks, x.square, CELLS) > 0.5
    return features(crop(image, x.square, INPUT), mask)
