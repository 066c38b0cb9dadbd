"""LSE-D and LSE-C of a video by SyncNet's published weights, which the user brings.

The face is cut out of each picture as SyncNet's own pipeline does, but from our detector's mesh;
pictures are taken at 25/s and the longest stretch with a visible face is judged.
"""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from avdub.errors import FaceError, InputError, MediaError, WeightsError
from avdub.evaluation.cepstra import cepstra
from avdub.evaluation.lips import main_face
from avdub.faces.detect import Detector, make_detector
from avdub.faces.track import FaceTrack
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo, probe
from avdub.media.video import FrameReader
from avdub.media.voice_activity import runs
from avdub.media.waveform import resample
from avdub.models.syncnet import FRAMES, SIDE, TICKS, SyncNet
from avdub.pipeline.weights import Weights
from avdub.progress import Progress, silent
from avdub.timeline import SAMPLE_RATE

Doubles = NDArray[np.float64]
Pixels = NDArray[np.uint8]

RATE = 25  # pictures/s
TICKS_A_FRAME = 4
REACH = 15  # frames looked at, to either side
LEAST_FRAMES = 50  # 2 s
BATCH = 20
AROUND = 0.4  # of half the face's size, added around it
MEDIAN = 13  # frames over which the square is steadied
GREY = 110  # beyond the picture


@dataclass(frozen=True)
class SyncNetClip:
    """One video: frames judged, LSE-D, LSE-C, and by how much the sound is late."""

    video: str
    frames: int = 0
    distance: float = 0.0
    confidence: float = 0.0
    offset_ms: float = 0.0
    problem: str = ""


@dataclass(frozen=True)
class SyncNetScore:
    """All clips; means over those judged."""

    clips: tuple[SyncNetClip, ...]
    distance: float
    confidence: float

    def as_json(self) -> dict[str, Any]:
        """Plain values for `--json`."""
        return asdict(self)


def load_syncnet(path: Path) -> SyncNet:
    """SyncNet with the weights in `path` (syncnet_v2.model). Raises WeightsError."""
    hint = "give the published syncnet_v2.model"
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{path} holds no plain weights", hint) from error
    model = SyncNet()
    own = {name: t for name, t in model.state_dict().items() if "num_batches" not in name}
    if not isinstance(found, dict) or any(
        not isinstance(found.get(name), Tensor) or found[name].shape != t.shape
        for name, t in own.items()
    ):
        raise WeightsError(f"{path} holds other weights than SyncNet's", hint)
    model.load_state_dict({name: found[name] for name in own}, strict=False)
    return model.eval()


def measure_syncnet(
    videos: Sequence[Path],
    file: Path,
    weights: Weights,
    backend: str = "mediapipe",
    progress: Progress = silent,
) -> SyncNetScore:
    """Judge original or dubbed videos; raises InputError where none can be, WeightsError."""
    model = load_syncnet(file)
    detector = make_detector(weights.faces, backend, threads=1)
    clips = tuple(_clip(path, model, detector) for path in progress(videos, "syncnet", len(videos)))
    judged = [clip for clip in clips if not clip.problem]
    if not judged:
        why = clips[0].problem if clips else "there is no video"
        raise InputError(f"no sync could be judged: {why}", "give videos of a person who speaks")
    means = (float(np.mean([getattr(c, x) for c in judged])) for x in ("distance", "confidence"))
    return SyncNetScore(clips, *means)


def distances(seen: Tensor, heard: Tensor, reach: int = REACH) -> Tensor:
    """Embeddings (N, E) of pictures and sound → mean distance at each shift (2 reach + 1,); entry
    j is that to the sound j - reach frames later. Beyond the ends the sound is zero, as published.
    """
    padded = torch.nn.functional.pad(heard, (0, 0, reach, reach))
    shifted = padded.unfold(0, len(seen), 1)  # (2 reach + 1, E, N)
    found: Tensor = torch.linalg.vector_norm(seen.T[None] - shifted + 1e-6, dim=1).mean(1)
    return found


def _clip(path: Path, model: SyncNet, detector: Detector) -> SyncNetClip:
    try:
        info = probe(path)
        sound = read_audio(path, info)
        if sound is None:
            raise MediaError(f"{path} has no sound", "give a video in which somebody speaks")
        track = main_face(info, detector)
    except (FaceError, MediaError) as error:
        return SyncNetClip(path.name, problem=error.message)
    first, last = max(runs(track.visible), key=lambda run: run[1] - run[0])
    start = track.frames.start
    times = np.array([float(t) for t in info.frame_times])
    begin = times[start + first]
    n_frames = int((times[start + last - 1] - begin) * RATE + 1e-6) + 1
    wav = resample(sound.mono(), SAMPLE_RATE).samples[round(begin * SAMPLE_RATE) :, 0]
    n_frames = min(n_frames, len(wav) * RATE // SAMPLE_RATE)
    if n_frames < LEAST_FRAMES:
        return SyncNetClip(path.name, problem="less than 2 s of one visible face")
    at = np.searchsorted(times, begin + np.arange(n_frames) / RATE + 1e-6, "right") - 1
    n_windows = n_frames - FRAMES
    seen = _see(model, _faces(info, track, at), n_windows)
    heard = _hear(model, cepstra(wav), n_windows)
    found = distances(seen, heard).double().numpy()
    best = int(found.argmin())
    confidence = float(np.median(found) - found[best])
    late_ms = (best - REACH) * 1000 / RATE
    return SyncNetClip(path.name, n_frames, float(found[best]), confidence, late_ms)


def _faces(info: MediaInfo, track: FaceTrack, at: NDArray[np.intp]) -> Iterator[Pixels]:
    """The face in the frames `at` (N,), rising, as BGR (224, 224, 3)."""
    squares = _squares(track)
    wanted = 0
    with FrameReader(info) as reader:
        for frame in reader:
            while wanted < len(at) and at[wanted] == frame.index:
                yield _cut(frame.image, squares[frame.index - track.frames.start])
                wanted += 1
            if wanted == len(at):
                return


def _squares(track: FaceTrack) -> Doubles:
    """x, y of the face's middle and half its size in px, steadied (N, 3)."""
    points = track.landmarks[..., :2].astype(np.float64)
    low, high = points.min(1), points.max(1)
    rows = np.column_stack([(low + high) / 2, (high - low).max(1) / 2])
    padded = np.pad(rows, ((MEDIAN // 2, MEDIAN // 2), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN, axis=0)
    return np.asarray(np.median(windows, axis=-1), np.float64)


def _cut(image: Pixels, square: Doubles) -> Pixels:
    """The square that holds the face with its chin's surroundings, grey beyond the picture."""
    x, y, half = square
    left, right = x - half * (1 + AROUND), x + half * (1 + AROUND)
    top, bottom = y - half, y + half * (1 + 2 * AROUND)
    edge = int(half * (1 + 2 * AROUND)) + 1
    grey = cv2.copyMakeBorder(
        image, edge, edge, edge, edge, cv2.BORDER_CONSTANT, value=(GREY, GREY, GREY)
    )
    rows, columns = (
        slice(max(0, int(a + edge)), int(b + edge)) for a, b in ((top, bottom), (left, right))
    )
    face = cv2.resize(grey[rows, columns], (SIDE, SIDE))
    return np.asarray(face[..., ::-1], np.uint8)


def _see(model: SyncNet, faces: Iterator[Pixels], n_windows: int) -> Tensor:
    """Embeddings of every five frames on end (n_windows, E)."""
    held: list[Tensor] = []
    parts: list[Tensor] = []
    done = 0
    for face in faces:
        held.append(torch.from_numpy(np.ascontiguousarray(face)).permute(2, 0, 1))
        ready = min(len(held) - FRAMES + 1, n_windows - done)
        if ready == BATCH or (ready > 0 and done + ready == n_windows):
            windows = [torch.stack(held[n : n + FRAMES], 1) for n in range(ready)]
            parts.append(model.see(torch.stack(windows).float()))
            held, done = held[ready:], done + ready
    return torch.cat(parts)


def _hear(model: SyncNet, found: Doubles, n_windows: int) -> Tensor:
    """Embeddings of the 0.2 s of cepstra (13, T) that begin at each frame (n_windows, E)."""
    ticks = torch.from_numpy(found).float()
    missing = (n_windows - 1) * TICKS_A_FRAME + TICKS - ticks.shape[1]
    ticks = torch.nn.functional.pad(ticks, (0, max(0, missing)))
    starts = range(0, n_windows * TICKS_A_FRAME, TICKS_A_FRAME)
    windows = torch.stack([ticks[None, :, n : n + TICKS] for n in starts])
    return torch.cat([model.hear(part) for part in torch.split(windows, BATCH)])
