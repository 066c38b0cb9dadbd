"""A report's Markdown, and that its files are written whole or not at all."""

from dataclasses import replace
from pathlib import Path

import pytest

from avdub.errors import InputError
from avdub.evaluation.report.document import (
    Column,
    Document,
    Origin,
    Plot,
    Section,
    Table,
    check_report,
    markdown,
    plain,
    write_report,
)

NAME, LEVEL = Column("name", "the file"), Column("level", "by a meter", 1, "dB", is_signed=True)
TABLE = Table((NAME, LEVEL), (("a|b.mp4", 1.25), ("c.mp4", None)))
SECTION = Section("Levels", ("Two *files*.",), (TABLE,), (Plot("levels", "All levels", b"png"),))
DOCUMENT = Document(
    "Levels of files",
    Origin(("avdub", "eval", "my clips"), (("avdub", "1.2.3"),)),
    (("a meter", "knows nothing"),),
    (SECTION,),
    ("time",),
)


def lines(document: Document = DOCUMENT, path: Path = Path("x.md")) -> list[str]:
    return markdown(document, path).splitlines()


def test_a_table_has_a_unit_in_its_heading_and_a_dash_for_the_unknown() -> None:
    at = lines().index("| name | level (dB) |")
    assert lines()[at : at + 4] == [
        "| name | level (dB) |",
        "|:---|---:|",
        r"| a\|b.mp4 | +1.2 |",
        "| c.mp4 | - |",
    ]


def test_every_column_says_by_what_means_and_only_once() -> None:
    twice = replace(DOCUMENT, sections=(SECTION, replace(SECTION, plots=())))
    assert lines(twice).count("- **level**: by a meter") == 1
    assert "- **a meter**: knows nothing" in lines()


def test_the_command_can_be_pasted_into_a_shell() -> None:
    at = lines().index("```console")
    assert lines()[at + 1 : at + 3] == ["$ avdub eval 'my clips'", "```"]


def test_a_command_with_a_fence_of_its_own_stays_inside() -> None:
    origin = Origin(("avdub", "a````b"), ())
    assert lines(replace(DOCUMENT, origin=origin)).count("`````") == 1


def test_names_have_no_meaning_to_markdown() -> None:
    assert plain("a_b*c`d\ne|f<g>$") == r"a\_b\*c\`d e\|f\<g\>\$"


def test_links_are_relative_and_hold_no_spaces() -> None:
    (link,) = [s for s in lines(path=Path("/far/my report.md")) if s.startswith("![")]
    assert link == "![All levels](my%20report_levels.png)"


def test_what_was_not_measured_stands_at_the_end() -> None:
    assert lines()[-4:-1] == ["## Not measured", "", "- time"]


@pytest.mark.parametrize(
    ("value", "shown"), [(-0.04, "+0.0"), (-0.06, "-0.1"), (float("nan"), "-"), (3, "+3")]
)
def test_figures_are_rounded_without_a_minus_before_zero(value: float, shown: str) -> None:
    assert LEVEL.cell(value) == shown


def test_a_report_and_its_plots_are_written(tmp_path: Path) -> None:
    write_report(tmp_path / "x.md", DOCUMENT)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.md", "x_levels.png"]
    assert (tmp_path / "x_levels.png").read_bytes() == b"png"
    assert (tmp_path / "x.md").read_text(encoding="utf-8") == markdown(DOCUMENT, tmp_path / "x.md")


@pytest.mark.parametrize("fails_at", ["x_levels.png", "x.md"])
def test_a_failed_report_leaves_nothing(
    fails_at: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file = Path.replace

    def fail(self: Path, target: Path) -> Path:
        if target.name == fails_at:
            raise OSError(28, "No space left on device")
        return replace_file(self, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(InputError, match="cannot be written: No space left"):
        write_report(tmp_path / "x.md", DOCUMENT)
    assert list(tmp_path.iterdir()) == []


def test_a_report_that_cannot_be_staged_keeps_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.md").write_text("old")

    def fail(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fail)
    with pytest.raises(InputError):
        write_report(tmp_path / "x.md", DOCUMENT)
    assert (tmp_path / "x.md").read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("name", ["x.md", "x_levels.png"])
def test_what_exists_is_replaced_only_by_force(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(InputError, match=f"{name} already exists"):
        check_report(tmp_path / "x.md", ["levels"], overwrite=False)
    check_report(tmp_path / "x.md", ["levels"], overwrite=True)
    check_report(tmp_path / "y.md", ["levels"], overwrite=False)


@pytest.mark.parametrize(
    ("name", "why"),
    [("x.txt", "no Markdown file"), ("none/x.md", "does not exist"), ("folder.md", "is a folder")],
)
def test_a_report_that_cannot_be_written_is_refused(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "folder.md").mkdir()
    with pytest.raises(InputError, match=why):
        check_report(tmp_path / name, [], overwrite=True)
