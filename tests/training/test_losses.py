import pytest
import torch

from avdub.training.losses import SpectralLoss
from tests.models.made import noise


@pytest.fixture(scope="module")
def loss() -> SpectralLoss:
    return SpectralLoss()


def test_equal_sounds_have_no_loss(loss: SpectralLoss) -> None:
    wav = noise(2, 4000)
    assert [float(part) for part in loss(wav, wav)] == [0, 0, 0]


def test_a_nearer_sound_has_a_smaller_loss(loss: SpectralLoss) -> None:
    real = noise(2, 4000)
    near, far = (loss(real + size * noise(2, 4000, seed=1), real) for size in (0.1, 1.0))
    assert all(a < b for a, b in zip(near, far, strict=True))


def test_phase_does_not_count(loss: SpectralLoss) -> None:
    wav = noise(1, 4000)
    assert [float(part) for part in loss(-wav, wav)] == pytest.approx([0, 0, 0], abs=1e-6)


def test_silence_has_finite_gradients(loss: SpectralLoss) -> None:
    made = torch.zeros(1, 4000, requires_grad=True)
    torch.stack(loss(made, torch.zeros(1, 4000))).sum().backward()
    assert made.grad is not None
    assert torch.isfinite(made.grad).all()
