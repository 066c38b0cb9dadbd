from fractions import Fraction
from pathlib import Path

import pytest
import torch

from avdub.errors import InputError
from avdub.evaluation import sync
from avdub.evaluation.sync import SHIFT_STEPS, measure_sync
from avdub.models.sync import SyncExpertConfig
from tests.evaluation.test_lips import fake_track
from tests.make import make_clip, make_tone
from tests.tiny import make_face_clip

TRIALS = SHIFT_STEPS + 1  # a window


class FakeExpert:
    """Finds the shift in latents that count steps, `wrong` steps off."""

    config = SyncExpertConfig(latents=1, reach=20)

    def __init__(self, wrong: float) -> None:
        self.wrong = wrong

    def shift(self, vec: torch.Tensor, lips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = vec[:, 0, 50].round()
        late = first[len(first) // 2] - first  # the middle one is not shifted
        return late + self.wrong, torch.ones(len(vec))


class FakeWeights:
    speech_to_latents = None
    template = None

    def __init__(self, wrong: float) -> None:
        from avdub.faces.lips import load_template
        from tests.conftest import FACES

        self.sync, self.faces, self.template = FakeExpert(wrong), FACES, load_template(FACES)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "a.mp4"
    return make_face_clip(path, n_frames=75, rate=Fraction(25), audio=make_tone(3.0, 44_100))


@pytest.fixture
def _counting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Latents that say which step they are, and a face that is hidden for some frames at first."""
    monkeypatch.setattr(sync, "main_face", lambda info, detector: fake_track(75))
    monkeypatch.setattr(
        sync, "latents_of", lambda info, weights: torch.arange(150.0)[:, None].clone()
    )


@pytest.mark.usefixtures("_counting")
@pytest.mark.parametrize(("wrong", "share", "offset"), [(0.0, 1.0, 0), (1.5, 1.0, 30), (3, 0, 60)])
def test_shifts_told_within_a_frame_count(
    clip: Path, wrong: float, share: float, offset: float
) -> None:
    score = measure_sync([clip], FakeWeights(wrong))  # type: ignore[arg-type]
    assert score.within_frame == share
    assert score.clips[0].offset_ms == pytest.approx(offset)
    assert score.error_ms == pytest.approx(offset)


@pytest.mark.usefixtures("_counting")
def test_each_shift_has_its_own_share(clip: Path) -> None:
    class NeverLate(FakeExpert):
        def shift(self, vec: torch.Tensor, lips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            late, sure = super().shift(vec, lips)
            return late.clamp(max=0), sure

    weights = FakeWeights(0)
    weights.sync = NeverLate(0)
    score = measure_sync([clip], weights)  # type: ignore[arg-type]
    assert [s.shift_ms for s in score.shifts] == [40.0 * n for n in range(-6, 7)]
    assert {s.shift_ms for s in score.shifts if s.within_frame == 0} == {80, 120, 160, 200, 240}
    assert {s.within_frame for s in score.shifts if s.shift_ms <= 40} == {1}
    assert score.shifts[-1].error_ms == pytest.approx(240)
    assert sum(s.trials for s in score.shifts) == score.trials


@pytest.mark.usefixtures("_counting")
def test_only_windows_in_which_the_face_is_seen_are_tried(clip: Path) -> None:
    score = measure_sync([clip], FakeWeights(0))  # type: ignore[arg-type]
    starts = range(0, 150 - 100 + 1, 12)
    seen = [s for s in starts if s > 2 * 7]  # frames 5 to 7 are hidden
    assert score.trials == len(seen) * TRIALS


def test_a_video_without_a_face_is_an_input_error(weights: Path, tmp_path: Path) -> None:
    from avdub.checkpoint import save_module
    from avdub.models.sync import SyncExpert
    from avdub.pipeline.weights import Weights

    for file in weights.iterdir():
        (tmp_path / file.name).symlink_to(file)
    expert = SyncExpert(SyncExpertConfig.tiny())
    save_module(tmp_path / "sync.safetensors", expert, expert.config)
    bars = make_clip(tmp_path / "bars.mp4", n_frames=60, audio=make_tone(2.4, 16_000))
    with pytest.raises(InputError, match="shows no usable face"):
        measure_sync([bars], Weights(str(tmp_path)))
