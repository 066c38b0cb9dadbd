"""The options of what lies beside the picture: sound tracks and subtitles."""

from typing import Annotated

import typer

from avdub.cli.chosen import Audio as Audio
from avdub.cli.chosen import Subs as Subs
from avdub.cli.options import OUTPUT

AudioOption = Annotated[
    Audio,
    typer.Option(
        "--audio",
        rich_help_panel=OUTPUT,
        help="add: the dub first and chosen by players, the original after it; replace: in place "
        "of the first sound track; only: no other track.",
    ),
]
SubsOption = Annotated[
    Subs,
    typer.Option(
        "--subs",
        rich_help_panel=OUTPUT,
        help="none: only what subtitle tracks the video has; soft: the given subtitles as one more "
        "track, chosen by players; burn: drawn into the picture as plain text, for which every "
        "frame of a cue is encoded anew, also where no face is dubbed.",
    ),
]
