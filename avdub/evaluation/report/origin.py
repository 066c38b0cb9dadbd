"""Who made the figures of a report: this program, its weights and the judges, each by a name that
tells them from others of the kind."""

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import avdub
from avdub.evaluation.report.document import Origin

if TYPE_CHECKING:
    from avdub.pipeline.weights import Weights

MESH = (
    "MediaPipe face mesh",
    "finds the mouth's points in the pictures; the published network, as shipped with avdub "
    "(faces/face_mesh.onnx); our models learned from its points",
)
BLAZE_FACE = (
    "MediaPipe BlazeFace",
    "finds the faces; the published network, as shipped (faces/face_detection.onnx)",
)
VOICE_ACTIVITY = (
    "Silero VAD",
    "tells where somebody speaks; the published network, as shipped (speech/silero_vad.onnx)",
)


def origin_of(command: tuple[str, ...], weights: "Weights | None") -> Origin:
    """Facts on the program and a model, if one made what was measured; reads all of its files to
    check them against the manifest.

    Raises WeightsError for a model that cannot be read.
    """
    program = ("avdub", str(avdub.__version__))
    if weights is None:
        return Origin(command, (program,))
    from avdub.checkpoint import base_folder, read_facts  # brings torch

    family = read_facts(weights.folder / "text_to_latents.safetensors").get("family", "unknown")
    facts = [
        program,
        ("model", f"{weights.name}, of the family {family}"),
        ("weights", _weights(weights.folder)),
    ]
    if weights.is_bridged:  # the shipped model's mouth
        facts += [("mouths", weights.mouth), ("weights of mouths", _weights(base_folder()))]
    return Origin(command, tuple(facts))


def faces_by(backend: str) -> tuple[tuple[str, str], ...]:
    """Who finds faces and the points of their mouths."""
    if backend == "insightface":
        return (package(backend), "finds the faces, by the user's own model pack"), MESH
    return BLAZE_FACE, MESH


def package(name: str) -> str:
    """An installed package with its version, its name alone where it is not installed."""
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def file_hash(path: Path) -> str:
    """The SHA-256 of a file, told as such."""
    from avdub.checkpoint import sha256

    return f"SHA-256 {sha256(path)}"


def _weights(folder: Path) -> str:
    """The hash of the manifest, and whether the files are those that it lists."""
    from avdub.checkpoint import MANIFEST, verify

    manifest = folder / MANIFEST
    if not manifest.is_file():
        files = sorted(folder.glob("*.safetensors"))
        listed = "; ".join(f"{file.name} {file_hash(file)}" for file in files)
        return f"no {MANIFEST}; {listed}"
    problems = [problem.replace(f"{folder}/", "") for problem in verify(folder)]
    state = "; ".join(problems) or "all files are as it lists them"
    return f"{MANIFEST} {file_hash(manifest)}; {state}"
