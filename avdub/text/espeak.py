"""English text to IPA by espeak-ng, through phonemizer; the only module that knows either.

Which espeak-ng matters, weights have learned its very phonemes: those of HierSpeech++ know 1.51,
and 1.52 writes ɔːɹ for its oːɹ ("four", "more"). A wheel of 1.51 is therefore taken first.
"""

import logging
import threading
from contextlib import suppress
from functools import cache

from phonemizer.backend import EspeakBackend
from phonemizer.backend.espeak.wrapper import EspeakWrapper

from avdub.errors import WeightsError

LONGEST_DATA_PATH = 158  # bytes; a longer one espeak-ng cuts, and then ends the whole process

_ESPEAK = threading.Lock()  # espeak-ng and phonemizer keep their state between calls
_SILENT = logging.Logger("phonemizer")  # it counts words that espeak-ng joins and warns of them
_SILENT.disabled = True


def to_ipa(text: str, voice: str) -> str:
    """One line as IPA with stress and punctuation, by an espeak-ng voice such as "en-us".

    Raises WeightsError where no espeak-ng can be loaded.
    """
    with _ESPEAK:
        return " ".join(_backend(voice).phonemize([text], strip=True))


def find_espeak() -> tuple[str, str] | None:
    """Library and data of the wheel that is installed; None leaves it to the system's own."""
    with suppress(ImportError):
        import espeak_english

        return str(espeak_english.library_path()), str(espeak_english.data_path())
    with suppress(ImportError):
        import espeakng_loader

        return espeakng_loader.get_library_path(), espeakng_loader.get_data_path()
    return None


@cache
def _backend(voice: str) -> EspeakBackend:
    try:
        library, data = find_espeak() or (None, None)
        if data and len(data.encode()) > LONGEST_DATA_PATH:
            raise WeightsError(
                f"espeak-ng cannot read its data from a path as long as {data}",
                "install avdub in an environment with a shorter path",
            )
        EspeakWrapper.set_library(library)
        EspeakWrapper.set_data_path(data)
        return EspeakBackend(
            voice,
            preserve_punctuation=True,
            with_stress=True,
            language_switch="remove-flags",
            logger=_SILENT,
        )
    except RuntimeError as error:
        raise WeightsError(
            f"the HierSpeech++ text front end cannot load espeak-ng: {error}",
            "run `pip install 'avdub[hierspeechpp]'` or install espeak-ng 1.51",
        ) from error
