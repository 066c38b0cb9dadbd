"""The options of all commands, each defined once, and how their words are read."""

import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from avdub.cli.chosen import Lips as Lips
from avdub.cli.chosen import Prosody as Prosody
from avdub.cli.screen import remember_debug, remember_kept, remember_no_color
from avdub.pipeline.options import DubOptions

DEFAULTS = DubOptions()
MODELS, PICTURE, OUTPUT = "Speech and models", "Picture", "Output"
CACHE = "Cache"
CACHE_GB = 10.0


class ProgressKind(StrEnum):
    """How progress is shown on stderr."""

    rich = "rich"
    plain = "plain"
    jsonl = "jsonl"
    none = "none"


class FaceBackend(StrEnum):
    """What finds faces."""

    mediapipe = "mediapipe"
    insightface = "insightface"


def parse_segments(text: str) -> frozenset[int]:
    """`1,3-5` as numbers; raises typer.BadParameter for anything else."""
    numbers: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})\s*(?:-\s*(\d{1,6})\s*)?", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise typer.BadParameter(f"{part.strip()!r} is no segment or range such as 3 or 3-5")
        numbers.update(range(first, last + 1))
    return frozenset(numbers)


Video = Annotated[
    Path, typer.Argument(metavar="VIDEO", show_default=False, help="The video to dub.")
]
Subtitles = Annotated[
    Path | None,
    typer.Argument(
        metavar="SUBTITLES",
        show_default=False,
        help="SRT, VTT, ASS or a plain transcript (.txt). "
        "Default: the .srt, .vtt or .ass beside the video that has its name.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        show_default=False,
        rich_help_panel=OUTPUT,
        help="Where to write. Default: <video>.dub.<ext> beside the video.",
    ),
]
Voice = Annotated[
    str | None,
    typer.Option(
        "--voice",
        metavar="NAME|original|FILE",
        show_default=False,
        rich_help_panel=MODELS,
        help="Who speaks: a name of `avdub voices`, the original speaker, or whoever speaks in a "
        "sound file. Default: the model's first voice of the language, original where it has none.",
    ),
]
Language = Annotated[
    str,
    typer.Option(
        "--language",
        "--lang",
        metavar="CODE",
        rich_help_panel=MODELS,
        help="Language of the words: en, en-us, en-gb, es or es-419.",
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FOLDER",
        rich_help_panel=MODELS,
        help="base, an installed model (see `avdub models list`), or a model folder of your own.",
    ),
]
Device = Annotated[
    str,
    typer.Option(
        "--device",
        rich_help_panel=MODELS,
        help="auto, cpu or cuda; auto takes a GPU where there is one.",
    ),
]
Seed = Annotated[
    int, typer.Option("--seed", min=0, rich_help_panel=MODELS, help="Same seed, same dub.")
]
MaxRate = Annotated[
    float,
    typer.Option(
        "--max-rate",
        min=1.0,
        max=3.0,
        rich_help_panel=MODELS,
        help="How much faster than naturally a line may be spoken to fit its slot.",
    ),
]
MinRate = Annotated[
    float,
    typer.Option(
        "--min-rate",
        min=0.3,
        max=1.0,
        rich_help_panel=MODELS,
        help="How much slower than naturally a line may be drawn out to fill its slot.",
    ),
]
Pace = Annotated[
    float,
    typer.Option(
        "--pace",
        min=0.5,
        max=2.0,
        rich_help_panel=MODELS,
        help="How much faster than naturally everything is spoken, before it is fitted to its "
        "slots.",
    ),
]
ProsodyOption = Annotated[
    Prosody,
    typer.Option(
        "--prosody",
        rich_help_panel=MODELS,
        help="original: livelier or flatter, higher or lower, louder or softer as the original "
        "line is; plain: always alike.",
    ),
]
LipsOption = Annotated[
    Lips,
    typer.Option(
        "--lips",
        rich_help_panel=MODELS,
        help="original: opened as far as the original speakers open theirs, where that can be "
        "told; plain: as far as the model has it.",
    ),
]
DuckDb = Annotated[
    float,
    typer.Option(
        "--duck-db",
        min=-120.0,
        max=0.0,
        rich_help_panel=OUTPUT,
        help="Level of the original sound under new speech, in dB.",
    ),
]
FaceBackendOption = Annotated[
    FaceBackend,
    typer.Option(
        "--face-backend",
        rich_help_panel=PICTURE,
        help="What finds faces. insightface needs your own model pack (non-commercial licence).",
    ),
]
Adapt = Annotated[
    bool,
    typer.Option(
        "--adapt/--no-adapt",
        rich_help_panel=PICTURE,
        help="First fine-tune the face generator on the video's own actor; kept for later dubs.",
    ),
]
AdaptSeconds = Annotated[
    float,
    typer.Option(
        "--adapt-seconds",
        min=5.0,
        max=3600.0,
        rich_help_panel=PICTURE,
        help="How long --adapt may take.",
    ),
]
Crf = Annotated[
    int | None,
    typer.Option(
        "--crf",
        min=0,
        max=40,
        rich_help_panel=PICTURE,
        help="Picture quality of what is encoded anew: lower is better and larger. By default as "
        "good as 16, but hardly larger than what it replaces.",
    ),
]
Cache = Annotated[
    bool,
    typer.Option(
        "--cache/--no-cache",
        callback=remember_kept,
        rich_help_panel=CACHE,
        help="Keep what each segment is made of, and use what an earlier run kept: an interrupted "
        "dub goes on, and after an edit only what changed is made again.",
    ),
]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="FOLDER",
        show_default=False,
        rich_help_panel=CACHE,
        help="Where it is kept. Default: your cache folder, see `avdub cache show`.",
    ),
]
CacheSize = Annotated[
    float,
    typer.Option(
        "--cache-size",
        metavar="GB",
        min=0.001,
        rich_help_panel=CACHE,
        help="How large it may grow; what was not used for longest is dropped.",
    ),
]
Segments = Annotated[
    frozenset[int] | None,
    typer.Option(
        "--segments",
        metavar="1,3-5",
        parser=parse_segments,
        show_default=False,
        help="Dub only these segments, counted from 1 as in the subtitle file.",
    ),
]
Segment = Annotated[
    int, typer.Option("--segment", "-s", metavar="N", min=1, help="Which segment to show.")
]
Force = Annotated[
    bool, typer.Option("--force", "-f", rich_help_panel=OUTPUT, help="Replace an existing output.")
]
Json = Annotated[
    bool, typer.Option("--json", rich_help_panel=OUTPUT, help="Print one JSON object on stdout.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Only plan: the same as `avdub plan`.")
]
ProgressOption = Annotated[
    ProgressKind | None,
    typer.Option(
        "--progress",
        show_default=False,
        rich_help_panel=OUTPUT,
        help="Progress on stderr. Default: rich on a terminal, else plain.",
    ),
]
Debug = Annotated[
    bool,
    typer.Option(
        "--debug",
        callback=remember_debug,
        help="Show the traceback of an error.",
    ),
]
NoColor = Annotated[
    bool,
    typer.Option("--no-color", callback=remember_no_color, help="No colours."),
]
