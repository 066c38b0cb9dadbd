"""What goes to the terminal: results to stdout, warnings and errors to stderr, colours or none."""

import json
import sys
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console
from rich.text import Text

import avdub

DEBUG, NO_COLOR, KEPT = "avdub.debug", "avdub.no_color", "avdub.kept"
PIPED_WIDTH = 160  # characters of a table line that no terminal shows


@dataclass(frozen=True)
class Screen:
    """The two consoles of a run and whether tracebacks are wanted."""

    stdout: Console
    stderr: Console
    debug: bool = False

    @classmethod
    def of(cls, ctx: Any) -> "Screen":
        """The screen for a Typer context, as the global flags say."""
        # None leaves the choice to rich, which honours NO_COLOR and looks for a terminal.
        no_color = ctx.meta.get(NO_COLOR) or None
        width = None if sys.stdout.isatty() else PIPED_WIDTH
        return cls(
            Console(no_color=no_color, highlight=False, width=width),
            Console(no_color=no_color, highlight=False, stderr=True),
            bool(ctx.meta.get(DEBUG)),
        )

    def error(self, message: str, hint: str) -> None:
        """Two lines on stderr; the second only where there is something to say."""
        self._line("error", "bold red", message)
        if hint:
            self._line("hint", "cyan", hint)

    def warn(self, message: str) -> None:
        self._line("warning", "yellow", message)

    def say(self, text: str) -> None:
        """A line of result."""
        self.stdout.print(Text(text), soft_wrap=True)

    def print_json(self, value: object) -> None:
        """One JSON object, plain ASCII so that no locale can break it."""
        typer.echo(json.dumps(value, indent=2))

    def _line(self, label: str, style: str, message: str) -> None:
        text = Text.assemble((f"{label}: ", style), " ".join(message.split()))
        self.stderr.print(text, soft_wrap=True)


def show_version(wanted: bool) -> None:
    """Callback of --version."""
    if wanted:
        typer.echo(f"avdub {avdub.__version__}")
        raise typer.Exit


def remember_debug(ctx: typer.Context, wanted: bool) -> bool:
    """Callback of --debug, before or after the command's name."""
    ctx.meta[DEBUG] = ctx.meta.get(DEBUG, False) or wanted
    return wanted


def remember_no_color(ctx: typer.Context, wanted: bool) -> bool:
    """Callback of --no-color, before or after the command's name."""
    ctx.meta[NO_COLOR] = ctx.meta.get(NO_COLOR, False) or wanted
    return wanted


def remember_kept(ctx: typer.Context, wanted: bool) -> bool:
    """Callback of --cache: whether a later run goes on from where this one ends."""
    ctx.meta[KEPT] = wanted
    return wanted
