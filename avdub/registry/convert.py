"""Official checkpoints to our modules: which file is which, and whether every name and shape fits.

Writes nothing. All files of one call are recognised before the first is converted.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from avdub.checkpoint import sha256
from avdub.errors import InputError
from avdub.models import official
from avdub.progress import Progress, silent
from avdub.registry.catalogue import (
    KINDS,
    MMS,
    PUBLISHED_AS,
    SPEECH_SR_24K,
    SPEECH_SR_48K,
    SPEECH_TO_LATENTS,
    XLS_R,
)
from avdub.registry.source import file_of, read_source

SHOWN = 3  # names of a mismatch
ITERATIONS = {340_000: SPEECH_SR_24K, 100_000: SPEECH_SR_48K}
RATES = {"24k": SPEECH_SR_24K, "48k": SPEECH_SR_48K}
ENCODERS = {"mms": MMS, "xls": XLS_R}


@dataclass(frozen=True)
class Incoming:
    """A file or folder to import; what is not given is found out. `origin`: "" for its name."""

    path: Path
    kind: str | None = None
    encoder: str | None = None
    origin: str = ""


@dataclass(frozen=True)
class Official:
    """A checked checkpoint: `encoder` names a speech_to_latents, else ""."""

    source: Path
    kind: str
    encoder: str
    origin: str
    sha256: str
    module: nn.Module


@dataclass(frozen=True)
class _Recognised:
    incoming: Incoming
    file: Path
    kind: str
    encoder: str
    state: dict[str, Tensor]


def convert(
    incoming: Sequence[Incoming],
    installed: Collection[str] = (),
    progress: Progress = silent,
) -> list[Official]:
    """Check and build all; raises InputError for the first file that cannot be used.

    `installed`: kinds that must not be given, being there already.
    """
    files = _distinct(incoming)
    found: dict[str, _Recognised] = {}
    for one, file in progress(zip(incoming, files, strict=True), "read", len(files)):
        new = _recognise(one, file)
        if new.kind in found:
            raise InputError(
                f"{found[new.kind].file} and {file} are both a {new.kind}", "give only one of them"
            )
        if new.kind in installed:
            raise InputError(
                f"a {new.kind} is already installed, and {file} is another",
                "pass --force to replace it",
            )
        found[new.kind] = new
    ordered = sorted(found.values(), key=lambda one: KINDS.index(one.kind))
    return [_convert(one) for one in progress(ordered, "convert", len(ordered))]


def _distinct(incoming: Iterable[Incoming]) -> list[Path]:
    files = [file_of(one.path) for one in incoming]
    seen: set[Path] = set()
    for file in files:
        real = file.resolve()
        if real in seen:
            raise InputError(f"{file} is given twice", "give each file once")
        seen.add(real)
    return files


def _recognise(incoming: Incoming, file: Path) -> _Recognised:
    state, iteration = read_source(file)
    kind = official.recognise(state.keys())
    if kind == "speech_sr":
        kind = _speech_sr(file, iteration, incoming.kind)
    wanted = incoming.kind or kind
    if wanted is None:
        known = ", ".join(PUBLISHED_AS.values())
        raise InputError(
            f"{file} is none of the networks that can be imported", f"these can: {known}"
        )
    if kind is not None and kind != wanted:
        raise InputError(
            f"{file} is a {kind}, not a {wanted}", f"pass --as {kind}, or leave --as out"
        )
    encoder = _encoder(file, incoming) if wanted == SPEECH_TO_LATENTS else ""
    return _Recognised(incoming, file, wanted, encoder, state)


def _speech_sr(file: Path, iteration: int | None, wanted: str | None) -> str:
    """Both rates have the same names and shapes: what was published with them must tell."""
    if wanted in (SPEECH_SR_24K, SPEECH_SR_48K):
        return wanted
    clues = {ITERATIONS[iteration]} if iteration in ITERATIONS else set()
    clues |= {kind for number, kind in ITERATIONS.items() if str(number) in file.stem}
    named = f"{file.absolute().parent.name}/{file.stem}".lower()
    clues |= {RATES[rate] for rate in re.findall(r"(?<!\d)(?:24k|48k)", named)}
    if len(clues) != 1:
        raise InputError(
            f"{file} is a SpeechSR, but nothing tells whether for 24 or 48 kHz",
            f"import it alone with --as {SPEECH_SR_24K} or --as {SPEECH_SR_48K}",
        )
    return clues.pop()


def _encoder(file: Path, incoming: Incoming) -> str:
    """mms-300m and xls-r-300m differ in nothing but their values and licences."""
    if incoming.encoder:
        return incoming.encoder
    # Enough for a file in a Hugging Face cache: models--facebook--mms-300m/snapshots/<commit>/.
    named = "/".join(file.absolute().parts[-4:]).lower()
    clues = {name for word, name in ENCODERS.items() if word in named}
    if len(clues) != 1:
        raise InputError(
            f"{file} is a wav2vec 2.0 encoder, but nothing tells which",
            f"pass --name {MMS} or --name {XLS_R}; their licences differ",
        )
    return clues.pop()


def _convert(one: _Recognised) -> Official:
    for name, tensor in one.state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise InputError(
                f"{one.file} is damaged: {name} holds values that are no numbers",
                "download it again, or copy it again from where it came",
            )
    try:
        module = official.convert(one.kind, one.state)
    except official.OfficialMismatch as error:
        raise InputError(
            f"{one.file} is no {one.kind}: {_differences(error)}", _hint(one)
        ) from error
    origin = one.incoming.origin or one.file.name
    return Official(one.file, one.kind, one.encoder, origin, sha256(one.file), module)


def _differences(error: official.OfficialMismatch) -> str:
    parts = (
        ("missing", error.missing),
        ("not known", error.extra),
        ("of another shape", error.misshapen),
    )
    return "; ".join(f"{len(names)} {what} ({_first(names)})" for what, names in parts if names)


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


def _hint(one: _Recognised) -> str:
    return f"the published file is {PUBLISHED_AS[one.kind]}; only its layout can be imported"
