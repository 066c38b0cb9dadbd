"""What can go wrong, by what the user can do about it.

    AvdubError            1  something unexpected
    ├── InputError        3  a file, folder or argument we cannot use
    │   ├── SubtitleError 3  ... the subtitles (names the line)
    │   ├── MediaError    3  ... the video or sound (may carry a decoder's own words)
    │   └── FaceError     3  ... the face the user asked for
    └── WeightsError      4  model weights or an optional dependency are missing or damaged

Each has a one-sentence `message` (what failed and where), a one-sentence `hint` (what to do), and
the exit code of the command line.
"""


class AvdubError(Exception):
    """Base of everything avdub raises on purpose."""

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InputError(AvdubError):
    """A file, folder or argument that cannot be used."""

    exit_code = 3


class SubtitleError(InputError):
    """Subtitles that cannot be read; `line` is the 1-based line, 0 where none applies."""

    def __init__(self, message: str, hint: str = "", line: int = 0) -> None:
        super().__init__(message, hint)
        self.line = line


class MediaError(InputError):
    """A video or sound that cannot be read or written; `detail` holds the codec library's words."""

    def __init__(self, message: str, hint: str = "", detail: str = "") -> None:
        super().__init__(message, hint)
        self.detail = detail


class FaceError(InputError):
    """A face that was asked for and is not there."""


class WeightsError(AvdubError):
    """Weights or an optional dependency are missing, damaged or of another family."""

    exit_code = 4
