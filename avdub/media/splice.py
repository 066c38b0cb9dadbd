"""The finished dub on disk: animated pictures and new sound spliced into the original's timeline.

Checks the output's name before any work starts and what came out after it.
"""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import groupby
from pathlib import Path

from avdub.errors import InputError, MediaError
from avdub.media.ahead import read_ahead
from avdub.media.beside import Beside, check_beside
from avdub.media.container import audio_stream, check_readable, open_media
from avdub.media.place import sweep
from avdub.media.probe import MediaInfo
from avdub.media.retouch import Repaint
from avdub.media.scan import Unspliceable, scan
from avdub.media.sound_track import REPLACE, Sound, Tracks, codec_like
from avdub.media.spliced import Spliced, check_frames, check_sound_start, first_sound, read_times
from avdub.media.splicing import splice
from avdub.media.video import Frame, FrameReader, Image
from avdub.media.waveform import Waveform
from avdub.media.writer import USUAL_CRF, FrameWriter, codecs_for
from avdub.progress import Progress, silent

NOTHING = Repaint((), lambda frames: ((f.time, f.image) for f in frames))


def write_dub(
    info: MediaInfo,
    output: Path,
    repaint: Repaint | None,
    sound: Iterator[Waveform] | None,
    crf: int | None = None,
    progress: Progress = silent,
    tracks: Tracks = REPLACE,
) -> Spliced:
    """`info`'s file with some frames repainted (None: none) and a new sound where there is one.

    Packets outside the groups of pictures of repainted frames are copied where the file allows it;
    else every frame is encoded anew and the result says why. Raises MediaError, leaving no file,
    unless the output has the input's frames at the input's times.
    """
    repaint = repaint or NOTHING
    try:
        return splice(info, output, repaint, sound, crf, progress, tracks)
    except Unspliceable as reason:
        whole = _whole_sound(info, output, sound, tracks), tracks
        return _write_whole(info, output, repaint, whole, crf, progress, str(reason))


def _whole_sound(
    info: MediaInfo, output: Path, sound: Iterator[Waveform] | None, tracks: Tracks
) -> Sound | None:
    """The new sound as the source's is, in a file of the source's kind; else as is usual there."""
    if sound is None:
        return None
    codecs = codecs_for(output)
    with open_media(info.path) as container:
        is_alike = codecs.container in container.format.name.split(",")
        like = audio_stream(container) if is_alike else None
        codec = codec_like(like, codecs.container, codecs.audio)
    return Sound(sound, codec, language=tracks.language)


def _write_whole(
    info: MediaInfo,
    output: Path,
    repaint: Repaint,
    sounds: tuple[Sound | None, Tracks],
    crf: int | None,
    progress: Progress,
    reason: str,
) -> Spliced:
    """Every frame encoded anew; other streams are copied where the container can hold them."""
    _refuse_deep(info, reason)
    sound, tracks = sounds
    with open_media(info.path) as source:
        beside = Beside(source, info, output, tracks, sound is not None)

        def check(path: Path) -> None:
            _check_whole(path, info, sound is not None)
            check_beside(path, beside)

        writer = FrameWriter(output, info, sound, USUAL_CRF if crf is None else crf, check, beside)
        # the thread that reads ahead must have ended before its reader is closed
        with writer, FrameReader(info) as reader, closing(read_ahead(reader)) as ahead:
            frames = progress(ahead, "picture", len(info.frame_times))
            for time, image in _pictures(frames, repaint):
                writer.write(image, time)
    return Spliced(
        len(info.frame_times),
        encoded=writer.n_written,
        stretches=1,
        whole=reason,
        carried=len(beside.carried) + beside.n_attached,
        left=beside.missing,
    )


def _pictures(frames: Iterable[Frame], repaint: Repaint) -> Iterator[tuple[Fraction, Image]]:
    for is_touched, run in groupby(frames, key=lambda frame: frame.index in repaint):
        if is_touched:
            yield from repaint.paint(run)
        else:
            yield from ((frame.time, frame.image) for frame in run)


def _check_whole(path: Path, info: MediaInfo, has_sound: bool) -> None:
    pts, tick = read_times(path)
    anew = replace(info, start=Fraction(0))
    check_frames(pts, tick, anew, path)
    index = first_sound(path)
    if has_sound and index is not None:
        check_sound_start(path, anew, index)


def check_depth(info: MediaInfo, output: Path) -> None:
    """Raise MediaError, before any work, if a dub in `output` would lose bits of the colours."""
    if info.is_deep:
        try:
            scan(info, output)
        except Unspliceable as reason:
            _refuse_deep(info, str(reason))


def _refuse_deep(info: MediaInfo, reason: str) -> None:
    if info.is_deep:
        raise MediaError(
            f"{info.path} has more than 8 bits a colour and would lose them: {reason}",
            "write a file of the input's own kind, or convert the input to 8 bits first",
        )


def check_output(path: Path, video_path: Path, overwrite: bool) -> None:
    """Raise InputError, before any work, if a dub of `video_path` cannot be written to `path`."""
    check_readable(video_path)
    codecs_for(path)
    folder = path.parent
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name the file to write in it")
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist", "make it first or name another")
    if sweep(path):
        raise InputError(
            f"another run is writing {path}", "wait until it ends, or name another with -o"
        )
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
