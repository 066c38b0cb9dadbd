"""Our networks against recordings of the official ones, at full size and in float32.

The weights are made up from each tensor's official name and shape, except SpeechSR's, which are
the published ones.
"""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from avdub.models.hierarchical import Hierarchical
from avdub.models.latents_to_speech import LatentsToSpeech
from avdub.models.official import convert
from avdub.models.text_to_latents import TextToLatents, alignment

SHARED = Path(__file__).parents[3] / "shared" / "hierspeechpp"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/hierspeechpp"),
]
TEXT_INPUTS = {"tokens", "prompt_mel", "latents"}
TEXT_OUTPUTS = (
    "style",
    "prior_mean",
    "prior_logs",
    "log_duration",
    "out_latents",
    "out_log_f0",
    "post_mean",
    "post_logs",
    "flow_forward",
    "decoded",
    "ctc_logits",
)
SPEECH_INPUTS = {"latents", "log_f0", "prompt_mel", "spec", "wav"}
SPEECH_OUTPUTS = (
    "style",
    "prior_mean",
    "prior_logs",
    "after_flow_l",
    "after_flow",
    "excitation",
    "f0_estimate",
    "audio",
    "post_mean",
    "post_logs",
)
Record = dict[str, np.ndarray]


def read(name: str) -> Record:
    with np.load(SHARED / f"{name}_parity.npz") as file:
        return dict(file)


def filled(kind: str, name: str) -> nn.Module:
    """The network of a layout, with the weights that the recordings were made with."""
    spec = importlib.util.spec_from_file_location("fill", SHARED / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fill: Callable[[str, tuple[int, ...]], np.ndarray] = module.fill
    shapes = json.loads((SHARED / f"{name}_layout.json").read_text(encoding="utf-8"))["tensors"]
    return convert(
        kind, {n: torch.from_numpy(fill(n, tuple(shape))) for n, shape in shapes.items()}
    )


def ones(like: Tensor) -> Tensor:
    return torch.ones(1, 1, like.shape[-1])


def check(ours: Tensor, recorded: np.ndarray) -> None:
    """Within a thousandth of the recorded deviation."""
    wanted = recorded.astype(np.float32)
    allowed = np.full_like(wanted, 1e-3 * wanted.std())
    if recorded.dtype == np.float16:  # the record itself is rounded by up to half a spacing
        allowed += np.abs(np.spacing(recorded)).astype(np.float32) / 2
    error = np.abs(ours.numpy().reshape(wanted.shape) - wanted)
    assert (error <= allowed).all(), f"{error.max() / wanted.std():.1e} of the deviation"


@pytest.fixture(scope="module")
def text() -> Record:
    return read("ttv")


@pytest.fixture(scope="module")
def text_outputs(text: Record) -> dict[str, Tensor]:
    """What our TextToLatents makes of the recorded inputs."""
    model = filled("text_to_latents", "ttv")
    assert isinstance(model, TextToLatents)
    tokens, mel = torch.from_numpy(text["tokens"]), torch.from_numpy(text["prompt_mel"])
    vec = torch.from_numpy(text["latents"])
    out: dict[str, Tensor] = {}
    with torch.inference_mode():
        style = out["style"] = model.voice(mel, ones(mel))
        mask = ones(tokens)
        hidden, mean, log_std = model.text(tokens[None], mask, style)
        out["prior_mean"], out["prior_logs"] = mean, log_std
        silent = torch.zeros(1, 2, len(tokens))
        out["log_duration"] = model.durations.log_steps(hidden, mask, style, silent)
        durations = out["durations"] = model.predict_durations(tokens, style)
        out["out_latents"] = model.predict(tokens, durations.long(), style, 0.0, 0).vec.T
        path = alignment(durations.long()[None], int(durations.sum()))
        mask = ones(path)
        z = model.flow(mean @ path, mask, style, reverse=True)
        out["out_log_f0"] = model.pitch(model.decode(z, mask, style), z, mask, style)
        mask = ones(vec)
        post, out["post_logs"] = model.encode(vec, mask, style)
        out["post_mean"] = post
        out["flow_forward"] = model.flow(post, mask, style)
        out["decoded"] = model.decode(post, mask, style)
        out["ctc_logits"] = model.classifier(post)
    return out


@pytest.fixture(scope="module")
def speech() -> Record:
    return read("synthesizer")


@pytest.fixture(scope="module")
def speech_outputs(speech: Record) -> dict[str, Tensor]:
    """What our LatentsToSpeech makes of the recorded inputs."""
    model = filled("latents_to_speech", "synthesizer")
    assert isinstance(model, LatentsToSpeech)
    parts = model.synthesizer
    assert isinstance(parts, Hierarchical)
    given = {name: torch.from_numpy(speech[name]).float() for name in SPEECH_INPUTS}
    vec, log_f0, mel = given["latents"], given["log_f0"][0], given["prompt_mel"]
    mask = ones(vec)
    out: dict[str, Tensor] = {}
    with torch.inference_mode():
        style = out["style"] = model.voice(mel, ones(mel))
        out["prior_mean"], out["prior_logs"] = parts.semantic_prior(vec, log_f0, mask, style)
        z = parts.semantic_flow(out["prior_mean"], mask, style, reverse=True)
        out["after_flow_l"] = z
        z = out["after_flow"] = parts.acoustic_flow(z, mask, style, reverse=True)
        rows, out["f0_estimate"] = parts.source(z, style)
        out["excitation"] = rows.transpose(1, 2)
        out["audio"] = model(vec, log_f0, style, torch.zeros(1, *model.noise_shape(50)))
        out["post_mean"], out["post_logs"] = parts.acoustic_posterior(
            given["spec"], given["wav"][0], mask, style
        )
    return out


def test_every_recording_is_compared(text: Record, speech: Record) -> None:
    assert set(text) == TEXT_INPUTS | {*TEXT_OUTPUTS, "durations"}
    assert set(speech) == SPEECH_INPUTS | {*SPEECH_OUTPUTS}


@pytest.mark.parametrize("name", TEXT_OUTPUTS)
def test_text_to_latents_agrees(name: str, text: Record, text_outputs: dict[str, Tensor]) -> None:
    check(text_outputs[name], text[name])


def test_durations_are_equal(text: Record, text_outputs: dict[str, Tensor]) -> None:
    assert text_outputs["durations"].tolist() == text["durations"].flatten().tolist()


@pytest.mark.parametrize("name", SPEECH_OUTPUTS)
def test_latents_to_speech_agrees(
    name: str, speech: Record, speech_outputs: dict[str, Tensor]
) -> None:
    check(speech_outputs[name], speech[name])


@pytest.mark.parametrize("rate", ["24k", "48k"])
def test_speech_sr_agrees(rate: str) -> None:
    record = read(f"speechsr{rate}")
    model = convert(f"speech_sr_{rate}", load_file(SHARED / f"speechsr{rate}.safetensors"))
    with torch.inference_mode():
        check(model(torch.from_numpy(record["audio16k"])[None]), record["out"])
