"""Opening containers and decoding leniently: the few things every reader of a file needs.

Turns the codec library's errors into ours; knows nothing of times or colours.
"""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition

from avdub.errors import InputError, MediaError

STILL_FORMATS = {"image2", "tty"}
# Lists of other files, and what is no file: a video from anywhere must not have others opened.
ELSEWHERE = {
    *("hls", "concat", "concatf", "dash", "webm_dash_manifest", "imf", "sdp", "rtsp", "rtp"),
    *("lavfi", "avisynth", "vapoursynth"),
}
FORMATS = ",".join(sorted(av.formats_available - ELSEWHERE))
MOST_PIXELS = 16_384 * 8_192  # of a picture, four times 8K: 0.4 GB each


def check_readable(path: Path) -> None:
    """Raise InputError unless `path` is a file that may be read."""
    if path.is_dir():
        raise InputError(f"{path} is a folder, not a file", "name one file inside it")
    if not path.exists():
        raise InputError(f"{path} does not exist", "check the spelling and the folder")
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}", "check the rights of the file"
        ) from error


@contextmanager
def open_media(path: Path) -> Iterator[InputContainer]:
    """The file opened for demuxing; raises MediaError where no demuxer knows it."""
    if path.stat().st_size == 0:
        raise MediaError(f"{path} is empty", "copy or download it again")
    try:
        # Absolute, or a name such as "Talk: one.mp4" would be taken for an address.
        container = av.open(
            str(path.absolute()),
            options={"format_whitelist": FORMATS, "protocol_whitelist": "file"},
            metadata_errors="replace",
        )
    except (FFmpegError, ValueError) as error:
        raise MediaError(
            f"{path} cannot be opened as a video",
            "give a whole video file such as .mp4, .mov, .mkv, .webm, .avi, .mpg or .gif",
            str(error),
        ) from error
    with container:
        yield container


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Codec and disk errors of writing `path` as MediaError with a hint."""
    try:
        yield
    except (FFmpegError, OSError, ValueError) as error:
        full = getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        hint = "free some space on the disk" if full else "check the folder and its rights"
        raise MediaError(f"{path} cannot be written", hint, str(error)) from error


def video_stream(container: InputContainer, path: Path) -> av.VideoStream:
    """The first stream of moving pictures (cover art is none), ready to decode on all cores."""
    if container.format.name in STILL_FORMATS or container.format.name.endswith("_pipe"):
        raise MediaError(f"{path} is not a video", "give a video file with moving pictures")
    cover = Disposition.attached_pic
    streams = [s for s in container.streams.video if not s.disposition & cover]
    if not streams:
        what = "sound but no picture" if container.streams.audio else "no picture"
        raise MediaError(f"{path} has {what}", "give a video file with moving pictures")
    if streams[0].codec_context is None:
        raise MediaError(f"{path} has a picture in an unknown codec", "convert it to H.264")
    streams[0].thread_type = "AUTO"
    streams[0].codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    return streams[0]


def audio_stream(container: InputContainer) -> av.AudioStream | None:
    """The first sound that can be decoded."""
    usable = [s for s in container.streams.audio if s.codec_context is not None]
    return usable[0] if usable else None


def decode_leniently(
    container: InputContainer, stream: av.VideoStream | av.AudioStream
) -> Iterator[Any]:
    """Decoded frames of `stream`; packets that do not decode are skipped, a cut end ends it."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except FFmpegError:
            return
        if packet is None:
            return
        try:
            yield from stream.decode(packet)
        except FFmpegError:
            continue
