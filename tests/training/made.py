"""Made packs of random speech and of a template face that opens its mouth."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from avdub.faces.crop import SIDE, TOP
from avdub.faces.lips import load_template
from avdub.training.data import Entry, PackWriter
from avdub.training.face_data import CROP_SIZE, Clip
from avdub.training.loop import TrainConfig
from avdub.training.prepare import is_held_out
from tests.conftest import FACES

WIDTH = 16  # latents of the tiny models
TEACHER = 1024
PHONEMES = "həlˈO wˈɜɹld"
CONFIG = TrainConfig(steps=2, batch=2, warmup=1, log_every=1, save_every=1, bf16=False)


def names(n: int, prefix: str = "u") -> list[str]:
    """Names that no split holds out."""
    numbered = (f"{prefix}_{i:03d}" for i in range(10 * n + 40))
    return [x for x in numbered if not is_held_out(x) and not is_held_out(x, 40)][:n]


def whole_steps(n_symbols: int, steps: int) -> tuple[int, ...]:
    """Durations of symbols that fill `steps`."""
    edges = np.linspace(0, steps, n_symbols + 1).round().astype(int)
    return tuple(np.diff(edges).tolist())


def make_speech_pack(folder: Path, n: int = 6, steps: int = 60, latents: bool = True) -> Path:
    """`n` utterances of two speakers: noise that swells, a pitch, features and latents."""
    rng = np.random.default_rng(0)
    writer = PackWriter(folder)
    rows = []
    for i, name in enumerate(names(n)):
        length = steps + i
        swell = np.abs(np.sin(np.arange(length * 320) / 3000))
        wav = 0.1 * swell * rng.standard_normal(length * 320)
        f0 = np.where(np.arange(length * 4) % 40 < 25, 5.0 + 0.1 * (i % 2), 0)
        durations = whole_steps(len(PHONEMES) + 2, length)
        speaker = "heart" if i % 2 else "michael"
        entry = Entry(name, speaker, writer.offset, length, "hello", PHONEMES, durations)
        features = rng.standard_normal((length, TEACHER)).astype(np.float32)
        writer.add(entry, wav.astype(np.float32), f0.astype(np.float32), features)
        rows.append(rng.standard_normal((length, WIDTH)).astype(np.float16))
    writer.close()
    if latents:
        np.concatenate(rows).tofile(folder / "latents.f16")
    return folder


def make_face_pack(folder: Path, n: int = 2, frames: int = 40) -> Path:
    """`n` GRID-named clips of the template's face at 25 frames/s, its lower lip going down."""
    folder.mkdir(parents=True, exist_ok=True)
    template = load_template(FACES)
    whole = template / SIDE + np.array([0.5, -TOP / SIDE, 0], np.float32)
    rng = np.random.default_rng(1)
    steps = frames * 2
    clips, meshes, crops, rows = [], [], [], []
    for i in range(n):
        gap = 0.05 * np.abs(np.sin(np.arange(frames) / 4 + i))
        mesh = np.repeat(whole[None], frames, 0).astype(np.float32)
        below = mesh[0, :, 1] > mesh[0, 13, 1] + 1e-4
        mesh[:, below, 1] += gap[:, None].astype(np.float32)
        picture = rng.integers(60, 200, (6, 6, 3)).repeat(16, 0).repeat(16, 1)
        clip = np.repeat(picture[None], frames, 0).astype(np.uint8)
        clip[:, 40:60, 40:56] = (255 * gap * 10).clip(0, 255).astype(np.uint8)[:, None, None, None]
        latent = rng.standard_normal((steps, WIDTH)) * 0.1
        latent[:, 0] = np.repeat(gap * 20, 2)
        clips.append(
            Clip(
                f"s1_bbaf{2 + i}n",
                "s1",
                i * frames,
                frames,
                "25",
                step_offset=i * steps,
                steps=steps,
            )
        )
        meshes.append(mesh)
        crops.append(clip)
        rows.append(latent.astype(np.float16))
    assert crops[0].shape[1:] == (CROP_SIZE, CROP_SIZE, 3)
    np.concatenate(meshes).astype("<f4").tofile(folder / "meshes.f32")
    np.concatenate(crops).tofile(folder / "crops.u8")
    np.concatenate(rows).tofile(folder / "vec.f16")
    lines = "\n".join(json.dumps(asdict(c)) for c in clips)
    (folder / "index.jsonl").write_text(lines + "\n")
    return folder


def longer(steps: int, rate: float = 3e-3) -> TrainConfig:
    return replace(CONFIG, steps=steps, learning_rate=rate, save_every=steps, log_every=10)
