"""How far this video's own speakers open their mouths: the lip head stretched to them.

On people it never heard the head is right in time and too small. The plan has followed their faces
and the video has their sound, so a dub can ask both, in a second or two, and nothing is painted to
find out. `--adapt` does the same, and the painter too.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from avdub.faces.outline import Followed
from avdub.faces.track import FaceTrack
from avdub.learning.lip_actor import LipFit, fit_lips, widen
from avdub.media.probe import MediaInfo
from avdub.models.latents_to_face import LatentsToFace
from avdub.pipeline.keep_speech import mouth_files
from avdub.pipeline.report import LipReport
from avdub.pipeline.store import Form, Memory, Product, numerics
from avdub.pipeline.tracks import Tracks
from avdub.pipeline.watch import spoken, watched
from avdub.pipeline.weights import Weights
from avdub.timeline import Span

LISTENED_S = 30.0  # of faces; more would tell little more
PART_S = 6.0  # of a track at a time, so that they come from all over a long video
FOREVER = float("inf")


@dataclass(frozen=True)
class Fitted:
    """What was found out: how to stretch the lip head, or why not."""

    fit: LipFit | None
    why_not: str = ""


def fit_mouth(
    info: MediaInfo,
    tracks: Sequence[FaceTrack] | Tracks,
    weights: Weights,
    memory: Memory | None = None,
) -> tuple[LatentsToFace, LipReport]:
    """The face model with its lip head stretched as far as the faces of `tracks` open when they
    speak, or as it is, and why. `memory` knows what earlier runs found out."""
    model, memory = weights.latents_to_face, memory or Memory()
    parts = parts_of(tracks, float(info.rate))

    def make() -> Fitted:
        seen = watched(info, parts)
        said = spoken(info, seen, weights, model, FOREVER) if len(seen) else None
        return Fitted(*(fit_lips(said) if said is not None else (None, "nobody is seen and heard")))

    looks = [(part.frames, part.landmarks, part.visible) for part in parts]
    found = memory.recall(LIPS, (info.path, looks, mouth_files(weights), numerics()), make)
    report = _report(found.fit, found.why_not)
    return (widen(model, found.fit) if found.fit else model), report


def parts_of(tracks: Sequence[FaceTrack] | Tracks, rate: float) -> list[FaceTrack]:
    """Pieces of tracks, up to LISTENED_S of paintable frames from all over the video, in time
    order."""
    length = max(1, round(PART_S * rate))
    outlines = list(tracks.outlines.values()) if isinstance(tracks, Tracks) else tracks
    pieces = [(n, piece) for n, each in enumerate(outlines) for piece in _pieces(each, length)]
    pieces.sort(key=lambda found: outlines[found[0]].frames.start + found[1].start)
    wanted = max(1, int(LISTENED_S // PART_S))
    if len(pieces) > wanted:
        even = np.linspace(0, len(pieces) - 1, wanted).round().astype(int)
        pieces = [pieces[n] for n in even]
    return [_cut(tracks[n], piece) for n, piece in pieces]


def _pieces(track: Followed, length: int) -> list[Span]:
    """Places of about `length` frames in a track, those with anything to see."""
    n_frames = len(track.frames)
    edges = np.linspace(0, n_frames, -(-n_frames // length) + 1).round().astype(int).tolist()
    return [Span(low, high) for low, high in pairwise(edges) if track.visible[low:high].any()]


def _cut(track: FaceTrack, piece: Span) -> FaceTrack:
    """The frames at some places of a track, in memory of their own."""
    inside = slice(piece.start, piece.end)
    return replace(
        track,
        frames=Span(track.frames.start + piece.start, track.frames.start + piece.end),
        landmarks=track.landmarks[inside].copy(),
        box=track.box[inside].copy(),
        visible=track.visible[inside].copy(),
        reason=track.reason[inside],
    )


def _packed(found: Fitted) -> Product:
    fit = found.fit
    if fit is None:
        return Product({}, {"why_not": found.why_not})
    facts = {"gain": fit.gain, "correlation": fit.correlation}
    return Product(
        {"change": fit.change},
        {**facts, "errors": list(fit.errors), "amplitudes": list(fit.amplitudes)},
    )


def _unpacked(product: Product) -> Fitted:
    facts = product.facts
    if "why_not" in facts:
        return Fitted(None, str(facts["why_not"]))
    before, after = (float(x) for x in facts["errors"])
    low, high = (float(x) for x in facts["amplitudes"])
    change = np.asarray(product.arrays["change"], np.float64)
    correlation = float(facts["correlation"])
    return Fitted(LipFit(float(facts["gain"]), change, (before, after), correlation, (low, high)))


LIPS = Form("lips", 1, _packed, _unpacked)


def _report(fit: LipFit | None, why_not: str) -> LipReport:
    if fit is None:
        return LipReport(1.0, why_not)
    return LipReport(
        round(fit.gain, 2),
        "",
        (round(fit.errors[0], 4), round(fit.errors[1], 4)),
        (round(fit.amplitudes[0], 2), round(fit.amplitudes[1], 2)),
    )
