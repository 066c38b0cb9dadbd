"""Models on a device that is not the CPU: a pretended one, and CUDA where there is one."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from avdub.latents import Latents
from avdub.models.placed import device_of, moved
from avdub.models.speech_sr import SpeechSR, SpeechSRConfig
from avdub.models.sync import SyncExpert, SyncExpertConfig
from tests.models.elsewhere import Far, pretending, sent
from tests.models.made import noise
from tests.tiny import (
    make_latents_to_face,
    make_latents_to_speech,
    make_speech_to_latents,
    make_styles,
    make_text_to_latents,
)


def make_latents() -> Latents:
    return Latents(noise(20, 16), 5 + 0.1 * noise(80))


def make_sync() -> SyncExpert:
    torch.manual_seed(5)
    return SyncExpert(SyncExpertConfig.tiny()).eval()


def make_speech_sr() -> SpeechSR:
    torch.manual_seed(6)
    return SpeechSR(SpeechSRConfig.tiny()).eval()


def shifted(model: SyncExpert) -> Tensor:
    vec = noise(1, 16, 9 + 2 * model.config.reach)
    return torch.cat(model.shift(vec, noise(1, 9, 57, 2)))


TOKENS, STEPS = torch.tensor([1, 2, 3, 4, 5]), torch.tensor([2, 3, 1, 4, 2])
TIMES = torch.tensor([0.1, 0.2], dtype=torch.float64)
STYLES = make_styles(1)
USES: dict[str, tuple[Callable[[], Any], Callable[[Any], Tensor]]] = {
    "lip_shapes": (make_latents_to_face, lambda m: m.lip_shapes(make_latents().vec, TIMES)),
    "durations": (make_text_to_latents, lambda m: m.predict_durations(TOKENS, STYLES["text"])),
    "predict": (make_text_to_latents, lambda m: m.predict(TOKENS, STEPS, STYLES["text"], 1, 3).vec),
    "speak": (make_latents_to_speech, lambda m: m.speak(make_latents(), STYLES["speech"], 3)),
    "listen": (make_speech_to_latents, lambda m: m.listen(noise(16000))),
    "voice": (make_latents_to_speech, lambda m: m.voice.listen(noise(16000))),
    "shift": (make_sync, shifted),
    "enhance": (make_speech_sr, lambda m: m.enhance(noise(1600))),
}


def test_on_two_devices_an_operation_fails() -> None:
    """Of the pretended device: without this the tests below would prove nothing."""
    with pretending() as device:
        far = torch.ones(3).to(device)
        assert isinstance(far, Far)
        assert (2 * far).device == device
        with pytest.raises(RuntimeError, match="two devices"):
            far + torch.ones(3)


@pytest.mark.parametrize("use", USES)
def test_wherever_a_model_is_it_makes_the_same_of_what_is_here(use: str) -> None:
    make, call = USES[use]
    here = call(make())
    with pretending() as device:
        model = sent(make(), device)
        there = call(model)
    assert device_of(model) == device
    assert not isinstance(there, Far)
    torch.testing.assert_close(there, here, atol=1e-5, rtol=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("use", USES)
def test_on_cuda_a_model_makes_about_the_same(use: str) -> None:
    make, call = USES[use]
    here, there = call(make()), call(make().to("cuda"))
    assert there.device.type == "cpu"
    torch.testing.assert_close(there, here, atol=2e-2, rtol=2e-2)


def test_a_model_is_where_its_weights_are() -> None:
    with pretending() as device:
        assert device_of(sent(nn.Linear(2, 2), device)) == device


def test_latents_and_tuples_move_with_what_they_hold() -> None:
    with pretending() as device:
        (latents, rest), word = moved(((make_latents(), (torch.ones(2),)), "word"), device)
        assert latents.vec.device == latents.f0.device == rest[0].device == device
        assert word == "word"
