"""Settings: what `avdub.toml` files and AVDUB_* variables say of options, and which of them wins.

Knows options by their long names and kinds only; the command line describes them. A file beside
the videos may come with them from anywhere, so it can neither name a path outside its folder nor
have files replaced.
"""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from avdub.errors import InputError
from avdub.home import user_config

NAME = "avdub.toml"
PREFIX = "AVDUB_"
INHERITS = {"batch": "dub", "preview": "dub", "plan": "dub"}
OF_ONE_RUN = frozenset({"output", "segments", "json", "dry-run"})  # the same word, another thing
# What replaces files, and what hands work and files to other machines.
OF_THE_USER = frozenset({"force", "address", "store"})
NAMED_OR_PATH = frozenset({"voice", "model"})
LARGEST = 1 << 20  # bytes
DEFAULT = "default"


class Kind(Enum):
    """What a value must be in a file, and what it is called there."""

    FLAG = "true or false"
    INTEGER = "a whole number"
    NUMBER = "a number"
    TEXT = "text in quotes"
    PATH = "a path in quotes"
    TEXTS = "a list of texts"


@dataclass(frozen=True)
class Option:
    """One option of a command: its long names, the first of which is shown, and its kind."""

    names: tuple[str, ...]
    kind: Kind

    @property
    def name(self) -> str:
        return self.names[0]


@dataclass(frozen=True)
class File:
    """A settings file there is. `is_users` tells the user's own from one beside the videos."""

    path: Path
    is_users: bool


@dataclass(frozen=True)
class Setting:
    """A value for an option, and for people where it comes from."""

    value: Any
    source: str


Tables = Mapping[str, Mapping[str, Option]]  # command → name of each option, all names → option
Values = dict[str, dict[str, Any]]  # table → first long name → value


def places(first: Path | None = None) -> tuple[File, ...]:
    """Where settings are looked for: beside the first input, here, and in the user's folder."""
    beside = [] if first is None else [first if first.is_dir() else first.parent]
    local = dict.fromkeys((folder / NAME).absolute() for folder in [*beside, Path.cwd()])
    own = user_config()
    return (*(File(path, False) for path in local if path != own), File(own, True))


def files_in_use(first: Path | None = None) -> tuple[File, ...]:
    """The nearest file beside the videos, then the user's own, where there are such."""
    there = [file for file in places(first) if file.path.is_file()]
    nearest = [file for file in there if not file.is_users][:1]
    return (*nearest, *(file for file in there if file.is_users))


def read_file(file: File, tables: Tables) -> Values:
    """What a file says, checked; paths in it are made absolute from its folder.

    Raises InputError naming the file and the key.
    """
    values: Values = {}
    for table, content in _parsed(file.path).items():
        if table not in tables:
            raise InputError(f"{file.path}: there is no table [{table}]", _like(table, tables))
        if not isinstance(content, dict):
            known = ", ".join(f"[{name}]" for name in tables)
            raise InputError(f"{file.path}: {table} must be a table", f"the tables are {known}")
        values[table] = {}
        for key, value in content.items():
            where = f"{file.path}: [{table}] {key}"
            option = tables[table].get(key)
            if option is None:
                raise InputError(f"{where} is no option", _like(key, tables[table]))
            if option.name in values[table]:
                raise InputError(f"{where} is there under two names", "keep one of them")
            if option.name in OF_THE_USER and not file.is_users:
                raise InputError(
                    f"{where} is not for a file beside the videos",
                    f"give --{option.name}, or set it in {user_config()}",
                )
            values[table][option.name] = _checked(value, option, file, where)
    return values


def settings(
    command: str,
    tables: Tables,
    files: Iterable[File],
    environment: Mapping[str, str] = os.environ,
) -> dict[str, Setting]:
    """What is set for a command by first long names: files, nearest first, below the environment.

    Values from the environment are text, as a flag would have it. Raises InputError.
    """
    found: dict[str, Setting] = {}
    for file in reversed(list(files)):
        values = read_file(file, tables)
        parent = INHERITS.get(command, "")
        for name, value in values.get(parent, {}).items():
            if name not in OF_ONE_RUN and _same(tables, parent, command, name):
                found[name] = Setting(value, f"{file.path} [{parent}]")
        for name, value in values.get(command, {}).items():
            found[name] = Setting(value, f"{file.path} [{command}]")
    for option in dict.fromkeys(tables[command].values()):
        for variable in reversed([variable_of(name) for name in option.names]):
            if environment.get(variable):  # an empty one says nothing
                found[option.name] = Setting(environment[variable], variable)
    return found


def variable_of(name: str) -> str:
    """`max-rate` → AVDUB_MAX_RATE."""
    return PREFIX + name.upper().replace("-", "_")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > LARGEST:
            raise InputError(f"{path} is too large for settings", "keep it below a megabyte")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", "check its rights") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no valid TOML: {error}", "mend that line") from error


def _checked(value: Any, option: Option, file: File, where: str) -> Any:
    kind = option.kind
    fits = {
        Kind.FLAG: isinstance(value, bool),
        Kind.INTEGER: isinstance(value, int) and not isinstance(value, bool),
        Kind.NUMBER: isinstance(value, int | float) and not isinstance(value, bool),
        Kind.TEXT: isinstance(value, str),
        Kind.PATH: isinstance(value, str),
        Kind.TEXTS: isinstance(value, list) and all(isinstance(each, str) for each in value),
    }
    if not fits[kind]:
        raise InputError(f"{where} must be {kind.value}", "see `avdub config show` for all options")
    named = option.name in NAMED_OR_PATH and not _is_path(option.name, str(value), file)
    if kind is Kind.PATH or (option.name in NAMED_OR_PATH and not named):
        return str(_inside(Path(value), file, where))
    return value


def _is_path(name: str, value: str, file: File) -> bool:
    """Whether a voice or model is meant as a path, by what the dub itself goes by."""
    written = Path(value)
    if value.startswith(("~", ".")) or len(written.parts) > 1:
        return True
    return name == "voice" and (bool(written.suffix) or (file.path.parent / written).is_file())


def _inside(path: Path, file: File, where: str) -> Path:
    """Absolute; from a file beside the videos it may not lead out of that folder."""
    folder = file.path.parent
    whole = folder / path.expanduser()
    if not file.is_users and not whole.resolve().is_relative_to(folder.resolve()):
        raise InputError(
            f"{where} leads out of the folder of that file",
            f"put it into the folder, set it in {user_config()}, or give it on the command line",
        )
    return whole


def _same(tables: Tables, parent: str, command: str, name: str) -> bool:
    own, other = tables[command].get(name), tables[parent].get(name)
    return own is not None and other is not None and (own.name, own.kind) == (name, other.kind)


def _like(word: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(word, known, 1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known))}"
