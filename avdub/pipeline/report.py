"""What a run tells afterwards: the objects behind `--json`."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

DUBBED, VOICE_ONLY, KEPT, FAILED = "dubbed", "voice_only", "kept", "failed"


@dataclass(frozen=True)
class ModelFacts:
    """What made a dub: the model, how its mouths were made, the voices, and all licences."""

    model: str
    mouth: str
    voices: tuple[str, ...]
    licences: tuple[str, ...]

    @property
    def is_bridged(self) -> bool:
        """Whether mouths come from what another family's encoder hears in the speech."""
        return self.mouth.startswith("bridge")

    def as_json(self) -> dict[str, object]:
        """Plain values for `--json`."""
        return {
            "model": self.model,
            "mouth": self.mouth,
            "voices": list(self.voices),
            "licences": list(self.licences),
        }


@dataclass(frozen=True)
class SegmentReport:
    """One segment's outcome. `natural_s` is the unfitted length, `rate` natural over spoken."""

    index: int
    start_s: float
    end_s: float
    text: str
    voice: str
    status: str
    reason: str = ""
    natural_s: float | None = None
    rate: float | None = None
    face: int | None = None


@dataclass(frozen=True)
class DubReport:
    """The whole run. `timing` maps `<stage>_s` to seconds."""

    output: Path
    frames: int
    duration_s: float
    segments: tuple[SegmentReport, ...]
    timing: dict[str, float] = field(default_factory=dict)
    peak_rss_mb: float = 0.0
    warnings: tuple[str, ...] = ()
    made_by: ModelFacts | None = None

    @property
    def exit_code(self) -> int:
        """0 when every segment is dubbed, 5 when some kept their original or failed."""
        return 0 if all(s.status == DUBBED for s in self.segments) else 5

    def as_json(self) -> dict[str, object]:
        """Plain values for `--json`."""
        plain = asdict(self)
        del plain["made_by"]
        facts = self.made_by.as_json() if self.made_by else {}
        return {**plain, **facts, "output": str(self.output), "warnings": list(self.warnings)}
