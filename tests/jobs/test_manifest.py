"""Manifests: what they hold, that equal runs give equal ones, and what is never overwritten."""

import copy
import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from avdub.checkpoint import sha256
from avdub.errors import InputError, MediaError, WeightsError
from avdub.jobs.manifest import (
    failed_manifest,
    manifest_of,
    manifest_path,
    read_manifest,
    write_manifest,
)
from avdub.jobs.recipe import Recipe, options_from, plain_options, recipe_of
from avdub.jobs.record import Record
from avdub.media.audio import write_wav
from avdub.pipeline.options import DubOptions
from avdub.pipeline.report import AdaptationReport, DubReport, ModelFacts, SegmentReport
from avdub.pipeline.run import dub
from tests.jobs.schema import problems
from tests.make import make_clip, make_tone
from tests.pipeline.test_plan import write_srt

FACTS = ModelFacts("base", "made up", ("heart: named voice",), ("Apache-2.0",))


@pytest.fixture
def talk(tmp_path: Path, weights: Path) -> Recipe:
    """A recipe of a small clip, one cue and the tiny models."""
    make_clip(tmp_path / "talk.mp4", audio=make_tone(0.4))
    write_srt(tmp_path / "talk.srt", (0, 400, "Hi."))
    return recipe_of(tmp_path / "talk.mp4", None, DubOptions(model=str(weights)))


def report_of(output: Path, **changes: object) -> DubReport:
    output.write_bytes(b"a dub")
    segment = SegmentReport(1, 0.0, 0.4, "Hi.", "heart", "dubbed", "", 0.4, 1.0, 0)
    made = DubReport(output, 10, 0.4, (segment,), {"total_s": 1.0}, 700.0, ("careful",), FACTS)
    return replace(made, **changes)


def lasting(content: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in content.items() if name != "run"}


class TestSchema:
    def test_a_finished_dub_fits_the_schema(self, talk: Recipe, tmp_path: Path) -> None:
        content = manifest_of(talk, report_of(tmp_path / "talk.dub.mp4"))
        assert list(problems(json.loads(json.dumps(content)))) == []

    def test_a_failed_dub_fits_the_schema(self, talk: Recipe, tmp_path: Path) -> None:
        error = MediaError("it broke", "mend it")
        content = failed_manifest(talk, tmp_path / "talk.dub.mp4", error, 1.5)
        assert list(problems(content)) == []
        assert content["error"] == {
            "kind": "MediaError", "message": "it broke", "hint": "mend it", "exit_code": 3
        }  # fmt: skip

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda m: m.update(schema=2),
            lambda m: m.pop("segments"),
            lambda m: m.update(extra=1),
            lambda m: m["inputs"].pop("video"),
            lambda m: m["inputs"]["video"].update(sha256="abc"),
            lambda m: m["segments"][0].update(status="great"),
            lambda m: m["segments"][0].update(start_s="0"),
            lambda m: m["run"]["timing"].clear(),
            lambda m: m["model"]["weights"].update(x=1),
            lambda m: m.update(status="failed"),
        ],
    )
    def test_the_schema_refuses_what_is_wrong(
        self, talk: Recipe, tmp_path: Path, spoil: Callable[[dict[str, Any]], object]
    ) -> None:
        content = copy.deepcopy(manifest_of(talk, report_of(tmp_path / "talk.dub.mp4")))
        spoil(content)
        assert list(problems(content))


class TestContents:
    def test_inputs_are_named_by_contents_and_seen_from_the_manifest(
        self, talk: Recipe, tmp_path: Path
    ) -> None:
        (tmp_path / "out").mkdir()
        content = manifest_of(talk, report_of(tmp_path / "out" / "talk.dub.mp4"))
        video = tmp_path / "talk.mp4"
        assert content["inputs"]["video"] == {
            "path": "../talk.mp4",
            "sha256": sha256(video),
            "bytes": video.stat().st_size,
        }
        assert content["output"] == {"name": "talk.dub.mp4", "bytes": 5}

    def test_every_option_is_there(self, talk: Recipe) -> None:
        assert list(talk.choices) == [field.name for field in fields(DubOptions)]

    def test_options_come_back_as_they_were(self) -> None:
        options = DubOptions(segments=frozenset({3, 1}), voice="bella", adapt_video=Path("a.mp4"))
        plain = json.loads(json.dumps(plain_options(options)))
        assert plain["segments"] == [1, 3]
        assert options_from(plain) == options

    def test_a_voice_sample_is_an_input(self, tmp_path: Path, talk: Recipe) -> None:
        write_wav(tmp_path / "me.wav", make_tone())
        options = replace(talk.options, voice=str(tmp_path / "me.wav"))
        recipe = recipe_of(tmp_path / "talk.mp4", None, options)
        assert recipe.inputs["voice"].sha256 == sha256(tmp_path / "me.wav")
        assert recipe.choices["voice"] == "me.wav"

    def test_weights_are_those_of_the_model_and_the_shipped_ones(
        self, talk: Recipe, weights: Path
    ) -> None:
        file = "latents_to_face.safetensors"
        assert talk.weights[file] == sha256(weights / file)
        assert f"base/{file}" in talk.weights

    def test_what_json_cannot_hold_is_left_out(self, talk: Recipe, tmp_path: Path) -> None:
        output = tmp_path / "talk.dub.mp4"
        made = report_of(output)
        made = replace(made, segments=(replace(made.segments[0], rate=float("nan")),))
        content = json.loads(write_manifest(output, manifest_of(talk, made)).read_text())
        assert content["segments"][0]["rate"] is None

    @pytest.mark.parametrize("name", ["talk.mp4", "talk.srt"])
    def test_a_missing_input_is_refused(self, talk: Recipe, tmp_path: Path, name: str) -> None:
        (tmp_path / name).unlink()
        with pytest.raises(InputError):
            recipe_of(tmp_path / "talk.mp4", None, talk.options)

    def test_a_missing_model_is_refused(self, tmp_path: Path, talk: Recipe) -> None:
        with pytest.raises(WeightsError):
            recipe_of(tmp_path / "talk.mp4", None, DubOptions(model="nobodys"))


class TestFiles:
    def test_what_was_written_is_read_back(self, talk: Recipe, tmp_path: Path) -> None:
        output = tmp_path / "talk.dub.mp4"
        path = write_manifest(output, manifest_of(talk, report_of(output)))
        assert path == tmp_path / "talk.dub.mp4.avdub.json"
        found = read_manifest(output)
        assert found is not None
        assert (found.is_done, found.statuses, found.output_size) == (True, ("dubbed",), 5)
        assert sorted(p.name for p in tmp_path.glob(".*")) == []

    @pytest.mark.parametrize(
        "content", ["", "mine", "[]", '{"made_by": "me"}', "[" * 100_000, '"\\ud800"']
    )
    def test_a_file_of_other_origin_is_never_overwritten(
        self, talk: Recipe, tmp_path: Path, content: str
    ) -> None:
        output = tmp_path / "talk.dub.mp4"
        manifest_path(output).write_text(content)
        with pytest.raises(InputError, match="no manifest of avdub"):
            write_manifest(output, manifest_of(talk, report_of(output)))
        assert manifest_path(output).read_text() == content

    def test_a_folder_or_a_dangling_link_of_that_name_is_not_replaced(
        self, talk: Recipe, tmp_path: Path
    ) -> None:
        for name, make in (("a.mp4", Path.mkdir), ("b.mp4", lambda p: p.symlink_to("nowhere"))):
            make(manifest_path(tmp_path / name))
            with pytest.raises(InputError, match="no manifest of avdub"):
                write_manifest(tmp_path / name, manifest_of(talk, report_of(tmp_path / name)))

    @pytest.mark.parametrize(
        "content",
        [
            {},
            {"status": 3, "segments": 3, "output": [], "inputs": "x", "options": None},
            {"segments": [1, {}], "inputs": {"video": 3}, "model": {"weights": 3}},
        ],
    )
    def test_a_damaged_manifest_only_means_that_all_changed(
        self, talk: Recipe, tmp_path: Path, content: dict[str, Any]
    ) -> None:
        output = tmp_path / "talk.dub.mp4"
        manifest_path(output).write_text(json.dumps({"made_by": "avdub", **content}))
        found = read_manifest(output)
        assert found is not None
        assert not found.is_done
        assert "the video changed" in found.differences(talk, output)


class TestDifferences:
    @pytest.fixture
    def output(self, talk: Recipe, tmp_path: Path) -> Path:
        path = tmp_path / "talk.dub.mp4"
        write_manifest(path, manifest_of(talk, report_of(path)))
        return path

    def differences(self, recipe: Recipe, output: Path) -> list[str]:
        found = read_manifest(output)
        assert found is not None
        return found.differences(recipe, output)

    def test_the_same_again_is_no_difference(self, talk: Recipe, output: Path) -> None:
        again = recipe_of(output.with_name("talk.mp4"), None, talk.options)
        assert self.differences(again, output) == []

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"crf": 20}, ["option crf changed"]),
            ({"segments": frozenset({1})}, ["option segments changed"]),
            ({"device": "cpu"}, []),
            ({"overwrite": True}, []),
        ],
    )
    def test_options_that_matter_are_told_apart(
        self, talk: Recipe, output: Path, change: dict[str, Any], said: list[str]
    ) -> None:
        changed = replace(talk, options=replace(talk.options, **change))
        assert self.differences(changed, output) == said

    def test_changed_inputs_are_named(self, talk: Recipe, output: Path) -> None:
        write_srt(output.with_name("talk.srt"), (0, 400, "Ho."))
        again = recipe_of(output.with_name("talk.mp4"), None, talk.options)
        assert self.differences(again, output) == ["the subtitles changed"]

    def test_a_file_touched_but_equal_is_no_difference(self, talk: Recipe, output: Path) -> None:
        srt = output.with_name("talk.srt")
        srt.write_bytes(srt.read_bytes())
        again = recipe_of(output.with_name("talk.mp4"), None, talk.options)
        assert self.differences(again, output) == []

    def test_another_version_or_other_weights_are_differences(
        self, talk: Recipe, output: Path
    ) -> None:
        changed = replace(talk, version="9", weights={"a": "b"})
        assert len(self.differences(changed, output)) == 2

    def test_a_missing_or_altered_output_is_a_difference(self, talk: Recipe, output: Path) -> None:
        output.write_bytes(b"something else")
        assert self.differences(talk, output) == [
            "talk.dub.mp4 is not of the size that was written"
        ]
        output.unlink()
        assert self.differences(talk, output) == ["talk.dub.mp4 is missing"]


def test_equal_dubs_give_equal_manifests_but_for_the_run(
    face_clip: Path, weights: Path, tmp_path: Path
) -> None:
    told = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "talk.mp4").write_bytes(face_clip.read_bytes())
        srt = write_srt(folder / "talk.srt", (400, 1000, "Hello there."))
        options, output = DubOptions(model=str(weights)), folder / "talk.dub.mp4"
        record = Record.begin(folder / "talk.mp4", srt, output, options)
        path = record.keep(dub(folder / "talk.mp4", srt, output, options))
        told.append(json.loads(path.read_text()))
    assert lasting(told[0]) == lasting(told[1])
    assert told[0]["run"]["timing"] != told[1]["run"]["timing"]
    assert list(problems(told[0])) == []
    assert told[0]["segments"][0]["status"] == "dubbed"


def test_what_was_kept_by_an_earlier_run_is_told_under_the_run_alone(
    talk: Recipe, tmp_path: Path
) -> None:
    first = report_of(tmp_path / "talk.dub.mp4", adaptation=AdaptationReport(True, seconds=57.2))
    segment = replace(first.segments[0], cached=("speech",))
    again = replace(
        first, segments=(segment,), adaptation=AdaptationReport(True, seconds=0.1, cached=True)
    )
    one, two = manifest_of(talk, first), manifest_of(talk, again)
    assert lasting(one) == lasting(two)
    assert two["run"]["cached"] == {"1": ["speech"]}
    assert two["run"]["adaptation"] == {"seconds": 0.1, "cached": True}
    assert list(problems(json.loads(json.dumps(two)))) == []


def test_a_taken_manifests_name_is_found_before_the_dub(talk: Recipe, tmp_path: Path) -> None:
    (tmp_path / "talk.dub.mp4.avdub.json").write_text("mine")
    with pytest.raises(InputError, match=r"talk\.dub\.mp4\.avdub\.json is no manifest"):
        Record.begin(tmp_path / "talk.mp4", None, None, talk.options)
