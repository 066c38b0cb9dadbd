"""Predicted lips against real ones, by every measure and under every set-up."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from avdub.checkpoint import base_folder
from avdub.errors import InputError, WeightsError
from avdub.evaluation import lip_table, mouths
from avdub.evaluation.lip_table import ClipLips, LipOptions, measure_lips
from avdub.evaluation.setups import Setup, Source
from avdub.faces.lips import SHAPE_POINTS, load_template, opening
from avdub.models.sync import SyncExpertConfig
from avdub.pipeline.weights import Weights
from tests.conftest import FACES
from tests.evaluation.test_lips import fake_track, mouth
from tests.make import make_clip, make_tone

N_FRAMES = 50  # of the face clip
LOWER = [SHAPE_POINTS.index(p) for p in (14, 87, 317)]  # middle of the lower lip


class FakeWeights:
    """Predicts a mouth `late_s` behind what `fake_track` shows and `size` times as open; latents
    are not looked at."""

    faces = FACES
    voice_activity = base_folder() / "speech" / "silero_vad.onnx"
    is_bridged = False

    def __init__(self, late_s: float, size: float = 1.0) -> None:
        self.template = load_template(FACES)
        self.speech_to_latents = SimpleNamespace(listen=lambda wav: torch.zeros(len(wav) // 320, 4))
        self.late_s, self.size = late_s, size
        self.latents_to_face = SimpleNamespace(lip_shapes=self.lip_shapes)

    @property
    def sync(self) -> None:
        raise WeightsError("there is no expert")

    def lip_shapes(self, vec: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        shapes = np.zeros((len(times), len(SHAPE_POINTS), 2), np.float32)
        shapes[:, LOWER, 1] = self.size * mouth(times.numpy() - self.late_s)[:, None]
        return torch.from_numpy(shapes)


class Expert:
    """Surest of a sound that comes a step late."""

    config = SyncExpertConfig(latents=4, reach=5)
    sharpness = torch.tensor(0.0)

    def __call__(self, vec: torch.Tensor, lips: torch.Tensor) -> torch.Tensor:
        cosines = torch.full((len(vec), 11), 0.2)
        cosines[:, 6] = 0.9
        return cosines


class Judged(FakeWeights):
    """With an expert."""

    @property
    def sync(self) -> Expert:  # type: ignore[override]
        return Expert()


@pytest.fixture
def _real_faces() -> None:
    """Faces are looked for."""


@pytest.fixture(autouse=True)
def _seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every video shows `fake_track`, unless real faces are wanted."""
    if "_real_faces" not in request.fixturenames:
        monkeypatch.setattr(mouths, "main_face", lambda info, detector: fake_track(N_FRAMES))


def lips_of(video: Path, weights: FakeWeights, *setups: Setup) -> ClipLips:
    options = LipOptions(setups=setups or (Setup.MATCHED,))
    (score,) = measure_lips([video], weights, options).scores  # type: ignore[arg-type]
    return score.clips[0]


def test_the_stand_in_moves_the_lips_that_are_measured() -> None:
    shapes = FakeWeights(0).lip_shapes(torch.zeros(1, 4), torch.tensor([0.0, 0.3]))
    assert opening(shapes.numpy()) == pytest.approx(mouth([0.0, 0.3]), abs=1e-6)


def test_predicted_lips_that_run_late_are_found(face_clip: Path) -> None:
    (score,) = measure_lips([face_clip], FakeWeights(0.08)).scores  # type: ignore[arg-type]
    assert score.mean is not None
    assert score.mean.best_shift_ms == pytest.approx(80, abs=8)
    assert score.clips[0].frames == N_FRAMES - 3
    assert score.in_time == 0


def test_predicted_lips_in_time_count_as_such(face_clip: Path) -> None:
    (score,) = measure_lips([face_clip], FakeWeights(0)).scores  # type: ignore[arg-type]
    assert (score.correlation, score.in_time) == (pytest.approx(1, abs=0.01), 1)


def test_lips_that_move_half_as_much_have_half_the_amplitude(face_clip: Path) -> None:
    assert lips_of(face_clip, FakeWeights(0, 0.5)).amplitude == pytest.approx(0.5, abs=0.01)


def test_the_pairs_behind_the_correlation_are_those_of_seen_frames(face_clip: Path) -> None:
    pairs = lips_of(face_clip, FakeWeights(0, 0.5)).openings
    assert pairs is not None
    assert len(pairs.real) == len(pairs.made) == N_FRAMES - 3
    assert np.ptp(pairs.made) == pytest.approx(np.ptp(pairs.real) / 2, abs=0.01)


def test_what_does_not_move_has_no_correlation(face_clip: Path) -> None:
    clip = lips_of(face_clip, FakeWeights(0))
    assert clip.sync is not None
    assert (clip.width, clip.jaw) == (None, None)


def test_a_sound_without_speech_is_one_pause(face_clip: Path) -> None:
    found = lips_of(face_clip, FakeWeights(0, 2.0)).pauses
    assert found is not None
    assert found.real_mean is not None
    assert found.real_std is not None
    assert found.frames == N_FRAMES - 3
    assert found.std == pytest.approx(2 * found.real_std, abs=1e-3)


def test_only_frames_in_which_somebody_speaks_count_as_spoken(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lips_of(face_clip, FakeWeights(0)).spoken is None  # nobody does
    monkeypatch.setattr(lip_table, "speech_spans", lambda wav, weights: [(0.5, 1.5)])
    late = lips_of(face_clip, FakeWeights(0.08))
    t = np.arange(13, 38) / 25
    assert late.spoken == pytest.approx(np.corrcoef(mouth(t), mouth(t - 0.08))[0, 1], abs=0.01)
    assert late.sync is not None
    assert late.spoken != pytest.approx(late.sync.correlation, abs=0.01)


def test_lips_driven_by_silence_are_not_compared_but_how_open_they_stand_is(
    face_clip: Path,
) -> None:
    clip = lips_of(face_clip, FakeWeights(0), Setup.SILENT)
    assert (clip.sync, clip.expert, clip.closure) == (None, None, None)
    assert clip.pauses is not None
    times = np.arange(N_FRAMES) / 25
    assert clip.pauses.mean == pytest.approx(mouth(times).mean(), abs=1e-3)
    assert clip.pauses.real_mean is None


def test_an_expert_judges_the_predicted_lips_and_the_real_ones(face_clip: Path) -> None:
    table = measure_lips([face_clip], Judged(0))  # type: ignore[arg-type]
    for judged in (table.scores[0].expert, table.scores[0].clips[0].expert):
        assert judged is not None
        assert judged.distance == pytest.approx(0.1)
        assert judged.confidence == pytest.approx(0.7)
        assert judged.offset_ms == 20
    assert table.real is None  # the real lips are hidden for a moment in every window


def test_a_family_without_an_expert_says_so(face_clip: Path) -> None:
    table = measure_lips([face_clip], FakeWeights(0))  # type: ignore[arg-type]
    assert table.scores[0].expert is None
    assert any("there is no expert" in note for note in table.notes)


def test_every_source_and_set_up_has_a_score(face_clip: Path) -> None:
    options = LipOptions(setups=(Setup.MATCHED, Setup.MISMATCHED, Setup.SILENT))
    table = measure_lips([face_clip], FakeWeights(0), options)  # type: ignore[arg-type]
    assert [score.setup for score in table.scores] == ["matched", "mismatched", "silent"]
    assert {score.source for score in table.scores} == {"sound"}


def test_a_clip_without_sound_is_reported_and_the_others_measured(
    face_clip: Path, tmp_path: Path
) -> None:
    silent = make_clip(tmp_path / "silent.mp4")
    (score,) = measure_lips([silent, face_clip], FakeWeights(0)).scores  # type: ignore[arg-type]
    assert score.clips[0].sync is None
    assert "has no sound" in score.clips[0].problem
    assert score.correlation is not None
    assert score.correlation > 0.9


def test_lips_from_words_that_nobody_knows_are_a_problem_of_the_clip(
    face_clip: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pocketsphinx")
    both = LipOptions(sources=(Source.SOUND, Source.TEXT))
    table = measure_lips([face_clip], FakeWeights(0), both)  # type: ignore[arg-type]
    assert table.scores[0].clips[0].sync is not None
    assert "nothing tells what is said in face.mp4" in table.scores[1].clips[0].problem


def test_lips_from_words_need_a_face_model_that_knows_the_texts_latents(face_clip: Path) -> None:
    bridged = FakeWeights(0)
    bridged.is_bridged, bridged.name = True, "hierspeechpp"  # type: ignore[attr-defined]
    with pytest.raises(WeightsError, match="hierspeechpp reaches the mouth over a bridge"):
        measure_lips([face_clip], bridged, LipOptions((Source.TEXT,)))  # type: ignore[arg-type]


def test_lips_from_words_without_an_aligner_name_the_package(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(WeightsError, match="pocketsphinx") as caught:
        measure_lips([face_clip], FakeWeights(0), LipOptions((Source.TEXT,)))  # type: ignore[arg-type]
    assert "pip install pocketsphinx" in caught.value.hint


def test_sound_is_measured_without_an_aligner_and_a_note_says_what_is_missing(
    face_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    table = measure_lips([face_clip], FakeWeights(0))  # type: ignore[arg-type]
    assert table.scores[0].correlation is not None
    assert "closure is not measured" in table.notes[0]


def test_a_table_of_word_times_does_without_an_aligner(
    face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    video = tmp_path / "bbaf2n.mp4"
    video.symlink_to(face_clip)
    words = ("bin", "blue", "at", "f", "two", "now")
    rows = [f"bbaf2n\t{0.3 + 0.2 * n}\t{0.5 + 0.2 * n}\t{word}" for n, word in enumerate(words)]
    table = tmp_path / "times.tsv"
    table.write_text("clip\tstart_s\tend_s\tword\n" + "\n".join(rows), encoding="utf-8")
    options = LipOptions((Source.TEXT,), (Setup.MATCHED, Setup.SILENT), table)
    scores = measure_lips([video], Weights(str(weights)), options).scores
    assert [score.clips[0].problem for score in scores] == ["", ""]
    assert scores[0].clips[0].sync is not None
    assert scores[1].pauses is not None


@pytest.mark.usefixtures("_real_faces")
def test_nothing_to_measure_is_an_input_error(weights: Path, tmp_path: Path) -> None:
    bare = make_clip(tmp_path / "bars.mp4", n_frames=25, audio=make_tone())
    with pytest.raises(InputError, match="shows no usable face"):
        measure_lips([bare], Weights(str(weights)))


@pytest.mark.usefixtures("_real_faces")
def test_a_real_face_is_followed_through_the_whole_clip(face_clip: Path, weights: Path) -> None:
    (score,) = measure_lips([face_clip], Weights(str(weights))).scores
    assert score.clips[0].frames == N_FRAMES
