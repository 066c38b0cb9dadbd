"""The finished dub on disk: animated pictures and new sound spliced into the original's timeline.

Checks the output's name before any work starts and the number of frames after it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avdub.errors import InputError, MediaError
from avdub.media.container import check_readable
from avdub.media.probe import MediaInfo
from avdub.media.waveform import Waveform
from avdub.media.writer import FrameWriter, codecs_for


def write_dub(
    info: MediaInfo,
    output: Path,
    frames: Iterable[tuple[Fraction, NDArray[np.uint8]]],
    sound: Iterator[Waveform] | None,
    crf: int = 16,
) -> int:
    """Write (time, RGB (H, W, 3)) pairs and sound as a video; returns the number of frames.

    Raises MediaError, leaving no file, unless there is one picture for each frame of the input.
    """
    with FrameWriter(output, info, sound, crf) as writer:
        for time, image in frames:
            writer.write(image, time)
        expected = len(info.frame_times)
        if writer.n_written != expected:
            raise MediaError(
                f"{output} would have {writer.n_written} frames where {info.path} has {expected}",
                "report this with the input video; nothing was written",
            )
    return writer.n_written


def check_output(path: Path, video_path: Path, overwrite: bool) -> None:
    """Raise InputError, before any work, if a dub of `video_path` cannot be written to `path`."""
    check_readable(video_path)
    codecs_for(path)
    folder = path.parent
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name the file to write in it")
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist", "make it first or name another")
    if path.exists() and path.samefile(video_path):
        raise InputError(f"{path} is the input video itself", "give the output another name")
    if path.exists() and not overwrite:
        raise InputError(
            f"{path} already exists", "replace it with --force, or name another with -o"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"the folder {folder} cannot be written to", "choose another folder")
    needed = video_path.stat().st_size
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise InputError(
            f"{folder} has {free >> 20} MB free, the dub needs about {needed >> 20} MB",
            "free some space or choose another disk",
        )
