"""What is to be done about each file: skipped, made again, retried or refused, before any work."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from avdub.checkpoint import sha256
from avdub.errors import InputError, MediaError, WeightsError
from avdub.jobs.manifest import failed_manifest, manifest_of, manifest_path, write_manifest
from avdub.jobs.pairing import Choice, find_pairs
from avdub.jobs.recipe import recipe_of
from avdub.jobs.survey import (
    Finding,
    State,
    abandoned,
    check_choices,
    make_folders,
    scratch_name,
    survey,
)
from avdub.pipeline.options import DubOptions
from tests.jobs.test_manifest import report_of
from tests.make import make_clip
from tests.pipeline.test_plan import write_srt
from tests.tiny import save_tiny_hierspeechpp


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights))


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    write_srt(tmp_path / "talk.srt", (0, 400, "Hi."))
    return make_clip(tmp_path / "talk.mp4")


def find(talk: Path, options: DubOptions, **more: bool) -> Finding:
    (finding,) = survey(find_pairs([talk], Choice()).tasks, options, **more)
    return finding


def finish(talk: Path, options: DubOptions, status: str = "dubbed") -> Path:
    """As if the clip had been dubbed."""
    output = talk.with_name("talk.dub.mp4")
    made = report_of(output)
    made = replace(made, segments=(replace(made.segments[0], status=status),))
    write_manifest(output, manifest_of(recipe_of(talk, None, options), made))
    return output


def fail(talk: Path, options: DubOptions) -> Path:
    output = talk.with_name("talk.dub.mp4")
    recipe = recipe_of(talk, None, options)
    write_manifest(output, failed_manifest(recipe, output, MediaError("it broke"), 1.0))
    return output


class TestStates:
    def test_what_was_never_made_is_new(self, talk: Path, options: DubOptions) -> None:
        finding = find(talk, options)
        assert (finding.state, finding.options) == (State.NEW, options)

    def test_what_is_done_and_unchanged_is_skipped(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options)
        finding = find(talk, options)
        assert (finding.state, finding.counts) == (State.UNCHANGED, (("dubbed", 1),))

    def test_another_option_makes_it_again_and_says_why(
        self, talk: Path, options: DubOptions
    ) -> None:
        finish(talk, options)
        finding = find(talk, replace(options, crf=20))
        assert (finding.state, finding.why) == (State.CHANGED, "option crf changed")

    def test_other_subtitles_make_it_again(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options)
        write_srt(talk.with_suffix(".srt"), (0, 400, "Ho."))
        assert find(talk, options).why == "the subtitles changed"

    def test_a_lost_output_is_made_again(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options).unlink()
        assert find(talk, options).state is State.CHANGED

    def test_force_makes_everything_again(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options)
        finding = find(talk, replace(options, overwrite=True))
        assert (finding.state, finding.options) == (State.CHANGED, options)

    def test_what_failed_is_tried_again(self, talk: Path, options: DubOptions) -> None:
        fail(talk, options)
        assert find(talk, options).state is State.RETRY

    def test_failed_segments_are_tried_again(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options, "failed")
        assert find(talk, options).state is State.RETRY

    def test_kept_segments_are_not_tried_again(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options, "kept")
        assert find(talk, options).state is State.UNCHANGED


class TestRetryOnly:
    def test_only_what_failed_is_work(self, talk: Path, options: DubOptions) -> None:
        assert find(talk, options, retry_only=True).state is State.LEFT
        fail(talk, options)
        assert find(talk, options, retry_only=True).state is State.RETRY

    def test_what_changed_is_left(self, talk: Path, options: DubOptions) -> None:
        finish(talk, options)
        assert find(talk, replace(options, crf=20), retry_only=True).state is State.LEFT


class TestProblems:
    @pytest.mark.parametrize(
        ("name", "content", "said"),
        [
            ("talk.mp4", "no video", "cannot be opened as a video"),
            ("talk.srt", "no subtitles", "no readable subtitle"),
            ("talk.srt", "1\n00:10:00,000 --> 00:10:01,000\nLate.\n", "lies inside the video"),
        ],
    )
    def test_bad_inputs_are_found_before_any_work(
        self, talk: Path, options: DubOptions, name: str, content: str, said: str
    ) -> None:
        talk.with_name(name).write_text(content)
        finding = find(talk, options)
        assert finding.state is State.PROBLEM
        assert said in finding.why
        assert finding.hint

    def test_an_output_of_somebody_else_is_not_replaced_without_force(
        self, talk: Path, options: DubOptions
    ) -> None:
        talk.with_name("talk.dub.mp4").write_bytes(b"mine")
        assert "already exists and has no" in find(talk, options).why
        assert find(talk, replace(options, overwrite=True)).state is State.NEW

    def test_an_output_altered_since_is_not_replaced_without_force(
        self, talk: Path, options: DubOptions
    ) -> None:
        finish(talk, options).write_bytes(b"cut by hand")
        assert "is not what avdub wrote" in find(talk, options).why

    def test_a_manifest_of_other_origin_is_not_replaced_even_with_force(
        self, talk: Path, options: DubOptions
    ) -> None:
        manifest_path(talk.with_name("talk.dub.mp4")).write_text("mine")
        assert find(talk, replace(options, overwrite=True)).state is State.PROBLEM

    def test_a_language_that_the_model_does_not_read_is_its_files_problem(
        self, talk: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        model = save_tiny_hierspeechpp(tmp_path_factory.mktemp("other"))
        write_srt(talk.with_name("talk.es.srt"), (0, 400, "Hola."))
        tasks = find_pairs([talk], Choice(languages=("es",))).tasks
        (finding,) = survey(tasks, DubOptions(model=str(model)))
        assert finding.state is State.PROBLEM
        assert "es" in finding.why

    def test_a_problem_of_one_file_leaves_the_others(self, talk: Path, options: DubOptions) -> None:
        talk.with_name("bad.mp4").write_text("no video")
        write_srt(talk.with_name("bad.srt"), (0, 400, "Hi."))
        findings = survey(find_pairs([talk.parent], Choice()).tasks, options)
        assert [f.state for f in findings] == [State.PROBLEM, State.NEW]

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_cannot_be_written_is_found(
        self, talk: Path, options: DubOptions
    ) -> None:
        talk.parent.chmod(0o500)
        try:
            assert "cannot be written" in find(talk, options).why
        finally:
            talk.parent.chmod(0o700)


class TestChoices:
    def test_a_good_choice_passes(self, options: DubOptions) -> None:
        check_choices(replace(options, voice="heart"))

    @pytest.mark.parametrize(
        ("change", "error"),
        [
            ({"model": "nobodys"}, WeightsError),
            ({"voice": "nobody"}, InputError),
            ({"voice": "gone.wav"}, InputError),
            ({"device": "abacus"}, InputError),
        ],
    )
    def test_what_no_file_could_be_dubbed_with_is_an_error_at_once(
        self, options: DubOptions, change: dict[str, str], error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            check_choices(replace(options, **change))


class TestFolders:
    def test_output_folders_are_made(self, talk: Path, options: DubOptions, tmp_path: Path) -> None:
        tasks = find_pairs([talk], Choice(output=tmp_path / "a" / "b")).tasks
        make_folders(survey(tasks, options))
        assert (tmp_path / "a" / "b").is_dir()

    def test_folders_of_dead_processes_are_removed_and_others_kept(
        self, talk: Path, options: DubOptions
    ) -> None:
        living = talk.with_name(scratch_name(1))
        dead = talk.with_name(scratch_name(1).replace(str(os.getpid()), str(2**22 + 1)))
        other = talk.with_name(".avdub-batch-elsewhere-4194305-1")
        for folder in (living, dead, other):
            folder.mkdir()
        assert list(abandoned(talk.parent)) == [dead]
        make_folders([find(talk, options)])
        assert (living.exists(), dead.exists(), other.exists()) == (True, False, True)


def test_inputs_are_hashed_by_several_threads_and_each_file_once(
    talk: Path, options: DubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[tuple[str, str]] = []

    def reading(path: Path) -> str:
        readers.append((path.name, threading.current_thread().name))
        return sha256(path)

    folder = talk.parent
    for language in ("en", "es"):
        write_srt(folder / f"talk.{language}.srt", (0, 400, f"Hi in {language}."))
    monkeypatch.setattr("avdub.jobs.recipe.sha256", reading)
    found = survey(find_pairs([folder], Choice()).tasks, options)
    assert {each.state for each in found} == {State.NEW}
    mine = [(name, thread) for name, thread in readers if name.startswith("talk")]
    assert sorted(name for name, _ in mine) == ["talk.en.srt", "talk.es.srt", "talk.mp4"]
    assert all(thread.startswith("hash") for _, thread in mine)
