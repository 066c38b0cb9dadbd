"""A long dub, measured: does memory grow with the video, does anything drift, what costs an edit?

    python -m tests.long_run --minutes 60 --cues 600 --folder FOLDER [--clip VIDEO]
    python -m tests.long_run --minutes 10 --cues 100 --folder FOLDER --edit

makes a video of 1280 x 720 and that length from a clip (the demo's portrait, if none is given),
dubs it and one of two minutes in processes of their own, and prints what came out. With --edit it
is dubbed once, again as it is, and again with one line changed.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from avdub.media.audio import iter_audio, read_audio
from avdub.media.probe import probe
from avdub.media.subtitles import read_subtitles, write_srt
from avdub.media.video import FrameReader
from avdub.media.waveform import resample
from avdub.report.demo import make_demo
from avdub.timeline import Segment, Span

WIDTH, HEIGHT, RATE, SOUND_RATE = 1280, 720, 25, 48_000
GROUP = 50  # frames
PERIOD_S = 20  # of the clip are repeated
SHORT_MINUTES = 2
CUE_MS = 1500
LINES = (
    "The ferry leaves at six.",
    "Bring a warm coat today.",
    "It never waits for us.",
    "We should talk about this.",
    "Nobody told me before.",
)
EDITED = "This line is a new one."
LOUDER = 4.0  # times what coding alone changes: there the new sound begins
HOP_S = 0.005
NEAR = 10  # frames


def make_long(clip: Path, minutes: int, cues: int, folder: Path) -> tuple[Path, Path]:
    """The clip over and over, and cues at even distances; both are kept for another time."""
    video, subtitles = folder / f"long{minutes}.mp4", folder / f"long{minutes}.srt"
    if not video.exists():
        part = video.with_suffix(".part.mp4")
        _write_video(clip, minutes * 60, part)
        part.rename(video)
    every = minutes * 60_000 // cues
    segments = [
        Segment(n + 1, n * every + 1000, n * every + 1000 + CUE_MS, LINES[n % len(LINES)])
        for n in range(cues)
    ]
    write_srt(segments, subtitles)
    return video, subtitles


def _write_video(clip: Path, seconds: int, path: Path) -> None:
    """PERIOD_S of pictures are encoded once and their packets written again and again."""
    period = path.with_suffix(".period.mp4")
    _write_period(clip, period)
    sound = _sound_of(clip)
    n_frames, per_frame = seconds * RATE, SOUND_RATE // RATE
    with av.open(str(period)) as source, av.open(str(path), "w") as target:
        packets = [packet for packet in source.demux(video=0) if packet.size]
        pictures = target.add_stream_from_template(packets[0].stream)
        heard = target.add_stream("aac", rate=SOUND_RATE, layout="mono")
        tick = packets[0].time_base
        length = round(len(packets) / (RATE * tick))
        target.start_encoding()
        for n in range(n_frames):
            turn, place = divmod(n, len(packets))
            each = packets[place]
            again: av.Packet[Any] = av.Packet(bytes(each))
            again.stream, again.time_base, again.duration = pictures, tick, each.duration
            again.pts, again.dts = each.pts + turn * length, each.dts + turn * length
            again.is_keyframe = each.is_keyframe
            target.mux(again)
            start = n * per_frame
            block = np.take(sound, range(start, start + per_frame), mode="wrap")[None]
            frame = av.AudioFrame.from_ndarray(block, "fltp", "mono")
            frame.rate, frame.pts, frame.time_base = SOUND_RATE, start, Fraction(1, SOUND_RATE)
            target.mux(heard.encode(frame))
        target.mux(heard.encode(None))
    period.unlink()


def _write_period(clip: Path, path: Path) -> None:
    """The clip's pictures as often as needed, fitted into the frame, in closed groups."""
    options = {"crf": "21", "x264-params": f"keyint={GROUP}:min-keyint={GROUP}:scenecut=0"}
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=RATE, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for n, image in zip(range(PERIOD_S * RATE), _pictures(clip), strict=False):
            frame = av.VideoFrame.from_ndarray(_fitted(image), "rgb24")
            frame.pts, frame.time_base = n, Fraction(1, RATE)
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def _pictures(clip: Path) -> Iterator[NDArray[np.uint8]]:
    """The clip there and back again, so that nothing jumps."""
    info = probe(clip)
    with FrameReader(info) as reader:
        images = [
            _fitted(frame.image) for _, frame in zip(range(PERIOD_S * RATE), reader, strict=False)
        ]
    while True:
        yield from images
        images.reverse()


def _fitted(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    size = round(image.shape[1] * scale), round(image.shape[0] * scale)
    fitted = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    x, y = (WIDTH - size[0]) // 2, (HEIGHT - size[1]) // 2
    fitted[y : y + size[1], x : x + size[0]] = cv2.resize(image, size)
    return fitted


def _sound_of(clip: Path) -> NDArray[np.float32]:
    blocks = [resample(block.mono(), SOUND_RATE) for block in iter_audio(clip, probe(clip))]
    return np.concatenate([block.samples[:, 0] for block in blocks])


def dubbed(video: Path, subtitles: Path, folder: Path, *words: str) -> dict[str, Any]:
    """The report of a dub in a process of its own; raises RuntimeError where it failed."""
    output = folder / f"{video.stem}.dub.mp4"
    command = ["dub", video, subtitles, "-o", output, "--force", "--json", "--progress", "none"]
    command += ["--cache-dir", folder / "cache", *words]
    words = tuple(map(str, command))
    done = subprocess.run(
        [sys.executable, "-m", "avdub", *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode}: {done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def offsets(video: Path, output: Path, segment: Segment) -> tuple[float, int]:
    """How late a segment's new sound begins, in ms, and its new pictures, in frames.

    Frames before a segment's own are copies, so the first that differs is the first new one.
    """
    before, after = probe(video), probe(output)
    span = segment.start - Fraction(1, 2), segment.start + Fraction(1, 2)
    one, other = (read_audio(info.path, info, span) for info in (before, after))
    assert one is not None, "the clip has sound"
    assert other is not None, "a dub has sound"
    change = other.samples[:, 0] - one.samples[:, 0]
    hop = round(HOP_S * one.rate)
    power = np.sqrt(np.square(change[: len(change) // hop * hop].reshape(-1, hop)).mean(1))
    usual = power[: len(power) // 3].max()
    first = int(np.flatnonzero(power > LOUDER * usual + 1e-4)[0])
    slot = before.timeline.frames(segment)
    near = Span(max(0, slot.start - NEAR), slot.end)
    with FrameReader(before, near) as old, FrameReader(after, near) as new:
        pairs = zip(old, new, strict=True)
        changed = next(a.index for a, b in pairs if not np.array_equal(a.image, b.image))
    return round(1000 * (first * HOP_S - 0.5), 1), changed - slot.start


def measure_memory(options: argparse.Namespace, clip: Path) -> bool:
    """Print what a short and a long dub took; False where a promise does not hold."""
    peaks, good = [], True
    for minutes in (SHORT_MINUTES, options.minutes):
        cues = options.cues * minutes // options.minutes
        video, subtitles = make_long(clip, minutes, cues, options.folder)
        began = time.monotonic()
        report = dubbed(video, subtitles, options.folder, "--no-cache")
        took = time.monotonic() - began
        peaks.append(report["peak_rss_mb"])
        statuses = {each["status"] for each in report["segments"]}
        segments, _ = read_subtitles(subtitles)
        ends = [
            offsets(video, Path(report["output"]), each) for each in (segments[0], segments[-1])
        ]
        drift_ms, drift_frames = (b - a for a, b in zip(*ends, strict=True))
        print(f"{minutes} min, {cues} cues: peak {peaks[-1]:.0f} MB, {took:.0f} s, {statuses}")
        print(f"  stages {report['timing']}")
        print(f"  picture {report['picture']}")
        print(f"  late (ms, frames): first cue {ends[0]}, last cue {ends[1]}")
        good &= statuses == {"dubbed"} and abs(drift_ms) <= 20 and abs(drift_frames) <= 1
    growth = peaks[1] / peaks[0] - 1
    print(f"memory grows by {growth:.1%}")
    return good and growth <= 0.1


def measure_edit(options: argparse.Namespace, clip: Path) -> bool:
    """Print what an edited line costs; False where more than that line was made."""
    video, subtitles = make_long(clip, options.minutes, options.cues, options.folder)
    segments, _ = read_subtitles(subtitles)
    middle = len(segments) // 2
    edited = [replace(s, text=EDITED) if n == middle else s for n, s in enumerate(segments)]
    reports = []
    for name, lines in (("first", segments), ("again", segments), ("edited", edited)):
        write_srt(lines, subtitles)
        began = time.monotonic()
        reports.append(dubbed(video, subtitles, options.folder))
        print(f"{name}: {time.monotonic() - began:.1f} s, stages {reports[-1]['timing']}")
    write_srt(segments, subtitles)
    timing, warm = reports[2]["timing"], reports[1]["timing"]
    splice_s = timing["picture_s"] - timing["paint_s"]
    made = [s["index"] for s in reports[2]["segments"] if "speech" not in s["cached"]]
    rest_s = timing["total_s"] - splice_s
    print(f"made again: {made}; {rest_s:.1f} s beside a splice of {splice_s:.1f} s")
    print(f"an unchanged run: {warm['total_s']:.1f} s")
    return made == [segments[middle].index]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--cues", type=int, default=100)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--clip", type=Path)
    parser.add_argument("--edit", action="store_true")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    clip = options.clip or make_demo(options.folder / "demo", overwrite=True).video
    measure = measure_edit if options.edit else measure_memory
    return 0 if measure(options, clip) else 1


if __name__ == "__main__":
    sys.exit(main())
