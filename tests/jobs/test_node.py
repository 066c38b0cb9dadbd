"""What a machine of a cluster sees and does, without a cluster."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from avdub.jobs import node
from avdub.jobs.batch import works_of
from avdub.jobs.cache import DiskCache
from avdub.jobs.node import Prepared, Wanted, build, look_around, paint, prepare
from avdub.jobs.pairing import Choice, find_pairs
from avdub.jobs.survey import survey
from avdub.jobs.worker import Outcome, Work, perform, weights_for
from avdub.pipeline.options import DubOptions
from avdub.progress import silent
from tests.make import make_tone
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip


@pytest.fixture
def work(tmp_path: Path, weights: Path) -> Work:
    make_face_clip(tmp_path / "a.mp4", n_frames=28, audio=make_tone(1.12, 16_000))
    write_srt(tmp_path / "a.srt", (120, 560, "Hello there."), (640, 1000, "Good day."))
    options = DubOptions(model=str(weights), max_rate=3.0)
    (found,) = works_of(survey(find_pairs([tmp_path], Choice()).tasks, options))
    return replace(found, scratch=".scratch")


@pytest.mark.parametrize("encodes", [True, False])
def test_prepared_and_painted_apart_a_dub_has_only_to_be_spliced(
    work: Work, encodes: bool, tmp_path: Path
) -> None:
    store = DiskCache(tmp_path / "cache")
    assert prepare(work, silent, store) == Prepared(((1, 0.44), (2, 0.36)))
    for segment in (2, 1):
        assert paint(work, [segment], encodes, silent, store) == ()
    before = {*(tmp_path / "cache").rglob("*.product")}
    outcome = perform(work, silent, store)
    assert (outcome.status, outcome.counts) == ("done", (("dubbed", 2),))
    made = {*(tmp_path / "cache").rglob("*.product")} - before
    assert {path.parent.parent.name for path in made} == (set() if encodes else {"stretches"})


def test_a_repeated_part_makes_nothing_again(work: Work, tmp_path: Path) -> None:
    store = DiskCache(tmp_path / "cache")
    for _ in range(2):
        prepare(work, silent, store)
        paint(work, [1, 2], True, silent, store)
        there = {p: p.stat().st_ino for p in (tmp_path / "cache").rglob("*.product")}
        assert len(there) > 4
    assert there == {p: p.stat().st_ino for p in (tmp_path / "cache").rglob("*.product")}


def test_what_cannot_be_prepared_is_an_outcome_with_a_manifest(work: Work, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("broken after the survey")
    outcome = prepare(work, silent, DiskCache(tmp_path / "cache"))
    assert isinstance(outcome, Outcome)
    assert (outcome.status, outcome.exit_code) == ("failed", 3)
    assert (tmp_path / "a.dub.mp4.avdub.json").is_file()


def test_what_cannot_be_painted_apart_is_left_to_the_splice(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(node.part, "paint", broken)
    (warning,) = paint(work, [1, 2], True, silent, DiskCache(tmp_path / "cache"))
    assert warning == "segments 1, 2 could not be painted apart: not enough memory"


def test_a_process_keeps_its_models_and_calls_them_as_the_user_does(
    work: Work, weights: Path, tmp_path: Path
) -> None:
    here = replace(work, options={**work.options, "model": "mine"}, here={"model": str(weights)})
    assert weights_for(here) is weights_for(here)
    assert weights_for(here).name == "mine"
    assert weights_for(here).folder == weights


class TestLook:
    def wanted(self, folder: Path, **others: object) -> Wanted:
        file = folder / "a.mp4"
        file.write_bytes(b"abc")
        return replace(Wanted(build(), ((str(file), 3),), (str(folder),)), **others)

    def test_a_machine_that_sees_all_has_no_problem(self, tmp_path: Path) -> None:
        look = look_around(self.wanted(tmp_path))
        assert (look.problem, look.sees_cache) == ("", False)

    def test_another_avdub_is_a_problem(self, tmp_path: Path) -> None:
        look = look_around(self.wanted(tmp_path, build="0" * 64))
        assert look.problem == "it has another avdub, another torch or other shipped weights"

    def test_a_missing_or_other_input_is_a_problem(self, tmp_path: Path) -> None:
        gone = str(tmp_path / "gone.mp4")
        assert gone in look_around(self.wanted(tmp_path, files=((gone, 3),))).problem
        other = self.wanted(tmp_path, files=((str(tmp_path / "a.mp4"), 4),))
        assert look_around(other).problem.startswith("it has another /")

    def test_a_missing_output_folder_is_a_problem(self, tmp_path: Path) -> None:
        look = look_around(self.wanted(tmp_path, folders=(str(tmp_path / "out"),)))
        assert look.problem == f"it cannot write to {tmp_path / 'out'}"

    def test_a_token_tells_whether_the_cache_is_shared(self, tmp_path: Path) -> None:
        token = tmp_path / f".token-{os.getpid()}"
        assert not look_around(self.wanted(tmp_path, token=str(token))).sees_cache
        token.touch()
        assert look_around(self.wanted(tmp_path, token=str(token))).sees_cache
