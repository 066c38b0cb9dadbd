"""Imported models on disk: put in place whole, listed by a manifest, checked and removed by it.

Never touches a file that the manifest of a folder does not list.
"""

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avdub.checkpoint import (
    FORMAT,
    MANIFEST,
    base_folder,
    read_manifest,
    read_tensors,
    save_manifest,
    save_module,
    verify,
    write_manifest,
)
from avdub.errors import InputError, WeightsError
from avdub.home import BASE, user_models
from avdub.progress import Progress, silent
from avdub.registry.catalogue import BY_NAME, HIERSPEECHPP, KINDS, SPEECH_TO_LATENTS, model_of
from avdub.registry.convert import Official

SUFFIX = ".safetensors"
HEADROOM = 1.1  # of what the new files take, so that the disk is not filled to the last byte


def family_folder() -> Path:
    """Where imported HierSpeech++ files lie."""
    return user_models() / HIERSPEECHPP


def installed(folder: Path) -> dict[str, dict[str, Any]]:
    """Kinds that are listed and there, with what the manifest says; empty for no folder.

    Raises WeightsError for a manifest that cannot be read.
    """
    if not (folder / MANIFEST).is_file():
        return {}
    listing = _listing(folder)
    return {
        kind: listing[kind + SUFFIX]
        for kind in KINDS
        if kind + SUFFIX in listing and (folder / (kind + SUFFIX)).is_file()
    }


def present(folder: Path) -> list[str]:
    """Kinds whose file is there, listed or not."""
    return [kind for kind in KINDS if (folder / (kind + SUFFIX)).exists()]


def parts_of(name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Those installed kinds that belong to the catalogue's model `name`."""
    return {
        kind: facts
        for kind, facts in installed(folder).items()
        if model_of(kind, facts.get("model", "")).name == name
    }


def encoder_of(folder: Path) -> str:
    """Which encoder's speech_to_latents is installed (mms-300m or xls-r-300m), "" for none."""
    return str(installed(folder).get(SPEECH_TO_LATENTS, {}).get("model", ""))


def install(new: Sequence[Official], folder: Path, progress: Progress = silent) -> None:
    """Write all files beside the folder, then move them in; a failure leaves it as it was."""
    _check_space(new, folder)
    kept = _listing(folder) if (folder / MANIFEST).is_file() else {}
    with _staging(folder) as staging:
        for one in progress(new, "write", len(new)):
            config = one.module.config
            save_module(staging / (one.kind + SUFFIX), one.module, config, folder.name, None)
        models = {one.kind + SUFFIX: model_of(one.kind, one.encoder) for one in new}
        write_manifest(
            staging,
            {file: model.licence for file, model in models.items()},
            {
                one.kind + SUFFIX: {
                    "model": models[one.kind + SUFFIX].name,
                    "origin": one.origin,
                    "source_sha256": one.sha256,
                }
                for one in new
            },
        )
        save_manifest(staging, {**kept, **read_manifest(staging)})
        _move_in(staging, folder, [*models, MANIFEST])


def check(name: str, opened: Callable[[Path], None]) -> tuple[Path, list[str]]:
    """A model's folder and what is wrong with it; `opened` opens files that are not safetensors."""
    folder = base_folder() if name == BASE else _own_folder(name)
    problems = verify(folder)
    if not any(problem.startswith(str(folder / MANIFEST)) for problem in problems):
        bad = " ".join(problems)
        for file in (folder / listed for listed in read_manifest(folder)):
            if str(file) not in bad:
                problems += _unopened(file, opened)
    return folder, problems


def listed_files(name: str) -> tuple[Path, list[str]]:
    """The folder of an imported model and those of its listed files that are its own."""
    folder = _own_folder(name)
    listing = _listing(folder)
    if name in BY_NAME and name != HIERSPEECHPP:
        return folder, [kind + SUFFIX for kind in parts_of(name, folder)]
    return folder, [file for file in listing if _is_inside(folder, file)]


def remove(folder: Path, files: Collection[str]) -> None:
    """Delete `files`, all of them listed; the manifest and the folder go with the last one."""
    left = {name: facts for name, facts in _listing(folder).items() if name not in files}
    for name in files:
        (folder / name).unlink(missing_ok=True)
    if left:
        save_manifest(folder, left)
        return
    (folder / MANIFEST).unlink()
    for place in sorted({(folder / name).parent for name in files} | {folder}, reverse=True):
        if place.is_dir() and not any(place.iterdir()):
            place.rmdir()


def _own_folder(name: str) -> Path:
    """The folder under the user's models in which a model lies."""
    if name == BASE:
        raise InputError("base comes with avdub and stays", "uninstall avdub to be rid of it")
    if Path(name).name != name or name in ("", ".", ".."):
        raise InputError(f"{name!r} is no model's name", "see `avdub models list`")
    model = BY_NAME.get(name)
    folder = family_folder() if model and model.kinds else user_models() / name
    if not (folder / MANIFEST).is_file() or (model and model.kinds and not _has(name, folder)):
        raise WeightsError(f"the model {name!r} is not installed", "see `avdub models list`")
    return folder


def _listing(folder: Path) -> dict[str, dict[str, Any]]:
    try:
        return read_manifest(folder)
    except WeightsError as error:
        hint = "delete that file, then import the model's files again with --force"
        raise WeightsError(error.message, hint) from error


def _has(name: str, folder: Path) -> bool:
    return name == HIERSPEECHPP or bool(parts_of(name, folder))


def _is_inside(folder: Path, name: str) -> bool:
    """A manifest that was tampered with must not lead to files elsewhere."""
    return (folder / name).resolve().is_relative_to(folder.resolve())


def _unopened(file: Path, opened: Callable[[Path], None]) -> Iterator[str]:
    try:
        if file.suffix != SUFFIX:
            opened(file)
        elif read_tensors(file)[0].get("format") != FORMAT:
            yield f"{file} was not written by avdub"
    except WeightsError as error:
        yield error.message


def _check_space(new: Sequence[Official], folder: Path) -> None:
    wanted = HEADROOM * sum(
        tensor.numel() * tensor.element_size()
        for one in new
        for tensor in one.module.state_dict().values()
    )
    place = next(parent for parent in folder.parents if parent.is_dir())
    free = shutil.disk_usage(place).free
    if free < wanted:
        raise InputError(
            f"the disk of {place} has {free / 1e9:.1f} GB free; {wanted / 1e9:.1f} GB are needed",
            "free some space, or set AVDUB_HOME to a folder on another disk",
        )


@contextmanager
def _staging(folder: Path) -> Iterator[Path]:
    """A folder beside `folder`, on the same disk, that is gone afterwards."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=f".{folder.name}-", dir=folder.parent, ignore_cleanup_errors=True
        ) as place:
            yield Path(place)
    except (PermissionError, FileExistsError, NotADirectoryError) as error:
        raise InputError(
            f"{folder} cannot be written to: {error.strerror}",
            "check its rights, or set AVDUB_HOME to a folder of yours",
        ) from error
    finally:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _move_in(staging: Path, folder: Path, names: Sequence[str]) -> None:
    """Renames only; what was there comes back when one fails."""
    aside = staging / "replaced"
    aside.mkdir()
    moved: list[str] = []
    try:
        for name in names:
            if (folder / name).exists():
                (folder / name).replace(aside / name)
            moved.append(name)
            (staging / name).replace(folder / name)
    except BaseException:
        for name in moved:
            (folder / name).unlink(missing_ok=True)
        for old in aside.iterdir():
            old.replace(folder / old.name)
        raise
