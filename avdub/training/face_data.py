"""Prepared faces: aligned lower-face crops with their meshes, and the clip's latents.

A pack is a folder: `index.jsonl` (one line a clip), `crops.u8` (frames, S, S, 3), `meshes.f32`
(frames, 468, 3; x and y in the unit square, z in the same scale), `vec.f16` (latent steps, D) and
`latents.json` (which latents those are).
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avdub.errors import InputError
from avdub.faces.crop import crop, place
from avdub.faces.detect import make_detector
from avdub.faces.track import FaceTrack, Tracker
from avdub.media.probe import MediaInfo, probe
from avdub.media.video import FrameReader
from avdub.models.speech_to_latents import SpeechToLatents
from avdub.progress import Progress, silent
from avdub.timeline import SAMPLE_RATE, SAMPLES_PER_STEP
from avdub.training.pack_latents import (
    BASE,
    LatentsKind,
    check_width,
    kind_of,
    remember,
    shared_kind,
)
from avdub.training.prepare import VIDEO_SUFFIXES, is_held_out, read_sound_of

CROP_SIZE = 96
REAL, PREDICTED = "vec.f16", "predicted.f16"  # latents of the clip's sound, and of its words
MESH_POINTS = 468


@dataclass(frozen=True)
class Clip:
    """A clip in a pack: frames [offset, offset + frames), steps [step_offset, + steps)."""

    id: str
    speaker: str
    offset: int
    frames: int
    rate: str
    first_frame: int = 0  # of the video; 0 unless the face appears late
    step_offset: int = 0
    steps: int = 0


class FacePack:
    """Reads a face pack by memory map."""

    def __init__(self, folder: Path) -> None:
        listing = folder / "index.jsonl"
        if not listing.is_file():
            raise InputError(f"{folder} is not a face pack", "make it with avdub train prepare")
        lines = listing.read_text(encoding="utf-8").splitlines()
        self.folder = folder
        self.clips = [Clip(**json.loads(line)) for line in lines]
        shape = (-1, CROP_SIZE, CROP_SIZE, 3)
        self.crops = np.memmap(folder / "crops.u8", np.uint8, "r").reshape(shape)
        self.meshes = np.memmap(folder / "meshes.f32", np.float32, "r").reshape(-1, MESH_POINTS, 3)

    def kind(self, name: str = REAL) -> LatentsKind:
        """Which latents an array holds. Raises InputError where the pack has none of that name."""
        return kind_of(self.folder, name, sum(clip.steps for clip in self.clips))

    def vec(self, clip: Clip, width: int, name: str = REAL) -> Tensor:
        """Latents of a clip (steps, D) float32. Raises InputError where D is not `width`."""
        check_width(self.folder / name, self.kind(name), width)
        rows = np.memmap(self.folder / name, np.float16, "r").reshape(-1, width)
        cut = rows[clip.step_offset : clip.step_offset + clip.steps]
        return torch.from_numpy(cut.astype(np.float32))

    def times(self, clip: Clip) -> Tensor:
        """Seconds of each frame (frames,)."""
        numbers = torch.arange(clip.frames, dtype=torch.float64) + clip.first_frame
        return numbers / float(Fraction(clip.rate))

    def mesh(self, clip: Clip) -> npt.NDArray[np.float32]:
        """Meshes of a clip (frames, 468, 3)."""
        return np.asarray(self.meshes[clip.offset : clip.offset + clip.frames])

    def images(self, clip: Clip, frames: Sequence[int]) -> npt.NDArray[np.uint8]:
        """Chosen crops of a clip (n, S, S, 3)."""
        return np.asarray(self.crops[[clip.offset + f for f in frames]])


def prepare_faces(
    videos: Sequence[tuple[Path, str]], weights: Path, folder: Path, progress: Progress = silent
) -> int:
    """Write a pack of (video, speaker) pairs; clips without a whole face are left out."""
    folder.mkdir(parents=True, exist_ok=True)
    detector = make_detector(weights, threads=1)
    clips: list[Clip] = []
    offset = 0
    with (folder / "crops.u8").open("wb") as crops, (folder / "meshes.f32").open("wb") as meshes:
        for path, speaker in progress(videos, f"faces {folder.name}", len(videos)):
            info = probe(path)
            tracker = Tracker(detector, info.rate)
            with FrameReader(info) as reader:
                for frame in reader:
                    tracker.feed(frame.index, frame.image)
            track = max(tracker.finish(), key=lambda t: len(t.frames), default=None)
            if track is None or track.visible.mean() < 0.9 or len(track.frames) < 25:
                continue
            for image, mesh in _aligned(info, track):
                crops.write(image.tobytes())
                meshes.write(mesh.astype("<f4").tobytes())
            n = len(track.frames)
            start = track.frames.start
            clips.append(Clip(path.stem, speaker, offset, n, str(info.rate), start))
            offset += n
    _write_index(folder, clips)
    return offset


def write_clip_latents(
    model: SpeechToLatents,
    folder: Path,
    videos: dict[str, Path],
    name: str = BASE,
    progress: Progress = silent,
) -> None:
    """Add `vec.f16`: the latents of each clip's own sound; `name` says whose they are."""
    pack = FacePack(folder)
    model.eval()
    clips: list[Clip] = []
    offset = 0
    temporary = folder / "vec.tmp"
    with temporary.open("wb") as file:
        for clip in progress(pack.clips, f"latents {folder.name}", len(pack.clips)):
            wav = torch.from_numpy(read_sound_of(videos[clip.id], SAMPLE_RATE))
            steps = len(wav) // SAMPLES_PER_STEP
            file.write(model.listen(wav).half().numpy().tobytes())
            clips.append(Clip(**{**asdict(clip), "step_offset": offset, "steps": steps}))
            offset += steps
    remember(folder, REAL, LatentsKind(name, model.config.channels))
    temporary.replace(folder / REAL)
    _write_index(folder, clips)


def _aligned(
    info: MediaInfo, track: FaceTrack
) -> Iterator[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]]:
    placements = place(track.landmarks, float(info.rate) * 0.08)
    with FrameReader(info, track.frames) as reader:
        for frame, placement, mesh in zip(reader, placements, track.landmarks, strict=True):
            moved = mesh[:, :2] @ placement.matrix[:, :2].T + placement.matrix[:, 2]
            depth = mesh[:, 2:] / placement.side_px
            yield crop(frame.image, placement, CROP_SIZE), np.concatenate((moved, depth), 1)


def _write_index(folder: Path, clips: Sequence[Clip]) -> None:
    lines = "\n".join(json.dumps(asdict(c)) for c in clips)
    (folder / "index.jsonl").write_text(lines + "\n", encoding="utf-8")


def latents_kind(packs: Sequence[Path], arrays: Sequence[str] = (REAL,)) -> LatentsKind:
    """The one kind of latents in the named arrays of all packs.

    Raises InputError where one is missing or two differ.
    """
    opened = [FacePack(folder) for folder in packs]
    return shared_kind((p.folder / name, p.kind(name)) for p in opened for name in arrays)


def list_videos(
    folder: Path, speaker: str | None, held_out: bool, every: int = 1
) -> list[tuple[Path, str]]:
    """Videos of a folder with their speakers; the held-out ones or the others, every n-th."""
    files = sorted(p for p in folder.iterdir() if p.suffix in VIDEO_SUFFIXES)
    chosen = [p for p in files if is_held_out(p.stem) == held_out][::every]
    if not chosen:
        raise InputError(f"{folder} holds no such videos", "give a folder of .mp4 files")
    return [(p, speaker or p.stem.split("_")[0]) for p in chosen]
