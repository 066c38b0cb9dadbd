"""What became of a video's picture and streams: counts and hashes, and the check that they hold.

The check reads the finished file as anybody else would and believes nothing of how it was made.
"""

import hashlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avdub.errors import MediaError
from avdub.media.carry import Carried, Tally, is_aside, tally_for
from avdub.media.container import audio_stream, decode_leniently, open_media, video_stream
from avdub.media.frame_times import Ints
from avdub.media.probe import MediaInfo
from avdub.timeline import Span

MOST_LATE_S = Fraction(1, 200)  # of the sound's first sample against the picture's first frame
MOST_EARLY_S = Fraction(6, 100)  # an encoder's silent lead-in, where no edit list hides it
HINT = "report this with the input video; nothing was written"


@dataclass(frozen=True)
class Spliced:
    """How an output's picture was made, in packets of the source's video stream.

    `copied` are equal byte for byte, as `sha256` over all their bytes in order proves, `changed`
    have the same picture under another type, `encoded` were made anew in `stretches`. `whole` says
    why everything was made anew, and is empty where it was not. `carried` counts the other streams
    that were taken over, `left` names those that were not.
    """

    frames: int
    copied: int = 0
    changed: int = 0
    encoded: int = 0
    stretches: int = 0
    sha256: str = ""
    whole: str = ""
    carried: int = 0
    left: tuple[str, ...] = ()

    @property
    def share_copied(self) -> float:
        return self.copied / self.frames if self.frames else 0.0


@dataclass(frozen=True)
class Promise:
    """What a spliced file must hold.

    `end` is where the picture ends, in the file's own time and seconds, if the source says; `anew`
    are places in decoding order whose packets are not the source's, `sha256` the hash of all
    others, `kept` the streams taken over, `sound` the number of the new sound's stream.
    """

    info: MediaInfo
    end: Fraction | None
    anew: tuple[Span, ...]
    sha256: str
    kept: Sequence[Carried]
    attachments: int
    sound: int | None


@dataclass
class _Found:
    """What a file holds: its picture's times and bytes, and its other streams."""

    tick: Fraction
    end: Fraction | None
    pts: "array[int]" = field(default_factory=lambda: array("q"))
    copied: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    tallies: dict[int, Tally] = field(default_factory=dict)


def check_spliced(path: Path, promise: Promise) -> None:
    """Raise MediaError, naming it, if `path` lacks anything that was promised."""
    found = _read(path, promise.anew)
    check_frames(np.array(found.pts, np.int64), found.tick, promise.info, path)
    if found.copied.hexdigest() != promise.sha256:
        raise MediaError(f"copied packets of {path} are not the source's", HINT)
    for kept in promise.kept:
        _check_kept(kept, found.tallies.get(kept.index))
    with open_media(path) as container:
        n_attachments = sum(1 for s in container.streams if is_aside(s))
        n_covers = sum(1 for kept in promise.kept if kept.is_cover)
        if n_attachments < promise.attachments + n_covers:
            raise MediaError(f"{path} lost an attachment or cover picture", HINT)
    _check_duration(found, promise)
    if promise.sound is not None:
        check_sound_start(path, promise.info, promise.sound)


def check_frames(pts: Ints, tick: Fraction, info: MediaInfo, path: Path) -> None:
    """Raise MediaError unless there is one frame for each of the source's, at the same time."""
    if len(pts) != len(info.frame_times):
        raise MediaError(
            f"{path} would have {len(pts)} frames where {info.path} has {len(info.frame_times)}",
            HINT,
        )
    near = max(tick, info.time_base) / 2  # containers count time in ticks of their own
    for n, (mine, time) in enumerate(zip(np.sort(pts), info.frame_times, strict=True)):
        late = int(mine) * tick - info.start - time
        if abs(late) > near:
            raise MediaError(f"frame {n} of {path} would be {float(late):.4f} s late", HINT)


def check_sound_start(path: Path, info: MediaInfo, index: int) -> None:
    """Raise MediaError unless the new sound begins with the first frame."""
    with open_media(path) as container:
        stream = container.streams[index]
        assert isinstance(stream, av.AudioStream), "this is the sound"
        first = next(decode_leniently(container, stream), None)
    if first is None or first.pts is None:
        raise MediaError(f"{path} has no sound at its start", HINT)
    late = first.pts * first.time_base - info.start
    if not -MOST_EARLY_S <= late <= MOST_LATE_S:
        raise MediaError(f"the sound of {path} would be {float(late):.3f} s late", HINT)


def read_times(path: Path) -> tuple[Ints, Fraction]:
    """(n,) PTS of a file's frames in decoding order, and seconds a tick."""
    found = _read(path, ())
    return np.array(found.pts, np.int64), found.tick


def first_sound(path: Path) -> int | None:
    """The number of a file's first sound that can be decoded."""
    with open_media(path) as container:
        stream = audio_stream(container)
        return None if stream is None else stream.index


def _read(path: Path, anew: Sequence[Span]) -> _Found:
    with open_media(path) as container:
        stream = video_stream(container, path)
        assert stream.time_base is not None, "a demuxed stream has a time base"
        end = (stream.start_time or 0) + stream.duration if stream.duration else None
        found = _Found(stream.time_base, None if end is None else end * stream.time_base)
        spans, n = iter(anew), 0
        span = next(spans, None)
        for packet in container.demux():
            if packet.size == 0:
                continue
            if packet.stream.index != stream.index:
                if packet.stream.index not in found.tallies:
                    found.tallies[packet.stream.index] = tally_for(packet.stream)
                found.tallies[packet.stream.index].add(packet)
                continue
            if packet.pts is None:
                raise MediaError(f"a frame of {path} has no time", HINT)
            while span is not None and n >= span.end:
                span = next(spans, None)
            if span is None or n not in span:
                found.copied.update(packet)
            found.pts.append(packet.pts)
            n += 1
    return found


def _check_kept(kept: Carried, tally: Tally | None) -> None:
    was, name = kept.tally, kept.name
    n_packets = tally.n_packets if tally else 0
    if n_packets != was.n_packets:
        raise MediaError(f"{name} has {n_packets} packets instead of {was.n_packets}", HINT)
    if tally is None or was.n_packets == 0:
        return
    if tally.sha256 != was.sha256:
        raise MediaError(f"packets of {name} are not the source's", HINT)
    if was.first is not None and tally.first is not None and not kept.is_cover:
        late = tally.first - was.first
        if abs(late) > Fraction(1, 1000):
            raise MediaError(f"{name} would be {float(late):.3f} s late", HINT)


def _check_duration(found: _Found, promise: Promise) -> None:
    """The picture may not end elsewhere than the source's, where both files say so."""
    if promise.end is None or found.end is None:
        return
    longer = found.end - promise.end
    if abs(longer) > max(found.tick, promise.info.time_base):
        raise MediaError(f"the picture would be {float(longer):.4f} s longer", HINT)
