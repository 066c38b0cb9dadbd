"""Models, licences and what an import did, for people; fits 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from avdub.cli.models_survey import USE, Survey, next_command
from avdub.home import BASE
from avdub.registry.catalogue import (
    HIERSPEECHPP,
    KINDS,
    MODELS,
    NEEDED,
    PUBLISHED_AS,
    USES,
    XLS_R,
    Model,
    is_published,
)

if TYPE_CHECKING:
    from avdub.cli.screen import Screen
    from avdub.registry.catalogue import Published, Repository
    from avdub.registry.convert import Official

LOUD = "NON-COMMERCIAL"
INTRODUCTION = "Dubbing needs only base, which is here. The others are for those who want more."
STYLES = {"shipped": "green", "installed": "green", "partly": "yellow", "damaged": "bold red"}


def size(n_bytes: int) -> str:
    """823481945 → 823 MB."""
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.0f} MB"


def show_models(screen: Screen, surveys: Sequence[Survey]) -> None:
    """A block a model: a table of these facts would need a very wide terminal."""
    screen.say(INTRODUCTION)
    for survey in surveys:
        model = survey.model
        style = STYLES.get(survey.state, "dim")
        head = Text.assemble((model.name, "bold"), "  ", (survey.state, style))
        if survey.missing:
            head.append(f": {' and '.join(survey.missing)} missing", style)
        if survey.problem:
            head.append(f": {survey.problem}", style)
        screen.say("")
        screen.stdout.print(head)
        here = survey.n_bytes > 0
        rows = [
            ("what", Text(model.summary)),
            ("gives", Text(model.gives)),
            ("size", Text(size(survey.n_bytes if here else model.n_bytes))),
            ("licence", _licence(model)),
            ("where" if here else "goes to", Text(str(survey.folder))),
            ("next", Text(next_command(survey), "cyan")),
        ]
        screen.stdout.print(_facts(rows))


def show_licences(screen: Screen, base_files: Mapping[str, str]) -> None:
    """Each model's licence, origin and what else to know; the files of base one by one."""
    for n, model in enumerate(MODELS):
        if n:
            screen.say("")
        screen.stdout.print(Text(model.name, "bold"))
        rows = [("licence", _licence(model)), ("origin", Text(model.origin))]
        if model.note:
            rows.append(("note", Text(model.note)))
        if model.name == BASE:
            rows += [("file", Text(f"{file}: {words}")) for file, words in base_files.items()]
        screen.stdout.print(_facts(rows))


def show_pull(
    screen: Screen, model: Model, repository: Repository, files: Sequence[Published]
) -> None:
    """What is about to be downloaded, before it is; on stderr, like progress."""
    total = size(sum(file.n_bytes for file in files))
    rows = [
        ("model", Text(f"{model.name}: {model.summary}")),
        ("from", Text(f"huggingface.co, {repository.repo}")),
        ("files", Text(", ".join(file.path for file in files))),
        ("size", Text(total)),
        ("licence", _licence(model)),
    ]
    if model.note:
        rows.append(("note", Text(model.note)))
    screen.stderr.print(_facts(rows))


def show_imported(
    screen: Screen, folder: Path, new: Sequence[Official], installed: Mapping[str, Any]
) -> None:
    """What came in, what is there now, what is still missing and for what."""
    screen.say(f"imported into {folder}")
    for one in new:
        known = ", as published byte for byte" if is_published(one.kind, one.sha256) else ""
        screen.say(f"  {one.kind} from {one.origin}{known}")
    missing = [kind for kind in KINDS if kind not in installed]
    if missing:
        screen.say("not there (bring it as the file in brackets):")
        rows = [(kind, Text(f"{USES[kind]} ({PUBLISHED_AS[kind]})")) for kind in missing]
        screen.stdout.print(_facts(rows))
    lacking = [kind for kind in NEEDED if kind in missing]
    if lacking:
        screen.say(f"to dub with hierspeechpp, import {' and '.join(lacking)} too")
    else:
        screen.say(f"next: {USE[HIERSPEECHPP]}")
    for model in (model for model in MODELS if model.name in {one.encoder for one in new}):
        _warn_of_encoder(screen, model)


def _warn_of_encoder(screen: Screen, model: Model) -> None:
    if model.non_commercial:
        screen.warn(f"{model.name} is {model.licence}: {LOUD} use only. {model.note}")
    if model.name == XLS_R:
        screen.warn("HierSpeech++ speaks the latents of mms-300m; those of xls-r-300m do not fit")


def _licence(model: Model) -> Text:
    text = Text(model.licence)
    if model.non_commercial:
        text.append(f"  {LOUD}", "bold red")
    return text


def _facts(rows: Sequence[tuple[str, Text]]) -> Table:
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, text in rows:
        table.add_row(f"  {label}", text)
    return table
