"""LSE-D and LSE-C by SyncNet: what it hears, what it sees, and how distances become figures."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from avdub.errors import InputError, WeightsError
from avdub.evaluation import syncnet
from avdub.evaluation.cepstra import cepstra
from avdub.evaluation.syncnet import distances, load_syncnet, measure_syncnet
from avdub.models.syncnet import SyncNet
from avdub.pipeline.weights import Weights
from tests.evaluation.test_lips import fake_track
from tests.make import make_clip, make_tone


class TestCepstra:
    def test_they_are_those_of_python_speech_features(self) -> None:
        """Values of its version 0.6, defaults, for the third window of a chirp."""
        t = np.arange(800) / 16_000
        chirp = np.round(8000 * np.sin(2 * np.pi * (300 + 2000 * t) * t)) / 32_768
        found = cepstra(chirp.astype(np.float32))
        assert found.shape == (13, 4)
        wanted = [19.024, 24.3616, 7.8443, -8.9546, -23.1601, -30.3941, -27.1494]
        wanted += [-16.9274, -2.9484, 8.5845, 15.2507, 14.4707, 8.8361]
        assert found[:, 2] == pytest.approx(wanted, abs=1e-3)

    def test_silence_is_finite(self) -> None:
        assert np.isfinite(cepstra(np.zeros(1600, np.float32))).all()

    def test_the_shortest_sound_has_one_window(self) -> None:
        assert cepstra(np.ones(10, np.float32)).shape == (13, 1)


class TestDistances:
    def test_a_sound_that_comes_late_is_nearest_at_its_shift(self) -> None:
        seen = torch.randn(60, 8, generator=torch.Generator().manual_seed(0))
        heard = seen.roll(4, 0)
        found = distances(seen, heard)
        assert len(found) == 31
        assert int(found.argmin()) - 15 == 4

    def test_the_sound_is_zero_beyond_its_ends(self) -> None:
        seen, heard = torch.zeros(3, 1), torch.full((3, 1), 3.0)
        assert distances(seen, heard, 1).tolist() == pytest.approx([2, 3, 2], abs=1e-4)


class TestLoading:
    def test_saved_weights_are_read(self, tmp_path: Path) -> None:
        saved = SyncNet()
        old = {k: v for k, v in saved.state_dict().items() if "num_batches" not in k}
        torch.save(old, tmp_path / "syncnet_v2.model")
        model = load_syncnet(tmp_path / "syncnet_v2.model")
        assert not model.training
        assert torch.equal(model.netfclip[3].weight, saved.netfclip[3].weight)

    def test_weights_of_another_network_are_refused(self, tmp_path: Path) -> None:
        torch.save({"a": torch.zeros(1)}, tmp_path / "other.model")
        with pytest.raises(WeightsError, match="other weights than SyncNet's"):
            load_syncnet(tmp_path / "other.model")

    def test_a_file_that_would_run_code_is_refused_and_does_not_run(self, tmp_path: Path) -> None:
        class Evil:
            def __reduce__(self) -> Any:
                return Path.touch, (tmp_path / "ran",)

        (tmp_path / "evil.model").write_bytes(pickle.dumps(Evil(), 2))
        with pytest.raises(WeightsError, match="no plain weights"):
            load_syncnet(tmp_path / "evil.model")
        assert not (tmp_path / "ran").exists()

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsError, match=r"gone.model"):
            load_syncnet(tmp_path / "gone.model")


class TestFace:
    IMAGE = np.zeros((100, 100, 3), np.uint8)

    def test_red_green_blue_come_out_the_other_way_round(self) -> None:
        image = self.IMAGE + np.array([10, 20, 30], np.uint8)
        face = syncnet._cut(image, np.array([50, 40, 20]))
        assert face.shape == (224, 224, 3)
        assert face[100, 100].tolist() == [30, 20, 10]

    def test_the_square_reaches_below_the_chin_and_not_above_the_face(self) -> None:
        image = self.IMAGE.copy()
        image[:30] = 50  # above the face, whose middle is 50 and half its size 20
        image[66:] = 200  # below 50 + 20 * 1.8
        image[:, :22] = 100  # left of 50 - 20 * 1.4
        face = syncnet._cut(image, np.array([50, 50, 20]))
        inside = face[12:-12, 12:-12]  # but for the width of a source pixel or two
        assert inside[:20].max() == 0
        assert inside[:, :20].max() == 200
        assert face[-1, 112].max() == 200

    def test_beyond_the_picture_it_is_grey(self) -> None:
        face = syncnet._cut(self.IMAGE, np.array([10, 10, 20]))
        assert face[0, 0].tolist() == [110, 110, 110]
        assert face[200, 200].tolist() == [0, 0, 0]


class Watched:
    """Sees and hears which window it was given, the sound two frames late."""

    def __init__(self) -> None:
        self.seen: list[torch.Tensor] = []
        self.codes = torch.randn(200, 4, generator=torch.Generator().manual_seed(0))
        self.heard = 0

    def see(self, pictures: torch.Tensor) -> torch.Tensor:
        first = sum(map(len, self.seen))
        self.seen.append(pictures)
        return self.codes[first : first + len(pictures)]

    def hear(self, found: torch.Tensor) -> torch.Tensor:
        first, self.heard = self.heard, self.heard + len(found)
        return self.codes.roll(2, 0)[first : first + len(found)]


def test_a_video_is_judged_window_by_window(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = Watched()
    clip = make_clip(tmp_path / "a.mp4", n_frames=70, audio=make_tone(2.8, 16_000))
    monkeypatch.setattr(syncnet, "load_syncnet", lambda path: watched)
    monkeypatch.setattr(syncnet, "main_face", lambda info, detector: fake_track(70))
    score = measure_syncnet([clip], tmp_path / "x.model", Weights(str(weights)))
    (judged,) = score.clips
    assert judged.frames == 62  # from the eighth, behind the hidden ones
    assert sum(map(len, watched.seen)) == watched.heard == 57
    assert watched.seen[0].shape == (20, 3, 5, 224, 224)
    first, second = watched.seen[0][0], watched.seen[0][1]
    assert torch.equal(first[:, 1:], second[:, :4])
    assert judged.offset_ms == 80
    assert score.confidence == pytest.approx(judged.confidence)
    assert judged.confidence > judged.distance


def test_a_short_face_is_a_problem_and_alone_an_input_error(
    tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_clip(tmp_path / "a.mp4", n_frames=30, audio=make_tone(1.2, 16_000))
    monkeypatch.setattr(syncnet, "load_syncnet", lambda path: Watched())
    monkeypatch.setattr(syncnet, "main_face", lambda info, detector: fake_track(30))
    with pytest.raises(InputError, match="less than 2 s of one visible face"):
        measure_syncnet([clip], tmp_path / "x.model", Weights(str(weights)))
