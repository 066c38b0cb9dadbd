"""What a run tells afterwards: the objects behind `--json`."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

DUBBED, VOICE_ONLY, KEPT, FAILED = "dubbed", "voice_only", "kept", "failed"


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

    @property
    def exit_code(self) -> int:
        """0 when every segment is dubbed, 5 when some kept their original or failed."""
        return 0 if all(s.status == DUBBED for s in self.segments) else 5

    def as_json(self) -> dict[str, object]:
        """Plain values for `--json`."""
        return {**asdict(self), "output": str(self.output), "warnings": list(self.warnings)}
