"""What a detector answers, as a product: following faces through an hour survives its interruption.

What a tracker asks in a frame depends on the frames before it alone. So where a run was cut short
the next gives it the same answers in the same order, without looking, and then goes on.
"""

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from avdub.faces.detect import Detection
from avdub.faces.track import FindsFaces, Floats, Image
from avdub.pipeline.store import Form, Memory, Product

PIECE = 500  # frames whose answers are kept together: what an interruption costs

Answers = list[list[Detection]]


class RecallingDetector:
    """`detector`, and what it answered in the same frames before; `parts` is all that its answers
    depend on, the first frame included."""

    def __init__(self, detector: FindsFaces, memory: Memory, parts: Sequence[object]) -> None:
        self._detector, self._memory, self._parts = detector, memory, parts
        self._known: deque[list[Detection]] | None = None
        self._asked: Answers = []

    def begin(self, frame: int) -> None:
        """Say which frame is asked about next; they must come one by one, from 0."""
        number, place = divmod(frame, PIECE)
        if place:
            return
        if number and self._known is None:
            self._memory.keep(ANSWERS, (*self._parts, PIECE, number - 1), self._asked)
        known = self._memory.find(ANSWERS, (*self._parts, PIECE, number))
        self._known, self._asked = None if known is None else deque(known), []

    def detect(self, image: Image, deep: bool | None = None) -> list[Detection]:
        """As Detector.detect."""
        return self._answer(lambda: self._detector.detect(image, deep))

    def refine(self, image: Image, landmarks: Floats) -> Detection | None:
        """As Detector.refine."""

        def ask() -> list[Detection]:
            found = self._detector.refine(image, landmarks)
            return [] if found is None else [found]

        return next(iter(self._answer(ask)), None)

    def _answer(self, ask: Callable[[], list[Detection]]) -> list[Detection]:
        if self._known:
            return self._known.popleft()
        self._asked.append(ask())
        return self._asked[-1]


def _packed(answers: Answers) -> Product:
    every = [each for answer in answers for each in answer]
    known = [each.identity for each in every if each.identity is not None]
    arrays: dict[str, NDArray[np.generic]] = {
        "counts": np.array([len(answer) for answer in answers], np.int32),
        "box": np.array([each.box for each in every], np.float32).reshape(-1, 4),
        "landmarks": np.array([e.landmarks for e in every], np.float32).reshape(-1, 468, 3),
        "score": np.array([each.score for each in every], np.float64),
        "is_known": np.array([each.identity is not None for each in every], np.bool_),
    }
    return Product({**arrays, **({"identity": np.stack(known)} if known else {})})


def _unpacked(product: Product) -> Answers:
    arrays = product.arrays
    identities = iter(arrays.get("identity", ()))
    every = iter(
        [
            Detection(box, float(score), landmarks, next(identities) if is_known else None)
            for box, score, landmarks, is_known in zip(
                *(arrays[name] for name in ("box", "score", "landmarks", "is_known")), strict=True
            )
        ]
    )
    return [[next(every) for _ in range(int(count))] for count in arrays["counts"]]


ANSWERS = Form("detections", 1, _packed, _unpacked)
