"""Which video goes with which subtitles, and what the outputs are called."""

from pathlib import Path

import pytest

from avdub.errors import InputError
from avdub.jobs.manifest import manifest_path
from avdub.jobs.pairing import Choice, Pairs, find_pairs, is_own_output
from avdub.media.subtitles import find_subtitles
from avdub.media.writer import CODECS


def fill(folder: Path, names: str) -> Path:
    for name in names.split():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return folder


def pair(folder: Path, names: str, **choice: object) -> Pairs:
    return find_pairs([fill(folder, names)], Choice(**choice))


def lines(pairs: Pairs) -> list[str]:
    """`subtitles language output`, or the output with an exclamation mark for a problem."""
    return [
        f"{t.subtitles.name if t.subtitles else '-'} {t.language} {t.output.name}"
        + ("!" if t.problem else "")
        for t in pairs.tasks
    ]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("talk.mp4 talk.srt", ["talk.srt en talk.dub.mp4"]),
        ("talk.mkv talk.vtt", ["talk.vtt en talk.dub.mkv"]),
        ("talk.avi talk.ass", ["talk.ass en talk.dub.mp4"]),
        ("TALK.MP4 TALK.SRT", ["TALK.SRT en TALK.dub.mp4"]),
        ("talk.mp4 talk.es.srt", ["talk.es.srt es talk.es.dub.mp4"]),
        ("talk.mp4 talk_es.vtt", ["talk_es.vtt es talk.es.dub.mp4"]),
        ("talk.mp4 talk-es.ssa", ["talk-es.ssa es talk.es.dub.mp4"]),
        ("talk.mp4 talk.ES_419.srt", ["talk.ES_419.srt es-419 talk.es-419.dub.mp4"]),
        (
            "talk.mp4 talk.srt talk.es.srt",
            ["talk.srt en talk.dub.mp4", "talk.es.srt es talk.es.dub.mp4"],
        ),
        ("talk.mp4 talk.srt talk.en.srt", ["talk.en.srt en talk.en.dub.mp4"]),
        ("talk.mp4 talk.vtt talk.srt", ["talk.srt en talk.dub.mp4"]),
        ("talk.mp4 talk_es.srt talk.es.vtt", ["talk.es.vtt es talk.es.dub.mp4"]),
        ("talk.mp4", ["- en talk.en.dub.mp4!"]),
        ("talk.mp4 talk.txt", ["- en talk.en.dub.mp4!"]),
        ("talk.mp4 talk.fr.srt", ["- en talk.en.dub.mp4!"]),
        ("a.mp4 a.srt b.mov b.srt", ["a.srt en a.dub.mp4", "b.srt en b.dub.mov"]),
        (
            "talk.mp4 talk_es.mp4 talk.srt talk_es.srt",
            ["talk.srt en talk.dub.mp4", "talk_es.srt en talk_es.dub.mp4"],
        ),
        ("my.talk.mp4 my.talk.srt", ["my.talk.srt en my.talk.dub.mp4"]),
        ("talk.mp4 talk.srt talk.dub.mp4 talk.preview-1.mp4", ["talk.srt en talk.dub.mp4"]),
        ("talk.mp4 talk.srt .hidden.mp4 .hidden.srt", ["talk.srt en talk.dub.mp4"]),
        ("talk.mp4 talk.avi talk.srt", ["talk.srt en talk.dub.mp4", "talk.srt en talk.dub.mp4!"]),
    ],
)
def test_pairs(tmp_path: Path, names: str, expected: list[str]) -> None:
    assert lines(pair(tmp_path, names)) == expected


@pytest.mark.parametrize(
    ("languages", "home", "expected"),
    [
        (("es",), "", ["talk.es.srt es talk.es.dub.mp4"]),
        (("en",), "", ["talk.srt en talk.dub.mp4"]),
        (
            ("es", "en"),
            "en",
            ["talk.es.srt es talk.es.dub.mp4", "talk.srt en talk.dub.mp4"],
        ),
        (("en-gb",), "en", ["- en-gb talk.en-gb.dub.mp4!"]),
        (
            (),
            "en-gb",
            ["talk.srt en-gb talk.dub.mp4", "talk.es.srt es talk.es.dub.mp4"],
        ),
    ],
)
def test_languages_choose(
    tmp_path: Path, languages: tuple[str, ...], home: str, expected: list[str]
) -> None:
    pairs = pair(tmp_path, "talk.mp4 talk.srt talk.es.srt", languages=languages, home=home)
    assert lines(pairs) == expected


def test_a_regional_language_stands_in_for_the_wanted_one(tmp_path: Path) -> None:
    pairs = pair(tmp_path, "talk.mp4 talk.es-419.srt", languages=("es", "es-419"))
    assert lines(pairs) == ["talk.es-419.srt es-419 talk.es-419.dub.mp4"]


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'fr'"):
        pair(tmp_path, "talk.mp4", languages=("fr",))


@pytest.mark.parametrize("names", ["talk.srt", "talk.vtt talk.srt", "talk.en.srt talk.srt"])
def test_one_language_is_paired_as_a_single_dub_pairs_it(tmp_path: Path, names: str) -> None:
    (task,) = pair(tmp_path, f"talk.mp4 {names}").tasks
    assert task.subtitles == find_subtitles(tmp_path / "talk.mp4", "en")


@pytest.mark.parametrize("suffix", [*CODECS, ".avi", ".gif"])
def test_the_output_is_named_as_a_single_dub_names_it(tmp_path: Path, suffix: str) -> None:
    from types import SimpleNamespace

    from avdub.pipeline.run import default_output

    (task,) = pair(tmp_path, f"talk{suffix} talk.srt").tasks
    assert task.output == default_output(SimpleNamespace(path=tmp_path / f"talk{suffix}"))


class TestInputs:
    def test_folders_in_folders_are_for_recursive_only(self, tmp_path: Path) -> None:
        names = "a.mp4 a.srt deep/b.mp4 deep/b.srt .git/c.mp4 .git/c.srt"
        assert lines(pair(tmp_path, names)) == ["a.srt en a.dub.mp4"]
        pairs = pair(tmp_path, names, recursive=True)
        assert lines(pairs) == ["a.srt en a.dub.mp4", "b.srt en b.dub.mp4"]

    def test_an_output_folder_keeps_the_folders_of_the_input(self, tmp_path: Path) -> None:
        names = "in/a.mp4 in/a.srt in/deep/b.mp4 in/deep/b.srt"
        fill(tmp_path, names)
        choice = Choice(recursive=True, output=tmp_path / "out")
        pairs = find_pairs([tmp_path / "in"], choice)
        assert [t.output for t in pairs.tasks] == [
            tmp_path / "out/a.dub.mp4",
            tmp_path / "out/deep/b.dub.mp4",
        ]

    @pytest.mark.parametrize(
        ("pattern", "expected"),
        [
            ("*.mkv", ["b.srt en b.dub.mkv"]),
            ("a*", ["a.srt en a.dub.mp4"]),
            ("deep/*", ["c.srt en c.dub.mp4"]),
        ],
    )
    def test_a_pattern_chooses_by_name_or_path(
        self, tmp_path: Path, pattern: str, expected: list[str]
    ) -> None:
        names = "a.mp4 a.srt b.mkv b.srt deep/c.mp4 deep/c.srt"
        assert lines(pair(tmp_path, names, pattern=pattern, recursive=True)) == expected

    def test_files_may_be_named_one_by_one_and_twice(self, tmp_path: Path) -> None:
        fill(tmp_path, "a.mp4 a.srt b.mp4 b.srt")
        pairs = find_pairs([tmp_path / "b.mp4", tmp_path, tmp_path / "b.mp4"], Choice())
        assert lines(pairs) == ["b.srt en b.dub.mp4", "a.srt en a.dub.mp4"]

    def test_a_missing_input_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="gone does not exist"):
            find_pairs([tmp_path / "gone"], Choice())

    def test_a_subtitle_file_is_no_input(self, tmp_path: Path) -> None:
        fill(tmp_path, "a.mp4 a.srt")
        with pytest.raises(InputError, match="is a subtitle file"):
            find_pairs([tmp_path / "a.srt"], Choice())

    def test_a_folder_without_videos_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="no video to dub"):
            pair(tmp_path, "a.srt notes.txt")


class TestNotes:
    @pytest.mark.parametrize(
        ("names", "note"),
        [
            ("a.mp4 a.srt a.fr.srt", "fr is no language that avdub reads"),
            ("a.mp4 a.srt b.srt", "b.srt goes with no video"),
            ("a.mp4 a.srt a.en.srt", "a.srt is left out: a.en.srt is taken for en"),
            ("a.mp4 a.srt b.dub.mp4", "b.dub.mp4 looks like an output of avdub; left out"),
        ],
    )
    def test_what_is_left_out_is_said(self, tmp_path: Path, names: str, note: str) -> None:
        (said,) = pair(tmp_path, names).notes
        assert note in said

    def test_outputs_beside_their_videos_are_left_out_without_a_word(self, tmp_path: Path) -> None:
        assert pair(tmp_path, "a.mp4 a.srt a.dub.mp4 a.es.dub.mp4 a.preview-2.mp4").notes == ()

    def test_a_problem_says_what_was_looked_for(self, tmp_path: Path) -> None:
        (task,) = pair(tmp_path, "a.mp4", languages=("es",)).tasks
        assert "a.srt, a.es.srt" in task.problem
        assert task.hint


def test_an_output_of_any_name_is_known_by_its_manifest(tmp_path: Path) -> None:
    output = fill(tmp_path, "final.mp4") / "final.mp4"
    assert not is_own_output(output)
    manifest_path(output).write_text('{"made_by": "avdub"}')
    assert is_own_output(output)
