"""`doctor`: is everything there that a dub needs?"""

import os
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer
from rich.table import Table
from rich.text import Text

import avdub
from avdub.cli import options as opt
from avdub.cli.screen import Screen
from avdub.errors import AvdubError, WeightsError

OK, NOTE, MISSING = "ok", "note", "missing"
STYLES = {OK: "green", NOTE: "yellow", MISSING: "bold red"}
PACKAGES = (
    "av",
    "hibari-tts",
    "moviepy",
    "numpy",
    "onnxruntime",
    "opencv-python",
    "pysubs2",
    "safetensors",
    "scikit-image",
    "soundfile",
    "soxr",
    "swift-f0",
    "torch",
    "transformers",
)
OPTIONAL = {
    "insightface": "only for --face-backend insightface",
    "faster-whisper": "only for training and evaluation",
    "speechmos": "only for training and evaluation",
    "onnx": "only for training",
}
LOW_DISK_GB, LOW_MEMORY_GB = 2, 3


@dataclass(frozen=True)
class Check:
    """One line: what was looked at, how it is (ok, note, missing) and the detail."""

    name: str
    state: str
    detail: str


def doctor_command(
    ctx: typer.Context,
    model: opt.Model = opt.DEFAULTS.model,
    device: opt.Device = "auto",
    as_json: opt.Json = False,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Check versions, weights, codecs, disk and devices; exit code 4 if something is missing."""
    checks = [*_machine(), *_packages(), *_parts(model, device)]
    screen = Screen.of(ctx)
    if as_json:
        screen.print_json({"checks": [asdict(check) for check in checks]})
    else:
        _show(screen, checks)
    missing = [check.name for check in checks if check.state == MISSING]
    if missing:
        raise WeightsError(
            f"not usable: {', '.join(missing)}",
            "reinstall avdub with `pip install --force-reinstall`",
        )


def _show(screen: Screen, checks: list[Check]) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        table.add_row(check.name, Text(check.state, STYLES[check.state]), Text(check.detail))
    screen.stdout.print(table)


def _machine() -> Iterator[Check]:
    yield Check("avdub", OK, avdub.__version__)
    yield Check("Python", OK, f"{platform.python_version()} on {platform.platform()}")
    yield Check("processors", OK, f"{os.cpu_count()}")
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Check("disk here", OK if free_gb >= LOW_DISK_GB else NOTE, f"{free_gb:.1f} GB free")
    try:
        with tempfile.TemporaryFile():
            pass
    except OSError as error:
        yield Check("temporary files", MISSING, str(error))
    else:
        yield Check("temporary files", OK, tempfile.gettempdir())


def _packages() -> Iterator[Check]:
    for name in PACKAGES:
        found = _version(name)
        yield Check(name, OK if found else MISSING, found or "not installed")
    for name, use in OPTIONAL.items():
        found = _version(name)
        yield Check(name, OK if found else NOTE, found or f"not installed, {use}")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _parts(model: str, device: str) -> Iterator[Check]:
    """Load what a dub loads."""
    yield _tried("video codecs", _codecs)
    yield _tried("weights", lambda: _weights(model))
    yield _tried("voices", lambda: _voices(model))
    yield _tried("text", lambda: _text(model))
    yield _tried("face models", lambda: _faces(model))
    yield _tried("device", lambda: _device(device))


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, OK, look())
    except AvdubError as error:
        return Check(name, MISSING, error.message)
    except Exception as error:  # a library that does not even load is what this looks for
        return Check(name, MISSING, f"{type(error).__name__}: {error}")


def _codecs() -> str:
    from avdub.media.writer import CODECS

    return f"can write {', '.join(CODECS)}"


def _weights(model: str) -> str:
    from avdub.checkpoint import verify
    from avdub.pipeline.weights import Weights

    folder = Weights(model).folder
    problems = verify(folder)
    if problems:
        raise WeightsError("; ".join(problems))
    return f"{folder}, all files verified"


def _voices(model: str) -> str:
    from avdub.pipeline.weights import Weights

    weights = Weights(model)
    return f"default {weights.default_voice}; any voice sample"


def _text(model: str) -> str:
    from avdub.pipeline.weights import Weights

    front_end = Weights(model).front_end
    return f"front end {front_end.name}: {front_end.phonemize('ready', 'en')}"


def _faces(model: str) -> str:
    from avdub.faces.detect import make_detector
    from avdub.pipeline.weights import Weights

    make_detector(Weights(model).faces)
    return "face detector and mesh open"


def _device(name: str) -> str:
    from avdub.pipeline.weights import choose_device

    return f"{name} is {choose_device(name)}"
