import pytest
import torch

from avdub.models import speech_sr
from avdub.models.speech_sr import SpeechSR, SpeechSRConfig
from tests.models.made import level, noise, shaken, size_of, without_gradient


def make(rate: int = 24_000) -> SpeechSR:
    torch.manual_seed(0)
    model = SpeechSR(SpeechSRConfig(rate, 4, (3,)))
    shaken(model)
    return model.eval()


@pytest.mark.parametrize(("rate", "wanted"), [(24_000, 1500), (48_000, 3000), (16_000, 1000)])
def test_a_sound_gets_as_many_samples_as_its_new_rate_has(rate: int, wanted: int) -> None:
    assert make(rate)(noise(2, 1000)).shape == (2, wanted)


@pytest.mark.parametrize("n_samples", [1, 2, 3, 15_999, 16_001, 40_000])
def test_any_length_is_enhanced(monkeypatch: pytest.MonkeyPatch, n_samples: int) -> None:
    monkeypatch.setattr(speech_sr, "WINDOW_S", 1)
    assert len(make(48_000).enhance(noise(n_samples))) == 3 * n_samples
    assert len(make(24_000).enhance(noise(n_samples))) == 3 * n_samples // 2


@pytest.mark.parametrize("rate", [24_000, 48_000])
@pytest.mark.parametrize("n_samples", [15_990, 16_000, 16_002, 40_000])
def test_windows_agree_with_the_whole(
    monkeypatch: pytest.MonkeyPatch, rate: int, n_samples: int
) -> None:
    monkeypatch.setattr(speech_sr, "WINDOW_S", 1)
    # in float64: in float32 the interpolation places samples of a long sound only to 1/500
    model, wav = make(rate).double(), noise(n_samples).double()
    whole = model(wav[None])[0].detach()
    torch.testing.assert_close(model.enhance(wav), whole, atol=1e-7, rtol=0)


def test_the_published_network_reaches_no_further_than_windows_overlap() -> None:
    """400 samples on both sides."""
    torch.manual_seed(0)
    model = SpeechSR(SpeechSRConfig(24_000))
    wav = noise(1, 2000)
    changed = wav.clone()
    changed[0, 1000] += 1
    moved = (model(changed) - model(wav)).abs()[0] > 0
    first, last = (int(moved.nonzero().flatten()[i]) for i in (0, -1))
    assert 1500 - 600 < first < last < 1500 + 600


def test_no_sound_stays_no_sound() -> None:
    assert make().enhance(torch.zeros(0)).shape == (0,)


def test_a_flat_sound_is_refused() -> None:
    with pytest.raises(AssertionError, match="sound must be"):
        make()(torch.zeros(100))


def test_a_batch_changes_nothing() -> None:
    model, wav = make(), noise(2, 300)
    torch.testing.assert_close(model(wav)[1:], model(wav[1:]), atol=1e-6, rtol=1e-5)


def test_every_parameter_learns() -> None:
    model = make()
    assert without_gradient(model, lambda: size_of(model(noise(2, 200)))) == set()


def test_a_recorded_number() -> None:
    assert level(make()(noise(2, 300))) == pytest.approx(0.409469, rel=1e-3)
