"""Files as the world has them: cut, flipped, misnamed, misspelt. Each is made from a good one and a
seed; it must be dubbed, partly dubbed or refused in two lines, and leave nothing else behind.

`python -m tests.damaged` runs all of them and prints the table of the reliability report.
"""

import random
import shutil
import struct
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from avdub.media.audio import write_wav
from tests.make import make_clip, make_tone
from tests.tiny import make_face_clip, save_tiny_family

SRT = """1
00:00:00,100 --> 00:00:00,600
Hello there.

2
00:00:00,700 --> 00:00:01,100
<i>Good</i> day, {\\an8}my friend &amp; all.
"""
VTT = "WEBVTT\n\n00:00.100 --> 00:00.600\nHello there.\n\n00:00.700 --> 00:01.100\nGood day.\n"
ASS = """[Script Info]
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
Dialogue: 0,0:00:00.10,0:00:00.60,Default,,0,0,0,,Hello there.
Dialogue: 0,0:00:00.70,0:00:01.10,Default,Ann,0,0,0,,{\\i1}Good{\\i0} day.
"""
TEXTS = {"srt": SRT, "vtt": VTT, "ass": ASS}
CUTS = (0.002, 0.01, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.97, 0.999)
FLIPS = (1, 3, 10, 30, 100, 300)  # bits
MANY_CUES, LONG_LINE = 100_000, 1_000_000
OK, REFUSED, PARTLY = 0, 3, 5


@dataclass(frozen=True)
class Case:
    """A name, its kind, and what to dub with what."""

    name: str
    kind: str
    video: Path
    subtitles: Path


def cases(folder: Path) -> Iterator[Case]:
    """All damaged inputs, each written when it is reached."""
    good = _good_clips(folder)
    srt = folder / "good.srt"
    srt.write_text(SRT, encoding="utf-8")
    for name, kind, video in _videos(folder, good):
        yield Case(name, kind, video, srt)
    for name, kind, subtitles in _subtitles(folder):
        yield Case(name, kind, good["mp4"], subtitles)


def _good_clips(folder: Path) -> dict[str, Path]:
    tone = make_tone(1.2, 16_000, 2)
    return {
        suffix: make_clip(folder / f"good.{suffix}", n_frames=30, audio=tone)
        for suffix in ("mp4", "mkv", "mov", "avi")
    }


def _videos(folder: Path, good: dict[str, Path]) -> Iterator[tuple[str, str, Path]]:
    for suffix, path in good.items():
        data = path.read_bytes()
        for share in CUTS:
            yield _written(
                folder, f"cut_{share}.{suffix}", "cut short", data[: int(share * len(data))]
            )
        for bits in FLIPS:
            for seed in range(3):
                flipped = _flipped(data, bits, seed)
                yield _written(folder, f"flip_{bits}_{seed}.{suffix}", "bits flipped", flipped)
        middle = len(data) // 2
        holes = {
            "head": (0, 64),
            "middle": (middle, middle + 4096),
            "tail": (len(data) - 256, None),
        }
        for place, (start, end) in holes.items():
            hole = bytearray(data)
            hole[start:end] = bytes(len(hole[start:end]))
            yield _written(folder, f"hole_{place}.{suffix}", "parts zeroed", bytes(hole))
    face = make_face_clip(folder / "face.mp4", audio=make_tone(2.0, 16_000)).read_bytes()
    for bits in FLIPS:
        flipped = _flipped(face, bits, 0)
        yield _written(folder, f"face_{bits}.mp4", "bits flipped, with a face", flipped)
    yield from _odd_videos(folder, good)
    yield from _misnamed(folder, good)


def _odd_videos(folder: Path, good: dict[str, Path]) -> Iterator[tuple[str, str, Path]]:
    mp4 = good["mp4"].read_bytes()
    yield _written(folder, "no_index.mp4", "missing index", mp4.replace(b"moov", b"free"))
    yield _written(folder, "no_samples.mp4", "missing index", mp4.replace(b"stco", b"free"))
    for value in (0, 1, 65_535):
        huge = _declared(mp4, value)
        yield _written(folder, f"declared_{value}.mp4", "declared sizes", huge)
    sizes = {"2x2": (2, 2), "66x50": (66, 50), "16x2048": (16, 2048), "2048x16": (2048, 16)}
    for name, size in sizes.items():
        path = make_clip(folder / f"size_{name}.mp4", size=size, n_frames=12)
        yield path.name, "odd sizes", path
    odd = make_clip(folder / "size_65x49.mkv", size=(65, 49), codec="ffv1", pixel_format="yuv444p")
    yield odd.name, "odd sizes", odd
    for name, times in {
        "negative": [Fraction(n - 5, 25) for n in range(30)],
        "gap": [Fraction(n, 25) + (3600 if n > 14 else 0) for n in range(30)],
        "late": [Fraction(n, 25) + 100_000 for n in range(30)],
        "crowded": [Fraction(n, 25_000) for n in range(30)],
    }.items():
        path = make_clip(folder / f"times_{name}.mkv", n_frames=30, times=times)
        yield path.name, "odd times", path
    yield _no_frames(folder / "no_frames.mp4")
    yield _no_frames(folder / "no_frames.mkv")


def _misnamed(folder: Path, good: dict[str, Path]) -> Iterator[tuple[str, str, Path]]:
    mp4, mkv = good["mp4"].read_bytes(), good["mkv"].read_bytes()
    wav = folder / "tone.wav"
    write_wav(wav, make_tone(1.0))
    for name, data in {
        "mp4_named.mkv": mp4,
        "mkv_named.mp4": mkv,
        "mp4_named.txt": mp4,
        "text_named.mp4": SRT.encode(),
        "sound_named.mp4": wav.read_bytes(),
        "zip_named.mp4": b"PK\x03\x04" + bytes(600),
        "page_named.mp4": b"<!DOCTYPE html><html><body>404</body></html>",
        "playlist_named.mp4": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n",
        "list_named.mp4": b"ffconcat version 1.0\nfile '/etc/hostname'\n",
        "empty.mp4": b"",
        "noise.mp4": random.Random(0).randbytes(20_000),
        "name with spaces, ünï & 'quotes'.mp4": mp4,
        "-dash.mp4": mp4,
    }.items():
        yield _written(folder, name, "misnamed", data)
    (folder / "folder.mp4").mkdir()
    yield "folder.mp4", "misnamed", folder / "folder.mp4"
    yield "absent.mp4", "misnamed", folder / "absent.mp4"


def _subtitles(folder: Path) -> Iterator[tuple[str, str, Path]]:
    for suffix, text in TEXTS.items():
        data = text.encode()
        for share in CUTS[2:-1]:
            cut = data[: int(share * len(data))]
            yield _written(folder, f"sub_cut_{share}.{suffix}", "subtitles cut short", cut)
        for bits in FLIPS[:4]:
            for seed in range(2):
                flipped = _flipped(data, bits, seed)
                name = f"sub_flip_{bits}_{seed}.{suffix}"
                yield _written(folder, name, "subtitles' bits flipped", flipped)
    for name, data in _encodings().items():
        yield _written(folder, f"coded_{name}.srt", "encodings", data)
    for name, text in _odd_texts().items():
        yield _written(folder, f"odd_{name}", "odd subtitles", text.encode())


def _encodings() -> dict[str, bytes]:
    accented = SRT.replace("Hello there", "Où êtes-vous, señor")
    russian = SRT.replace("Hello there", "Привет, мир")
    return {
        "utf8_bom": b"\xef\xbb\xbf" + SRT.encode(),
        "utf16": SRT.encode("utf-16"),
        "utf16_le": SRT.encode("utf-16-le"),
        "utf16_be": SRT.encode("utf-16-be"),
        "utf32": SRT.encode("utf-32"),
        "latin1": accented.encode("latin-1"),
        "cp1251": russian.encode("cp1251"),
        "russian": russian.encode(),
        "gb18030": SRT.replace("Hello there", "你好").encode("gb18030"),
        "two_boms": b"\xef\xbb\xbf\xef\xbb\xbf" + SRT.encode(),
        "mixed": SRT.encode() + "\n3\n00:00:00,1 --> 00:00:01\nü".encode("latin-1"),
        "nul": SRT.replace("there", "the\0re").encode(),
        "noise": random.Random(1).randbytes(5000),
        "cr": SRT.replace("\n", "\r").encode(),
        "crlf": SRT.replace("\n", "\r\n").encode(),
    }


def _odd_texts() -> dict[str, str]:
    def cue(times: str, text: str = "Hello there.") -> str:
        return f"1\n{times}\n{text}\n"

    one = "00:00:00,100 --> 00:00:01,100"
    many = "".join(
        f"{n}\n00:{n // 3000:02}:{n // 50 % 60:02},{20 * (n % 50):03} --> "
        f"00:{n // 3000:02}:{n // 50 % 60:02},{20 * (n % 50) + 15:03}\nNo.\n\n"
        for n in range(MANY_CUES)
    )
    return {
        "empty.srt": "",
        "blank.srt": " \n\n\t\n",
        "no_cue.vtt": "WEBVTT\n\nNOTE nothing\n",
        "reversed.srt": cue("00:00:01,000 --> 00:00:00,100"),
        "zero.srt": cue("00:00:00,500 --> 00:00:00,500"),
        "overlap.srt": cue(one) + "\n" + cue("00:00:00,200 --> 00:00:00,900"),
        "same.srt": (cue(one) + "\n") * 40,
        "after_the_end.srt": cue("00:10:00,000 --> 00:10:02,000"),
        "far.srt": cue("99:59:59,999 --> 999:59:59,999"),
        "negative.srt": cue("-00:00:01,000 --> 00:00:01,000"),
        "no_arrow.srt": cue("00:00:00,100 00:00:01,100"),
        "letters.srt": cue("aa:bb:cc,ddd --> ee:ff:gg,hhh"),
        "big_numbers.srt": cue("00:00:00,100 --> 00:00:01,99999999999999999999"),
        "no_text.srt": cue(one, ""),
        "tags_only.srt": cue(one, "<i></i>{\\an8}"),
        "nested.srt": cue(one, "<i>" * 10_000 + "Hi" + "</i>" * 10_000),
        "open_tags.srt": cue(one, '<font color="red" <b><i Hello'),
        "braces.srt": cue(one, "{" * 5000 + "Hello" + "}" * 3000),
        "entities.srt": cue(one, "&lt;&gt;&amp;&nbsp;&#x41;&#99999999;&bogus; hello"),
        "music.srt": cue(one, "♪ ♪ ♪"),
        "emoji.srt": cue(one, "Hello 👩‍👩‍👧‍👦 \U0001f600 there"),
        "right_to_left.srt": cue(one, "\u202eHello\u202c שלום"),
        "chinese.srt": cue(one, "你好，世界"),
        "numbers.srt": cue(one, "9" * 400),
        "punctuation.srt": cue(one, "?!…—" * 500),
        "one_letter.srt": cue(one, "a" * 5000),
        "path.srt": cue(one, "../../etc/passwd; $(touch x) `id` %s %n"),
        "drawing.ass": ASS.replace("Hello there.", "{\\p1}m 0 0 l 100 0 100 100{\\p0}"),
        "no_events.ass": ASS.split("[Events]")[0],
        "no_format.ass": ASS.replace("Format: Layer", "Formless: Layer"),
        "many_cues.srt": many,
        "long_line.srt": cue(one, "word " * (LONG_LINE // 5)),
        "long_word.srt": cue(one, "w" * LONG_LINE),
        "transcript.txt": "Hello there.\n",
        "long_transcript.txt": "Hello there, my friend. " * 2000,
        "sheet.csv": "start,end,text\n0.1,1.0,Hello\n",
        "json.json": '{"events": 3}',
    }


def _written(folder: Path, name: str, kind: str, data: bytes) -> tuple[str, str, Path]:
    (folder / name).write_bytes(data)
    return name, kind, folder / name


def _flipped(data: bytes, bits: int, seed: int) -> bytes:
    chance, changed = random.Random(f"{bits} {seed}"), bytearray(data)
    for _ in range(bits):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _declared(mp4: bytes, value: int) -> bytes:
    """The sizes that the sample description states, changed."""
    changed = bytearray(mp4)
    at = mp4.index(b"avc1") + 4 + 6 + 2 + 16
    changed[at : at + 4] = struct.pack(">HH", value, value)
    return bytes(changed)


def _no_frames(path: Path) -> tuple[str, str, Path]:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    return path.name, "no frames", path


def check(case: Case, code: int, shown: str, left: set[str]) -> str:
    """What is wrong with how a case went; "" for nothing. `left` are the files it left."""
    lines = [line for line in shown.splitlines() if line.startswith(("error:", "hint:"))]
    if "Traceback" in shown:
        return "a traceback"
    if code not in (OK, REFUSED, PARTLY):
        return f"exit code {code}: {shown[-300:]}"
    if code == REFUSED and [line.split(":")[0] for line in lines] != ["error", "hint"]:
        return f"not refused in two lines: {shown[-300:]}"
    wanted = set() if code == REFUSED else {"out.mp4"}
    return "" if left == wanted else f"left {sorted(left)} with exit code {code}"


def run_all(run: Callable[[Case, Path], tuple[int, str]]) -> Iterator[tuple[Case, int, float, str]]:
    """Case, exit code, seconds and what is wrong, for each; `run` dubs one into a folder."""
    root = Path(tempfile.mkdtemp(prefix="damaged"))
    try:
        (inputs := root / "in").mkdir()
        for n, case in enumerate(cases(inputs)):
            (out := root / f"out{n}").mkdir()
            before = set(inputs.iterdir())
            began = time.monotonic()
            code, shown = run(case, out)
            spent = time.monotonic() - began
            wrong = check(case, code, shown, {p.name for p in out.iterdir()})
            strays = {p.name for p in set(inputs.iterdir()) - before}
            yield case, code, spent, wrong or (f"strays {sorted(strays)}" if strays else "")
    finally:
        shutil.rmtree(root)


def main() -> int:
    """Run everything with tiny models; print the table, and what went wrong."""
    from tests.conftest import FACES
    from tests.test_damaged_inputs import dubbing

    models = save_tiny_family(Path(tempfile.mkdtemp(prefix="models")), FACES)
    kinds: dict[str, Counter[int]] = {}
    slowest, failures = 0.0, []
    for case, code, spent, wrong in run_all(dubbing(models)):
        kinds.setdefault(case.kind, Counter())[code] += 1
        slowest = max(slowest, spent)
        if wrong:
            failures.append(f"{case.name}: {wrong}")
        if spent > 10:
            sys.stderr.write(f"{case.name} took {spent:.1f} s\n")
    shutil.rmtree(models)
    out = ["| damage | inputs | dubbed | partly | refused |", "|---|---|---|---|---|"]
    for kind, codes in kinds.items():
        out.append(
            f"| {kind} | {codes.total()} | {codes[OK]} | {codes[PARTLY]} | {codes[REFUSED]} |"
        )
    total = sum(codes.total() for codes in kinds.values())
    out.append(f"\n{total} inputs, the slowest took {slowest:.1f} s, {len(failures)} went wrong.")
    sys.stdout.write("\n".join([*out, *failures]) + "\n")
    return bool(failures)


if __name__ == "__main__":
    raise SystemExit(main())
