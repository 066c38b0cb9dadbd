"""The manifest beside an output: what it was made from and how each segment came out, as JSON.

`manifest.schema.json` describes it. All that differs between two equal runs is under `run`. What
is read back may come from anywhere: what avdub did not write is told apart and never replaced.
"""

import json
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from avdub.errors import AvdubError, InputError
from avdub.jobs.recipe import NO_MATTER, Recipe
from avdub.media.place import Part
from avdub.pipeline.report import DubReport, SegmentReport

SCHEMA = 1
MADE_BY = "avdub"
SUFFIX = ".avdub.json"
DONE, FAILED = "done", "failed"
LARGEST = 64 << 20  # bytes
OF_THE_RUN = frozenset({"seconds", "cached"})  # fields of reports that tell of this run only


def manifest_path(output: Path) -> Path:
    """`<output>.avdub.json`."""
    return output.with_name(output.name + SUFFIX)


@dataclass(frozen=True)
class Manifest:
    """A manifest that avdub wrote, as far as it can be trusted: every access is checked."""

    content: Mapping[str, Any]

    @property
    def is_done(self) -> bool:
        return self.content.get("status") == DONE

    @property
    def statuses(self) -> tuple[str, ...]:
        """Of the segments, in order."""
        listed = self.content.get("segments")
        each = listed if isinstance(listed, list) else []
        return tuple(str(s.get("status")) for s in each if isinstance(s, dict))

    @property
    def output_size(self) -> int | None:
        """Bytes of the output it tells of, None where there was none."""
        size = _part(self.content, "output").get("bytes")
        return size if isinstance(size, int) else None

    def differences(self, recipe: Recipe, output: Path) -> list[str]:
        """Why a dub by `recipe` would not be what lies at `output`, for people."""
        found = [] if output.is_file() else [f"{output.name} is missing"]
        if not found and output.stat().st_size != self.output_size:
            found.append(f"{output.name} is not of the size that was written")
        mine = _part(self.content, "inputs")
        roles = [*recipe.inputs, *(role for role in mine if role not in recipe.inputs)]
        for role in roles:
            source = recipe.inputs.get(role)
            if source is None or _part(mine, role).get("sha256") != source.sha256:
                found.append(f"the {role} changed")
        options = _part(self.content, "options")
        wanted = recipe.choices
        names = [name for name in {**wanted, **options} if name not in NO_MATTER]
        found += [f"option {n} changed" for n in names if options.get(n) != wanted.get(n)]
        if self.content.get("version") != recipe.version:
            found.append(f"made by avdub {self.content.get('version')}")
        if _part(self.content, "model").get("weights") != dict(recipe.weights):
            found.append("the weights changed")
        return found


def read_manifest(output: Path) -> Manifest | None:
    """The manifest of an output; None where there is none.

    Raises InputError where a file that avdub did not write has that name.
    """
    path = manifest_path(output)
    foreign = InputError(f"{path} is no manifest of avdub", "rename or remove that file")
    if not os.path.lexists(path):
        return None
    if not path.is_file() or path.stat().st_size > LARGEST:
        raise foreign
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise foreign from error
    if not isinstance(content, dict) or content.get("made_by") != MADE_BY:
        raise foreign
    return Manifest(content)


def write_manifest(output: Path, content: Mapping[str, Any]) -> Path:
    """Write the manifest beside its name, then rename; returns its path.

    Raises InputError where it cannot be written or a file that is not ours has its name.
    """
    read_manifest(output)
    path = manifest_path(output)
    part: Part | None = None
    try:
        text = json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)
        part = Part(path)
        part.path.write_text(text + "\n", encoding="utf-8")
        part.put()
    except OSError as error:
        raise InputError(
            f"{path} cannot be written: {error.strerror}", "free some space or pass --no-manifest"
        ) from error
    finally:
        if part is not None:
            part.discard()
    return path


def manifest_of(recipe: Recipe, report: DubReport) -> dict[str, Any]:
    """What a finished dub tells."""
    facts, adaptation = report.made_by, report.adaptation
    cached = {str(each.index): list(each.cached) for each in report.segments if each.cached}
    learned = adaptation.as_json() if adaptation else None
    return {
        **_head(DONE, recipe, report.output),
        "frames": report.frames,
        "duration_s": report.duration_s,
        "model": {
            "name": recipe.options.model,
            "mouth": facts.mouth if facts else "",
            "voices": list(facts.voices) if facts else [],
            "licences": list(facts.licences) if facts else [],
            "weights": dict(recipe.weights),
        },
        "segments": [_segment(each) for each in report.segments],
        "adaptation": _lasting(learned) if learned else None,
        "lips": asdict(report.lips) if report.lips else None,
        "picture": asdict(report.picture) if report.picture else None,
        "warnings": list(report.warnings),
        "error": None,
        "run": {
            "finished": _now(),
            "timing": dict(report.timing),
            "peak_rss_mb": report.peak_rss_mb,
            "adaptation": _passing(learned) if learned else None,
            "cached": cached,
        },
    }


def failed_manifest(
    recipe: Recipe, output: Path, error: AvdubError, seconds: float
) -> dict[str, Any]:
    """What is left of a dub that failed; an output of an earlier one may still be there."""
    return {
        **_head(FAILED, recipe, output),
        "model": {"name": recipe.options.model, "weights": dict(recipe.weights)},
        "error": {
            "kind": type(error).__name__,
            "message": error.message,
            "hint": error.hint,
            "exit_code": error.exit_code,
        },
        "run": {"finished": _now(), "timing": {"total_s": round(seconds, 3)}},
    }


def _head(status: str, recipe: Recipe, output: Path) -> dict[str, Any]:
    size = output.stat().st_size if output.is_file() else None
    return {
        "schema": SCHEMA,
        "made_by": MADE_BY,
        "version": recipe.version,
        "status": status,
        "output": {"name": output.name, "bytes": size},
        "inputs": {
            role: {
                "path": _seen_from(output.parent, source.path),
                "sha256": source.sha256,
                "bytes": source.size,
            }
            for role, source in recipe.inputs.items()
        },
        "options": recipe.choices,
    }


def _segment(report: SegmentReport) -> dict[str, Any]:
    return _lasting(asdict(report))


def _lasting(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in OF_THE_RUN}


def _passing(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name in OF_THE_RUN}


def _seen_from(folder: Path, path: Path) -> str:
    """Relative, so that a folder that is moved as a whole keeps true manifests."""
    try:
        return Path(os.path.relpath(path.absolute(), folder.absolute())).as_posix()
    except ValueError:  # on another drive
        return path.absolute().as_posix()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _part(content: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = content.get(name)
    return part if isinstance(part, dict) else {}


def _finite(value: Any) -> Any:
    """JSON knows no infinities."""
    if isinstance(value, Mapping):
        return {str(name): _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
