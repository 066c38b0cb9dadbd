"""Weights in and out: safetensors whose header carries the kind, the family and the config as JSON.

Finds the shipped base family, verifies it, lists its voices. Knows no model: callers pass the
module class and its config class. Never a pickle.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from avdub.errors import InputError, WeightsError

FORMAT = "avdub-1"
MANIFEST = "manifest.json"
VOICES = "voices"
REINSTALL = "install avdub again, or give the folder of a whole model family"
M = TypeVar("M", bound=nn.Module)
T = TypeVar("T")


@dataclass(frozen=True)
class Voice:
    """A named voice: its style vectors lie in `voices.safetensors` as `<name>.text|speech`."""

    name: str
    language: str
    gender: str
    description: str
    origin: str
    licence: str


def base_folder() -> Path:
    """The shipped weights: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).parent
    inside = here / "assets" / "base"
    return inside if inside.is_dir() else here.parent / "assets" / "base"


def save_module(
    path: Path,
    module: nn.Module,
    config: object,
    family: str = "base",
    dtype: torch.dtype | None = torch.float16,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write `module` beside its name, then rename; floats become `dtype`, None keeps every bit.

    `facts` are further entries of the header.
    """
    tensors = {
        k: (v.to(dtype) if v.is_floating_point() and dtype else v).contiguous().cpu()
        for k, v in module.state_dict().items()
    }
    assert is_dataclass(config), "a config is a dataclass"
    assert not isinstance(config, type), "a config is an instance"
    header = {
        **(facts or {}),
        "format": FORMAT,
        "kind": type(module).__name__,
        "family": family,
        "config": json.dumps(asdict(config)),
    }
    _write(path, tensors, header)


def load_module(path: Path, module: type[M], config: type) -> M:
    """Build `module(config)` from a file, in float32 and evaluation mode.

    Raises WeightsError where the file is missing, damaged, of another kind or does not fit.
    """
    header, tensors = read_tensors(path)
    kind = header.get("kind")
    if header.get("format") != FORMAT or kind != module.__name__:
        raise WeightsError(
            f"{path} holds {kind or 'something else'}, not {module.__name__}", REINSTALL
        )
    made = module(_config(config, json.loads(header["config"]), path))
    floats = {k: v.float() if v.is_floating_point() else v for k, v in tensors.items()}
    try:
        made.load_state_dict(floats)
    except RuntimeError as error:
        raise WeightsError(f"{path} does not fit its own config: {error}", REINSTALL) from error
    return made.eval()


def read_facts(path: Path) -> dict[str, Any]:
    """What a weights file says of itself without its tensors: `kind`, `family`, `config`.

    Raises WeightsError.
    """
    header = _opened(path, lambda file: file.metadata() or {})
    if header.get("format") != FORMAT:
        raise WeightsError(f"{path} was not written by avdub", REINSTALL)
    return {**header, "config": json.loads(header.get("config", "{}"))}


def save_voices(folder: Path, voices: Mapping[str, tuple[Voice, Mapping[str, Tensor]]]) -> None:
    """Write `voices.safetensors` with each voice's style vectors and its description."""
    tensors = {
        f"{name}.{use}": style.contiguous()
        for name, (_, styles) in voices.items()
        for use, style in styles.items()
    }
    listing = json.dumps([asdict(voice) for voice, _ in voices.values()])
    header = {"format": FORMAT, "kind": VOICES, "voices": listing}
    _write(folder / f"{VOICES}.safetensors", tensors, header)


def has_voices(folder: Path) -> bool:
    """Whether a model folder has named voices."""
    return (folder / f"{VOICES}.safetensors").is_file()


def list_voices(folder: Path | None = None) -> list[Voice]:
    """The voices of a model folder, in shipping order."""
    header, _ = read_tensors((folder or base_folder()) / f"{VOICES}.safetensors")
    return [Voice(**fields) for fields in json.loads(header.get("voices", "[]"))]


def load_voice(name: str, folder: Path | None = None) -> dict[str, Tensor]:
    """Style vectors {use: (1, G, 1)} of a named voice. Raises InputError listing the voices."""
    _, tensors = read_tensors((folder or base_folder()) / f"{VOICES}.safetensors")
    found = {
        k.rpartition(".")[2]: v.float() for k, v in tensors.items() if k.rpartition(".")[0] == name
    }
    if not found:
        names = ", ".join(voice.name for voice in list_voices(folder))
        raise InputError(f"there is no voice {name!r}", f"the voices are {names}")
    return found


def write_manifest(
    folder: Path,
    licences: Mapping[str, str],
    facts: Mapping[str, Mapping[str, str]] | None = None,
) -> None:
    """List every file of a model folder with its SHA-256, licence and further `facts`."""
    more = facts or {}
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _WEIGHTS)
    listing = {
        p.relative_to(folder).as_posix(): {
            "sha256": sha256(p),
            "bytes": p.stat().st_size,
            "licence": licences[p.relative_to(folder).as_posix()],
            **more.get(p.relative_to(folder).as_posix(), {}),
        }
        for p in files
    }
    save_manifest(folder, listing)


def save_manifest(folder: Path, listing: Mapping[str, Mapping[str, Any]]) -> None:
    """Write a listing (file name to facts) beside its name, then rename."""
    temporary = folder / f".{MANIFEST}.part"
    temporary.write_text(json.dumps(listing, indent=2) + "\n", encoding="utf-8")
    temporary.replace(folder / MANIFEST)


def read_manifest(folder: Path) -> dict[str, dict[str, Any]]:
    """What a model folder lists: file name to facts. Raises WeightsError without a readable one."""
    path = folder / MANIFEST
    if not path.is_file():
        raise WeightsError(f"{path} is missing", REINSTALL)
    try:
        listing = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): {"sha256": facts["sha256"], **facts} for name, facts in listing.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise WeightsError(f"{path} is damaged and cannot be read", REINSTALL) from error


def verify(folder: Path | None = None) -> list[str]:
    """What is wrong with a model folder, a sentence each; empty when all is well."""
    folder = folder or base_folder()
    try:
        listing = read_manifest(folder)
    except WeightsError as error:
        return [error.message]
    problems = []
    for name, facts in listing.items():
        file = folder / name
        if not file.is_file():
            problems.append(f"{file} is missing")
        elif sha256(file) != facts["sha256"]:
            problems.append(f"{file} is damaged (its SHA-256 differs)")
    return problems


def read_tensors(path: Path) -> tuple[dict[str, str], dict[str, Tensor]]:
    """The header and all tensors of a safetensors file. Raises WeightsError."""
    return _opened(
        path,
        lambda file: (file.metadata() or {}, {k: file.get_tensor(k) for k in file.keys()}),  # noqa: SIM118
    )


def _opened(path: Path, read: Callable[[Any], T]) -> T:
    if not path.is_file():
        raise WeightsError(f"model weights are missing: {path}", REINSTALL)
    try:
        with safe_open(path, "pt") as file:
            return read(file)
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path} is not a readable weights file: {error}", REINSTALL) from error


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


_WEIGHTS = (".safetensors", ".onnx", ".npz")


def _config(cls: type, fields: Mapping[str, Any], path: Path) -> Any:
    """Plain values to a (nested) config dataclass; unknown keys are an error."""
    hints = get_type_hints(cls)
    try:
        return cls(**{k: _value(hints[k], v, path) for k, v in fields.items()})
    except (KeyError, TypeError) as error:
        raise WeightsError(f"{path} has an unknown setting: {error}", REINSTALL) from error


def _value(hint: Any, value: Any, path: Path) -> Any:
    for each in (hint, *get_args(hint)):  # a config may be optional
        if is_dataclass(each) and isinstance(each, type) and isinstance(value, dict):
            return _config(each, value, path)
    return tuple(value) if isinstance(value, list) and get_args(hint) else value


def _write(path: Path, tensors: dict[str, Tensor], header: dict[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.part")
    try:
        save_file(tensors, temporary, header)
        temporary.chmod(0o644)  # safetensors makes files that only their owner may read
        temporary.replace(path)
    except SafetensorError as error:  # a full disk is no OSError in that library
        raise InputError(
            f"{path} cannot be written: {error}", "free some space or check the folder's rights"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
