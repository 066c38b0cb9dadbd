import math

import pytest
import torch

from avdub.models.spectral import LogMel, Stft, mel_filters
from tests.models.made import noise


def tone(hz: float, n_samples: int = 8000) -> torch.Tensor:
    return torch.sin(2 * math.pi * hz * torch.arange(n_samples) / 16_000)[None]


def test_mel_filters_cover_the_band_without_holes() -> None:
    filters = mel_filters(40, 1024, 16_000, 0, 8000)
    assert filters.shape == (40, 513)
    assert (filters >= 0).all()
    assert (filters[:, 1:-1].sum(0) > 0).all()


def test_slaney_filters_have_equal_areas() -> None:
    areas = mel_filters(10, 4096, 16_000, 0, 8000).sum(1) * 16_000 / 4096
    torch.testing.assert_close(areas, torch.ones(10), atol=0.01, rtol=0)


@pytest.mark.parametrize("centred", [True, False])
def test_a_tone_has_its_peak_at_its_bin(centred: bool) -> None:
    magnitude = Stft(512, 128, centred=centred).magnitude(tone(1000))
    assert magnitude[0, :, 20].argmax() == round(1000 / 16_000 * 512)


def test_frames_of_a_centred_stft_lie_on_multiples_of_the_hop() -> None:
    click = torch.zeros(1, 4000)
    click[0, 5 * 160] = 1
    assert Stft(640, 160).magnitude(click)[0].sum(0).argmax() == 5


def test_log_mel_has_100_frames_a_second() -> None:
    assert LogMel()(noise(2, 16_000)).shape == (2, 80, 101)


def test_silence_stays_finite() -> None:
    out = LogMel()(torch.zeros(1, 3200))
    assert torch.isfinite(out).all()
    assert out.unique().numel() <= 80


def test_silence_has_finite_gradients() -> None:
    wav = torch.zeros(1, 3200, requires_grad=True)
    LogMel()(wav).sum().backward()
    assert wav.grad is not None
    assert torch.isfinite(wav.grad).all()


def test_higher_tones_lie_in_higher_bands() -> None:
    bands = [int(LogMel()(tone(hz))[0, :, 25].argmax()) for hz in (200, 800, 3000, 7000)]
    assert bands == sorted(set(bands))
