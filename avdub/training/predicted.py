"""Stage 2's latents: what TextToLatents predicts for a clip's words, at the clip's own timing."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from avdub.errors import InputError
from avdub.models.text_to_latents import TextToLatents
from avdub.progress import Progress, silent
from avdub.text import front_end
from avdub.training.align import align
from avdub.training.face_data import PREDICTED, FacePack
from avdub.training.pack_latents import remember

LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (
            *("ay", "bee", "see", "dee", "ee", "eff", "gee", "aitch", "eye", "jay", "kay", "ell"),
            *("em", "en", "oh", "pea", "cue", "are", "ess", "tea", "you", "vee", "double-you"),
            *("ex", "why", "zee"),
        ),
        strict=True,
    )
)
GRID: tuple[dict[str, str], ...] = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    LETTERS,
    {
        **{"z": "zero", "1": "one", "2": "two", "3": "three", "4": "four", "5": "five"},
        **{"6": "six", "7": "seven", "8": "eight", "9": "nine"},
    },
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)


def grid_sentence(name: str) -> str:
    """The words of a GRID clip from its six-letter name. Raises InputError for another name."""
    code = name.rpartition("_")[2]
    if len(code) != len(GRID) or any(c not in t for c, t in zip(code, GRID, strict=True)):
        raise InputError(f"{name} is no GRID clip name", "leave it out of the pack")
    words = [table[c] for c, table in zip(code, GRID, strict=True)]
    return " ".join(words) + "."


def write_predicted(
    model: TextToLatents,
    styles: Mapping[str, Tensor],
    folder: Path,
    seed: int = 0,
    progress: Progress = silent,
) -> None:
    """Add `predicted.f16` to a GRID face pack; the voices take turns.

    Raises InputError where the pack's latents are not as wide as the model's.
    """
    pack = FacePack(folder)
    width = model.config.latents
    voices = list(styles.values())
    front = front_end(model.config.front_end)
    temporary = folder / "predicted.tmp"
    with temporary.open("wb") as file:
        for n, clip in enumerate(progress(pack.clips, f"predicted {folder.name}", len(pack.clips))):
            vec = pack.vec(clip, width)
            style = voices[n % len(voices)]
            phonemes = front.phonemize(grid_sentence(clip.id), "en")
            tokens = torch.tensor(front.ids(front.chunk(phonemes)))
            durations = align(model, tokens, vec, style)
            made = model.predict(tokens, durations, style, model.config.noise, seed + n)
            file.write(made.vec.half().numpy().tobytes())
    remember(folder, PREDICTED, pack.kind())
    temporary.replace(folder / PREDICTED)
