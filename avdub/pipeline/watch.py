"""A video's own faces and sound, seen and heard for a while: what there is to learn an actor from.

Of a long video a few windows are watched, spread over all of it, so that neither time nor memory
grow with its length.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import torch
from numpy.typing import NDArray

from avdub.faces.crop import crop, mouth_mask, place, points_in
from avdub.faces.detect import make_detector
from avdub.faces.lips import SHAPE_POINTS, Floats, interocular, lip_shape, opening, to_frame
from avdub.faces.track import FaceTrack, FindsFaces, Tracker, yaw
from avdub.learning.actor_frames import LEARN, UNUSED, ActorFrames, Indexes, Roles, roles_of
from avdub.learning.lip_actor import Spoken, joined
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo
from avdub.media.video import FrameReader
from avdub.media.voice_activity import WINDOW_S, hear
from avdub.media.waveform import resample
from avdub.models.latents_to_face import LatentsToFace
from avdub.pipeline.actor import REST_SHARE, SMOOTH_S, STILL_POINTS, choose_exemplars
from avdub.pipeline.weights import Weights
from avdub.progress import Progress
from avdub.timeline import SAMPLE_RATE, SAMPLES_PER_STEP, Span

ENOUGH_S = 24  # of faces; a video that is no longer is watched whole
LOOK_S = 3  # a window of a longer one
WINDOWS = 16  # at most: every other one first, the rest where those showed too few faces
MOST_FRAMES = 240
MIN_TRACK_FRAMES = 12
LARGE = 0.5  # a face counts from this share of what the window's main one fills
CONTEXT_S = Fraction(1, 2)  # of sound around what is seen
SPEECH = 0.5  # probability
STAGE = "watch"

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Watched:
    """Tracks, and of each of their N paintable frames: number of its track, index in the video,
    time in s, and role."""

    tracks: tuple[FaceTrack, ...]
    numbers: NDArray[np.int64]
    frames: NDArray[np.int64]
    times: NDArray[np.float64]
    roles: Roles

    def __len__(self) -> int:
        return len(self.frames)

    def places(self, number: int) -> Indexes:
        """Where in the landmarks of a track its paintable frames are."""
        return np.flatnonzero(self.tracks[number].visible)


def watch(
    info: MediaInfo, weights: Weights, backend: str, until: float, progress: Progress
) -> Watched:
    """Follow the main faces through the windows, until enough is seen or `until` (monotonic s)."""
    detector = make_detector(weights.faces, backend, threads=1)
    spans = windows(info)
    wanted = round(ENOUGH_S * float(info.rate))
    tracks: list[FaceTrack] = []
    for span in progress(spans, STAGE, len(spans)):
        seen = sum(int(track.visible.sum()) for track in tracks)
        if seen >= wanted or time.monotonic() > until:
            break
        tracks += _main_faces(_followed(info, span, detector, until))
    return watched(info, tracks)


def watched(info: MediaInfo, tracks: Sequence[FaceTrack]) -> Watched:
    """The paintable frames of tracks, in their order."""
    numbers = [np.full(int(t.visible.sum()), n) for n, t in enumerate(tracks)]
    frames = [t.frames.start + np.flatnonzero(t.visible) for t in tracks]
    number = np.concatenate([np.zeros(0, np.int64), *numbers]).astype(np.int64)
    frame = np.concatenate([np.zeros(0, np.int64), *frames]).astype(np.int64)
    times = np.array([float(info.frame_times[n]) for n in frame], np.float64)
    return Watched(tuple(tracks), number, frame, times, roles_of(number, times))


def windows(info: MediaInfo) -> list[Span]:
    """Frame spans to look at, in the order in which to look."""
    n_frames = len(info.frame_times)
    if info.end <= ENOUGH_S:
        return [Span(0, n_frames)]
    length = round(LOOK_S * float(info.rate))
    starts = np.linspace(0, max(0, n_frames - length), WINDOWS).round().astype(int)
    return [Span(int(s), min(int(s) + length, n_frames)) for s in (*starts[::2], *starts[1::2])]


def actor_frames(
    info: MediaInfo, seen: Watched, template: Floats, size: int, until: float
) -> tuple[ActorFrames, Indexes] | None:
    """At most MOST_FRAMES crops of `size`, evenly among those seen, and each track's exemplars
    (tracks, K) among the learned ones; None without any. Reading ends at `until`; what was not
    reached is missing."""
    useful = np.flatnonzero(seen.roles != UNUSED)
    even = np.linspace(0, len(useful) - 1, min(MOST_FRAMES, len(useful))).round().astype(int)
    rows: list[tuple[NDArray[np.generic], ...]] = []
    kept: list[int] = []
    wide: list[Floats] = []
    numbers: list[int] = []
    chosen: list[Indexes] = []
    rng = np.random.default_rng(0)
    for number, track in enumerate(seen.tracks):
        mine = useful[even][seen.numbers[useful[even]] == number]
        made = list(_crops(info, track, seen.frames[mine], (template, size, rng), until))
        learned = np.flatnonzero(seen.roles[mine[: len(made)]] == LEARN)
        if len(learned) < 2:
            continue
        places = seen.frames[mine[: len(made)]] - track.frames.start
        landmarks = track.landmarks[places]
        gaps = opening(lip_shape(landmarks, template))
        chosen.append(len(kept) + choose_exemplars(gaps, yaw(landmarks), learned))
        rows += made
        wide.append(gaps)
        numbers += [len(chosen) - 1] * len(made)
        kept += mine[: len(made)].tolist()
    if not rows:
        return None
    images, *drawn = (np.stack(part) for part in zip(*rows, strict=True))
    shapes, still, masks = (np.asarray(part, np.float32) for part in drawn)
    pictures = np.asarray(images, np.uint8)
    facts = np.asarray(numbers, np.int64), seen.times[kept], seen.roles[kept]
    frames = ActorFrames(pictures, shapes, still, masks, np.concatenate(wide), *facts)
    return frames, np.stack(chosen)


def spoken(
    info: MediaInfo, seen: Watched, weights: Weights, model: LatentsToFace, until: float
) -> Spoken | None:
    """Lips made of the video's sound beside the real ones, in frames in which somebody is heard to
    speak; None where there is no sound. Tracks that were not listened to by `until` are missing.
    """
    if info.audio is None:
        return None
    parts: list[Spoken] = []
    for number, track in enumerate(seen.tracks):
        if time.monotonic() > until:
            break
        mine = seen.numbers == number
        heard = _heard(info, seen.times[mine], weights, model)
        if heard is None:
            continue
        made, speech = heard
        shapes = lip_shape(track.landmarks[track.visible], weights.template)
        gaps = opening(shapes)
        real = shapes - shapes[gaps <= np.quantile(gaps, REST_SHARE)].mean(0)
        said = Spoken(made, real, seen.numbers[mine], seen.roles[mine])
        parts.append(said.where(speech))
    return joined(parts) if parts else None


def _heard(
    info: MediaInfo, times: NDArray[np.float64], weights: Weights, model: LatentsToFace
) -> tuple[Floats, NDArray[np.bool_]] | None:
    """At `times` (N,) in s: the head's lips (N, L, 2), and whether somebody speaks (N,)."""
    start = max(Fraction(0), Fraction(float(times.min())) - CONTEXT_S)
    end = min(info.end, Fraction(float(times.max())) + CONTEXT_S)
    sound = read_audio(info.path, info, (start, end))
    if sound is None or sound.seconds * SAMPLE_RATE < SAMPLES_PER_STEP:
        return None
    sound = resample(sound.mono(), SAMPLE_RATE)
    vec = weights.speech_to_latents.listen(torch.from_numpy(sound.samples[:, 0]))
    if not len(vec):
        return None
    after = times - float(start)
    lips = model.lip_shapes(vec, torch.from_numpy(after)).numpy()
    probability = hear([sound], weights.voice_activity).probability
    window = np.clip((after / WINDOW_S).astype(int), 0, len(probability) - 1)
    return np.asarray(lips, np.float32), np.asarray(probability[window] > SPEECH)


def _followed(info: MediaInfo, span: Span, detector: FindsFaces, until: float) -> list[FaceTrack]:
    tracker = Tracker(detector, info.rate)
    with FrameReader(info, span) as reader:
        for n, frame in enumerate(reader):
            if time.monotonic() > until:
                break
            tracker.feed(n, frame.image)
    found = tracker.finish()
    return [
        replace(t, frames=Span(t.frames.start + span.start, t.frames.end + span.start))
        for t in found
    ]


def _main_faces(tracks: Sequence[FaceTrack]) -> list[FaceTrack]:
    """Those that may be painted for long enough and are nearly as prominent as the main one."""
    tracks = [t for t in tracks if t.visible.sum() >= MIN_TRACK_FRAMES]
    filled = [float(interocular(t.landmarks[t.visible]).sum()) for t in tracks]
    return [t for t, f in zip(tracks, filled, strict=True) if f >= LARGE * max(filled)]


def _crops(
    info: MediaInfo,
    track: FaceTrack,
    frames: NDArray[np.int64],
    look: tuple[Floats, int, np.random.Generator],
    until: float,
) -> Iterator[tuple[NDArray[np.generic], ...]]:
    """For each of `frames`: image (S, S, 3), shape (L, 2), still (A, 2) and mask (S, S).

    The mask is drawn for the jaw of another of the frames; `look` is template, S and its chance.
    """
    template, size, rng = look
    if not len(frames):
        return
    placements = place(track.landmarks, float(info.rate) * SMOOTH_S)
    places = frames - track.frames.start
    landmarks = track.landmarks[places]
    others = lip_shape(landmarks, template)[rng.integers(len(frames), size=len(frames))]
    decoys = landmarks.copy()
    decoys[:, SHAPE_POINTS, :2] = to_frame(others, landmarks, template)
    wanted = iter(zip(frames.tolist(), places.tolist(), landmarks, decoys, strict=True))
    number, at, mesh, decoy = next(wanted)
    with FrameReader(info, Span(int(frames[0]), int(frames[-1]) + 1)) as reader:
        for frame in reader:
            if frame.index < number:
                continue
            if time.monotonic() > until:
                return
            square = placements[at]
            yield (
                crop(frame.image, square, size),
                points_in(square, mesh[list(SHAPE_POINTS)]),
                points_in(square, mesh[list(STILL_POINTS)]),
                mouth_mask(decoy, square, size),
            )
            number, at, mesh, decoy = next(wanted, (-1, 0, mesh, decoy))
            if number < 0:
                return
