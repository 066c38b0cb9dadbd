"""Speech corpora to packs: sound at 16 kHz, F0, teacher features, phonemes with durations.

Knows the corpus layouts: a teacher corpus (`metadata.jsonl`), a listed corpus (`metadata.csv`,
`file|text`) and a plain folder of sound or video files, whose text is not known. A pack is made for
one text front end: its phonemes, and F0 as its family measures it.
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import torch

from avdub.errors import InputError
from avdub.media.audio import read_audio
from avdub.media.probe import probe
from avdub.pitch import log_f0
from avdub.progress import Progress, silent
from avdub.text import BASE, FrontEnd
from avdub.timeline import SAMPLE_RATE, SAMPLES_PER_STEP, STEP_RATE
from avdub.training.data import Entry, PackWriter
from avdub.training.pack_latents import remember_front_end
from avdub.training.teacher import Utterance, read_corpus
from avdub.training.whisper import WINDOW_S, WhisperFeatures

SOUND_SUFFIXES = (".flac", ".opus", ".ogg", ".wav")
VIDEO_SUFFIXES = (".mp4",)
GAP_STEPS = 10  # silence between utterances that share a teacher window
Floats = npt.NDArray[np.float32]


def is_held_out(name: str, share: int = 10) -> bool:
    """One name in `share`, by hash: the same clips are never trained on, whoever asks."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % share == 0


@dataclass(frozen=True)
class Item:
    """An utterance and its sound file."""

    utterance: Utterance
    file: Path


def list_corpus(folder: Path, speaker: str | None = None, front: FrontEnd = BASE) -> list[Item]:
    """The utterances of a corpus folder. `speaker` None: the part of the name before `_` or `-`.
    Durations are known of the base family's phonemes only.

    Raises InputError where the folder holds no sound.
    """
    if (folder / "metadata.jsonl").is_file():
        said = (u if front is BASE else _read_by(front, u) for u in read_corpus(folder))
        return [Item(u, folder / f"{u.id}.flac") for u in said]
    if (folder / "metadata.csv").is_file():
        return list(_listed(folder, speaker or folder.name, front))
    suffixes = SOUND_SUFFIXES + VIDEO_SUFFIXES
    files = sorted(p for p in folder.iterdir() if p.suffix in suffixes)
    if not files:
        raise InputError(f"{folder} holds no sound", f"it should hold {', '.join(suffixes)} files")
    return [Item(Utterance(p.stem, speaker or re.split("[_-]", p.stem)[0], ""), p) for p in files]


def _read_by(front: FrontEnd, utterance: Utterance) -> Utterance:
    phonemes = front.phonemize(utterance.text, "en")
    return replace(utterance, phonemes=phonemes, durations_s=())


def _listed(folder: Path, speaker: str, front: FrontEnd) -> Iterator[Item]:
    for line in (folder / "metadata.csv").read_text(encoding="utf-8").splitlines():
        name, _, text = line.partition("|")
        file = next((p for p in folder.glob(f"{name}.*") if p.suffix in SOUND_SUFFIXES), None)
        if file is not None:
            yield Item(_read_by(front, Utterance(name, speaker, text)), file)


def prepare_speech(
    items: list[Item],
    model_bin: Path | None,
    folder: Path,
    progress: Progress = silent,
    front: FrontEnd = BASE,
) -> int:
    """Write a pack of `items` (long ones are skipped), with the features of a Whisper encoder where
    `model_bin` is given; returns its length in steps."""
    teacher = WhisperFeatures(model_bin) if model_bin else None
    writer = PackWriter(folder, teacher is not None)
    waiting: list[tuple[Item, Floats]] = []
    room = WINDOW_S * STEP_RATE
    for item in progress(items, f"prepare {folder.name}", len(items)):
        wav = _whole_steps(read_sound_of(item.file), item.utterance)
        n_steps = len(wav) // SAMPLES_PER_STEP
        if not 10 <= n_steps <= WINDOW_S * STEP_RATE:
            continue
        if n_steps > room:
            _flush(waiting, teacher, writer, front)
            waiting, room = [], WINDOW_S * STEP_RATE
        waiting.append((item, wav))
        room -= n_steps + GAP_STEPS
    _flush(waiting, teacher, writer, front)
    writer.close()
    remember_front_end(folder, front.name)
    return writer.offset


def _flush(
    waiting: list[tuple[Item, Floats]],
    teacher: WhisperFeatures | None,
    out: PackWriter,
    front: FrontEnd,
) -> None:
    """One teacher pass over several utterances laid end to end."""
    if not waiting:
        return
    features = _features(teacher, [wav for _, wav in waiting]) if teacher else None
    method: Literal["swift", "yaapt"] = "swift" if front is BASE else "yaapt"
    at = 0
    for item, wav in waiting:
        n_steps = len(wav) // SAMPLES_PER_STEP
        u = item.utterance
        entry = Entry(
            u.id, u.speaker, out.offset, n_steps, u.text, u.phonemes, _in_steps(u.durations_s)
        )
        own = None if features is None else features[at : at + n_steps]
        out.add(entry, wav, log_f0(wav, method), own)
        at += n_steps + GAP_STEPS


def _features(teacher: WhisperFeatures, wavs: list[Floats]) -> Floats:
    """Of several utterances (S,) laid end to end with gaps → (steps, channels)."""
    gap = np.zeros(GAP_STEPS * SAMPLES_PER_STEP, np.float32)
    joined = np.concatenate([part for wav in wavs for part in (wav, gap)])
    joined = joined[: WINDOW_S * SAMPLE_RATE]
    return np.asarray(teacher(torch.from_numpy(joined)[None])[0].numpy(), np.float32)


def _in_steps(durations_s: tuple[float, ...]) -> tuple[int, ...]:
    """Seconds to steps by rounding boundaries."""
    edges = np.round(np.cumsum((0.0, *durations_s)) * STEP_RATE).astype(int)
    return tuple(np.diff(edges).tolist())


def _whole_steps(wav: Floats, utterance: Utterance) -> Floats:
    n_steps = sum(_in_steps(utterance.durations_s)) or len(wav) // SAMPLES_PER_STEP
    missing = max(0, n_steps * SAMPLES_PER_STEP - len(wav))
    return np.pad(wav, (0, missing))[: n_steps * SAMPLES_PER_STEP]


def read_sound_of(file: Path, rate: int = SAMPLE_RATE) -> Floats:
    """Mono sound of a sound or video file at `rate`; time 0 is a video's first frame."""
    if file.suffix in VIDEO_SUFFIXES:
        sound = read_audio(file, probe(file))
        if sound is None:
            raise InputError(f"{file} has no sound", "leave it out of the corpus")
        wav, own = sound.samples.mean(1), sound.rate
    else:
        wav, own = soundfile.read(file, dtype="float32", always_2d=True)
        wav = wav.mean(1)
    if own != rate:
        wav = soxr.resample(wav, own, rate)
    return np.asarray(wav, np.float32)
