"""A drawn face whose mouth opens and closes, as frames to learn from."""

import numpy as np
import torch

from avdub.faces.crop import ANCHOR_POINTS, SIDE, TOP
from avdub.faces.lips import SHAPE_POINTS, load_template
from avdub.learning.actor_frames import LEARN, ActorFrames, roles_of
from avdub.models.face_fields import fills
from tests.conftest import FACES

RATE = 10.0


def make_frames(n: int = 120, size: int = 32) -> ActorFrames:
    """`n` frames of one track: lips red, the mouth's inside dark."""
    template = load_template(FACES)
    mesh = (template / SIDE + np.array([0.5, -TOP / SIDE, 0], np.float32))[:, :2]
    gaps = (0.06 * np.abs(np.sin(np.arange(n) / 3))).astype(np.float32)
    meshes = np.repeat(mesh[None], n, 0)
    meshes[:, mesh[:, 1] > mesh[13, 1] + 1e-4, 1] += gaps[:, None]
    shapes = np.ascontiguousarray(meshes[:, SHAPE_POINTS], np.float32)
    drawn = fills(torch.from_numpy(shapes), size).permute(0, 2, 3, 1).numpy()
    skin, lips, inside = (np.float32(c) for c in ((200, 170, 150), (180, 60, 70), (40, 15, 20)))
    images = np.where(drawn[..., :1] > 0, lips, skin)
    images = np.where(drawn[..., 1:2] > 0, inside, images).astype(np.uint8)
    mask = np.zeros((size, size), np.float32)
    mask[size // 3 : -2, size // 5 : -size // 5] = 1
    tracks, times = np.zeros(n, np.int64), np.arange(n) / RATE
    return ActorFrames(
        images,
        shapes,
        np.ascontiguousarray(meshes[:, ANCHOR_POINTS], np.float32),
        np.repeat(mask[None], n, 0),
        gaps,
        tracks,
        times,
        roles_of(tracks, times),
    )


def spread_exemplars(frames: ActorFrames, k: int = 3) -> np.ndarray:
    """(1, K) learned frames from closed to open."""
    learned = frames.having(LEARN)
    order = learned[np.argsort(frames.gaps[learned])]
    return order[np.linspace(0, len(order) - 1, k).round().astype(int)][None]
