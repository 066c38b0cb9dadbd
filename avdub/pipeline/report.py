"""What a run tells afterwards: the objects behind `--json`."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from avdub.errors import AvdubError

if TYPE_CHECKING:
    from avdub.media.spliced import Spliced
    from avdub.pipeline.prosody import Prosody

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
    prosody: "Prosody | None" = None
    cached: tuple[str, ...] = ()  # kinds of products that were kept by an earlier run


def in_words(error: Exception) -> str:
    """Why a segment failed, for people."""
    if isinstance(error, AvdubError):
        return error.message
    return f"{type(error).__name__}: {error}".rstrip(": ")


@dataclass(frozen=True)
class LipReport:
    """How far the lips are opened for this video's speakers over the model's own opening, or in
    `reason` why that is as the model has it.

    Of held-out frames: the mean error of the opening before and after, in inter-ocular distances,
    and its spread over the real one's.
    """

    gain: float = 1.0
    reason: str = ""
    errors: tuple[float, float] | None = None
    amplitudes: tuple[float, float] | None = None

    @property
    def sentence(self) -> str:
        """For people."""
        if self.errors is None:
            return f"lips open as far as the model has it: {self.reason}"
        less = 1 - self.errors[1] / self.errors[0]
        return (
            f"lips open {self.gain:.2f} times as far as the model has it, as this speaker's do "
            f"({less:.0%} less error on held-out frames)"
        )


@dataclass(frozen=True)
class AdaptationReport:
    """What adapting the face generator to the video's actor brought.

    `kept` says whether anything is used, `reason` why the painter is not. PSNR in dB inside the
    mouth's mask and of the lips, of frames that were not learned from; `lip_error` of the lips'
    opening before and after, likewise, in inter-ocular distances.
    """

    kept: bool
    reason: str = ""
    frames: int = 0  # learned from
    steps: int = 0
    before_db: float | None = None
    after_db: float | None = None
    lips_before_db: float | None = None
    lips_after_db: float | None = None
    lip_gain: float = 1.0
    lip_error: tuple[float, float] | None = None
    lip_reason: str = ""
    seconds: float = 0.0
    cached: bool = False

    @property
    def gain_db(self) -> float:
        """In the mask, of what is used: 0 where the painter stays as it was."""
        return self._gain(self.before_db, self.after_db)

    @property
    def lips_gain_db(self) -> float:
        """Likewise, of the lips and what they enclose."""
        return self._gain(self.lips_before_db, self.lips_after_db)

    def _gain(self, before: float | None, after: float | None) -> float:
        if self.reason or before is None or after is None:
            return 0.0
        return round(after - before, 2)

    @property
    def sentence(self) -> str:
        """For people."""
        if not self.kept:
            return f"the face is not adapted: {self.reason}"
        gains = f"mouth {self.gain_db:+.1f} dB, lips {self.lips_gain_db:+.1f} dB on held-out frames"
        painted = self.reason or gains
        lips = f", opened {self.lip_gain:.2f} times as far" if self.lip_gain != 1 else ""
        took = "kept from before" if self.cached else f"in {self.seconds:.0f} s"
        return f"face adapted ({took}): {painted}{lips}"

    @classmethod
    def of(cls, plain: dict[str, Any]) -> "AdaptationReport":
        """From the fields as JSON gives them back."""
        error = plain["lip_error"]
        return cls(**{**plain, "lip_error": tuple(error) if error else None})

    def as_json(self) -> dict[str, object]:
        """Plain values for `--json`."""
        return {**asdict(self), "gain_db": self.gain_db, "lips_gain_db": self.lips_gain_db}


@dataclass(frozen=True)
class DubReport:
    """The whole run. `timing` maps `<stage>_s` to seconds (`paint_s` is a part of `picture_s`),
    `picture` counts the video's packets."""

    output: Path
    frames: int
    duration_s: float
    segments: tuple[SegmentReport, ...]
    timing: dict[str, float] = field(default_factory=dict)
    peak_rss_mb: float = 0.0
    warnings: tuple[str, ...] = ()
    made_by: ModelFacts | None = None
    adaptation: AdaptationReport | None = None
    picture: "Spliced | None" = None
    lips: LipReport | None = None

    @property
    def exit_code(self) -> int:
        """0 when every segment is dubbed, 5 when some kept their original or failed."""
        return 0 if all(s.status == DUBBED for s in self.segments) else 5

    def as_json(self) -> dict[str, object]:
        """Plain values for `--json`."""
        plain = asdict(self)
        del plain["made_by"], plain["adaptation"]
        facts = self.made_by.as_json() if self.made_by else {}
        if self.adaptation is not None:
            facts["adaptation"] = self.adaptation.as_json()
        return {**plain, **facts, "output": str(self.output), "warnings": list(self.warnings)}
