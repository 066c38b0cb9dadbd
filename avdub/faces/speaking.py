"""Who talks when: the mouth that moves, and moves with the sound; a tag keeps its face."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from avdub.faces.boxes import overlap
from avdub.faces.lips import interocular
from avdub.faces.outline import Outline
from avdub.faces.smoothing import smooth
from avdub.faces.track import FaceTrack
from avdub.timeline import Segment, Span, Timeline

Floats = NDArray[np.float32]

MIN_SEEN = 0.3  # share of the slot a face must be paintable in, if another is seen longer
SAME_PERSON = 0.4  # cosine of two ArcFace embeddings
MAX_LAG_S = 0.12  # lips may lead or follow the sound by so much


def mouth_opening(track: FaceTrack) -> Floats:
    """Gap of the inner lips over the inter-ocular distance (N,), without a template."""
    gap = np.linalg.norm(track.landmarks[:, 13] - track.landmarks[:, 14], axis=-1)
    return np.asarray(gap / np.maximum(interocular(track.landmarks), 1e-6), np.float32)


def outline(track: FaceTrack, home: Span | None = None) -> Outline:
    """All of a track but its landmarks; `home` is where segments begin that it may speak."""
    return Outline(
        track.id,
        track.frames,
        np.asarray(track.box.mean(0), np.float32),
        track.visible,
        track.reason,
        track.shot,
        mouth_opening(track),
        track.identity,
        home,
    )


def speaking_score(opening: Floats, energy: Floats | None, rate: float) -> float:
    """How much a mouth talks in a slot: its `opening` (n,) against the sound's `energy` (n,).

    The mean speed of the lips (in inter-ocular distances a second), more the better it goes with
    the sound: weighed 0.5 (against or without it) to 1.5 (exactly with it).
    """
    if len(opening) < 3:
        return 0.0
    speed = float(np.abs(np.diff(smooth(opening, 0.03 * rate))).mean() * rate)
    if energy is None:
        return 0.5 * speed
    return speed * (0.5 + max(0.0, agreement(opening, energy, rate)))


def agreement(opening: Floats, energy: Floats, rate: float) -> float:
    """Best correlation of `opening` and `energy` (both (n,)) over lags up to MAX_LAG_S."""
    reach = min(round(MAX_LAG_S * rate), len(opening) // 4)
    power = np.maximum(np.asarray(energy, np.float64), 0)
    loud = np.log1p(power / max(float(power.mean()), 1e-12))
    best = -1.0
    for lag in range(-reach, reach + 1):
        a = opening[max(0, lag) : len(opening) + min(0, lag)]
        b = loud[max(0, -lag) : len(loud) + min(0, -lag)]
        best = max(best, _correlation(a, b))
    return best


def assign(
    segments: Sequence[Segment],
    tracks: Sequence[Outline],
    timeline: Timeline,
    energy: Floats | None = None,
) -> dict[int, tuple[int | None, str]]:
    """For each segment's index the id of the face that speaks it, or None, and why.

    energy holds the sound's power at each frame of `timeline`. Segments with the same speaker tag
    pool their scores, so a tag stays with one person of the shot (of the video, if the tracks
    carry identities).
    """
    assert energy is None or len(energy) == len(timeline.frame_times), "one energy a frame"
    rate = _rate(timeline)
    persons = _persons(tracks)
    scores: dict[int, dict[int, float]] = {}
    pooled: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for segment in segments:
        mine = _scores(timeline.frames(segment), tracks, energy, rate)
        scores[segment.index] = mine
        for track_id, score in mine.items():
            pooled[segment.speaker or ""][persons[track_id]] += score
    return {
        each.index: _choice(each, scores[each.index], pooled[each.speaker or ""], persons)
        if scores[each.index]
        else (None, _absence(timeline.frames(each), tracks))
        for each in segments
    }


def _scores(
    span: Span, tracks: Sequence[Outline], energy: Floats | None, rate: float
) -> dict[int, float]:
    seen = {track.id: track.seen(span) for track in _at_home(span, tracks)}
    enough = MIN_SEEN * max(seen.values(), default=0)
    scores = {}
    for track in tracks:
        if not seen.get(track.id) or seen[track.id] < enough:
            continue
        low, high = max(span.start, track.frames.start), min(span.end, track.frames.end)
        part = track.opening[low - track.frames.start : high - track.frames.start]
        sound = None if energy is None else energy[low:high]
        scores[track.id] = speaking_score(part, sound, rate) * seen[track.id] / max(len(span), 1)
    return scores


def _choice(
    segment: Segment, scores: Mapping[int, float], pooled: Mapping[int, float], persons: list[int]
) -> tuple[int, str]:
    if len(scores) == 1:
        return next(iter(scores)), "the only face"
    if segment.speaker is None:
        return max(scores, key=lambda n: scores[n]), "the mouth that moves most with the sound"
    chosen = max(scores, key=lambda n: (pooled[persons[n]], scores[n]))
    return chosen, f"the face of speaker {segment.speaker}"


def _at_home(span: Span, tracks: Sequence[Outline]) -> list[Outline]:
    return [track for track in tracks if track.may_speak_from(span.start)]


def _absence(span: Span, tracks: Sequence[Outline]) -> str:
    near = _at_home(span, tracks)
    words = Counter(
        track.why(frame) for track in near for frame in span.range() if frame in track.frames
    )
    return f"face not paintable: {words.most_common(1)[0][0]}" if words else "no face found"


def _persons(tracks: Sequence[Outline]) -> list[int]:
    """For each track id the id of the first track of the same person."""
    persons = list(range(max((track.id for track in tracks), default=-1) + 1))
    for n, track in enumerate(tracks):
        for earlier in tracks[:n]:
            if _same_person(earlier, track):
                persons[track.id] = persons[earlier.id]
                break
    return persons


def _same_person(a: Outline, b: Outline) -> bool:
    """By identity where known, else by place within one shot; never two faces at one time."""
    if a.frames.start < b.frames.end and b.frames.start < a.frames.end:
        return False
    if a.identity is not None and b.identity is not None:
        lengths = float(np.linalg.norm(a.identity) * np.linalg.norm(b.identity))
        return float(a.identity @ b.identity) / max(lengths, 1e-9) > SAME_PERSON
    return a.shot == b.shot and overlap(a.box, b.box) > 0.3


def _rate(timeline: Timeline) -> float:
    length = float(timeline.end - timeline.frame_times[0])
    return len(timeline.frame_times) / length if length > 0 else 25.0


def _correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    a, b = a - a.mean(), b - b.mean()
    power = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / power if power > 1e-9 else 0.0
