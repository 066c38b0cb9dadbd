"""What a user may choose about a dub. Frozen and hashable: it is part of every cache key."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class DubOptions:
    """Choices of one run. `segments` are 1-based subtitle indexes, None for all."""

    voice: str | None = None  # named, "original" or a sound file; None is the model's default
    language: str = "en"
    segments: frozenset[int] | None = None
    face_backend: str = "mediapipe"
    max_rate: float = 1.5  # how much faster than natural a line may be spoken
    min_rate: float = 0.7  # how much slower it may be drawn out to fill its slot
    pace: float = 1.0  # natural durations are divided by it before they are fitted
    prosody: str = "original"  # melody and level after the original lines, or "plain"
    lips: str = "original"  # opened as far as the original speakers open theirs, or "plain"
    duck_db: float = -60.0  # the original sound under new speech
    audio: Literal["replace", "add", "only"] = "add"  # the original: after the dub, or out
    subs: Literal["none", "soft", "burn"] = "none"  # the subtitles: a track, or drawn in
    crf: int | None = None  # None: as fine as 16, within about the bits of the source
    seed: int = 0
    device: str = "auto"
    model: str = "base"  # the shipped family, an installed one, or a model folder
    overwrite: bool = False
    adapt: bool = False  # first fine-tune the face generator on the video's own actor,
    adapt_seconds: float = 60.0  # ... for so long at most,
    adapt_video: Path | None = None  # ... or on that of another video, of which this is a part
