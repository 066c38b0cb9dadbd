"""Stage 2's latents: what TextToLatents predicts for a clip's words, at the clip's own timing."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from avdub.errors import InputError
from avdub.models.text_to_latents import TextToLatents
from avdub.progress import Progress, silent
from avdub.text import phonemize, tokenize
from avdub.training.align import align
from avdub.training.face_data import FacePack

NOISE = 0.2
GRID = (
    {"b": "bin", "l": "lay", "p": "place", "s": "set"},
    {"b": "blue", "g": "green", "r": "red", "w": "white"},
    {"a": "at", "b": "by", "i": "in", "w": "with"},
    {},
    dict(zip("z123456789", "zero one two three four five six seven eight nine".split(), strict=True)),
    {"a": "again", "n": "now", "p": "please", "s": "soon"},
)
LETTERS = dict(
    zip(
        "abcdefghijklmnopqrstuvwxyz",
        (
            "ay bee see dee ee eff gee aitch eye jay kay ell em en oh pea cue are ess tea you vee "
            "double-you ex why zee"
        ).split(),
        strict=True,
    )
)


def grid_sentence(name: str) -> str:
    """The words of a GRID clip from its six-letter name. Raises InputError for another name."""
    code = name.rpartition("_")[2]
    if len(code) != len(GRID):
        raise InputError(f"{name} is no GRID clip name", "leave it out of the pack")
    words = [table.get(c) or LETTERS[c] for c, table in zip(code, GRID, strict=True)]
    return " ".join(words) + "."


def write_predicted(
    model: TextToLatents,
    styles: Mapping[str, Tensor],
    folder: Path,
    seed: int = 0,
    progress: Progress = silent,
) -> None:
    """Add `predicted.f16` to a GRID face pack; the voices take turns."""
    pack = FacePack(folder)
    width = model.config.latents
    voices = list(styles.values())
    temporary = folder / "predicted.tmp"
    with temporary.open("wb") as file:
        for n, clip in enumerate(progress(pack.clips, f"predicted {folder.name}", len(pack.clips))):
            vec = pack.vec(clip, width)
            style = voices[n % len(voices)]
            tokens = torch.tensor(tokenize(phonemize(grid_sentence(clip.id))))
            durations = align(model, tokens, vec, style)
            made = model.predict(tokens, durations, style, NOISE, seed + n)
            file.write(made.vec.half().numpy().tobytes())
    temporary.replace(folder / "predicted.f16")
