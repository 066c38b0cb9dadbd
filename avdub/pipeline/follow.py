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
from avdub.pipeline.options import DubOptions
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
) -> tuple[dict[int, FaceTrack], list[int]]:
    """Follow faces through the dubbed parts (and a margin) → tracks by id, cut frames."""
    spans = _watched(info, segments)
    detector = make_detector(weights.faces, options.face_backend, threads=1)
    tracks: dict[int, FaceTrack] = {}
    cuts: list[int] = []
    for span, frames in _frames(info, spans, progress):
        tracker = Tracker(detector, info.rate)
        for n, image in enumerate(frames):
            tracker.feed(n, image)
        for track in tracker.finish():
            moved = Span(track.frames.start + span.start, track.frames.end + span.start)
            tracks[len(tracks)] = replace(track, id=len(tracks), frames=moved)
        cuts += [span.start + cut for cut in tracker.cuts]
    return tracks, cuts


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


def sound_energy(info: MediaInfo) -> NDArray[np.float32] | None:
    """Power of the sound during each frame; None without sound."""
    if info.audio is None:
        return None
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
