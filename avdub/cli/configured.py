"""Commands whose options may also be set in `avdub.toml` and by AVDUB_* variables.

Flags win over variables, those over files. `--help` shows the built-in defaults.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperCommand
from typer.models import OptionInfo

from avdub.cli import batch, dub
from avdub.errors import InputError
from avdub.jobs.config import (
    Kind,
    Option,
    Setting,
    Tables,
    files_in_use,
    read_file,
    settings,
    variable_of,
)

KINDS = {bool: Kind.FLAG, int: Kind.INTEGER, float: Kind.NUMBER, str: Kind.TEXT, Path: Kind.PATH}
COMMANDS: dict[str, Callable[..., None]] = {
    "dub": dub.dub_command,
    "plan": dub.plan_command,
    "preview": dub.preview_command,
    "batch": batch.batch_command,
}
NO_OPTIONS = {"AVDUB_HOME"}  # variables that mean something else
FIRST_INPUTS = ("video", "inputs")  # parameters whose folder may hold the settings


def tables() -> Tables:
    """The options of all configurable commands."""
    return {name: options_of(command) for name, command in COMMANDS.items()}


def options_of(command: Callable[..., None]) -> dict[str, Option]:
    """The options of a command by each of their long names."""
    found: dict[str, Option] = {}
    for hint in get_type_hints(command, include_extras=True).values():
        option = _option(hint)
        if option is not None:
            found.update(dict.fromkeys(option.names, option))
    return found


def parameters_of(command: Callable[..., None]) -> dict[str, str]:
    """Of each option's first long name, the parameter that takes it."""
    hints = get_type_hints(command, include_extras=True)
    options = {name: _option(hint) for name, hint in hints.items()}
    return {option.name: name for name, option in options.items() if option is not None}


class ConfiguredCommand(TyperCommand):
    """A command that takes what its line leaves open from variables and files."""

    def invoke(self, ctx: Any) -> Any:
        """Run it; raises InputError for settings that cannot be used."""
        for parameter, setting in settings_for(ctx, str(self.name)).items():
            ctx.params[parameter] = converted(ctx, parameter, setting)
        return super().invoke(ctx)


def settings_for(ctx: typer.Context, name: str) -> dict[str, Setting]:
    """What files and variables set, and the line does not, by parameter."""
    found = settings(name, tables(), files_in_use(first_input(ctx.params)), os.environ)
    parameter = parameters_of(COMMANDS[name])
    return {
        parameter[option]: setting
        for option, setting in found.items()
        if not _is_given(ctx, parameter[option])
    }


def converted(ctx: typer.Context, parameter: str, setting: Setting) -> Any:
    """The value as the command's line would have it. Raises InputError naming the source."""
    (param,) = (each for each in ctx.command.params if each.name == parameter)
    value = setting.value
    if getattr(param, "multiple", False) and isinstance(value, str):
        value = [part.strip() for part in value.split(",")]  # of a variable
    try:
        return param.process_value(ctx, value)
    except typer.BadParameter as error:
        option = param.opts[0].removeprefix("--")
        raise InputError(
            f"{setting.source}: {option} cannot be {setting.value!r}: {error.message}",
            f"`avdub {ctx.command.name} --help` says what it may be",
        ) from error


def first_input(params: Mapping[str, Any]) -> Path | None:
    """The video, file or folder named first on the line."""
    for name in FIRST_INPUTS:
        value = params.get(name)
        first = value[0] if isinstance(value, list | tuple) and value else value
        if first:
            return Path(first)
    return None


def check_files(first: Path | None) -> None:
    """Raises InputError for any mistake in the files that would be used."""
    for file in files_in_use(first):
        read_file(file, tables())


def unknown_variables() -> list[str]:
    """AVDUB_* variables that set no option of any command."""
    known = {variable_of(name) for options in tables().values() for name in options}
    return sorted(v for v in os.environ if v.startswith("AVDUB_") and v not in known | NO_OPTIONS)


def _is_given(ctx: typer.Context, parameter: str) -> bool:
    source = ctx.get_parameter_source(parameter)
    return source is not None and source.name == "COMMANDLINE"


def _option(hint: Any) -> Option | None:
    """An annotated parameter as an option; None for arguments and the context."""
    if get_origin(hint) is not Annotated:
        return None
    info = get_args(hint)[1]
    if not isinstance(info, OptionInfo):
        return None
    declared = [info.default, *(info.param_decls or ())]  # in Annotated the first lies there
    words = [word.partition("/")[0] for word in declared if isinstance(word, str)]
    names = tuple(word.removeprefix("--") for word in words if word.startswith("--"))
    return Option(names, Kind.TEXT if info.parser else _kind(get_args(hint)[0]))


def _kind(annotation: Any) -> Kind:
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (each for each in get_args(annotation) if each is not type(None))
    if get_origin(annotation) is list:
        return Kind.TEXTS
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return Kind.TEXT
    return KINDS[annotation]
