from dataclasses import replace

import pytest
import torch
from torch import Tensor

from avdub.models.layers import length_mask
from avdub.models.voice import VoiceEncoder, VoiceEncoderConfig
from tests.models.made import level, noise, shaken, size_of, without_gradient

FRAMES = 20


@pytest.fixture
def encoder() -> VoiceEncoder:
    torch.manual_seed(0)
    return VoiceEncoder(VoiceEncoderConfig.tiny()).eval()


@pytest.fixture
def mel() -> Tensor:
    return noise(2, 80, FRAMES)


def test_a_sample_becomes_one_style(encoder: VoiceEncoder, mel: Tensor) -> None:
    assert encoder(mel, torch.ones(2, 1, FRAMES)).shape == (2, 8, 1)


def test_padding_changes_nothing(encoder: VoiceEncoder, mel: Tensor) -> None:
    together = encoder(mel, length_mask(torch.tensor([FRAMES, 9]), FRAMES))
    alone = encoder(mel[1:, :, :9], torch.ones(1, 1, 9))
    torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=1e-5)


def test_voices_are_told_apart(encoder: VoiceEncoder, mel: Tensor) -> None:
    styles = encoder(mel, torch.ones(2, 1, FRAMES))
    assert not torch.allclose(styles[0], styles[1])


def test_every_parameter_learns(encoder: VoiceEncoder, mel: Tensor) -> None:
    shaken(encoder)
    mask = torch.ones(2, 1, FRAMES)
    assert without_gradient(encoder, lambda: size_of(encoder(mel, mask))) == set()


def test_a_recorded_number(encoder: VoiceEncoder, mel: Tensor) -> None:
    assert level(encoder(mel, torch.ones(2, 1, FRAMES))) == pytest.approx(0.155151, rel=1e-3)


def test_a_flat_sample_is_refused(encoder: VoiceEncoder) -> None:
    with pytest.raises(AssertionError, match="mel must be"):
        encoder(torch.zeros(80, 5), torch.ones(1, 1, 5))


@pytest.mark.parametrize("prompt_mel", [False, True])
def test_listening_to_a_sample_is_encoding_its_mel(prompt_mel: bool) -> None:
    encoder = VoiceEncoder(replace(VoiceEncoderConfig.tiny(), prompt_mel=prompt_mel)).eval()
    wav = noise(16_000) / 10
    mel = encoder.mel(wav[None])[..., :-1]  # its last frame is half beyond the end
    assert mel.shape[2] == (50 if prompt_mel else 100)
    style = encoder.listen(wav)
    torch.testing.assert_close(style, encoder(mel, torch.ones(1, 1, mel.shape[2])).detach())


def test_the_published_style_has_256_values() -> None:
    encoder = VoiceEncoder(VoiceEncoderConfig.hierspeechpp()).eval()
    assert encoder.listen(noise(3200)).shape == (1, 256, 1)
