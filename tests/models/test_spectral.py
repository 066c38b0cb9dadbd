import math

import pytest
import torch

from avdub.models.spectral import LogMel, PromptMel, Stft, htk_filters, mel_filters
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


def test_an_htk_filter_is_the_triangle_between_its_neighbours() -> None:
    """One filter up to 8 kHz has its top at 700 (√(1 + 8000 / 700) − 1) = 1767.8 Hz."""
    filters = htk_filters(1, 16, 16_000)[0]  # bins of 1 kHz
    assert filters[[0, 1, 2, 4, 8]].tolist() == pytest.approx(
        [0, 1000 / 1767.79, 6000 / 6232.21, 4000 / 6232.21, 0], abs=1e-4
    )


def test_htk_filters_add_up_to_one_between_the_outer_ones() -> None:
    filters = htk_filters(10, 4096, 16_000)
    inner = slice(64, 1400)  # between the tops at 231 Hz and 5,639 Hz
    torch.testing.assert_close(filters.sum(0)[inner], torch.ones(1336), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("n_samples", "frames"), [(6400, 21), (6719, 21), (6720, 22)])
def test_a_prompt_has_50_frames_a_second_and_one(n_samples: int, frames: int) -> None:
    assert PromptMel()(noise(2, n_samples)).shape == (2, 80, frames)


@pytest.mark.parametrize(("hz", "band"), [(255.5, 9), (1729.7, 39), (5478.4, 69)])
def test_a_tone_is_loudest_in_the_prompt_band_around_it(hz: float, band: int) -> None:
    """Tops of the bands lie 35.06 mel apart; mel is 2595 log10(1 + Hz / 700)."""
    assert PromptMel()(tone(hz))[0, :, 12].argmax() == band


def test_a_silent_prompt_is_the_log_of_a_thousandth() -> None:
    out = PromptMel()(torch.zeros(1, 3200))
    torch.testing.assert_close(out, torch.full_like(out, -6.9077553))


def test_a_prompt_is_measured_by_its_power() -> None:
    """Ten times the amplitude is a hundred times the power, far above the floor."""
    quiet, loud = PromptMel()(tone(1729.7)), PromptMel()(10 * tone(1729.7))
    assert float(loud[0, 39, 12] - quiet[0, 39, 12]) == pytest.approx(4.60517, abs=1e-3)
