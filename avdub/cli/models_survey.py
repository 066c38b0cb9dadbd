"""Which models are here, in what state, and what to type next."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avdub.errors import AvdubError
from avdub.home import BASE
from avdub.registry.catalogue import (
    HIERSPEECHPP,
    INSIGHTFACE,
    MMS,
    MODELS,
    SPEECH_SR,
    XLS_R,
    Model,
)

NEXT = {
    BASE: "avdub dub VIDEO",
    HIERSPEECHPP: "avdub models pull hierspeechpp",
    SPEECH_SR: "avdub models pull hierspeechpp",
    MMS: "avdub models pull mms-300m",
    XLS_R: "avdub models pull xls-r-300m",
    INSIGHTFACE: "put a pack's .onnx files into a folder there, such as buffalo_l",
}
USE = {
    HIERSPEECHPP: "avdub dub VIDEO --model hierspeechpp",
    SPEECH_SR: "avdub dub VIDEO --model hierspeechpp",
    MMS: "avdub models verify mms-300m",
    XLS_R: "avdub models verify xls-r-300m",
    INSIGHTFACE: "avdub dub VIDEO --face-backend insightface",
}


@dataclass(frozen=True)
class Survey:
    """A model, whether it is here, where, how large, and which parts are missing."""

    model: Model
    state: str
    folder: Path
    n_bytes: int
    missing: tuple[str, ...] = ()
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        """Plain values, the next command included."""
        return {
            **asdict(self.model),
            "state": self.state,
            "missing": list(self.missing),
            "problem": self.problem,
            "folder": str(self.folder),
            "n_bytes": self.n_bytes or self.model.n_bytes,
            "next": next_command(self),
        }


def next_command(survey: Survey) -> str:
    """What to type next."""
    name = survey.model.name
    if survey.state == "damaged":
        return f"delete {survey.folder / 'manifest.json'}, then import the files with --force"
    if survey.state == "installed":
        return USE[name]
    only = survey.missing or survey.model.kinds if name == SPEECH_SR else ()
    return " ".join([NEXT[name], *(f"--only {kind}" for kind in only)])


def survey_models() -> list[Survey]:
    """Every model of the catalogue."""
    return [_survey(model) for model in MODELS]


def _survey(model: Model) -> Survey:
    from avdub.checkpoint import base_folder
    from avdub.registry.store import family_folder, parts_of

    if model.name == BASE:
        return Survey(model, "shipped", base_folder(), _size(base_folder(), "*"))
    if model.name == INSIGHTFACE:
        packs = Path.home() / ".insightface" / "models"
        there = _size(packs, "*.onnx")
        return Survey(model, "installed" if there else "not installed", packs, there)
    try:
        parts = parts_of(model.name, family_folder())
    except AvdubError as error:
        return Survey(model, "damaged", family_folder(), 0, problem=error.message)
    missing = tuple(kind for kind in model.kinds if kind not in parts)
    state = "installed" if not missing else "partly" if parts else "not installed"
    there = sum(int(facts.get("bytes", 0)) for facts in parts.values())
    return Survey(model, state, family_folder(), there, missing if parts else ())


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern) if path.is_file())
