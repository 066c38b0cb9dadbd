"""Prepared speech: many utterances in a few flat arrays, read by memory map.

A pack is a folder: `index.jsonl` (one line an utterance) and raw arrays that share offsets in
latent steps: `audio.i16` (320 a step), `f0.f16` (4 a step), `teacher.f16` and `latents.f16` (rows).
The teacher's features are only there where the latents are to be learned from them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from avdub.errors import InputError
from avdub.timeline import F0_PER_STEP, SAMPLES_PER_STEP


@dataclass(frozen=True)
class Entry:
    """An utterance in a pack: steps [offset, offset + steps). `durations` are steps a phoneme."""

    id: str
    speaker: str
    offset: int
    steps: int
    text: str = ""
    phonemes: str = ""
    durations: tuple[int, ...] = ()


class SpeechPack:
    """Reads a pack. Arrays are opened when first asked for."""

    def __init__(self, folder: Path) -> None:
        listing = folder / "index.jsonl"
        if not listing.is_file():
            raise InputError(f"{folder} is not a prepared pack", "make it with avdub train prepare")
        self.folder = folder
        self.entries = [
            Entry(**{**fields, "durations": tuple(fields["durations"])})
            for fields in map(json.loads, listing.read_text(encoding="utf-8").splitlines())
        ]
        self.arrays: dict[str, npt.NDArray[np.generic]] = {}

    def array(self, name: str, dtype: type[np.generic], width: int) -> npt.NDArray[np.generic]:
        """The flat array `name` as (steps, width)."""
        if name not in self.arrays:
            path = self.folder / name
            if not path.is_file():
                raise InputError(f"{path} is missing", "run the preparation step that makes it")
            self.arrays[name] = np.memmap(path, dtype, "r").reshape(-1, width)
        return self.arrays[name]

    def audio(self, entry: Entry, start: int = 0, steps: int | None = None) -> Tensor:
        """(steps × 320,) float32."""
        cut = self._cut("audio.i16", np.int16, SAMPLES_PER_STEP, entry, start, steps)
        return torch.from_numpy(cut.astype(np.float32).reshape(-1) / 32768)

    def f0(self, entry: Entry, start: int = 0, steps: int | None = None) -> Tensor:
        """(steps × 4,) float32 log-F0."""
        cut = self._cut("f0.f16", np.float16, F0_PER_STEP, entry, start, steps)
        return torch.from_numpy(cut.astype(np.float32).reshape(-1))

    def rows(
        self, name: str, width: int, entry: Entry, start: int = 0, steps: int | None = None
    ) -> Tensor:
        """(steps, width) float32 of a float16 array."""
        return torch.from_numpy(
            self._cut(name, np.float16, width, entry, start, steps).astype(np.float32)
        )

    def _cut(
        self,
        name: str,
        dtype: type[np.generic],
        width: int,
        entry: Entry,
        start: int,
        steps: int | None,
    ) -> npt.NDArray[np.generic]:
        n = entry.steps - start if steps is None else steps
        first = entry.offset + start
        return self.array(name, dtype, width)[first : first + n]


class PackWriter:
    """Appends utterances to a pack folder; a pack is only listed when whole."""

    def __init__(self, folder: Path, with_teacher: bool = True) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.offset = 0
        self.entries: list[Entry] = []
        names = ("audio.i16", "f0.f16", *(("teacher.f16",) if with_teacher else ()))
        self.files = {name: (folder / name).open("wb") for name in names}
        if not with_teacher:  # what an earlier pack left in this folder would not fit
            (folder / "teacher.f16").unlink(missing_ok=True)

    def add(
        self,
        entry: Entry,
        wav: npt.NDArray[np.float32],
        f0: npt.NDArray[np.float32],
        teacher: npt.NDArray[np.float32] | None,
    ) -> None:
        """`wav` (steps × 320,), `f0` (steps × 4,), `teacher` (steps, channels) if there is one."""
        assert len(wav) == entry.steps * SAMPLES_PER_STEP, f"{entry.id}: sound is not whole steps"
        pcm = np.clip(np.round(wav * 32768), -32768, 32767).astype("<i2")
        self.files["audio.i16"].write(pcm.tobytes())
        self.files["f0.f16"].write(f0.astype("<f2").tobytes())
        if teacher is not None:
            assert len(teacher) == entry.steps, f"{entry.id}: teacher features do not fit"
            self.files["teacher.f16"].write(teacher.astype("<f2").tobytes())
        self.entries.append(entry)
        self.offset += entry.steps

    def close(self) -> None:
        for file in self.files.values():
            file.close()
        lines = [json.dumps(asdict(e), ensure_ascii=False) for e in self.entries]
        (self.folder / "index.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")


def batches(
    n_items: int, size: int, generator: torch.Generator, weights: Sequence[float] | None = None
) -> Iterator[list[int]]:
    """Endless batches of indices, drawn with replacement by weight, from one explicit generator."""
    chance = torch.ones(n_items) if weights is None else torch.tensor(weights)
    while True:
        yield torch.multinomial(chance, size, True, generator=generator).tolist()
