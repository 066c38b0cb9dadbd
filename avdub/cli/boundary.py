"""The one place where exceptions become two lines on stderr and an exit code."""

import errno
import signal
import traceback
from types import FrameType
from typing import Any

import typer
from typer.core import TyperGroup

from avdub.cli.screen import KEPT, Screen
from avdub.errors import AvdubError, InputError

UNEXPECTED, INTERRUPTED = 1, 130
FULL_DISK = {errno.ENOSPC, errno.EDQUOT}
# The base of usage errors is not exported and has moved between versions of Typer.
TYPERS_OWN = (typer.Exit, typer.Abort, *typer.BadParameter.__mro__[:3], BrokenPipeError)


class Interrupts:
    """Whether Ctrl-C or a polite signal to end has come.

    Some libraries turn the KeyboardInterrupt that it raises into an error of their own.
    """

    def __init__(self) -> None:
        self.came = False

    def catch(self) -> None:
        """From now on SIGTERM, which programs send, is as Ctrl-C; what is ignored stays so."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._interrupt)

    def end(self) -> None:
        """The work is over: to be asked to end now must not make a failure of it."""
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) == self._interrupt and not self.came:
                signal.signal(number, signal.SIG_IGN)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        raise KeyboardInterrupt


interrupts = Interrupts()


class AvdubGroup(TyperGroup):
    """A command group that shows errors as `error:` and `hint:`; `--debug` adds the traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises typer.Exit with the exit code of what went wrong."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            raise typer.Exit(_show_interrupt(ctx)) from error
        except Exception as error:
            if isinstance(error, TYPERS_OWN):
                raise
            if interrupts.came:
                raise typer.Exit(_show_interrupt(ctx)) from error
            raise typer.Exit(_show(error, Screen.of(ctx))) from error


def _show_interrupt(ctx: Any) -> int:
    """Say what became of the work; returns the exit code."""
    kept = ctx.meta.get(KEPT)  # known to commands that keep what they make
    hint = "run it again to go on from here" if kept else "nothing unfinished was left"
    Screen.of(ctx).error("interrupted", hint)
    return INTERRUPTED


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
