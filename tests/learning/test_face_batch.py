"""Rows of pictures to batches."""

from dataclasses import replace

import pytest
import torch

from avdub.learning.actor_frames import AUGMENTATION as LIGHT
from avdub.learning.face_batch import Augmentation, Rows, affine, augmented, moved_points
from avdub.training.face_batches import AUGMENTATION as STRONG

BOTH = pytest.mark.parametrize("how", [LIGHT, STRONG], ids=["actor", "training"])
N, SIZE = 8, 64


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def make_dots(points: torch.Tensor) -> torch.Tensor:
    """A dot at each point (N, 2, 1, 2) → pictures (N, 2, 3, SIZE, SIZE)."""
    at = (torch.arange(SIZE) + 0.5) / SIZE
    across, down = ((at - points[..., axis]) ** 2 for axis in (0, 1))
    dots = torch.exp(-(across[:, :, None] + down[..., None]) / 0.002)
    return dots[:, :, None].repeat(1, 1, 3, 1, 1)


@BOTH
def test_points_stay_on_what_they_mark_when_the_picture_is_moved(how: Augmentation) -> None:
    at = (torch.arange(SIZE) + 0.5) / SIZE
    points = 0.4 + 0.2 * torch.rand(N, 2, 1, 2, generator=seeded(1))
    marks = points.repeat(1, 1, 57, 1)
    rows = Rows(make_dots(points), marks, marks, torch.ones(N, 1, SIZE, SIZE))
    plain = replace(how, gamma=0, tint=0, own_light=0, contrast=0, brightness=0)
    moved = augmented(rows, plain, SIZE, seeded(2))
    for image, shape in (
        (moved.real, moved.target.shape),
        (moved.exemplars.images[:, 0], moved.exemplars.shapes[:, 0]),
    ):
        weight = image[:, 0] / image[:, 0].sum((1, 2), keepdim=True)
        found = torch.stack(((weight.sum(1) * at).sum(1), (weight.sum(2) * at).sum(1)), 1)
        torch.testing.assert_close(found, shape[:, 0], atol=8e-3, rtol=0)
    assert (moved.target.shape[:, 0] - points[:, 0, 0]).abs().max() > 0.01


def test_only_training_flips() -> None:
    points = torch.tensor([0.3, 0.5]).expand(40, 1, 1, 2)
    sides = [moved_points(points, affine(40, 1, how, seeded()))[..., 0] for how in (LIGHT, STRONG)]
    assert (sides[0] < 0.5).all()
    assert 8 < (sides[1] > 0.5).sum() < 32


@BOTH
def test_colours_stay_in_range(how: Augmentation) -> None:
    pictures = torch.rand(N, 2, 3, SIZE, SIZE, generator=seeded())
    marks = torch.full((N, 2, 57, 2), 0.5)
    made = augmented(Rows(pictures, marks, marks, torch.ones(N, 1, SIZE, SIZE)), how, 32, seeded())
    assert made.real.shape == (N, 3, 32, 32)
    assert made.real.min() >= 0
    assert made.real.max() <= 1
