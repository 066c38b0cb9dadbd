"""Correlation of two mouths over time shifts."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avdub.evaluation import lips
from avdub.evaluation.lips import LipSync, lip_sync, mean_sync
from avdub.faces.lips import load_template
from avdub.faces.track import FaceTrack
from avdub.media.probe import probe
from avdub.timeline import Span
from tests.conftest import FACES
from tests.make import make_clip


def mouth(times: Any) -> Any:
    """A smooth opening that hardly repeats, at times in seconds."""
    t = 2 * np.pi * np.asarray(times, float)
    return 0.1 + 0.03 * np.sin(1.71 * t) + 0.02 * np.sin(2.63 * t + 1) + 0.02 * np.sin(0.67 * t)


def known(sync: LipSync | None) -> LipSync:
    assert sync is not None
    return sync


def known_number(value: float | None) -> float:
    assert value is not None
    return value


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

    def test_a_peak_is_as_sharp_as_it_stands_above_shifts_out_of_sync(self) -> None:
        t = np.arange(200) / 25
        sync = known(lip_sync(mouth(t), mouth(t), 25))
        far = [r for ms, r in zip(sync.shifts_ms, sync.curve, strict=True) if abs(ms) >= 200]
        assert len(far) == 12
        assert sync.sharpness == pytest.approx(sync.best_correlation - np.mean(far))
        slow = known(lip_sync(mouth(t / 5), mouth(t / 5), 25))
        assert known_number(slow.sharpness) < known_number(sync.sharpness) / 2

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


def fake_track(n_frames: int) -> FaceTrack:
    """The template's face 100 times as large, its lower lip moving as `mouth` says."""
    face = np.repeat(load_template(FACES)[None], n_frames, axis=0)
    for low, up in ((14, 13), (87, 82), (317, 312)):
        face[:, low, 1] = face[:, up, 1] + mouth(np.arange(n_frames) / 25)
    visible = np.ones(n_frames, bool)
    visible[5:8] = False
    box = np.zeros((n_frames, 4), np.float32)
    return FaceTrack(0, Span(0, n_frames), 100 * face + 200, box, visible, ("",) * n_frames, 0)


def test_openings_of_variable_frame_times_are_read_at_even_ones(tmp_path: Path) -> None:
    times = [Fraction(n, 25) + (Fraction(n % 2, 100)) for n in range(40)]
    info = probe(make_clip(tmp_path / "vfr.mp4", times=times, n_frames=40))
    even, rate = lips.even_times(info)
    values = lips.even(info, [float(t) for t in info.frame_times], even)
    assert values[:-1] == pytest.approx(even[:-1], abs=1e-6)
    assert np.allclose(np.diff(even), 1 / rate)
