"""`avdub models`: what a user sees, and every error as two lines with its exit code."""

import io
import json
import os
import pickle
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console
from typer.testing import CliRunner, Result

from avdub.checkpoint import load_module, verify
from avdub.cli import app, models
from avdub.cli.models_survey import survey_models
from avdub.cli.models_tables import show_models
from avdub.cli.screen import Screen
from avdub.registry import pull
from avdub.registry.catalogue import REPOSITORIES, Published, Repository
from tests.registry.fakes import FAKE, save_tiny

PARITY = Path(__file__).parents[2] / "shared" / "hierspeechpp"
SUBCOMMANDS = ("list", "import", "pull", "verify", "licenses", "remove")


def run(*words: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(
        app, ["models", *map(str, words)], input=stdin, prog_name="avdub", env={"COLUMNS": "80"}
    )


def two_lines(result: Result) -> list[str]:
    """The error and its hint, after any progress."""
    lines = result.stderr.splitlines()[-2:]
    assert [line.split(":")[0] for line in lines] == ["error", "hint"], result.stderr
    assert "Traceback" not in result.output
    return lines


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("AVDUB_HOME", str(folder))
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """The official networks are a few numbers each; returns the family's folder."""
    monkeypatch.setattr("avdub.registry.convert.official", FAKE)
    return home / "models" / "hierspeechpp"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    return {
        "ttv": save_tiny(tmp_path / "ttv_lt960_ckpt.pth", "text_to_latents"),
        "speech": save_tiny(tmp_path / "hierspeechpp_v1.1_ckpt.pth", "latents_to_speech"),
        "24k": save_tiny(tmp_path / "G_340000.pth", "speech_sr_24k", iteration=340_000),
        "48k": save_tiny(tmp_path / "G_100000.pth", "speech_sr_48k", iteration=100_000),
        "mms": save_tiny(tmp_path / "mms-300m" / "pytorch_model.bin", "speech_to_latents"),
    }


@pytest.mark.parametrize("command", SUBCOMMANDS)
def test_each_command_explains_itself(command: str) -> None:
    result = run(command, "--help")
    assert result.exit_code == 0
    assert f"avdub models {command}" in result.stdout


class TestImport:
    def test_the_four_published_files_make_a_model(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        result = run("import", *(files[name] for name in ("48k", "ttv", "24k", "speech")))
        assert result.exit_code == 0, result.output
        assert verify(tiny) == []
        assert "text_to_latents from ttv_lt960_ckpt.pth" in result.stdout
        assert "next: avdub dub VIDEO" in result.stdout

    def test_what_is_still_missing_is_said(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        out = run("import", files["ttv"]).stdout
        assert "to dub with hierspeechpp, import latents_to_speech too" in out
        assert "optional: clearer 48 kHz sound" in out
        assert "only for training" in out

    def test_a_non_commercial_encoder_is_said_loudly(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        result = run("import", files["mms"].parent)
        assert result.exit_code == 0, result.output
        assert "CC BY-NC 4.0: NON-COMMERCIAL use only" in result.stderr

    def test_latents_that_do_not_fit_are_warned_of(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        result = run("import", files["mms"], "--name", "xls-r-300m")
        assert "those of xls-r-300m do not fit" in result.stderr

    def test_an_installed_part_needs_force(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["ttv"])
        before = (tiny / "text_to_latents.safetensors").read_bytes()
        other = save_tiny(files["ttv"].parent / "other.pth", "text_to_latents", seed=9)
        result = run("import", other)
        assert result.exit_code == 3
        assert "--force" in two_lines(result)[1]
        assert (tiny / "text_to_latents.safetensors").read_bytes() == before
        assert run("import", other, "--force").exit_code == 0
        assert (tiny / "text_to_latents.safetensors").read_bytes() != before

    def test_a_file_of_the_users_own_with_that_name_needs_force_too(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        tiny.mkdir(parents=True)
        (tiny / "text_to_latents.safetensors").write_text("mine")
        assert run("import", files["ttv"]).exit_code == 3
        assert (tiny / "text_to_latents.safetensors").read_text() == "mine"

    def test_one_bad_file_keeps_all_out(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        files["speech"].write_bytes(files["speech"].read_bytes()[:200])
        result = run("import", files["ttv"], files["speech"])
        assert result.exit_code == 3
        assert "hierspeechpp_v1.1_ckpt.pth is damaged" in two_lines(result)[0]
        assert not tiny.exists()

    def test_a_file_that_would_run_code_is_refused(
        self,
        tiny: Path,
        tmp_path: Path,
    ) -> None:
        (tmp_path / "bad.pth").write_bytes(pickle.dumps(_Malice(tmp_path / "mark"), 2))
        result = run("import", tmp_path / "bad.pth")
        assert result.exit_code == 3
        assert "bad.pth asks to run" in two_lines(result)[0]
        assert not (tmp_path / "mark").exists()

    def test_a_missing_file_is_two_lines(self, tiny: Path, tmp_path: Path) -> None:
        result = run("import", tmp_path / "none.pth")
        assert result.exit_code == 3
        assert "there is no file" in two_lines(result)[0]

    def test_an_unreadable_file_is_two_lines(
        self, tiny: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(self: Path, *args: object) -> None:
            raise PermissionError(13, "Permission denied", str(self))

        monkeypatch.setattr(Path, "open", refuse)  # root may read everything
        result = run("import", files["ttv"])
        assert result.exit_code == 3
        assert "no permission for" in two_lines(result)[0]

    def test_as_names_one_file_only(self, tiny: Path, files: dict[str, Path]) -> None:
        assert run("import", files["24k"], files["48k"], "--as", "speech_sr_24k").exit_code == 2

    @pytest.mark.slow
    @pytest.mark.skipif(not PARITY.is_dir(), reason="needs the parity data")
    def test_a_file_of_the_published_size_comes_through_bit_for_bit(
        self, home: Path, tmp_path: Path
    ) -> None:
        from avdub.models.official import convert
        from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig

        layout = json.loads((PARITY / "ttv_layout.json").read_text())
        generator = torch.Generator().manual_seed(0)
        state = {
            name: torch.rand(shape, generator=generator)
            for name, shape in layout["tensors"].items()
        }
        torch.save(state, tmp_path / "ttv_lt960_ckpt.pth")
        result = run("import", tmp_path / "ttv_lt960_ckpt.pth")
        assert result.exit_code == 0, result.output
        file = home / "models" / "hierspeechpp" / "text_to_latents.safetensors"
        loaded = load_module(file, TextToLatents, TextToLatentsConfig).state_dict()
        wanted = convert("text_to_latents", state).state_dict()
        assert wanted.keys() == loaded.keys()
        assert all(torch.equal(loaded[name], wanted[name]) for name in wanted)

    @pytest.mark.skipif(not PARITY.is_dir(), reason="needs the parity data")
    @pytest.mark.parametrize("rate", ["24k", "48k"])
    def test_the_published_speech_sr_comes_through_bit_for_bit(
        self,
        home: Path,
        rate: str,
    ) -> None:
        from safetensors.torch import load_file

        from avdub.models.official import convert
        from avdub.models.speech_sr import SpeechSR, SpeechSRConfig

        result = run("import", PARITY / f"speechsr{rate}.safetensors")
        assert result.exit_code == 0, result.output
        kind = f"speech_sr_{rate}"
        file = home / "models" / "hierspeechpp" / f"{kind}.safetensors"
        loaded = load_module(file, SpeechSR, SpeechSRConfig)
        assert loaded.config.rate == int(rate[:2]) * 1000
        wanted = convert(kind, load_file(PARITY / f"speechsr{rate}.safetensors")).state_dict()
        assert wanted.keys() == loaded.state_dict().keys()
        assert all(torch.equal(loaded.state_dict()[name], wanted[name]) for name in wanted)


@pytest.fixture
def hub(
    monkeypatch: pytest.MonkeyPatch,
    files: dict[str, Path],
    tiny: Path,
) -> list[list[str]]:
    """Stands in for the hub; the list holds the kinds asked for, a call each."""
    calls: list[list[str]] = []
    by_kind = {
        "text_to_latents": files["ttv"],
        "latents_to_speech": files["speech"],
        "speech_sr_24k": files["24k"],
        "speech_sr_48k": files["48k"],
        "speech_to_latents": files["mms"],
    }

    def fetch(
        repository: Repository, wanted: list[Published], offline: bool = False, bars: bool = False
    ) -> list[Path]:
        calls.append([file.kind for file in wanted])
        return [by_kind[file.kind] for file in wanted]

    monkeypatch.setattr(pull, "fetch", fetch)
    return calls


class TestPull:
    def test_licence_and_size_are_said_and_the_model_is_there(
        self,
        hub: list[list[str]],
        tiny: Path,
    ) -> None:
        result = run("pull", "hierspeechpp")
        assert result.exit_code == 0, result.output
        for part in ("827 MB", "MIT", "LeeSangHoon/HierSpeech_TTS"):
            assert part in result.stderr
        assert verify(tiny) == []
        assert "next: avdub dub VIDEO" in result.stdout

    def test_the_origin_names_the_hubs_file(
        self,
        hub: list[list[str]],
        tiny: Path,
    ) -> None:
        run("pull", "hierspeechpp")
        listing = json.loads((tiny / "manifest.json").read_text())
        origin = listing["text_to_latents.safetensors"]["origin"]
        assert origin.endswith("HierSpeech_TTS: logs/ttv_libritts_v1/ttv_lt960_ckpt.pth")

    def test_only_some_parts_can_be_asked_for(self, hub: list[list[str]]) -> None:
        run("pull", "hierspeechpp", "--only", "speech_sr_48k", "--only", "text_to_latents")
        assert hub == [["text_to_latents", "speech_sr_48k"]]

    def test_what_is_here_is_not_downloaded_again(self, hub: list[list[str]]) -> None:
        run("pull", "hierspeechpp", "--only", "text_to_latents")
        run("pull", "hierspeechpp")
        assert hub[1] == ["latents_to_speech", "speech_sr_24k", "speech_sr_48k"]
        result = run("pull", "hierspeechpp")
        assert result.exit_code == 0
        assert "already installed" in result.stdout
        assert len(hub) == 2

    def test_a_non_commercial_licence_wants_agreement_first(self, hub: list[list[str]]) -> None:
        result = run("pull", "mms-300m")
        assert result.exit_code == 3
        assert "--accept-license" in two_lines(result)[1]
        assert "NON-COMMERCIAL" in result.stderr
        assert hub == []

    def test_with_agreement_it_comes(self, hub: list[list[str]], tiny: Path) -> None:
        assert run("pull", "mms-300m", "--accept-license").exit_code == 0
        listing = json.loads((tiny / "manifest.json").read_text())
        assert listing["speech_to_latents.safetensors"]["licence"] == "CC BY-NC 4.0"

    def test_another_encoder_is_not_taken_for_it(self, hub: list[list[str]]) -> None:
        run("pull", "xls-r-300m")
        result = run("pull", "mms-300m", "--accept-license")
        assert result.exit_code == 3
        assert "xls-r-300m" in two_lines(result)[0]

    @pytest.mark.parametrize(("answer", "code"), [("y", 0), ("n", 3)])
    def test_a_person_at_a_terminal_is_asked(
        self, hub: list[list[str]], monkeypatch: pytest.MonkeyPatch, answer: str, code: int
    ) -> None:
        terminal = SimpleNamespace(isatty=lambda: True)
        monkeypatch.setattr(models, "sys", SimpleNamespace(stdin=terminal, stderr=terminal))
        result = run("pull", "mms-300m", stdin=f"{answer}\n")
        assert result.exit_code == code, result.output
        assert "non-commercial purposes only?" in result.stderr
        assert len(hub) == (code == 0)

    def test_parts_of_another_model_are_a_usage_error(self, hub: list[list[str]]) -> None:
        assert run("pull", "mms-300m", "--only", "speech_sr_24k").exit_code == 2
        assert hub == []

    def test_offline_is_two_lines(self, tiny: Path) -> None:
        result = run("pull", "hierspeechpp", "--offline")
        assert result.exit_code == 4
        assert "offline means no download" in two_lines(result)[0]
        assert not tiny.exists()


class TestList:
    def test_every_model_is_explained(self, home: Path) -> None:
        out = run("list").stdout
        for name in ("base", *REPOSITORIES, "speech-sr", "insightface"):
            assert f"\n{name}  " in out
        assert out.count("NON-COMMERCIAL") == 2

    @pytest.mark.parametrize("state", ["empty", "partly", "whole"])
    def test_all_of_it_fits_80_columns(
        self, tiny: Path, files: dict[str, Path], state: str
    ) -> None:
        given = {"empty": [], "partly": ["ttv", "24k"], "whole": list(files)}[state]
        if given:
            run("import", *(files[name] for name in given))
        out = io.StringIO()
        show_models(Screen(Console(file=out, width=80), Console()), survey_models())
        assert max(map(len, out.getvalue().splitlines())) <= 80
        assert "…" not in out.getvalue()

    def test_the_next_command_follows_the_state(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        def state() -> tuple[str, list[str], str]:
            models = json.loads(run("list", "--json").stdout)["models"]
            (one,) = [model for model in models if model["name"] == "hierspeechpp"]
            return one["state"], one["missing"], one["next"]

        assert state() == ("not installed", [], "avdub models pull hierspeechpp")
        run("import", files["ttv"])
        assert state()[:2] == ("partly", ["latents_to_speech"])
        run("import", files["speech"])
        assert state()[0] == "installed"
        assert state()[2].startswith("avdub dub VIDEO")

    def test_what_is_missing_is_said(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["24k"])
        out = run("list").stdout
        assert "speech-sr  partly: speech_sr_48k missing" in out
        assert "avdub models pull hierspeechpp --only speech_sr_48k" in out

    def test_a_damaged_manifest_is_shown_not_raised(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["ttv"])
        (tiny / "manifest.json").write_text("{")
        result = run("list")
        assert result.exit_code == 0
        assert "is damaged and cannot be read" in result.stdout


class TestLicenses:
    def test_non_commercial_ones_are_loud(self) -> None:
        out = run("licenses").stdout
        assert "CC BY-NC 4.0  NON-COMMERCIAL" in out
        assert "non-commercial research only  NON-COMMERCIAL" in out

    def test_the_files_of_base_are_listed(self) -> None:
        told = json.loads(run("licenses", "--json").stdout)
        assert "Apache-2.0" in told["base_files"]["text_to_latents.safetensors"]
        loud = [model["name"] for model in told["models"] if model["non_commercial"]]
        assert loud == ["mms-300m", "insightface"]


class TestVerify:
    def test_the_shipped_model_is_whole(self) -> None:
        result = run("verify")
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("base is whole")

    def test_a_changed_file_exits_4_and_is_named(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["ttv"], files["speech"])
        with (tiny / "text_to_latents.safetensors").open("ab") as file:
            file.write(b"?")
        result = run("verify", "hierspeechpp")
        assert result.exit_code == 4
        assert "text_to_latents.safetensors is damaged" in result.stdout
        assert "--force" in two_lines(result)[1]

    def test_json_names_the_problems(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["ttv"])
        (tiny / "text_to_latents.safetensors").unlink()
        result = run("verify", "hierspeechpp", "--json")
        assert result.exit_code == 4
        assert len(json.loads(result.stdout)["problems"]) == 1

    def test_an_unknown_model_is_two_lines(self, home: Path) -> None:
        result = run("verify", "nonsense")
        assert result.exit_code == 4
        assert "'nonsense' is not installed" in two_lines(result)[0]


class TestRemove:
    def test_without_a_person_to_ask_it_wants_yes(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["ttv"])
        result = run("remove", "hierspeechpp")
        assert result.exit_code == 3
        assert "--yes" in two_lines(result)[1]
        assert (tiny / "text_to_latents.safetensors").exists()

    def test_with_yes_the_model_goes_and_other_files_stay(
        self,
        tiny: Path,
        files: dict[str, Path],
    ) -> None:
        run("import", files["ttv"])
        (tiny / "notes.txt").write_text("mine")
        assert run("remove", "hierspeechpp", "--yes").exit_code == 0
        assert [path.name for path in tiny.iterdir()] == ["notes.txt"]

    def test_base_cannot_be_removed(self) -> None:
        result = run("remove", "base", "--yes")
        assert result.exit_code == 3
        assert "base comes with avdub" in two_lines(result)[0]


class _Malice:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.mark),)
