"""The recipe of a dub: everything that decides what comes out, files by what is in them.

Two dubs of equal recipes are equal, so a recipe tells whether a dub would bring anything new.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import avdub
from avdub.checkpoint import base_folder, sha256
from avdub.home import find_model
from avdub.media.container import check_readable
from avdub.media.subtitles import find_subtitles
from avdub.pipeline.options import DubOptions

WEIGHTS = (".safetensors", ".onnx", ".npz")
# Where the work is done and what it may replace; the model is known by its weights.
NO_MATTER = frozenset({"overwrite", "device", "model", "adapt_video"})


@dataclass(frozen=True)
class Source:
    """An input file by its contents."""

    path: Path
    sha256: str
    size: int  # bytes

    @classmethod
    def of(cls, path: Path) -> "Source":
        """Read a file. Raises InputError where that cannot be done."""
        check_readable(path)
        facts = path.stat()
        return cls(
            path, _contents(path.absolute(), facts.st_size, facts.st_mtime_ns), facts.st_size
        )


@dataclass(frozen=True)
class Recipe:
    """Inputs by role (video, subtitles, voice, adapt_video), choices, weights and version."""

    inputs: Mapping[str, Source]
    options: DubOptions
    weights: Mapping[str, str]  # SHA-256 of each file of the model
    version: str

    @property
    def choices(self) -> dict[str, Any]:
        """All options as plain values; a voice that is a file goes by its name here."""
        plain = plain_options(self.options)
        if "voice" in self.inputs:
            plain["voice"] = self.inputs["voice"].path.name
        return plain


def recipe_of(video: Path, subtitles: Path | None, options: DubOptions) -> Recipe:
    """Read and hash what `dub` would use. Raises InputError or WeightsError."""
    check_readable(video)
    files = {"video": video, "subtitles": subtitles or find_subtitles(video, options.language)}
    voice = Path(options.voice).expanduser() if options.voice else None
    if voice is not None and voice.is_file():
        files["voice"] = voice
    if options.adapt_video is not None:
        files["adapt_video"] = options.adapt_video
    inputs = {role: Source.of(path) for role, path in files.items()}
    return Recipe(inputs, options, weights_of(options.model), avdub.__version__)


def weights_of(model: str) -> dict[str, str]:
    """SHA-256 of each file of a model, and of the shipped ones (`base/…`) that may stand in.

    Raises WeightsError for a model that is not there.
    """
    base, folder = base_folder(), find_model(model) or base_folder()
    hashes = _hashes(folder)
    if folder != base:
        hashes |= {f"base/{name}": digest for name, digest in _hashes(base).items()}
    return hashes


def plain_options(options: DubOptions) -> dict[str, Any]:
    """All options as JSON has them."""
    return {name: _plain(value) for name, value in asdict(options).items()}


def options_from(plain: Mapping[str, Any]) -> DubOptions:
    """The inverse of `plain_options`."""
    fields = dict(plain)
    if fields.get("segments") is not None:
        fields["segments"] = frozenset(fields["segments"])
    if fields.get("adapt_video") is not None:
        fields["adapt_video"] = Path(fields["adapt_video"])
    return DubOptions(**fields)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.suffix in WEIGHTS and p.is_file())
    return {p.relative_to(folder).as_posix(): Source.of(p).sha256 for p in files}


def _plain(value: Any) -> Any:
    if isinstance(value, frozenset | set):
        return sorted(value)
    return str(value) if isinstance(value, Path) else value


@cache
def _contents(path: Path, size: int, changed_ns: int) -> str:
    """Read once a process, and again where size or time of change are others."""
    return sha256(path)
