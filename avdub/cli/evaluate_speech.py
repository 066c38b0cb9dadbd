"""`avdub eval speech`: sentences spoken, and what independent judges say of them."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from avdub.cli import options as opt
from avdub.cli.dub import working
from avdub.cli.evaluate_report import Report, check_wanted, origin, write_wanted
from avdub.cli.evaluate_speech_tables import show_speech
from avdub.cli.screen import Screen
from avdub.pipeline.options import DubOptions

if TYPE_CHECKING:
    from avdub.evaluation.speech import Cue
    from avdub.evaluation.speech_score import Figures, VoiceScore

D = opt.DEFAULTS

TextFile = Annotated[
    Path | None,
    typer.Option(
        "--text", metavar="FILE", show_default=False, help="Sentences to say, one a line."
    ),
]
Slots = Annotated[
    Path | None,
    typer.Option(
        "--slots",
        metavar="FILE",
        show_default=False,
        help="Subtitles to say instead of --text; tells how their lengths fit their slots.",
    ),
]
Whisper = Annotated[
    Path,
    typer.Option(
        "--whisper", metavar="FOLDER", help="A faster-whisper model: model.bin and its files."
    ),
]
Voices = Annotated[
    list[str] | None,
    typer.Option("--voice", metavar="NAME", help="Who speaks; give it once for each voice."),
]
Sounds = Annotated[
    Path | None,
    typer.Option(
        "--sounds",
        metavar="FOLDER",
        show_default=False,
        help="Judge these sound files instead of our voice, one a line, by name.",
    ),
]
References = Annotated[
    list[str] | None,
    typer.Option(
        "--reference",
        metavar="NAME=FOLDER|FOLDER",
        show_default=False,
        help="Recordings of whom a voice is meant to sound like: of NAME, or a folder with a "
        "folder or files for each voice. May be given again; needs resemblyzer.",
    ),
]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, show_default=False, help="Only the first N.")
]
Seconds = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        min=0.1,
        max=600.0,
        metavar="S",
        show_default=False,
        help="Ask each line to take this long. Default: natural, and the fit is tried apart.",
    ),
]


def speech_command(
    ctx: typer.Context,
    *,
    text: TextFile = None,
    slots: Slots = None,
    whisper: Whisper,
    voice: Voices = None,
    sounds: Sounds = None,
    reference: References = None,
    limit: Limit = None,
    seconds: Seconds = None,
    language: opt.Language = D.language,
    max_rate: opt.MaxRate = D.max_rate,
    seed: opt.Seed = D.seed,
    model: opt.Model = D.model,
    report: Report = None,
    force: opt.Force = False,
    as_json: opt.Json = False,
    progress: opt.ProgressOption = None,
    debug: opt.Debug = False,
    no_color: opt.NoColor = False,
) -> None:
    """Word and character errors (Whisper), quality (DNSMOS P.808), pitch, pace and fit of speech.

    With --reference also how much each voice sounds like the one it is meant to be.
    """
    from avdub.evaluation.report.speech import NAMES, speech_report

    _check(text, slots, seconds)
    base = DubOptions(language=language, max_rate=max_rate, seed=seed, model=model)
    screen = Screen.of(ctx)
    check_wanted(report, NAMES, force)
    with working(screen, progress) as shown:
        from avdub.evaluation import judges, similarity, speech
        from avdub.evaluation.speech_score import mean_figures

        cues, warnings = _cues(text, slots, limit)
        files = similarity.find_references(reference or [])
        if sounds is not None:
            spoken = [speech.recorded_lines(cues, sounds, max_rate)]
        else:
            named = [replace(base, voice=name) for name in voice] if voice else [base]
            spoken = [speech.spoken_lines(cues, options, seconds) for options in named]
        ears = similarity.make_ears(files, shown) if files else None
        panel = judges.make_judges(whisper, language, ears)
        flat = (item for group in spoken for item in group)
        scores = speech.judge(flat, panel, language, shown, len(cues) * len(spoken))
    unknown = [score.voice for score in scores if files and score.voice not in files]
    for warning in (*warnings, *(f"there is no --reference for {name}" for name in unknown)):
        screen.warn(warning)
    mean = mean_figures(scores)
    _show(screen, scores, mean, as_json)
    if report is not None:
        from avdub.pipeline.weights import Weights

        ours = Weights(model) if sounds is None else None  # recordings come from no model of ours
        document = speech_report(scores, mean, origin(ctx, ours), whisper)
        write_wanted(screen, report, document, as_json)


def _show(screen: Screen, scores: "list[VoiceScore]", mean: "Figures", as_json: bool) -> None:
    """Voices and their mean as tables or as one JSON object."""
    if as_json:
        told = [score.as_json() for score in scores]
        screen.print_json({"voices": told, "mean": asdict(mean)})
    else:
        show_speech(screen, scores, mean)


def _check(text: Path | None, slots: Path | None, seconds: float | None) -> None:
    """Raises typer.BadParameter for options that do not go together."""
    if (text is None) == (slots is None):
        raise typer.BadParameter("give either --text or --slots")
    if slots is not None and seconds is not None:
        raise typer.BadParameter("--slots asks for lengths itself; leave out --seconds")


def _cues(
    text: Path | None, slots: Path | None, limit: int | None
) -> "tuple[list[Cue], list[str]]":
    """What is to be said, and warnings."""
    from avdub.evaluation.speech import read_lines, read_slots

    if slots is not None:
        return read_slots(slots, limit)
    return read_lines(text or Path(), limit), []
