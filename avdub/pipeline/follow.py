"""Faces followed through the dubbed parts of a video, and how loud it is meanwhile."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from avdub.faces.detect import make_detector
from avdub.faces.track import FaceTrack, Tracker
from avdub.media.ahead import read_ahead
from avdub.media.audio import iter_audio
from avdub.media.probe import MediaInfo
from avdub.media.video import FrameReader
from avdub.pipeline.keep_detections import RecallingDetector
from avdub.pipeline.keep_faces import FACES, Seen, detector_files
from avdub.pipeline.keep_speech import ENERGY
from avdub.pipeline.options import DubOptions
from avdub.pipeline.store import Memory
from avdub.pipeline.weights import Weights
from avdub.progress import Progress
from avdub.timeline import Segment, Span, boundary

MARGIN_S = 1  # of video around the cues in which faces are followed


def find_faces(
    info: MediaInfo,
    segments: Sequence[Segment],
    weights: Weights,
    options: DubOptions,
    progress: Progress,
    memory: Memory | None = None,
) -> tuple[dict[int, FaceTrack], list[int]]:
    """Follow faces through the dubbed parts (and a margin) → tracks by id, cut frames.

    Each part is remembered by itself, and one that was left unfinished is gone on with.
    """
    memory = memory or Memory()
    spans = _watched(info, segments)
    files = detector_files(weights.faces, options.face_backend)
    parts = [(info.path, span, info.rate, options.face_backend, files) for span in spans]
    inside = [_inside(info, segments, span) for span in spans]
    seen = [memory.find(FACES, *each) for each in zip(parts, inside, strict=True)]
    unseen = [n for n, known in enumerate(seen) if known is None]
    if unseen:
        detector = make_detector(weights.faces, options.face_backend, threads=1)
        watched = _frames(info, [spans[n] for n in unseen], progress)
        for n, (_, frames) in zip(unseen, watched, strict=True):
            whence = (info.path, spans[n].start, info.rate, options.face_backend, files)
            recalling = RecallingDetector(detector, memory, whence)
            tracker = Tracker(recalling, info.rate)
            for number, image in enumerate(frames):
                recalling.begin(number)
                tracker.feed(number, image)
            found = Seen(tuple(tracker.finish()), tuple(tracker.cuts))
            memory.keep(FACES, parts[n], found)
            seen[n] = found
    return _placed(spans, [each for each in seen if each is not None])


def _placed(spans: Sequence[Span], seen: Sequence[Seen]) -> tuple[dict[int, FaceTrack], list[int]]:
    """Tracks and cuts of all parts, counted from the video's first frame."""
    tracks: dict[int, FaceTrack] = {}
    cuts: list[int] = []
    for span, part in zip(spans, seen, strict=True):
        for track in part.tracks:
            moved = Span(track.frames.start + span.start, track.frames.end + span.start)
            tracks[len(tracks)] = replace(track, id=len(tracks), frames=moved)
        cuts += [span.start + cut for cut in part.cuts]
    return tracks, cuts


def _inside(info: MediaInfo, segments: Sequence[Segment], span: Span) -> list[int]:
    """Indexes of the segments that begin in a part."""
    return [s.index for s in segments if info.timeline.frames(s).start in span]


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


def _watched(info: MediaInfo, segments: Sequence[Segment]) -> list[Span]:
    """Frame spans of the segments with a margin, joined where they meet."""
    found: list[Span] = []
    for segment in sorted(segments, key=lambda s: s.start_ms):
        wider = replace(
            segment,
            start_ms=max(0, segment.start_ms - 1000 * MARGIN_S),
            end_ms=segment.end_ms + 1000 * MARGIN_S,
        )
        span = info.timeline.frames(wider)
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        elif len(span):
            found.append(span)
    return found


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
