"""Stage 2's latents: what TextToLatents predicts for a clip's words, at the clip's own timing."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from avdub.models.align import align
from avdub.models.text_to_latents import TextToLatents
from avdub.progress import Progress, silent
from avdub.text import front_end
from avdub.text.grid import grid_sentence
from avdub.training.face_data import PREDICTED, FacePack
from avdub.training.pack_latents import remember


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
