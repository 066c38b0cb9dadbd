"""The demo clip: a portrait that moves a little, quiet room noise and two subtitles.

The face is scikit-image's public-domain NASA portrait, so nothing has to be downloaded. Frame
times, motion and noise are fixed: every run makes the same clip.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError
from avdub.media.audio import write_wav
from avdub.media.colour import Colour
from avdub.media.probe import MediaInfo
from avdub.media.subtitles import write_srt
from avdub.media.video import FrameWriter
from avdub.media.waveform import Waveform
from avdub.progress import Progress, silent
from avdub.timeline import Segment

RATE = Fraction(25)
SIZE = 512  # pixels a side
SECONDS = 6
CENTRE = (224.0, 168.0)  # x, y in the portrait that comes near the middle of the picture
ZOOM = 1.7
SOUND_RATE = 48_000
NOISE_DB = -62.0
LINES = (
    Segment(1, 400, 2_900, "Hello. This portrait has never said a word."),
    Segment(2, 3_200, 5_800, "Now it speaks, and the lips go along with it."),
)


@dataclass(frozen=True)
class DemoFiles:
    """The clip, its subtitles, and where the dub goes."""

    video: Path
    subtitles: Path
    dub: Path


def make_demo(folder: Path, overwrite: bool = False, progress: Progress = silent) -> DemoFiles:
    """Write clip and subtitles into `folder`, made if needed; raises InputError or MediaError."""
    files = DemoFiles(folder / "demo.mp4", folder / "demo.srt", folder / "demo.dub.mp4")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{folder} cannot be made: {error.strerror}", "name another folder"
        ) from error
    for path in (files.video, files.subtitles, files.dub):
        if path.exists() and not overwrite:
            raise InputError(f"{path} already exists", "pass --force to replace it")
    write_clip(files.video, progress)
    write_srt(LINES, files.subtitles)
    return files


def write_clip(path: Path, progress: Progress = silent) -> None:
    """Write the moving portrait with its room noise."""
    noise = room_noise()
    with tempfile.TemporaryDirectory(prefix="avdub-") as folder:
        # The writer takes tags and chapters from the file of its MediaInfo: here the bare sound.
        source = Path(folder) / "noise.wav"
        write_wav(source, noise)
        info = _clip_info(source)
        pictures = progress(moving_portrait(), "make clip", len(info.frame_times))
        with FrameWriter(path, info, _blocks(noise)) as writer:
            for time, image in zip(info.frame_times, pictures, strict=True):
                writer.write(image, time)


def moving_portrait() -> Iterator[NDArray[np.uint8]]:
    """The clip's pictures, RGB uint8 (H, W, 3): slow pan, zoom and tilt, all below a pixel a frame.

    Periods are chosen so that no two frames have the same pose.
    """
    from skimage.data import astronaut

    portrait: NDArray[np.uint8] = astronaut()
    for n in range(SECONDS * int(RATE)):
        pose = _pose(n / float(RATE))
        yield cv2.warpAffine(
            portrait, pose, (SIZE, SIZE), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE
        ).astype(np.uint8)


def room_noise() -> Waveform:
    """SECONDS of quiet noise with more low than high frequencies, (S, 1)."""
    n_samples = SECONDS * SOUND_RATE
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(n_samples))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    spectrum[0] = 0
    noise = np.fft.irfft(spectrum, n_samples)
    noise *= 10 ** (NOISE_DB / 20) / np.sqrt(np.mean(noise**2))
    return Waveform(noise[:, None].astype(np.float32), SOUND_RATE)


def _pose(time_s: float) -> NDArray[np.float64]:
    """2 × 3 matrix from portrait to picture."""
    angle = 1.6 * np.sin(2 * np.pi * time_s / 5.3)  # degrees
    zoom = ZOOM * (1 + 0.025 * np.sin(2 * np.pi * time_s / 7.1 + 0.6))
    shift_x = 7.0 * np.sin(2 * np.pi * time_s / 6.1)
    shift_y = 4.0 * np.sin(2 * np.pi * time_s / 3.7 + 1.0)
    matrix = np.asarray(cv2.getRotationMatrix2D(CENTRE, angle, zoom), np.float64)
    matrix[:, 2] += SIZE / 2 + np.array([shift_x, shift_y]) - np.array(CENTRE)
    return matrix


def _clip_info(source: Path) -> MediaInfo:
    n_frames = SECONDS * int(RATE)
    return MediaInfo(
        path=source,
        width=SIZE,
        height=SIZE,
        rotation=0,
        mirrored=False,
        pixel_aspect=Fraction(1),
        frame_times=tuple(n / RATE for n in range(n_frames)),
        start=Fraction(0),
        end=n_frames / RATE,
        rate=RATE,
        time_base=1 / (RATE * 512),
        codec="h264",
        pixel_format="yuv420p",
        colour=Colour(primaries=1, transfer=1, matrix=1, range=1),
        bit_rate=0,
        audio=None,
    )


def _blocks(sound: Waveform) -> Iterator[Waveform]:
    """A second at a time."""
    for start in range(0, len(sound), sound.rate):
        yield Waveform(sound.samples[start : start + sound.rate], sound.rate)
