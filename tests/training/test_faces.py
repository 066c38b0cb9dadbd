"""Face packs and the batches drawn from them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.errors import InputError
from avdub.faces.lips import Floats, load_template
from avdub.models.latents_to_face import LatentsToFaceConfig
from avdub.training.face_batches import (
    APART,
    Clips,
    pick_exemplars,
)
from avdub.training.face_data import (
    FacePack,
    list_videos,
    prepare_faces,
    write_clip_latents,
)
from avdub.training.prepare import is_held_out
from tests.conftest import FACES
from tests.make import make_clip
from tests.tiny import make_speech_to_latents
from tests.training.made import WIDTH, make_face_pack

TINY = LatentsToFaceConfig.tiny()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def template() -> Floats:
    return load_template(FACES)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory, template: Floats) -> Clips:
    return Clips([make_face_pack(tmp_path_factory.mktemp("pack"))], template)


def test_a_real_face_is_prepared_frame_by_frame(face_clip: Path, tmp_path: Path) -> None:
    assert prepare_faces([(face_clip, "astronaut")], FACES, tmp_path) == 50
    pack = FacePack(tmp_path)
    (clip,) = pack.clips
    assert (clip.id, clip.speaker, clip.frames, clip.rate) == ("face", "astronaut", 50, "25")
    assert pack.images(clip, [0, 49]).shape == (2, 96, 96, 3)
    mesh = pack.mesh(clip)
    lips = mesh[:, [61, 291, 0, 17], :2]
    assert ((lips > 0.1) & (lips < 0.9)).all()
    write_clip_latents(make_speech_to_latents(), tmp_path, {"face": face_clip})
    pack = FacePack(tmp_path)
    assert pack.vec(pack.clips[0], WIDTH).shape == (100, WIDTH)


def test_clips_without_a_face_are_left_out(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "bars.mp4", n_frames=30)
    assert prepare_faces([(clip, "nobody")], FACES, tmp_path / "pack") == 0


def test_a_folder_that_is_no_pack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not a face pack"):
        FacePack(tmp_path)


def test_videos_are_either_held_out_or_not(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"anna_{n}.mp4").touch()
    kept, held = (list_videos(tmp_path, None, flag) for flag in (False, True))
    assert len(kept) + len(held) == 30
    assert all(is_held_out(path.stem) for path, _ in held)
    assert {speaker for _, speaker in kept} == {"anna"}
    assert len(list_videos(tmp_path, "x", False, every=3)) == -(-len(kept) // 3)


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no such videos"):
        list_videos(tmp_path, None, False)


def test_frames_have_their_own_times(clips: Clips) -> None:
    assert clips.times(0)[:3].tolist() == pytest.approx([0, 0.04, 0.08])


def test_lips_at_rest_are_near_zero(clips: Clips) -> None:
    lips = clips.lips(0)
    assert lips.shape == (40, 57, 2)
    closed, opened = clips.gaps[0].argmin(), clips.gaps[0].argmax()
    assert lips[int(closed)].abs().max() < 0.03
    assert lips[int(opened)].abs().max() > 0.05


@given(st.integers(0, 39), st.integers(1, 6), st.integers(0, 99))
def test_exemplars_stay_away_from_their_target(frame: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gaps = rng.random(40).astype(np.float32)
    picked = pick_exemplars(gaps, frame, k, rng)
    assert len(picked) == k
    assert all(abs(other - frame) >= APART for other in picked)


def test_exemplars_are_spread_over_the_openings() -> None:
    gaps = np.linspace(0, 1, 40, dtype=np.float32)
    picked = gaps[pick_exemplars(gaps, 20, 4, np.random.default_rng(0))]
    assert (np.diff(picked) > 0).all()
    assert picked[0] < 0.3
    assert picked[-1] > 0.7


def test_a_batch_has_the_models_shapes(clips: Clips) -> None:
    batch = clips.batch(3, 4, TINY, seeded())
    s = TINY.size
    assert batch.target.image.shape == batch.real.shape == (3, 3, s, s)
    assert batch.target.mask.shape == batch.lips_mask.shape == (3, 1, s, s)
    assert batch.target.shape.shape == (3, 57, 2)
    assert batch.exemplars.images.shape == (3, 4, 3, s, s)
    assert batch.exemplars.shapes.shape == (3, 4, 57, 2)
    assert batch.exemplars.still.shape[2:] == batch.target.still.shape[1:]


def test_batches_follow_their_generator(clips: Clips) -> None:
    one, same, other = (clips.batch(2, 3, TINY, seeded(n)) for n in (1, 1, 2))
    assert torch.equal(one.real, same.real)
    assert torch.equal(one.exemplars.images, same.exemplars.images)
    assert not torch.equal(one.real, other.real)


def test_masks_cover_the_mouth_and_leave_the_border(clips: Clips) -> None:
    batch = clips.batch(4, 2, TINY, seeded())
    assert batch.target.mask.amax((1, 2, 3)).min() > 0.9
    border = batch.target.mask[..., 0, :]
    assert border.mean() < 0.05
    inside = (batch.lips_mask * batch.target.mask).sum() / batch.lips_mask.sum()
    assert inside > 0.8
