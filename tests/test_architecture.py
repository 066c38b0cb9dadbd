"""The house rules of the import graph, the third-party doors and the size limits."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "avdub"
MODULES = sorted(ROOT.rglob("*.py"))
LEAVES = {"timeline", "latents", "progress", "errors", "arenas"}
PARTS = {"media", "faces", "models", "text", "checkpoint", "home", "pitch"}
ALLOWED = {
    **{leaf: LEAVES for leaf in LEAVES},
    **{part: LEAVES | {part} for part in PARTS},
    "models": LEAVES | {"models", "text"},  # the embedding has a row for each symbol of the text
    "registry": LEAVES | {"registry", "home", "checkpoint", "models"},
    # what a training and a dub that learns its own actor share; neither imports the other
    "learning": LEAVES | PARTS | {"learning"},
    "pipeline": LEAVES | PARTS | {"learning", "pipeline"},
    "jobs": LEAVES | PARTS | {"jobs", "pipeline"},
    "report": LEAVES | PARTS | {"report", "pipeline"},
    "evaluation": LEAVES | PARTS | {"evaluation", "pipeline"},
    "training": LEAVES | PARTS | {"learning", "training"},
}
DOORS = {
    "av": {"media"},
    "soundfile": {"media/audio.py", "training/prepare.py", "training/teacher.py"},
    "pysubs2": {"media/subtitles.py"},
    "insightface": {"faces/detect.py"},
    "onnxruntime": {
        "faces/detect.py",
        "media/voice_activity.py",
        "training/teacher.py",
        "evaluation",
    },
    "transformers": {"models/speech_to_latents.py"},
    "safetensors": {"checkpoint.py"},
    "huggingface_hub": {"registry/pull.py"},
    "platformdirs": {"home.py"},
    "typer": {"cli"},
    "rich": {"cli"},
    "moviepy": {"report/preview.py"},
    "matplotlib": {"evaluation/report/plots.py"},
    "hibari": {"text/base.py", "training/teacher.py", "training/sentences.py"},  # its word list
    "phonemizer": {"text/espeak.py"},
    "espeak_english": {"text/espeak.py"},
    "espeakng_loader": {"text/espeak.py"},
    "unidecode": {"text/hierspeechpp.py"},
    "swift_f0": {"pitch.py"},
    "amfm_decompy": {"pitch.py"},
    "onnx": {"training/teacher.py"},
    "ray": {"jobs/cluster.py"},
    "fsspec": {"jobs/shared_store.py"},
    "faster_whisper": {"evaluation/judges.py"},
    "pocketsphinx": {"evaluation/aligner.py"},
    "speechmos": {"evaluation/judges.py"},
    "resemblyzer": {"evaluation/similarity.py"},
}


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> list[str]:
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_follow_the_arrows_and_the_doors(path: Path) -> None:
    allowed = ALLOWED.get(part_of(path))
    place = path.relative_to(ROOT).as_posix()
    for name in imports(path):
        top, *rest = name.split(".")
        if top == "avdub" and allowed is not None and rest:
            assert rest[0] in allowed, f"{place} must not import {name}"
        if top in DOORS:
            doors = DOORS[top]
            assert any(place == d or place.startswith(d + "/") for d in doors), f"{place}: {name}"
        if top == "torch":
            assert part_of(path) not in {"media", "faces", "cli"}, f"{place} must not know torch"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_functions_and_signatures_stay_small(path: Path) -> None:
    source = path.read_text()
    assert source.count("\n") <= 300, f"{path} is longer than 300 lines"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 60, f"{path}: {node.name} has {length} lines"
            n_args = len(node.args.args) + len(node.args.kwonlyargs)
            assert n_args <= 8 or part_of(path) == "cli", f"{path}: {node.name} takes {n_args}"
