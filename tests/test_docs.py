"""The README tells the truth: its commands parse, its Python runs, its tree is the one on disk.

`python -m tests.test_docs` rewrites the tree from the first sentence of each module.
"""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

import avdub
from avdub.cli import app

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
CHANGELOG = ROOT / "CHANGELOG.md"
TREE_START = "<!-- tree: python -m tests.test_docs rewrites it -->\n```text\n"
TREE_END = "```\n<!-- end of tree -->"
COMMENT_COLUMN = 30
MAX_WIDTH = 108


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", README.read_text(encoding="utf-8"), re.M | re.S)


def shell_lines() -> list[str]:
    lines = [line for block in blocks("console") for line in block.splitlines()]
    return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]


def avdub_lines() -> list[str]:
    return [line for line in shell_lines() if line.startswith("avdub ")]


def check_parses(command, words: list[str], parent=None) -> None:
    """Walk down the groups and parse the rest; raises as the command line would."""
    name = parent.info_name if parent else "avdub"
    if not hasattr(command, "commands"):
        command.make_context(name, words, parent=parent)
        return
    context = command.make_context(name, list(words), parent=parent)
    at = next(n for n, word in enumerate(words) if not word.startswith("-"))
    inner = command.get_command(context, words[at])
    assert inner is not None, f"there is no command {words[at]!r}"
    if "--help" not in words[at + 1 :]:
        check_parses(inner, words[at + 1 :], context)
        return
    inner_words = [word for word in words[at + 1 :] if word != "--help"]
    if hasattr(inner, "commands") and inner_words:
        check_parses(inner, words[at + 1 :], context)


def tree_lines() -> Iterator[str]:
    """A line for each file of the package and each part of what surrounds it."""
    yield "avdub/"
    yield from _folder_lines(ROOT / "avdub", 1)
    yield _line("tests/", "mirrors the package; makes its own media", 0)
    yield _line("assets/base/", "the shipped weights and their model card", 0)
    yield _line(".ci/run", "all checks, in fresh environments", 0)


def _folder_lines(folder: Path, depth: int) -> Iterator[str]:
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py" or depth == 1:
            yield _line(path.name, _first_sentence(path), depth)
    for inner in sorted(path for path in folder.iterdir() if _has_code(path)):
        yield _line(f"{inner.name}/", _first_sentence(inner / "__init__.py"), depth)
        yield from _folder_lines(inner, depth + 1)


def _has_code(folder: Path) -> bool:
    init = folder / "__init__.py"
    return init.is_file() and (init.stat().st_size > 0 or len(list(folder.glob("*.py"))) > 1)


def _line(name: str, comment: str, depth: int) -> str:
    line = f"{'  ' * depth}{name}".ljust(COMMENT_COLUMN) + comment
    return line if len(line) <= MAX_WIDTH else line[: MAX_WIDTH - 1].rstrip(" ,;:") + "…"


def _first_sentence(path: Path) -> str:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return re.split(r"\. |\.$", " ".join(text.split("\n\n")[0].split()))[0]


def tree_in_readme() -> list[str]:
    text = README.read_text(encoding="utf-8")
    return text[text.index(TREE_START) + len(TREE_START) : text.index(TREE_END)].splitlines()


def rewrite_tree() -> None:
    text = README.read_text(encoding="utf-8")
    start, end = text.index(TREE_START) + len(TREE_START), text.index(TREE_END)
    tree = "".join(f"{line}\n" for line in tree_lines())
    README.write_text(text[:start] + tree + text[end:], encoding="utf-8")


@pytest.mark.parametrize("line", avdub_lines())
def test_commands_in_the_readme_parse(line: str) -> None:
    check_parses(typer.main.get_command(app), shlex.split(line)[1:])


def test_a_command_that_does_not_parse_is_noticed() -> None:
    command = typer.main.get_command(app)
    for line in ("dub a.mp4 --no-such-option", "speak hello", "nonsense", "dub --crf x a.mp4"):
        with pytest.raises((typer.BadParameter.__mro__[1], AssertionError)):
            check_parses(command, line.split())


def test_every_command_is_in_the_readme() -> None:
    named = {line.split()[1] for line in avdub_lines()}
    named |= set(re.findall(r"`avdub (\w+)", README.read_text(encoding="utf-8")))
    assert set(typer.main.get_command(app).commands) <= named


@pytest.mark.parametrize("line", [line for line in shell_lines() if ".ci/" in line])
def test_scripts_in_the_readme_exist(line: str) -> None:
    assert (ROOT / line.split()[-1]).is_file()


@pytest.mark.parametrize("source", blocks("python"))
def test_python_in_the_readme_compiles_and_uses_public_names(source: str) -> None:
    tree = ast.parse(source)
    compile(tree, "README.md", "exec")
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "avdub"
    }
    assert used
    assert used <= set(avdub.__all__)


def test_all_public_names_resolve() -> None:
    assert list(avdub.__all__) == sorted(avdub.__all__)
    for name in avdub.__all__:
        assert getattr(avdub, name).__module__.startswith("avdub.")


def test_the_tree_is_the_one_on_disk() -> None:
    said = [line.split()[0] for line in tree_in_readme()]
    found = [line.split()[0] for line in tree_lines()]
    assert said == found, "run python -m tests.test_docs"


def test_each_file_of_the_tree_has_a_comment() -> None:
    assert [line for line in tree_in_readme()[1:] if len(line.split()) < 2] == []


def test_files_that_the_readme_links_or_names_exist() -> None:
    text = README.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    names = re.findall(r"`((?:assets|\.ci)/[\w./]+|LICENSE)`", text)
    assert [name for name in [*links, *names] if not (ROOT / name).exists()] == []


def test_the_changelog_keeps_to_its_format() -> None:
    lines = CHANGELOG.read_text(encoding="utf-8").splitlines()
    versions = [line for line in lines if line.startswith("## ")]
    assert versions[0] == "## [Unreleased]"
    dated = r"## \[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}"
    assert all(re.fullmatch(dated, line) for line in versions[1:])
    kinds = {line for line in lines if line.startswith("### ")}
    assert kinds <= {f"### {kind}" for kind in ("Added", "Changed", "Fixed", "Removed")}


if __name__ == "__main__":
    rewrite_tree()
