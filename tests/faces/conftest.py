"""A real face (scikit-image's astronaut, public domain) that tests move about."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from avdub.faces.detect import Detection, Detector, make_detector
from avdub.faces.lips import load_template

FOLDER = Path(__file__).parents[2] / "assets" / "base" / "faces"
Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


@pytest.fixture(scope="session")
def detector() -> Detector:
    return make_detector(FOLDER)


@pytest.fixture(scope="session")
def template() -> Floats:
    return load_template(FOLDER)


@pytest.fixture(scope="session")
def portrait() -> Image:
    """(256, 320, 3): one face, about 90 px wide, right of the middle."""
    return np.ascontiguousarray(data.astronaut()[:256, 60:380])


@pytest.fixture(scope="session")
def found(detector: Detector, portrait: Image) -> Detection:
    return detector.detect(portrait)[0]


def moved(image: Image, x: float, y: float, turn: float = 0.0, scale: float = 1.0) -> Image:
    """`image` turned by degrees and scaled about its middle, then shifted by px."""
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), turn, scale)
    matrix[:, 2] += [x, y]
    return cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
