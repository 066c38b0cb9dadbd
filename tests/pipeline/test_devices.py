"""A dub on another device: on CUDA where there is one, and what goes there where there is none."""

from pathlib import Path

import numpy as np
import pytest
import torch

import avdub.pipeline.run as run_module
from avdub.media.probe import probe
from avdub.media.video import FrameReader
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import dub
from avdub.pipeline.weights import Weights
from tests.pipeline.test_plan import write_srt

CUE = (400, 1000, "Hello there.")


def dubbed(face_clip: Path, weights: Path, folder: Path, device: str) -> np.ndarray:
    """Pictures (N, H, W, 3) of a short dub."""
    srt = write_srt(folder / "s.srt", CUE)
    options = DubOptions(model=str(weights), device=device)
    report = dub(face_clip, srt, folder / f"{device}.mp4", options)
    assert [s.status for s in report.segments] == ["dubbed"]
    with FrameReader(probe(report.output)) as reader:
        return np.stack([frame.image for frame in reader])


def test_the_chosen_device_reaches_the_models(
    face_clip: Path, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = torch.device("cpu", 0)  # told from the default by its number
    opened: list[Weights] = []

    class Watched(Weights):
        def __init__(self, name: str, device: torch.device) -> None:
            super().__init__(name, device)
            opened.append(self)

    monkeypatch.setattr(run_module, "choose_device", lambda name: chosen)
    monkeypatch.setattr(run_module, "Weights", Watched)
    dubbed(face_clip, weights, tmp_path, "auto")
    assert [each.device for each in opened] == [chosen]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_dub_on_cuda_looks_like_one_on_the_cpu(
    face_clip: Path, weights: Path, tmp_path: Path
) -> None:
    here, there = (dubbed(face_clip, weights, tmp_path, name) for name in ("cpu", "cuda"))
    error = np.square(here.astype(np.float64) - there).mean()
    assert 10 * np.log10(255**2 / max(error, 1e-9)) > 40
