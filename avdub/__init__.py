"""Dub a video from a subtitle file: new speech and new lips from one latent sequence.

Public names are resolved on first use (PEP 562), so that `import avdub` loads neither torch nor
the codecs.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from avdub.errors import (
        AvdubError,
        FaceError,
        InputError,
        MediaError,
        SubtitleError,
        WeightsError,
    )
    from avdub.pipeline.options import DubOptions
    from avdub.pipeline.plan import Plan, make_plan
    from avdub.pipeline.report import DubReport, SegmentReport
    from avdub.pipeline.run import dub, speak_text

__all__ = [
    "AvdubError",
    "DubOptions",
    "DubReport",
    "FaceError",
    "InputError",
    "MediaError",
    "Plan",
    "SegmentReport",
    "SubtitleError",
    "WeightsError",
    "dub",
    "make_plan",
    "speak_text",
]

_HOMES = {
    "avdub.errors": (
        "AvdubError",
        "FaceError",
        "InputError",
        "MediaError",
        "SubtitleError",
        "WeightsError",
    ),
    "avdub.pipeline.options": ("DubOptions",),
    "avdub.pipeline.plan": ("Plan", "make_plan"),
    "avdub.pipeline.report": ("DubReport", "SegmentReport"),
    "avdub.pipeline.run": ("dub", "speak_text"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name == "__version__":
        return _version()
    if name not in _HOME_OF:
        raise AttributeError(f"module 'avdub' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME_OF[name]), name)
    return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("avdub")
    except PackageNotFoundError:  # run from a checkout that is not installed
        return "0+source"


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__, "__version__"])
