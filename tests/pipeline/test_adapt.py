"""Adapting to a video's own actor: on a real face with tiny models, and where it cannot be done."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import avdub.pipeline.ready as ready_module
from avdub.learning.actor_frames import LEARN
from avdub.learning.paint_actor import Looked, PaintActorRecipe, Painted, Quality
from avdub.media.probe import MediaInfo, probe
from avdub.models.latents_to_face import LatentsToFace
from avdub.pipeline import adapt as adapt_module
from avdub.pipeline.adapt import Adapted, adapt
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import AdaptationReport
from avdub.pipeline.run import dub
from avdub.pipeline.watch import ENOUGH_S, LOOK_S, actor_frames, watch, windows
from avdub.pipeline.weights import Weights
from avdub.progress import silent
from tests.make import make_clip
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip

OPTIONS = DubOptions(adapt=True, adapt_seconds=900)
STEPS_A_SECOND = 6 / OPTIONS.adapt_seconds
FEW_STEPS = partial(PaintActorRecipe, batch=2, look_every=3, learning_rate=3e-3)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(adapt_module, "PaintActorRecipe", FEW_STEPS)
    monkeypatch.setattr(adapt_module, "STEPS_A_SECOND", STEPS_A_SECOND)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def family(weights: Path) -> Weights:
    return Weights(str(weights))


@pytest.fixture(scope="module")
def info(face_clip: Path) -> MediaInfo:
    return probe(face_clip)


def values(model: LatentsToFace) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def cached_files(home: Path) -> list[Path]:
    return sorted((home / "cache").rglob("*"))


def test_the_actor_is_learned_once_and_then_remembered(
    info: MediaInfo, family: Weights, home: Path
) -> None:
    before = values(family.latents_to_face)
    made = adapt(info, family, OPTIONS)
    assert made.report.steps == 6
    assert made.report.frames > 20
    assert torch.equal(values(family.latents_to_face), before)
    assert made.file is not None
    assert made.file.parent == home / "cache" / "adapt"
    again = adapt(info, family, OPTIONS)
    assert again.report == replace(made.report, cached=True)
    assert torch.equal(values(again.model), values(made.model))
    assert [p.name for p in (home / "cache" / "adapt").iterdir()] == [made.file.name]


def test_another_seed_time_or_video_is_learned_anew(
    info: MediaInfo, family: Weights, face_clip: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(face_clip.read_bytes() + b"\0")
    model = family.latents_to_face
    keys = {
        adapt_module._key(info, model, OPTIONS),
        adapt_module._key(info, model, replace(OPTIONS, seed=1)),
        adapt_module._key(info, model, replace(OPTIONS, adapt_seconds=30)),
        adapt_module._key(replace(info, path=other), model, OPTIONS),
    }
    assert len(keys) == 4
    moved = tmp_path / "moved.mp4"
    moved.write_bytes(face_clip.read_bytes())
    assert adapt_module._key(replace(info, path=moved), model, OPTIONS) in keys


def test_a_damaged_file_in_the_cache_is_made_again(
    info: MediaInfo, family: Weights, home: Path
) -> None:
    file = home / "cache" / "adapt" / f"{adapt_module._key(info, family.latents_to_face, OPTIONS)}"
    file = file.with_suffix(".safetensors")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"damaged")
    made = adapt(info, family, OPTIONS)
    assert not made.report.cached
    assert adapt(info, family, OPTIONS).report.cached


def test_a_cache_that_cannot_be_written_is_no_error(
    info: MediaInfo, family: Weights, home: Path
) -> None:
    home.write_text("a file where the folder should be")
    made = adapt(info, family, OPTIONS)
    assert made.report.steps == 6
    assert made.file is None


def test_what_does_not_help_is_left_as_it_was(
    info: MediaInfo, family: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(start: LatentsToFace, *rest: object) -> Painted:
        model = LatentsToFace(start.config)
        worse = Quality(30, 28), Quality(29.9, 28.9)  # better lips in a worse face
        return Painted(model, *worse, 6, (Looked(0, 0.0, worse[0]),))

    monkeypatch.setattr(adapt_module, "fine_tune", spoilt)
    made = adapt(info, family, OPTIONS)
    assert torch.equal(values(made.model), values(family.latents_to_face))
    assert not made.report.kept
    assert made.report.gain_db == 0
    assert made.warnings == ("the face is not adapted: it did not paint frames held out better",)


@pytest.mark.parametrize(
    ("face", "n_frames", "reason"),
    [
        (False, 30, "no usable face is seen"),
        (True, 25, "a face is seen in too few frames to learn from"),
    ],
)
def test_a_video_that_cannot_be_learned_from_says_why(
    face: bool, n_frames: int, reason: str, family: Weights, tmp_path: Path, home: Path
) -> None:
    clip = make_face_clip(tmp_path / "clip.mp4", face=face, n_frames=n_frames)
    made = adapt(probe(clip), family, OPTIONS)
    assert (made.report.kept, made.report.reason) == (False, reason)
    assert made.model is family.latents_to_face
    assert cached_files(home) == []


def test_without_sound_only_the_painter_learns(family: Weights, tmp_path: Path) -> None:
    clip = make_face_clip(tmp_path / "clip.mp4")
    report = adapt(probe(clip), family, OPTIONS).report
    assert report.steps == 6
    assert (report.lip_gain, report.lip_reason) == (1.0, "nobody is heard")


def test_hardly_any_time_is_no_error(info: MediaInfo, family: Weights, home: Path) -> None:
    made = adapt(info, family, replace(OPTIONS, adapt_seconds=0.001))
    assert not made.report.kept
    assert made.report.reason
    assert cached_files(home) == []


def test_frames_are_cut_out_where_the_face_is(info: MediaInfo, family: Weights) -> None:
    seen = watch(info, family, "mediapipe", float("inf"), silent)
    assert len(seen) == 50
    cut = actor_frames(info, seen, family.template, 32, float("inf"))
    assert cut is not None
    frames, chosen = cut
    assert frames.images.shape == (len(frames), 32, 32, 3)
    lips = frames.shapes[:, :40]
    assert ((lips > 0) & (lips < 1)).all()
    assert set(chosen.ravel()) <= set(frames.having(LEARN))
    assert 0.05 < frames.masks.mean() < 0.7


def test_a_short_video_is_watched_whole_and_a_long_one_in_windows(tmp_path: Path) -> None:
    short = probe(make_clip(tmp_path / "short.mp4", n_frames=100))
    assert [(s.start, s.end) for s in windows(short)] == [(0, 100)]
    long = probe(make_clip(tmp_path / "long.mp4", n_frames=2500))
    assert long.end > ENOUGH_S
    spans = windows(long)
    assert {len(s) for s in spans} == {LOOK_S * 25}
    covered = sorted(s.start for s in spans)
    assert covered[0] == 0
    assert covered[-1] + LOOK_S * 25 == 2500
    half = sorted(s.start for s in spans[: len(spans) // 2])
    assert np.diff(half).max() < 2500 / 6


def test_a_dub_animates_with_what_was_learned(
    weights: Path, face_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[LatentsToFace] = []
    animator = ready_module.Animator

    def remember(model: LatentsToFace, *rest: object) -> object:
        used.append(model)
        return animator(model, *rest)

    monkeypatch.setattr(ready_module, "Animator", remember)
    srt = write_srt(tmp_path / "s.srt", (400, 1000, "Hello there."))
    options = replace(OPTIONS, model=str(weights))
    report = dub(face_clip, srt, tmp_path / "out.mp4", options)
    assert report.adaptation is not None
    assert report.adaptation.steps == 6
    found = adapt(probe(face_clip), Weights(str(weights)), options)
    assert found.report.cached
    assert torch.equal(values(used[0]), values(found.model))
    plain = report.as_json()["adaptation"]
    assert isinstance(plain, dict)
    assert plain["gain_db"] == report.adaptation.gain_db
    assert "adapt_s" in report.timing


def test_a_part_of_a_video_is_animated_with_what_the_whole_taught(
    face_clip: Path, family: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def remember(info: MediaInfo, weights: Weights, *rest: object) -> Adapted:
        asked.append(info.path)
        return Adapted(weights.latents_to_face, AdaptationReport(False, "tried"))

    monkeypatch.setattr(adapt_module, "adapt", remember)
    part = make_face_clip(tmp_path / "part.mp4", n_frames=30)
    srt = write_srt(tmp_path / "part.srt", (400, 1000, "Hello there."))
    options = replace(OPTIONS, model=str(family.folder), adapt_video=face_clip)
    report = dub(part, srt, tmp_path / "out.mp4", options)
    assert asked == [face_clip]
    assert "the face is not adapted: tried" in report.warnings


def test_where_no_face_is_animated_nothing_is_learned(weights: Path, tmp_path: Path) -> None:
    clip = make_face_clip(tmp_path / "clip.mp4", face=False, n_frames=40)
    srt = write_srt(tmp_path / "s.srt", (400, 1000, "Hello there."))
    report = dub(clip, srt, tmp_path / "out.mp4", replace(OPTIONS, model=str(weights)))
    assert report.adaptation == AdaptationReport(False, "no face is animated")
    assert "the face is not adapted: no face is animated" in report.warnings


def test_a_dub_without_it_says_nothing_of_it() -> None:
    from tests.test_cli import REPORT

    assert "adaptation" not in REPORT.as_json()
