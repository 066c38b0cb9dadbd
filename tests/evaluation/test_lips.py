"""Correlation of two mouths over time shifts, and real lips against predicted ones."""

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from avdub.errors import InputError
from avdub.evaluation import lips
from avdub.evaluation.lips import LipSync, lip_sync, mean_sync, measure_lips
from avdub.faces.lips import SHAPE_POINTS, load_template, opening
from avdub.faces.track import FaceTrack
from avdub.media.probe import probe
from avdub.pipeline.weights import Weights
from avdub.timeline import Span
from tests.conftest import FACES
from tests.make import make_clip, make_tone

N_FRAMES = 50  # of the face clip


def mouth(times: Any) -> Any:
    """A smooth opening that hardly repeats, at times in seconds."""
    t = 2 * np.pi * np.asarray(times, float)
    return 0.1 + 0.03 * np.sin(1.71 * t) + 0.02 * np.sin(2.63 * t + 1) + 0.02 * np.sin(0.67 * t)


def known(sync: LipSync | None) -> LipSync:
    assert sync is not None
    return sync


class TestLipSync:
    def test_the_same_movement_correlates_at_no_shift(self) -> None:
        t = np.arange(75) / 25
        sync = known(lip_sync(mouth(t), 3 * mouth(t) + 1, 25))
        assert sync.correlation == pytest.approx(1)
        assert sync.best_shift_ms == pytest.approx(0, abs=1)

    @pytest.mark.parametrize("late_s", [-0.3, -0.08, 0.04, 0.2])
    def test_a_late_second_mouth_is_found_with_its_sign(self, late_s: float) -> None:
        t = np.arange(100) / 25
        sync = known(lip_sync(mouth(t), mouth(t - late_s), 25))
        assert sync.best_shift_ms == pytest.approx(1000 * late_s, abs=4)
        assert sync.best_correlation > 0.97 > sync.correlation

    def test_the_peak_is_placed_between_frames(self) -> None:
        t = np.arange(100) / 25
        sync = known(lip_sync(mouth(t), mouth(t - 0.015), 25))
        assert sync.best_shift_ms == pytest.approx(15, abs=4)

    def test_the_curve_reaches_400_ms_to_both_sides(self) -> None:
        t = np.arange(90) / 30
        sync = known(lip_sync(mouth(t), mouth(t), Fraction(30)))
        assert sync.shifts_ms[0] == pytest.approx(-400)
        assert sync.shifts_ms[-1] == pytest.approx(400)
        assert len(sync.curve) == len(sync.shifts_ms) == 25

    def test_only_chosen_frames_count(self) -> None:
        t = np.arange(100) / 25
        a, where = mouth(t), (t > 1) & (t < 3)
        a[~where] = np.random.default_rng(0).normal(size=(~where).sum())
        assert known(lip_sync(a, mouth(t), 25, where)).correlation == pytest.approx(1)
        assert known(lip_sync(a, mouth(t), 25)).correlation < 0.5

    def test_unknown_frames_are_left_out(self) -> None:
        t = np.arange(100) / 25
        a = mouth(t)
        a[20:40] = np.nan
        sync = known(lip_sync(a, mouth(t - 0.12), 25))
        assert sync.best_shift_ms == pytest.approx(120, abs=4)

    def test_a_still_mouth_says_nothing(self) -> None:
        t = np.arange(100) / 25
        assert lip_sync(np.full(100, 0.2), mouth(t), 25) is None

    def test_a_handful_of_frames_says_nothing(self) -> None:
        t = np.arange(9) / 25
        assert lip_sync(mouth(t), mouth(t), 25) is None

    def test_the_inputs_stay_as_they_are(self) -> None:
        a = mouth(np.arange(50) / 25)
        before = a.copy()
        lip_sync(a, a, 25, np.arange(50) > 20)
        assert (a == before).all()


def test_clips_of_different_rates_are_averaged_over_common_shifts() -> None:
    each = []
    for rate in (25, 30):
        t = np.arange(4 * rate) / rate
        each.append(known(lip_sync(mouth(t), mouth(t - 0.1), rate)))
    mean = mean_sync(each)
    assert mean.best_shift_ms == pytest.approx(100, abs=8)
    assert mean.correlation == pytest.approx(np.mean([e.correlation for e in each]), abs=1e-6)


class FakeWeights:
    """Predicts a mouth `late_s` behind what `fake_track` shows; latents are not looked at."""

    faces = FACES

    def __init__(self, late_s: float) -> None:
        self.template = load_template(FACES)
        self.speech_to_latents = SimpleNamespace(listen=lambda wav: torch.zeros(len(wav) // 320, 4))
        self.late_s = late_s
        self.latents_to_face = SimpleNamespace(lip_shapes=self.lip_shapes)

    def lip_shapes(self, vec: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        shapes = np.zeros((len(times), len(SHAPE_POINTS), 2), np.float32)
        shapes[:, [SHAPE_POINTS.index(p) for p in (14, 87, 317)], 1] = mouth(
            times.numpy() - self.late_s
        )[:, None]
        return torch.from_numpy(shapes)


def fake_track(n_frames: int) -> FaceTrack:
    """The template's face 100 times as large, its lower lip moving as `mouth` says."""
    face = np.repeat(load_template(FACES)[None], n_frames, axis=0)
    for low, up in ((14, 13), (87, 82), (317, 312)):
        face[:, low, 1] = face[:, up, 1] + mouth(np.arange(n_frames) / 25)
    visible = np.ones(n_frames, bool)
    visible[5:8] = False
    box = np.zeros((n_frames, 4), np.float32)
    return FaceTrack(0, Span(0, n_frames), 100 * face + 200, box, visible, ("",) * n_frames, 0)


def test_predicted_lips_that_run_late_are_found(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lips, "main_face", lambda info, detector: fake_track(N_FRAMES))
    score = measure_lips([face_clip], FakeWeights(0.08))  # type: ignore[arg-type]
    assert score.mean.best_shift_ms == pytest.approx(80, abs=8)
    assert score.clips[0].frames == N_FRAMES - 3
    assert score.in_time == 0


def test_predicted_lips_in_time_count_as_such(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lips, "main_face", lambda info, detector: fake_track(N_FRAMES))
    score = measure_lips([face_clip], FakeWeights(0))  # type: ignore[arg-type]
    assert (score.correlation, score.in_time) == (pytest.approx(1, abs=0.01), 1)


def test_a_clip_without_sound_is_reported_and_the_others_measured(
    face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lips, "main_face", lambda info, detector: fake_track(N_FRAMES))
    silent = make_clip(tmp_path / "silent.mp4")
    score = measure_lips([silent, face_clip], FakeWeights(0))  # type: ignore[arg-type]
    assert score.clips[0].sync is None
    assert "has no sound" in score.clips[0].problem
    assert score.correlation > 0.9


def test_nothing_to_measure_is_an_input_error(weights: Path, tmp_path: Path) -> None:
    bare = make_clip(tmp_path / "bars.mp4", n_frames=25, audio=make_tone())
    with pytest.raises(InputError, match="shows no usable face"):
        measure_lips([bare], Weights(str(weights)))


def test_a_real_face_is_followed_through_the_whole_clip(face_clip: Path, weights: Path) -> None:
    models = Weights(str(weights))
    predicted = lips.predicted_opening(probe(face_clip), models)
    assert predicted.shape == (N_FRAMES,)
    assert np.isfinite(predicted).all()
    (clip,) = measure_lips([face_clip], models).clips
    assert clip.frames == N_FRAMES


def test_openings_of_variable_frame_times_are_read_at_even_ones(tmp_path: Path) -> None:
    times = [Fraction(n, 25) + (Fraction(n % 2, 100)) for n in range(40)]
    info = probe(make_clip(tmp_path / "vfr.mp4", times=times, n_frames=40))
    even, rate = lips.even_times(info)
    values = lips.even(info, [float(t) for t in info.frame_times], even)
    assert values[:-1] == pytest.approx(even[:-1], abs=1e-6)
    assert np.allclose(np.diff(even), 1 / rate)


def test_the_stand_in_moves_the_lips_that_are_measured() -> None:
    shapes = FakeWeights(0).lip_shapes(torch.zeros(1, 4), torch.tensor([0.0, 0.3]))
    assert opening(shapes.numpy()) == pytest.approx(mouth([0.0, 0.3]), abs=1e-6)
