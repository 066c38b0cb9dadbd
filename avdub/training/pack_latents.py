"""Which latents a pack holds: each array's encoder and width, in `latents.json` beside the arrays.

Latents of two encoders look alike on disk and mean different things, so packs remember and
training asks. The same file names the text front end that a speech pack was prepared for: whose
phonemes it holds, and whose measure of F0.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avdub.errors import InputError

BASE = "base"
RECORD = "latents.json"
FRONT_END = "front_end"


@dataclass(frozen=True)
class LatentsKind:
    """The encoder's name and D."""

    name: str
    width: int

    def __str__(self) -> str:
        return f"{self.name} latents of {self.width} channels"


def remember(folder: Path, array: str, kind: LatentsKind) -> None:
    """Note what the array of that name in the pack holds."""
    _write(folder, {**_read(folder), array: asdict(kind)})


def remember_front_end(folder: Path, name: str) -> None:
    """Note the front end that the pack's phonemes and F0 are made for."""
    if front_end_of(folder) != name:
        _write(folder, {**_read(folder), FRONT_END: name})


def front_end_of(folder: Path) -> str:
    """The front end that a speech pack is made for; base where nothing is noted."""
    return str(_read(folder).get(FRONT_END, BASE))


def check_front_ends(folders: Iterable[Path], wanted: str) -> None:
    """Raises InputError where a speech pack is made for another front end than the model's."""
    for folder in folders:
        own = front_end_of(folder)
        if own != wanted:
            raise InputError(
                f"{folder} holds phonemes and F0 of the {own} front end, "
                f"but the model takes those of {wanted}",
                f"prepare it again with --front-end {wanted}, or leave it out",
            )


def _write(folder: Path, noted: Mapping[str, Any]) -> None:
    temporary = folder / f".{RECORD}.part"
    temporary.write_text(json.dumps(noted, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / RECORD)


def kind_of(folder: Path, array: str, steps: int) -> LatentsKind:
    """What an array of `steps` rows holds. Raises InputError where there is none."""
    path = folder / array
    if not path.is_file():
        raise InputError(f"{path} is missing", "run the preparation step that makes it")
    noted = _read(folder).get(array)
    if noted is not None:
        return LatentsKind(**noted)
    # packs without a record are older than the second encoder; values are float16
    return LatentsKind(BASE, path.stat().st_size // (2 * max(steps, 1)))


def shared_kind(found: Iterable[tuple[Path, LatentsKind]]) -> LatentsKind:
    """The one kind of all (array, kind) pairs. Raises InputError where two differ."""
    (first, kind), *others = found
    for path, other in others:
        if other != kind:
            raise InputError(
                f"{first} holds {kind}, but {path} holds {other}",
                "prepare all packs with the same --latents",
            )
    return kind


def check_width(path: Path, kind: LatentsKind, width: int) -> None:
    """Raises InputError where an array does not have the width that a model wants."""
    if kind.width != width:
        raise InputError(
            f"{path} holds {kind}, but the model takes {width} channels",
            "prepare the pack with the --latents of that model, or give the model's own pack",
        )


def _read(folder: Path) -> dict[str, Any]:
    path = folder / RECORD
    if not path.is_file():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise InputError(f"{path} is damaged", "prepare the pack's latents again") from error
