"""Where the models that a user brings live, what is cached, and what a model's name means.

Knows names and folders; opens no file and loads no weights.
"""

import os
from pathlib import Path

from platformdirs import user_cache_path, user_config_path, user_data_path

from avdub.errors import WeightsError

BASE = "base"
NEEDED = ("text_to_latents.safetensors", "latents_to_speech.safetensors")


def user_models() -> Path:
    """The folder of imported models: `$AVDUB_HOME/models`, else in the user's data folder."""
    home = os.environ.get("AVDUB_HOME")
    place = Path(home).expanduser() if home else user_data_path("avdub", appauthor=False)
    return place / "models"


def user_cache() -> Path:
    """The folder of what can be made again: `$AVDUB_CACHE_DIR`, else `$AVDUB_HOME/cache`, else the
    user's cache folder."""
    folder, home = os.environ.get("AVDUB_CACHE_DIR"), os.environ.get("AVDUB_HOME")
    if folder:
        return Path(folder).expanduser()
    return Path(home).expanduser() / "cache" if home else user_cache_path("avdub", appauthor=False)


def user_config() -> Path:
    """The user's own settings: `$AVDUB_HOME/avdub.toml`, else in the user's config folder."""
    home = os.environ.get("AVDUB_HOME")
    place = Path(home).expanduser() if home else user_config_path("avdub", appauthor=False)
    return place / "avdub.toml"


def find_model(name: str) -> Path | None:
    """The folder of a model named or given as a path; None for the shipped base family.

    Raises WeightsError for a name that is not installed or lacks a file that dubbing needs.
    """
    if name == BASE:
        return None
    if _is_path(name):
        return Path(name).expanduser()
    folder = user_models() / name
    if not name or not folder.is_dir():
        # An installed name wins over a folder that happens to be called the same.
        if name and Path(name).is_dir():
            return Path(name)
        raise WeightsError(
            f"the model {name!r} is not installed", f"{_how(name)}; `avdub models list` shows all"
        )
    missing = [file for file in NEEDED if not (folder / file).is_file()]
    if missing:
        raise WeightsError(
            f"the model {name!r} in {folder} lacks {' and '.join(missing)}", _how("")
        )
    return folder


def _is_path(name: str) -> bool:
    separators = (os.sep, os.altsep or os.sep, "/")
    return name in ("~", ".", "..") or any(separator in name for separator in separators)


def _how(name: str) -> str:
    known = name in ("", "hierspeechpp")
    start = "bring its files" if known else "models you bring get there"
    return f"{start} with `avdub models import FILES` or `avdub models pull hierspeechpp`"
