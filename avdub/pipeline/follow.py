"""Faces followed through the dubbed parts of a video, and how loud it is meanwhile."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from avdub.faces.detect import make_detector
from avdub.faces.track import Tracker
from avdub.media.ahead import read_ahead
from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo
from avdub.media.video import FrameReader
from avdub.pipeline.keep_detections import RecallingDetector
from avdub.pipeline.keep_faces import FACES, Seen, detector_files
from avdub.pipeline.keep_speech import ENERGY
from avdub.pipeline.options import DubOptions
from avdub.pipeline.spill import Place
from avdub.pipeline.store import Memory
from avdub.pipeline.tracks import Tracks
from avdub.pipeline.weights import Weights
from avdub.progress import Progress
from avdub.timeline import MS_PER_S, Segment, Span, boundary

MARGIN_S = 1  # of video around the cues in which faces are followed
PART_S = 60  # segments that begin in different ones of these are never followed together


@dataclass(frozen=True)
class Part:
    """Frames that are watched in one go, for the segments of these indexes.

    Parts may overlap; a segment begins in the `home` of its own alone.
    """

    frames: Span
    home: Span
    segments: tuple[int, ...]


def find_faces(
    info: MediaInfo,
    segments: Sequence[Segment],
    weights: Weights,
    options: DubOptions,
    progress: Progress,
    memory: Memory | None = None,
) -> tuple[Tracks, list[int]]:
    """Follow faces through the dubbed parts (and a margin) → tracks by id, cut frames.

    Each part is remembered by itself, and one that was left unfinished is gone on with. What is
    held of them does not grow with their length.
    """
    memory = memory or Memory()
    parts, spill = watched_parts(info, segments), memory.spill
    files = detector_files(weights.faces, options.face_backend)
    keys = [(info.path, part.frames, info.rate, options.face_backend, files) for part in parts]
    places: list[Place | None] = []
    for part, key in zip(parts, keys, strict=True):
        known = memory.find(FACES, key, part.segments)
        places.append(None if known is None else spill.put(FACES.pack(known)))
    unseen = [n for n, place in enumerate(places) if place is None]
    if unseen:
        detector = make_detector(weights.faces, options.face_backend, threads=1)
        watched = _frames(info, [parts[n].frames for n in unseen], progress)
        for n, (_, frames) in zip(unseen, watched, strict=True):
            whence = (info.path, parts[n].frames.start, info.rate, options.face_backend, files)
            recalling = RecallingDetector(detector, memory, whence)
            found = _followed(recalling, frames, info.rate)
            memory.keep(FACES, keys[n], found)
            places[n] = spill.put(FACES.pack(found))
    tracks, cuts = Tracks(spill), set[int]()
    for part, place in zip(parts, places, strict=True):
        assert place is not None, "seen above"
        start = part.frames.start
        cuts |= {start + cut for cut in tracks.add(place, start, part.home).cuts}
    return tracks, sorted(cuts)


def _followed(
    detector: RecallingDetector, frames: Iterable[NDArray[np.uint8]], rate: Fraction
) -> Seen:
    tracker = Tracker(detector, rate)
    for number, image in enumerate(frames):
        detector.begin(number)
        tracker.feed(number, image)
    return Seen(tuple(tracker.finish()), tuple(tracker.cuts))


def watched_parts(info: MediaInfo, segments: Sequence[Segment]) -> list[Part]:
    """Frames of the segments with a margin, joined where they meet, but never for much longer than
    PART_S, so that neither memory nor what an edit makes anew grows with the video."""
    timeline = info.timeline
    found: list[tuple[Span, list[Segment]]] = []
    for segment in sorted(segments, key=lambda s: (s.start_ms, s.index)):
        start_ms = max(0, segment.start_ms - MS_PER_S * MARGIN_S)
        end_ms = segment.end_ms + MS_PER_S * MARGIN_S
        frames = timeline.frames(replace(segment, start_ms=start_ms, end_ms=end_ms))
        if not len(frames):
            continue
        last, own = found[-1] if found else (None, [])
        if last is not None and frames.start <= last.end and _minute(own[-1]) == _minute(segment):
            joined = Span(last.start, max(last.end, frames.end))
            found[-1] = joined, [*own, segment]
        else:
            found.append((frames, [segment]))
    firsts = [timeline.frames(own[0]).start for _, own in found]
    edges = pairwise([*firsts, len(info.frame_times)])
    return [
        Part(frames, Span(*edge), tuple(s.index for s in own))
        for (frames, own), edge in zip(found, edges, strict=True)
    ]


def _minute(segment: Segment) -> int:
    return segment.start_ms // (MS_PER_S * PART_S)


def _frames(
    info: MediaInfo, spans: Sequence[Span], progress: Progress
) -> Iterator[tuple[Span, Iterator[NDArray[np.uint8]]]]:
    total = sum(map(len, spans))
    everything = ((span, frame) for span in spans for frame in FrameReader(info, span))
    with closing(read_ahead(everything)) as ahead:
        watched = iter(progress(ahead, "faces", total))
        for span in spans:
            yield span, (next(watched)[1].image for _ in span.range())
        next(watched, None)


def sound_energy(info: MediaInfo, memory: Memory | None = None) -> NDArray[np.float32] | None:
    """Power of the sound during each frame; None without sound."""
    if info.audio is None:
        return None
    return (memory or Memory()).recall(ENERGY, (info.path,), lambda: _measured(info))


def _measured(info: MediaInfo) -> NDArray[np.float32]:
    assert info.audio is not None, "only sound has energy"
    rate = info.audio.rate
    edges = [boundary(t, rate) for t in (*info.frame_times, info.end)]
    sums = np.zeros(len(info.frame_times))
    start = 0
    for block in iter_audio(info.path, info):
        power = np.square(block.mono().samples[:, 0], dtype=np.float64)
        total = np.concatenate([[0], power.cumsum()])
        inside = np.clip(np.asarray(edges) - start, 0, len(power))
        sums += np.diff(total[inside])
        start += len(power)
    return np.asarray(sums / np.maximum(np.diff(edges), 1), np.float32)
