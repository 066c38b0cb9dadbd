"""What the user chose, as DubOptions: every option that has the name of one of its fields; and what
there is to choose from."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any

from avdub.pipeline.options import DubOptions

if TYPE_CHECKING:
    import typer

OVERWRITE = "overwrite"  # the field of --force


class Prosody(StrEnum):
    """Where the melody of the speech comes from, besides the text."""

    original = "original"
    plain = "plain"


class Lips(StrEnum):
    """How far the lips open."""

    original = "original"
    plain = "plain"


class Audio(StrEnum):
    """What becomes of the video's own sound tracks."""

    ADD = "add"
    REPLACE = "replace"  # `replace` is a method of str
    ONLY = "only"


class Subs(StrEnum):
    """Where the given subtitles are shown."""

    none = "none"
    soft = "soft"
    burn = "burn"


def chosen_options(ctx: typer.Context, **others: Any) -> DubOptions:
    """The command's options; `others` are fields that no option has, or has otherwise."""
    known = {each.name for each in fields(DubOptions)}
    given = {name: _plain(value) for name, value in ctx.params.items() if name in known}
    if "force" in ctx.params:
        given[OVERWRITE] = ctx.params["force"]
    return DubOptions(**{**given, **others})


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Enum) else value
