"""Exemplars, fades and which frames are painted, on a real face with an untrained painter."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.faces.lips import Floats, load_template
from avdub.faces.track import FaceTrack
from avdub.latents import Latents
from avdub.media.probe import MediaInfo, probe
from avdub.media.video import Frame, FrameReader
from avdub.pipeline.actor import GATHERED, LARGEST, Actor, K, Troupe, choose_exemplars, meet_actor
from avdub.pipeline.animate import BATCH, Animator, Unpainted
from avdub.pipeline.drive import Drive, drive
from avdub.pipeline.paint import with_own_jaw
from avdub.pipeline.store import Memory
from avdub.timeline import Span
from tests.conftest import FACES
from tests.models.elsewhere import pretending, sent
from tests.models.made import noise
from tests.pipeline.test_store import Shelf
from tests.tiny import make_latents_to_face, track_face

RATE = Fraction(25)
SIZE = make_latents_to_face().config.size


@pytest.fixture(scope="module")
def info(face_clip: Path) -> MediaInfo:
    return probe(face_clip)


@pytest.fixture(scope="module")
def frames(info: MediaInfo) -> list[Frame]:
    with FrameReader(info) as reader:
        return list(reader)


@pytest.fixture(scope="module")
def track(frames: list[Frame]) -> FaceTrack:
    return track_face(frames, FACES)


@pytest.fixture(scope="module")
def template() -> Floats:
    return load_template(FACES)


@pytest.fixture(scope="module")
def actor(info: MediaInfo, track: FaceTrack, template: Floats) -> Actor:
    return meet_actor(info, track, template, SIZE)


def make_drive(start: int, end: int, track: int = 0) -> Drive:
    n = end - start
    lips = np.tile(np.float32([0, 0.05]), (n, 57, 1))
    return Drive(track, Span(start, end), lips)


def hiding(track: FaceTrack, hidden: range, why: str = "gap") -> FaceTrack:
    """The track with some frames that must not be painted."""
    reason = tuple(why if n in hidden else "" for n in track.frames.range())
    return replace(track, reason=reason, visible=np.array([not word for word in reason]))


def make_animator(actor: Actor, template: Floats, *drives: Drive) -> Animator:
    return Animator(make_latents_to_face(), template, {0: actor}, drives, RATE)


def changed(animator: Animator, frames: list[Frame]) -> list[int]:
    made = list(animator.animate(frames))
    assert [time for time, _ in made] == [frame.time for frame in frames]
    return [
        frame.index
        for frame, (_, image) in zip(frames, made, strict=True)
        if not np.array_equal(image, frame.image)
    ]


@given(st.integers(1, 80), st.integers(0, 99))
def test_exemplars_are_usable_frames(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    usable = np.sort(rng.choice(100, n, replace=False))
    picked = choose_exemplars(rng.random(100), rng.random(100), usable)
    assert len(picked) == K
    assert set(picked) <= set(usable)
    assert len(set(picked)) == min(K, n)


def test_exemplars_are_spread_over_the_openings() -> None:
    gaps = np.random.default_rng(0).permutation(np.linspace(0, 1, 60)).astype(np.float32)
    picked = gaps[choose_exemplars(gaps, np.zeros(60, np.float32), np.arange(60))]
    np.testing.assert_array_equal(np.floor(picked * K).clip(max=K - 1), np.arange(K))


def test_exemplars_have_the_usual_pose() -> None:
    yaws = np.where(np.arange(60) % 5 == 0, 10.0, 40.0).astype(np.float32)
    yaws[:40] = 10
    gaps = np.linspace(0, 1, 60, dtype=np.float32)
    assert (yaws[choose_exemplars(gaps, yaws, np.arange(60))] == 10).all()


def test_an_actor_is_met_finer_than_the_video(actor: Actor, track: FaceTrack) -> None:
    assert actor.images.shape == (K, 3, SIZE, SIZE)
    side = max(actor.placement(n).side_px for n in actor.chosen)
    assert actor.size == min(round(GATHERED * side), LARGEST)
    assert actor.shapes.shape == (K, 57, 2)
    assert ((actor.shapes[:, :40] > 0) & (actor.shapes[:, :40] < 1)).all()
    assert len(actor.placements) == len(track.frames)


def test_an_actor_without_a_usable_exemplar_there_is_not_taken_from_hidden_frames(
    info: MediaInfo, track: FaceTrack, template: Floats
) -> None:
    actor = meet_actor(info, hiding(track, range(20)), template, SIZE)
    assert min(actor.chosen) >= 20


def test_lips_are_driven_at_the_frames_times() -> None:
    model, latents = make_latents_to_face(), Latents(noise(50, 16), torch.zeros(200))
    times = [Fraction(2 * n + 1, 100) for n in range(10)]  # the middles of steps
    made = drive(model, latents, 3, Span(5, 15), times)
    assert (made.track, made.frames) == (3, Span(5, 15))
    wanted = model.lips(latents.vec.T[None])
    np.testing.assert_allclose(made.lips, wanted[0, :10].detach(), atol=1e-5)


def test_only_driven_frames_change(actor: Actor, template: Floats, frames: list[Frame]) -> None:
    animator = make_animator(actor, template, make_drive(10, 30))
    assert changed(animator, frames) == list(range(10, 30))
    assert animator.painted == 20


def test_only_the_mouth_changes(actor: Actor, template: Floats, frames: list[Frame]) -> None:
    animator = make_animator(actor, template, make_drive(10, 30))
    painted = dict(zip(range(50), animator.animate(frames), strict=True))[20][1]
    rows, columns, _ = np.nonzero(painted != frames[20].image)
    mouth = actor.track.landmarks[20]
    assert rows.min() > mouth[195, 1]  # below the bridge of the nose
    assert mouth[234, 0] < columns.min() < columns.max() < mouth[454, 0]  # between the cheeks


def test_the_input_pictures_stay_as_they_were(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    before = [frame.image.copy() for frame in frames]
    list(make_animator(actor, template, make_drive(0, 50)).animate(frames))
    assert all(np.array_equal(a, f.image) for a, f in zip(before, frames, strict=True))


def test_frames_that_must_not_be_painted_pass_through(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    shy = replace(actor, track=hiding(actor.track, range(18, 23), "profile"))
    animator = make_animator(shy, template, make_drive(10, 30))
    assert changed(animator, frames) == [*range(10, 18), *range(23, 30)]


def test_the_patch_fades_in_and_out(actor: Actor, template: Floats) -> None:
    shy = replace(actor, track=hiding(actor.track, range(20, 22)))
    each = make_drive(10, 30)
    strength = make_animator(shy, template, each).strength[id(each)]
    assert strength.shape == (20,)
    np.testing.assert_allclose(strength[:4], [0.5, 1, 1, 1])
    np.testing.assert_allclose(strength[8:14], [1, 0.5, 0, 0, 0.5, 1])
    np.testing.assert_allclose(strength[-2:], [1, 0.5])


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.sampled_from([24, 25, 50, 60]))
def test_strength_is_zero_exactly_where_not_paintable(may: list[bool], rate: int) -> None:
    n = len(may)
    track = FaceTrack(
        id=0,
        frames=Span(5, 5 + n),
        landmarks=np.zeros((n, 468, 3), np.float32),
        box=np.zeros((n, 4), np.float32),
        visible=np.array(may),
        reason=tuple("" if each else "tiny" for each in may),
        shot=0,
    )
    empty = torch.zeros(0)
    actor = Actor(track, (), np.zeros((57, 2), np.float32), (), empty, empty, empty, empty, empty)
    each = make_drive(5, 5 + n)
    animator = Animator(
        make_latents_to_face(), np.zeros(0, np.float32), {0: actor}, [each], Fraction(rate)
    )
    strength = animator.strength[id(each)]
    assert ((strength > 0) == np.array(may)).all()
    assert strength.max() <= 1
    # it never jumps by more than a step of the fade, the ends of the drive included
    padded = np.concatenate([[0], strength, [0]])
    assert np.abs(np.diff(padded)).max() <= 1 / animator.fade_frames + 1e-6


def test_what_stays_unpainted_is_told(actor: Actor, template: Floats) -> None:
    def told(hidden: range, span: Span) -> str:
        shy = replace(actor, track=hiding(actor.track, hidden, "occluded"))
        return make_animator(shy, template, make_drive(10, 30)).unpainted(0, span)

    assert told(range(0), Span(10, 30)) == ""
    assert told(range(10, 14), Span(10, 30)) == "16 of 20 frames painted: occluded"
    assert told(range(10, 30), Span(10, 30)) == "no frame painted: occluded"
    assert told(range(0), Span(40, 60)) == "10 of 20 frames painted: cut"


def test_where_drives_overlap_the_later_one_shows(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    early, late = make_drive(10, 30), make_drive(20, 40)
    late = replace(late, lips=-late.lips)
    both = list(make_animator(actor, template, early, late).animate(frames))
    alone = list(make_animator(actor, template, late).animate(frames))
    assert np.array_equal(both[25][1], alone[25][1])


@pytest.mark.parametrize("n", [1, BATCH - 1, BATCH, BATCH + 1])
def test_frames_come_in_order_whatever_their_number(
    n: int, actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    animator = make_animator(actor, template, make_drive(0, 50))
    assert changed(animator, frames[:n]) == list(range(n))


def test_the_same_drive_paints_the_same(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    once, again = (
        list(make_animator(actor, template, make_drive(10, 30)).animate(frames)) for _ in "ab"
    )
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(once, again, strict=True))


def test_a_painter_elsewhere_paints_the_same(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    each = make_drive(10, 14)
    here = list(make_animator(actor, template, each).animate(frames[10:14]))
    with pretending() as device:
        model = sent(make_latents_to_face(), device)
        animator = Animator(model, template, {0: actor}, [each], RATE)
        there = list(animator.animate(frames[10:14]))
    assert animator.actors[0].native.device == device
    for (_, a), (_, b) in zip(here, there, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 1


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_cuda_the_same_mouth_is_painted(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    each = make_drive(10, 30)
    here = list(make_animator(actor, template, each).animate(frames))
    model = make_latents_to_face().to("cuda")
    there = list(Animator(model, template, {0: actor}, [each], RATE).animate(frames))
    for (_, a), (_, b) in zip(here, there, strict=True):
        assert np.abs(a.astype(int) - b).max() <= 4


def test_a_lower_jaw_of_the_frame_pulls_only_the_wanted_jaw_down() -> None:
    own = np.zeros((2, 57, 2), np.float32)
    wanted = own.copy()
    own[0, 40:, 1] = 0.2  # the first frame's jaw hangs lower, the second's higher
    own[1, 40:, 1] = -0.2
    made = with_own_jaw(wanted, own)
    assert 0.1 < made[0, 40:, 1].min() <= made[0, 40:, 1].max() < 0.2
    np.testing.assert_array_equal(made[0, :40], wanted[0, :40])
    np.testing.assert_array_equal(made[1], wanted[1])


def remembered(each: Drive, segment: int = 1) -> Drive:
    return replace(each, segment=segment, parts=("video", each.lips))


def with_memory(
    actor: Actor, template: Floats, shelf: Shelf, *drives: Drive
) -> tuple[Animator, Memory]:
    memory = Memory(shelf)
    model = make_latents_to_face()
    return Animator(model, template, {0: actor}, drives, RATE, memory), memory


def test_remembered_frames_are_those_that_were_painted(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    shelf, each = Shelf(), remembered(make_drive(3, 45))
    first, before = with_memory(actor, template, shelf, each)
    made = list(first.animate(frames))
    again, memory = with_memory(actor, template, shelf, each)
    recalled = list(again.animate(frames))
    assert (first.painted, again.painted) == (42, 0)
    assert (before.cached(1), memory.cached(1)) == ((), ("mouths",))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(made, recalled, strict=True))


def test_a_segment_is_painted_alike_whatever_is_known_of_its_neighbours(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    shelf = Shelf()
    early, late = remembered(make_drive(3, 21), 1), remembered(make_drive(17, 45), 2)
    both = list(make_animator(actor, template, early, late).animate(frames))
    list(with_memory(actor, template, shelf, early, late)[0].animate(frames))
    changed = replace(early, lips=-early.lips, parts=("video", -early.lips))
    animator, memory = with_memory(actor, template, shelf, changed, late)
    made = list(animator.animate(frames))
    assert (memory.cached(1), memory.cached(2)) == ((), ("mouths",))
    assert animator.painted == 14
    assert not np.array_equal(made[10][1], both[10][1])
    assert all(np.array_equal(made[n][1], both[n][1]) for n in range(17, 50))


def test_a_long_segment_is_kept_in_pieces(
    actor: Actor, template: Floats, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("avdub.pipeline.animate.CHUNKS_A_PIECE", 2)
    shelf, each = Shelf(), remembered(make_drive(0, 50))
    whole = list(make_animator(actor, template, each).animate(frames))
    stopped = with_memory(actor, template, shelf, each)[0].animate(frames)
    for _ in range(40):
        next(stopped)
    stopped.close()
    assert len(shelf.products) == 2
    rest, memory = with_memory(actor, template, shelf, each)
    resumed = list(rest.animate(frames))
    assert rest.painted == 50 - 32
    assert memory.cached(1) == ()
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(whole, resumed, strict=True))


def test_pieces_that_frames_cut_short_are_not_held(
    actor: Actor, template: Floats, frames: list[Frame]
) -> None:
    shelf, each = Shelf(), remembered(make_drive(0, 50))
    whole = list(with_memory(actor, template, shelf, each)[0].animate(frames))
    again, _ = with_memory(actor, template, shelf, each)
    for start, end in ((10, 20), (30, 40)):
        made = list(again.animate(frames[start:end]))
        assert all(np.array_equal(a[1], b[1]) for a, b in zip(made, whole[start:end], strict=True))
        assert again._album._pages == {}
    assert again.painted == 0


def test_frames_may_come_span_by_span(actor: Actor, template: Floats, frames: list[Frame]) -> None:
    drives = make_drive(3, 12), make_drive(30, 41)
    whole = list(make_animator(actor, template, *drives).animate(frames))
    animator = make_animator(actor, template, *drives)
    assert animator.spans == (Span(3, 12), Span(30, 41))
    made = [p for span in animator.spans for p in animator.animate(frames[span.start : span.end])]
    shown = [whole[n] for span in animator.spans for n in span.range()]
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(made, shown, strict=True))


def test_few_frames_are_held_back(actor: Actor, template: Floats, frames: list[Frame]) -> None:
    taken = 0

    def counted() -> Iterator[Frame]:
        nonlocal taken
        for frame in frames:
            taken += 1
            yield frame

    drives = [replace(make_drive(start, start + 19), track=0) for start in (0, 19)]
    drives.append(make_drive(13, 50, track=1))
    actors = {0: actor, 1: actor}
    animator = Animator(make_latents_to_face(), template, actors, drives, RATE)
    held = [taken - n for n, _ in enumerate(animator.animate(counted()))]
    assert max(held) <= 2 * BATCH


def test_segments_that_cannot_be_painted_are_told_together(
    actor: Actor, template: Floats, frames: list[Frame], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    drives = [remembered(make_drive(n, n + 8), n) for n in (2, 12, 22, 32)]
    animator, _ = with_memory(actor, template, shelf, *drives)
    paint = animator._paint_actor

    def failing(actor: Actor, wanted: Drive, pictures: dict[int, np.ndarray]) -> object:
        if wanted.segment in (12, 32):
            raise ZeroDivisionError(f"made to fail in {wanted.segment}")
        return paint(actor, wanted, pictures)

    monkeypatch.setattr(animator, "_paint_actor", failing)
    with pytest.raises(Unpainted) as caught:
        list(animator.animate(frames))
    assert caught.value.reasons == {
        12: "ZeroDivisionError: made to fail in 12",
        32: "ZeroDivisionError: made to fail in 32",
    }
    assert len(shelf.products) == 2  # what went well is not lost
    monkeypatch.setattr(animator, "_paint_actor", lambda *_: (_ for _ in ()).throw(MemoryError()))
    animator.failed.clear()
    with pytest.raises(MemoryError):
        list(animator.animate(frames[30:]))


def test_actors_are_met_when_needed_and_few_are_held(actor: Actor) -> None:
    met: list[int] = []

    def meet(track: int) -> Actor:
        met.append(track)
        return actor

    troupe = Troupe(dict.fromkeys(range(20), actor.track), meet)
    assert (len(troupe), met) == (20, [])
    for track in (*range(20), 19, 18, 0):
        assert troupe[track] is actor
    assert met == [*range(20), 0]
    with pytest.raises(KeyError):
        troupe[20]
