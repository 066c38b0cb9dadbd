"""A report as Markdown with plots beside it: what it holds, and writing it whole or not at all.

Knows nothing of what was measured. There is no date in it: the same figures give the same bytes.
"""

import math
import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

from avdub.errors import InputError

SUFFIXES = (".md", ".markdown")
UNKNOWN = "-"

Cell = str | float | None  # None: not measured


@dataclass(frozen=True)
class Column:
    """`how` says by what means its figures were measured. Without `digits` it holds words."""

    heading: str
    how: str
    digits: int | None = None
    unit: str = ""
    is_signed: bool = False

    @property
    def title(self) -> str:
        """The heading with its unit."""
        return f"{self.heading} ({self.unit})" if self.unit else self.heading

    def cell(self, value: Cell) -> str:
        """A value as it is shown."""
        if value is None or (isinstance(value, float) and not math.isfinite(value)):
            return UNKNOWN
        if isinstance(value, str):
            return value
        digits = 0 if isinstance(value, int) else self.digits or 0  # a count has none
        rounded = round(float(value), digits) + 0.0  # no minus before a zero
        return f"{rounded:{'+' if self.is_signed else ''}.{digits}f}"


@dataclass(frozen=True)
class Table:
    """Rows of as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        assert all(len(row) == len(self.columns) for row in self.rows), "a row has other columns"


@dataclass(frozen=True)
class Plot:
    """A PNG; it becomes `<report>_<name>.png`."""

    name: str
    caption: str
    png: bytes


@dataclass(frozen=True)
class Section:
    """Sentences, tables and plots under a heading."""

    title: str
    sentences: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()


@dataclass(frozen=True)
class Origin:
    """Where figures come from: the words of the command line, and facts that identify the program
    and its weights, each a name and what it is."""

    command: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Document:
    """A whole report; `judges` are who measured: a name, and what it is and knows. `notes` say
    what could not be measured."""

    title: str
    origin: Origin
    judges: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()

    @property
    def plots(self) -> tuple[Plot, ...]:
        """All plots, in their order."""
        return tuple(plot for section in self.sections for plot in section.plots)


def check_report(path: Path, names: Sequence[str], overwrite: bool) -> None:
    """Raise InputError, before any work, if a report with plots of these names cannot be written to
    `path`."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} is no Markdown file", "give the report a name such as report.md")
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist", "make it first or name another")
    for each in (path, *(picture_path(path, name) for name in names)):
        if each.is_dir():
            raise InputError(f"{each} is a folder", "give the report another name")
        if each.exists() and not overwrite:
            raise InputError(f"{each} already exists", "replace it with --force, or name another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the folder {folder} cannot be written to", "choose another folder")


def picture_path(report: Path, name: str) -> Path:
    """Where the plot `name` of a report lies."""
    return report.with_name(f"{report.stem}_{name}.png")


def write_report(path: Path, document: Document) -> None:
    """Write the Markdown and its plots, replacing those that are there. Raises InputError, leaving
    nothing new, where that fails."""
    files = {picture_path(path, plot.name): plot.png for plot in document.plots}
    assert len(files) == len(document.plots), "two plots of one name"
    files[path] = markdown(document, path).encode()  # last: no report without its plots
    new = [file for file in files if not file.exists()]
    is_whole = False
    try:
        with TemporaryDirectory(prefix=".avdub-", dir=path.parent) as folder:
            for file, content in files.items():
                (Path(folder) / file.name).write_bytes(content)
            for file in files:
                (Path(folder) / file.name).replace(file)
        is_whole = True
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", "check the folder and the free space"
        ) from error
    finally:
        for file in () if is_whole else new:
            file.unlink(missing_ok=True)


def markdown(document: Document, path: Path) -> str:
    """The text of a report that lies at `path`."""
    return "\n".join(_lines(document, path)) + "\n"


def _lines(document: Document, path: Path) -> Iterator[str]:
    yield from (f"# {plain(document.title)}", "")
    command = shlex.join(document.origin.command)
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", command)), default=0))
    yield from (f"{fence}console", f"$ {command}", fence, "")
    yield from ("| made with | |", "|:---|:---|")
    yield from (f"| {plain(name)} | {plain(fact)} |" for name, fact in document.origin.facts)
    yield from ("", "Measured by:", "")
    yield from (f"- **{plain(name)}**: {plain(what)}" for name, what in document.judges)
    yield ""
    told: set[Column] = set()
    for section in document.sections:
        yield from (f"## {plain(section.title)}", "")
        for sentence in section.sentences:
            yield from (plain(sentence), "")
        for table in section.tables:
            yield from (*_table(table), "")
            new = [column for column in table.columns if column not in told]
            if new:
                yield from (f"- **{plain(c.heading)}**: {plain(c.how)}" for c in new)
                yield ""
            told.update(new)
        for plot in section.plots:
            link = quote(picture_path(path, plot.name).name)
            yield from (f"![{plain(plot.caption)}]({link})", "", f"*{plain(plot.caption)}*", "")
    if document.notes:
        yield from ("## Not measured", "")
        yield from (f"- {plain(note)}" for note in document.notes)
        yield ""


def _table(table: Table) -> Iterator[str]:
    yield _row(column.title for column in table.columns)
    yield "|" + "|".join(":---" if c.digits is None else "---:" for c in table.columns) + "|"
    for row in table.rows:
        yield _row(c.cell(value) for c, value in zip(table.columns, row, strict=True))


def _row(cells: Iterator[str]) -> str:
    return "| " + " | ".join(plain(cell) for cell in cells) + " |"


def plain(text: str) -> str:
    """`text` on one line, without any meaning to Markdown."""
    return re.sub(r"([\\`*_\[\]<>|#~$])", r"\\\1", " ".join(text.split()))
