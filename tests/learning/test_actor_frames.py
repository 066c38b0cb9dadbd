"""What is learned from, what is held out, and batches of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.learning.actor_frames import (
    APART_S,
    CHECK,
    CHOOSE,
    GAP_S,
    LEARN,
    UNUSED,
    evened,
    roles_of,
)
from tests.learning.made import make_frames


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(
    st.lists(st.integers(2, 500), min_size=1, max_size=5),
    st.sampled_from([4.0, 10.0, 23.976, 30.0, 60.0]),
)
def test_nothing_is_learned_from_beside_a_held_out_frame(lengths: list[int], rate: float) -> None:
    tracks = np.repeat(np.arange(len(lengths)), lengths)
    times = np.concatenate([np.arange(n) / rate for n in lengths])
    roles = roles_of(tracks, times)
    for track in range(len(lengths)):
        mine = tracks == track
        learned = times[mine & (roles == LEARN)]
        held = times[mine & ((roles == CHOOSE) | (roles == CHECK))]
        assert len(learned)
        if len(held):
            assert np.abs(learned[:, None] - held).min() >= GAP_S - 1e-9


def test_about_a_third_is_held_out_for_two_purposes() -> None:
    times = np.arange(250) / 25
    roles = roles_of(np.zeros(250, np.int64), times)
    shares = [(roles == role).mean() for role in (LEARN, CHOOSE, CHECK, UNUSED)]
    assert 0.45 < shares[0] < 0.66
    assert min(shares[1:3]) > 0.1
    assert shares[3] < 0.2


def test_held_out_frames_come_in_blocks_of_time() -> None:
    roles = roles_of(np.zeros(500, np.int64), np.arange(500) / 25)
    changes = np.flatnonzero(np.diff(roles == CHOOSE))
    assert (np.diff(changes)[::2] >= 24).all()


def test_only_learned_frames_are_in_a_batch() -> None:
    frames = make_frames()
    shapes = frames.shapes.copy()
    shapes[frames.roles != LEARN] = 99
    batch = replace(frames, shapes=shapes).batch(64, 4, seeded())
    assert batch.target.shape.abs().max() < 2
    assert batch.exemplars.shapes.abs().max() < 2


def test_exemplars_are_of_the_same_track_and_not_beside_the_frame() -> None:
    frames = make_frames(120)
    frames = replace(frames, tracks=np.repeat([0, 1], 60))
    rng = np.random.default_rng(0)
    for i in frames.having(LEARN):
        found = frames._spread(int(i), 4, rng)
        assert set(frames.tracks[found]) == {frames.tracks[i]}
        assert np.abs(frames.times[found] - frames.times[i]).min() >= APART_S


def test_open_mouths_are_taken_more_often_than_they_are_seen() -> None:
    gaps = np.concatenate([np.zeros(90), np.full(10, 0.1)]).astype(np.float32)
    likely = evened(gaps)
    assert likely.sum() == pytest.approx(1)
    assert likely[90:].sum() == pytest.approx(0.3)  # a tenth of the frames, half of the openings


def test_the_same_seed_gives_the_same_batch() -> None:
    frames = make_frames()
    a, b, other = (frames.batch(4, 3, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(a.real, b.real)
    assert torch.equal(a.exemplars.images, b.exemplars.images)
    assert not torch.equal(a.real, other.real)


def test_frames_as_they_are_keep_every_pixel() -> None:
    frames = make_frames()
    targets = frames.having(CHECK)[:3]
    batch = frames.as_they_are(targets, np.tile(frames.having(LEARN)[:4], (3, 1)))
    found = (batch.real * 255).round().permute(0, 2, 3, 1).numpy().astype(np.uint8)
    np.testing.assert_array_equal(found, frames.images[targets])
    assert batch.exemplars.images.shape == (3, 4, 3, 32, 32)
    assert not batch.exemplars.banned.any()
