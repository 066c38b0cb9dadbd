"""The one place where exceptions become two lines on stderr and an exit code."""

import errno
import traceback
from typing import Any

import typer
from typer.core import TyperGroup

from avdub.cli.screen import Screen
from avdub.errors import AvdubError, InputError

UNEXPECTED, INTERRUPTED = 1, 130
FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
# The base of usage errors is not exported and has moved between versions of Typer.
TYPERS_OWN = (typer.Exit, typer.Abort, *typer.BadParameter.__mro__[:3], BrokenPipeError)


class AvdubGroup(TyperGroup):
    """A command group that shows errors as `error:` and `hint:`; `--debug` adds the traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises typer.Exit with the exit code of what went wrong."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            Screen.of(ctx).error("interrupted", "no output was written")
            raise typer.Exit(INTERRUPTED) from error
        except Exception as error:
            if isinstance(error, TYPERS_OWN):
                raise
            raise typer.Exit(_show(error, Screen.of(ctx))) from error


def _show(error: Exception, screen: Screen) -> int:
    """Write the error, and its traceback where asked for; returns the exit code."""
    if screen.debug:
        screen.stderr.file.write("".join(traceback.format_exception(error)))
    known = _explained(error)
    screen.error(known.message, known.hint)
    return known.exit_code


def _explained(error: Exception) -> AvdubError:
    if isinstance(error, AvdubError):
        return error
    if isinstance(error, OSError) and error.errno in FULL_DISK:
        where = f" while writing {error.filename}" if error.filename else ""
        return InputError(f"the disk is full{where}", "free some space and run this again")
    if isinstance(error, PermissionError):
        return InputError(f"no permission for {error.filename}", "check the rights of that file")
    if isinstance(error, MemoryError):
        return AvdubError("not enough memory", "close other programs or use a smaller video")
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    return AvdubError(f"unexpected {what}", "run it again with --debug and report what that shows")
