"""Settings from files and variables: which win, what is refused, and that paths stay inside."""

import json
import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from avdub.cli import app, configured
from avdub.errors import InputError
from avdub.jobs.config import (
    File,
    Kind,
    Option,
    Setting,
    files_in_use,
    places,
    read_file,
    settings,
    variable_of,
)
from avdub.pipeline.options import DubOptions
from tests.test_cli import Pipeline, pipeline  # noqa: F401  (a fixture)

VOICE = Option(("voice",), Kind.TEXT)
LANGUAGE = Option(("language", "lang"), Kind.TEXT)
CRF = Option(("crf",), Kind.INTEGER)
RATE = Option(("max-rate",), Kind.NUMBER)
FORCE = Option(("force",), Kind.FLAG)
OUTPUT = Option(("output",), Kind.PATH)
LANGS = Option(("lang",), Kind.TEXTS)


def named(*options: Option) -> dict[str, Option]:
    return {name: option for option in options for name in option.names}


TABLES = {
    "dub": named(VOICE, LANGUAGE, CRF, RATE, FORCE, OUTPUT),
    "batch": named(VOICE, CRF, LANGS, OUTPUT),
}


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings but the test's own."""
    for name in list(os.environ):
        if name.startswith("AVDUB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    return folder


def write(folder: Path, text: str) -> File:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "avdub.toml").write_text(text, encoding="utf-8")
    return File(folder / "avdub.toml", folder.name == "home")


def values(command: str, *files: File, **environment: str) -> dict[str, object]:
    found = settings(command, TABLES, files, environment)
    return {name: setting.value for name, setting in found.items()}


class TestPlaces:
    def test_the_file_beside_the_video_is_nearer_than_the_one_here(
        self, videos: Path, tmp_path: Path
    ) -> None:
        beside, here = write(videos, ""), write(tmp_path / "here", "")
        assert files_in_use(videos / "talk.mp4") == (beside,)
        assert files_in_use(tmp_path / "talk.mp4") == (here,)

    def test_the_users_own_file_is_used_below_the_nearest(
        self, videos: Path, tmp_path: Path
    ) -> None:
        beside, own = write(videos, ""), write(tmp_path / "home", "")
        assert files_in_use(videos) == (beside, own)

    def test_a_folder_given_as_input_is_looked_into_itself(self, videos: Path) -> None:
        assert places(videos)[0].path == videos / "avdub.toml"
        assert places(videos / "talk.mp4")[0].path == videos / "avdub.toml"

    def test_nothing_is_used_where_nothing_is(self, videos: Path) -> None:
        assert files_in_use(videos) == ()


class TestPrecedence:
    def test_the_nearer_file_wins_key_by_key(self, videos: Path, tmp_path: Path) -> None:
        near = write(videos, "[dub]\ncrf = 20\n")
        own = write(tmp_path / "home", "[dub]\ncrf = 30\nvoice = 'bella'\n")
        assert values("dub", near, own) == {"crf": 20, "voice": "bella"}

    def test_a_variable_wins_over_files(self, videos: Path) -> None:
        near = write(videos, "[dub]\ncrf = 20\n")
        assert values("dub", near, AVDUB_CRF="12") == {"crf": "12"}

    def test_an_empty_variable_says_nothing(self, videos: Path) -> None:
        near = write(videos, "[dub]\ncrf = 20\n")
        assert values("dub", near, AVDUB_CRF="") == {"crf": 20}

    def test_each_setting_knows_where_it_comes_from(self, videos: Path) -> None:
        near = write(videos, "[dub]\ncrf = 20\nmax-rate = 2\n")
        assert settings("dub", TABLES, [near], {"AVDUB_MAX_RATE": "1.2"}) == {
            "crf": Setting(20, f"{near.path} [dub]"),
            "max-rate": Setting("1.2", "AVDUB_MAX_RATE"),
        }

    def test_batch_takes_over_what_dub_has_unless_it_says_otherwise(self, videos: Path) -> None:
        near = write(videos, "[dub]\ncrf = 20\nvoice = 'bella'\n[batch]\nvoice = 'heart'\n")
        assert values("batch", near) == {"crf": 20, "voice": "heart"}

    def test_the_output_of_a_dub_is_not_that_of_a_batch(self, videos: Path) -> None:
        near = write(videos, "[dub]\noutput = 'out.mp4'\n")
        assert values("batch", near) == {}

    def test_one_language_of_a_dub_is_no_list_of_a_batch(self, videos: Path) -> None:
        near = write(videos, "[dub]\nlang = 'es'\n")
        assert values("dub", near) == {"language": "es"}
        assert values("batch", near) == {}

    def test_variables_are_named_like_options(self) -> None:
        assert variable_of("max-rate") == "AVDUB_MAX_RATE"


class TestMistakes:
    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("[dub]\nvoise = 'bella'", r"avdub\.toml: \[dub\] voise is no option", "voice?"),
            ("[dup]\ncrf = 1", r"there is no table \[dup\]", "dub?"),
            ("crf = 1", r"there is no table \[crf\]", "batch, dub"),
            ("dub = 3", "dub must be a table", "[dub]"),
            ("[dub]\ncrf = '20'", r"\[dub\] crf must be a whole number", "config show"),
            ("[dub]\ncrf = 1.5", "must be a whole number", ""),
            ("[dub]\ncrf = true", "must be a whole number", ""),
            ("[dub]\nmax-rate = 'fast'", "max-rate must be a number", ""),
            ("[dub]\nvoice = 3", "voice must be text", ""),
            ("[batch]\nlang = 'es'", "lang must be a list of texts", ""),
            ("[batch]\nlang = [1]", "lang must be a list of texts", ""),
            ("[dub]\nlang = 'es'\nlanguage = 'en'", "there under two names", "keep one"),
            ("[dub\n", "no valid TOML", "mend"),
            ("[dub]\ncrf = 1\ncrf = 2\n", "no valid TOML", ""),
        ],
    )
    def test_a_mistake_names_file_and_key(
        self, videos: Path, text: str, message: str, hint: str
    ) -> None:
        with pytest.raises(InputError, match=message) as caught:
            read_file(write(videos, text), TABLES)
        assert str(videos / "avdub.toml") in caught.value.message
        assert hint in caught.value.hint
        assert caught.value.exit_code == 3

    @pytest.mark.parametrize("data", [b"\xff\xfe[dub]", b"x" * (1 << 20) + b"\n"])
    def test_what_is_no_text_or_too_long_is_refused(self, videos: Path, data: bytes) -> None:
        (videos / "avdub.toml").write_bytes(data)
        with pytest.raises(InputError, match=r"avdub\.toml"):
            read_file(File(videos / "avdub.toml", False), TABLES)

    @pytest.mark.parametrize("text", ["[dub]\ncrf = '20'\n", "[dub]\nvoise = 'x'\n"])
    def test_a_mistake_ends_a_dub_before_any_work(
        self,
        videos: Path,
        text: str,
        pipeline: Pipeline,  # noqa: F811
    ) -> None:
        write(videos, text)
        result = run("dub", str(videos / "talk.mp4"))
        assert result.exit_code == 3
        assert [line.split(":")[0] for line in result.stderr.splitlines()] == ["error", "hint"]
        assert not pipeline.calls

    def test_a_value_out_of_range_names_its_source(self, videos: Path, pipeline: Pipeline) -> None:  # noqa: F811
        write(videos, "[dub]\ncrf = 99\n")
        result = run("dub", str(videos / "talk.mp4"))
        assert result.exit_code == 3
        assert f"{videos / 'avdub.toml'} [dub]: crf cannot be 99" in result.stderr

    def test_a_bad_variable_is_named(
        self,
        videos: Path,
        pipeline: Pipeline,  # noqa: F811
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("AVDUB_PACE", "quick")
        result = run("dub", str(videos / "talk.mp4"))
        assert result.exit_code == 3
        assert "error: AVDUB_PACE: pace cannot be 'quick'" in result.stderr


class TestPaths:
    @pytest.mark.parametrize(
        "path", ["../out.mp4", "/elsewhere/out.mp4", "a/../../out.mp4", "~/out.mp4"]
    )
    def test_a_file_beside_the_videos_cannot_lead_out_of_its_folder(
        self, videos: Path, path: str
    ) -> None:
        with pytest.raises(InputError, match=r"\[dub\] output leads out of the folder"):
            read_file(write(videos, f"[dub]\noutput = '{path}'\n"), TABLES)

    def test_a_link_cannot_lead_out_either(self, videos: Path, tmp_path: Path) -> None:
        (videos / "link").symlink_to(tmp_path)
        with pytest.raises(InputError, match="leads out"):
            read_file(write(videos, "[dub]\noutput = 'link/out.mp4'\n"), TABLES)

    def test_the_users_own_file_may_name_any_path(self, tmp_path: Path) -> None:
        own = write(tmp_path / "home", "[dub]\noutput = '/elsewhere/out.mp4'\n")
        assert values("dub", own) == {"output": "/elsewhere/out.mp4"}

    def test_paths_are_seen_from_the_file(self, videos: Path) -> None:
        near = write(videos, "[dub]\noutput = 'out/a.mp4'\nvoice = 'me.wav'\n")
        assert values("dub", near) == {
            "output": str(videos / "out/a.mp4"),
            "voice": str(videos / "me.wav"),
        }

    def test_a_voices_name_is_no_path(self, videos: Path) -> None:
        assert values("dub", write(videos, "[dub]\nvoice = 'bella'\n")) == {"voice": "bella"}

    def test_a_file_beside_the_videos_cannot_have_files_replaced(
        self, videos: Path, tmp_path: Path
    ) -> None:
        with pytest.raises(InputError, match="force is not for a file beside the videos"):
            read_file(write(videos, "[dub]\nforce = true\n"), TABLES)
        own = write(tmp_path / "home", "[dub]\nforce = true\n")
        assert values("dub", own) == {"force": True}

    @pytest.mark.parametrize("name", ["address", "store"])
    def test_a_file_beside_the_videos_cannot_send_work_to_other_machines(
        self, videos: Path, tmp_path: Path, name: str
    ) -> None:
        tables = {"dub": named(Option((name,), Kind.TEXT))}
        with pytest.raises(InputError, match=f"{name} is not for a file beside the videos"):
            read_file(write(videos, f"[dub]\n{name} = 'elsewhere'\n"), tables)
        own = write(tmp_path / "home", f"[dub]\n{name} = 'elsewhere'\n")
        assert read_file(own, tables) == {"dub": {name: "elsewhere"}}


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words), prog_name="avdub")


class TestCommands:
    def test_flags_win_over_variables_and_those_over_files(
        self,
        videos: Path,
        pipeline: Pipeline,  # noqa: F811
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        write(videos, "[dub]\ncrf = 20\npace = 1.1\nseed = 3\nadapt = true\nmax-rate = 2\n")
        monkeypatch.setenv("AVDUB_PACE", "1.2")
        monkeypatch.setenv("AVDUB_SEED", "4")
        run("dub", str(videos / "talk.mp4"), "--seed", "5", "--no-adapt")
        assert pipeline.calls[0][3] == DubOptions(crf=20, pace=1.2, seed=5, max_rate=2.0)

    def test_a_flag_that_repeats_the_default_still_wins(
        self,
        videos: Path,
        pipeline: Pipeline,  # noqa: F811
    ) -> None:
        write(videos, "[dub]\npace = 1.1\nprosody = 'plain'\n")
        run("dub", str(videos / "talk.mp4"), "--pace", "1.0", "--prosody", "original")
        assert pipeline.calls[0][3] == DubOptions()

    def test_words_are_read_as_on_the_command_line(
        self,
        videos: Path,
        pipeline: Pipeline,  # noqa: F811
    ) -> None:
        write(videos, "[dub]\nsegments = '1,3-4'\nprosody = 'plain'\nprogress = 'none'\n")
        run("dub", str(videos / "talk.mp4"))
        assert pipeline.calls[0][3] == DubOptions(segments=frozenset({1, 3, 4}), prosody="plain")

    def test_a_plan_follows_the_settings_of_the_dub(
        self,
        videos: Path,
        pipeline: Pipeline,  # noqa: F811
    ) -> None:
        write(videos, "[dub]\npace = 1.1\n")
        run("plan", str(videos / "talk.mp4"))
        assert pipeline.calls[0][2] == DubOptions(pace=1.1)

    def test_help_shows_the_built_in_defaults(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AVDUB_MAX_RATE", "2.5")
        assert "default: 1.5" in run("dub", "--help").stdout

    def test_every_option_of_a_configurable_command_has_a_name_and_a_kind(self) -> None:
        group = typer.main.get_command(app)
        for name, options in configured.tables().items():
            params = [p for p in group.commands[name].params if hasattr(p, "is_flag")]
            listed = {p.opts[0].removeprefix("--") for p in params} - {"help"}
            assert {option.name for option in options.values()} == listed


class TestShow:
    def rows(self, *words: str) -> dict[tuple[str, str], tuple[object, str]]:
        result = run("config", "show", "--json", *words)
        assert result.exit_code == 0, result.output
        told = json.loads(result.stdout)["options"]
        return {(r["command"], r["option"]): (r["value"], r["from"]) for r in told}

    def test_it_says_where_each_value_comes_from(
        self, videos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(videos, "[dub]\ncrf = 20\n[batch]\nlang = ['es', 'en']\n")
        monkeypatch.setenv("AVDUB_MAX_RATE", "1.25")
        rows = self.rows(str(videos / "talk.mp4"))
        assert rows["dub", "crf"] == (20, f"{videos / 'avdub.toml'} [dub]")
        assert rows["batch", "crf"] == (20, f"{videos / 'avdub.toml'} [dub]")
        assert rows["batch", "lang"] == (["es", "en"], f"{videos / 'avdub.toml'} [batch]")
        assert rows["dub", "max-rate"] == (1.25, "AVDUB_MAX_RATE")
        assert rows["dub", "pace"] == (1.0, "default")

    def test_lists_in_variables_have_commas(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AVDUB_LANG", "es, en")
        assert self.rows("-c", "batch")["batch", "lang"] == (["es", "en"], "AVDUB_LANG")

    def test_the_table_names_files_and_variables(
        self, videos: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(videos, "[dub]\ncrf = 20\n")
        monkeypatch.setenv("AVDUB_VOISE", "x")
        result = run("config", "show", str(videos), "-c", "dub")
        assert "[dub]" in result.stdout
        assert "warning: AVDUB_VOISE sets no option" in result.stderr

    def test_mistakes_are_errors_here_too(self, videos: Path) -> None:
        write(videos, "[preview]\ncrv = 20\n")
        result = run("config", "show", str(videos), "-c", "dub")
        assert result.exit_code == 3
        assert "[preview] crv is no option" in result.stderr

    def test_an_unknown_command_is_a_usage_error(self) -> None:
        assert run("config", "show", "-c", "nonsense").exit_code == 2

    def test_path_lists_places_and_what_is_used(self, videos: Path, tmp_path: Path) -> None:
        write(videos, "")
        write(tmp_path / "here", "")
        lines = run("config", "path", str(videos)).stdout.splitlines()
        assert [line.split()[0] for line in lines] == ["used", "hidden", "absent"]
        assert str(videos / "avdub.toml") in lines[0]
        assert str(tmp_path / "home" / "avdub.toml") in lines[2]
