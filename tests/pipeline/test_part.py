"""Parts of a dub made apart leave everything the dub needs."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

import avdub.pipeline.part as part_module
from avdub.media import gops, stretches
from avdub.media.probe import probe
from avdub.pipeline.actor import Actor
from avdub.pipeline.animate import Animator
from avdub.pipeline.drive import Driven
from avdub.pipeline.options import DubOptions
from avdub.pipeline.paint import multiplies_bf16
from avdub.pipeline.part import paint, prepare
from avdub.pipeline.ready import Task
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import dub, perform
from avdub.pipeline.weights import Weights
from avdub.progress import silent
from tests.make import make_tone
from tests.pipeline.test_cached_dub import CUES, Counted, assert_same
from tests.pipeline.test_plan import write_srt
from tests.pipeline.test_store import Shelf
from tests.tiny import make_face_clip

GROUP = 10  # frames
KINDS = {"lines", "speech", "faces", "mouths", "prosody"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "face.mp4"
    return make_face_clip(path, audio=make_tone(2.0, 16_000))


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights), overwrite=True, max_rate=3.0)


@pytest.fixture
def srt(tmp_path: Path) -> Path:
    return write_srt(tmp_path / "s.srt", *CUES)


def test_the_dub_of_parts_paints_nothing_and_is_the_dub(
    clip: Path, srt: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    task, output = Task(clip, srt, options), tmp_path / "joined.mp4"
    assert prepare(task, silent, shelf) == (1, 2, 3)
    for segment in (3, 1, 2):
        paint(task, output, [segment], silent, shelf)
    made = Counted(monkeypatch)
    joined = dub(clip, srt, output, options, store=shelf)
    assert (made.detectors, made.lines, made.spoken, made.painted) == (0, 0, [], [])
    whole = dub(clip, srt, tmp_path / "whole.mp4", options)
    assert_same(joined.output, whole.output)


def test_a_part_makes_its_own_segments_alone_and_once(
    clip: Path, srt: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, made, task = Shelf(), Counted(monkeypatch), Task(clip, srt, options)
    prepare(task, silent, shelf)
    assert (set(made.spoken), made.painted) == ({1, 2, 3}, [])
    for _ in "ab":
        paint(task, Path("out.mp4"), [2], silent, shelf)
    assert set(made.painted) == {2}
    assert len(made.painted) == -(-painted_frames(clip, srt, options) // 8)


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the clip in short groups there are four: they show segment 1, 2, both 2 and 3, and 3."""
    monkeypatch.setattr(gops, "TOGETHER", GROUP)


@pytest.fixture
def parted(tmp_path: Path, srt: Path, options: DubOptions) -> Task:
    path = make_face_clip(tmp_path / "parted.mp4", audio=make_tone(2.0, 16_000), group=GROUP)
    return Task(path, srt, options)


@pytest.mark.usefixtures("short_stretches")
@pytest.mark.parametrize(
    ("parts", "encoded", "subs"),
    [
        ([[1], [2], [3]], [1, 2, 4], "none"),
        ([[3], [2], [1]], [1, 3, 4], "none"),
        ([[1], [3, 2]], [1, 4], "burn"),
    ],
)
def test_stretches_are_encoded_once_all_that_they_show_is_painted(
    parts: list[list[int]],
    encoded: list[int],
    subs: Literal["none", "burn"],
    parted: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf, output = Shelf(), tmp_path / "joined.mp4"
    task = replace(parted, options=replace(parted.options, subs=subs))
    n_kept = []
    for part in parts:
        paint(task, output, part, silent, shelf)
        n_kept.append(sum(kind == "stretches" for kind, _ in shelf.products))
    assert n_kept == encoded
    made = Counted(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(stretches, "FrameReader", None)  # no frame is decoded
        joined = perform(task, output, store=shelf)
    assert (made.lines, made.spoken, made.painted) == (0, [], [])
    whole = perform(task, tmp_path / "whole.mp4")
    assert joined.picture == whole.picture
    assert output.read_bytes() == whole.output.read_bytes()


@pytest.mark.parametrize(
    "where",
    [
        pytest.param("tiles", id="another processor"),
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
            ],
        ),
    ],
)
def test_what_other_kinds_of_machines_made_is_found(
    where: str, parted: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, output = Shelf(), tmp_path / "out.mp4"
    there = replace(parted, options=replace(parted.options, device="cpu"))
    with monkeypatch.context() as patch:
        if where == "tiles":
            other = {"amx_bf16": not multiplies_bf16()}
            patch.setattr(torch.cpu, "get_capabilities", lambda: other, raising=False)
            multiplies_bf16.cache_clear()
        else:
            there = replace(parted, options=replace(parted.options, device=where))
        prepare(there, silent, shelf)
        paint(there, None, [1, 2, 3], silent, shelf)
    multiplies_bf16.cache_clear()
    made = Counted(monkeypatch)
    here = replace(parted, options=replace(parted.options, device="cpu"))
    report = perform(here, output, store=shelf)
    assert (made.lines, made.spoken, made.painted) == (0, [], [])
    assert [s.status for s in report.segments] == ["dubbed"] * 3


@pytest.mark.usefixtures("short_stretches")
def test_a_segment_that_cannot_be_painted_leaves_its_part_to_others(
    parted: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf, painting = Shelf(), Animator._paint_actor

    def breaking(animator: Animator, actor: Actor, wanted: Driven, *rest: Any) -> object:
        if wanted.segment == 2:
            raise ZeroDivisionError("made to fail")
        return painting(animator, actor, wanted, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Animator, "_paint_actor", breaking)
        paint(parted, Path("out.mp4"), [1, 2, 3], silent, shelf)
    made = Counted(monkeypatch)
    paint(parted, Path("out.mp4"), [1, 2, 3], silent, shelf)
    assert set(made.painted) == {2}


@pytest.mark.usefixtures("short_stretches")
def test_a_part_of_what_will_be_encoded_whole_is_painted(
    parted: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()
    paint(parted, Path("out.webm"), [1, 2, 3], silent, shelf)
    assert not [key for key in shelf.products if key[0] == "stretches"]
    made = Counted(monkeypatch)
    assert perform(parted, tmp_path / "out.webm", store=shelf).picture.whole
    assert made.painted == []


def painted_frames(clip: Path, srt: Path, options: DubOptions) -> int:
    """Of the second cue."""
    _, cue, _ = CUES
    times = probe(clip).frame_times
    return sum(cue[0] <= 1000 * time < cue[1] for time in times)


def test_a_segment_that_cannot_be_painted_is_left_to_the_dub(
    clip: Path, srt: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf()

    def breaking(*words: object) -> None:
        raise ZeroDivisionError("made to fail")

    with monkeypatch.context() as patch:
        patch.setattr("avdub.pipeline.animate.Animator._paint_actor", breaking)
        paint(Task(clip, srt, options), Path("out.mp4"), [1], silent, shelf)
    report = dub(clip, srt, tmp_path / "out.mp4", options, store=shelf)
    assert [s.status for s in report.segments] == ["dubbed"] * 3


def test_open_weights_are_used_again(
    clip: Path, srt: Path, tmp_path: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = Weights(options.model)

    def no_more(*words: object) -> Weights:
        raise AssertionError("they are open already")

    monkeypatch.setattr("avdub.pipeline.run.Weights", no_more)
    monkeypatch.setattr(part_module, "Weights", no_more)
    reports: list[DubReport] = []
    for name in ("a.mp4", "b.mp4"):
        task = Task(clip, srt, options)
        reports.append(perform(task, tmp_path / name, weights=weights))
        prepare(task, silent, Shelf(), weights)
    assert_same(reports[0].output, reports[1].output)
