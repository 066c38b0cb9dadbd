"""`config`: which settings hold, and where each comes from."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from avdub.cli import options as opt
from avdub.cli.configured import (
    COMMANDS,
    check_files,
    converted,
    options_of,
    parameters_of,
    unknown_variables,
)
from avdub.cli.screen import Screen
from avdub.jobs.config import DEFAULT, files_in_use, places, settings

app = typer.Typer(
    no_args_is_help=True,
    help="Settings in avdub.toml and AVDUB_* variables: which hold, and where each comes from.",
)

Beside = Annotated[
    Path | None,
    typer.Argument(
        metavar="[FILE|FOLDER]",
        show_default=False,
        help="What would be dubbed; an avdub.toml beside it counts. Default: this folder.",
    ),
]
Only = Annotated[
    list[str],
    typer.Option("--command", "-c", metavar="NAME", show_default=False, help="Only this command."),
]


@app.command("show")
def show_command(
    ctx: typer.Context,
    beside: Beside = None,
    command: Only = [],  # noqa: B006
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Show each option's value and whether a file, a variable or nobody set it."""
    screen = Screen.of(ctx)
    for name in command:
        if name not in COMMANDS:
            raise typer.BadParameter(f"{name!r} has no settings; use one of {', '.join(COMMANDS)}")
    check_files(beside)
    rows = [row for name in command or COMMANDS for row in _rows(ctx, name, beside)]
    for variable in unknown_variables():
        screen.warn(f"{variable} sets no option")
    if as_json:
        screen.print_json({"options": rows})
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("command", "option", "value", "from"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        style = "" if row["from"] == DEFAULT else "green"
        value = "-" if row["value"] is None else str(row["value"])
        table.add_row(row["command"], row["option"], Text(value), Text(row["from"], style))
    screen.stdout.print(table)


@app.command("path")
def path_command(
    ctx: typer.Context,
    beside: Beside = None,
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """List the files that may hold settings, those that win first, and which are used."""
    used = {file.path for file in files_in_use(beside)}
    rows = [
        {
            "path": str(file.path),
            "whose": "yours" if file.is_users else "beside the videos",
            "state": "used" if file.path in used else "hidden" if file.path.is_file() else "absent",
        }
        for file in places(beside)
    ]
    screen = Screen.of(ctx)
    if as_json:
        screen.print_json({"files": rows})
        return
    for row in rows:
        screen.say(f"{row['state']:<7} {row['path']} ({row['whose']})")


def _rows(ctx: typer.Context, name: str, beside: Path | None) -> list[dict[str, Any]]:
    """A row for each option of a command, as its help lists them."""
    from avdub.cli.configured import tables

    root = ctx.find_root()
    command: Any = root.command
    inner = typer.Context(command.commands[name], parent=root, info_name=name)
    defaults = {param.name: param.default for param in inner.command.params}
    found = settings(name, tables(), files_in_use(beside))
    parameters = parameters_of(COMMANDS[name])
    rows = []
    for option in dict.fromkeys(options_of(COMMANDS[name]).values()):
        parameter, setting = parameters[option.name], found.get(option.name)
        value = defaults[parameter] if setting is None else converted(inner, parameter, setting)
        source = DEFAULT if setting is None else setting.source
        rows.append(
            {"command": name, "option": option.name, "value": _plain(value), "from": source}
        )
    return rows


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if isinstance(value, bool | int | float | None):
        return value
    return str(value)
