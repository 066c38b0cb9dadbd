"""Face tracks as a product: those of one watched part of a video, with its cuts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from avdub.faces.track import FaceTrack
from avdub.pipeline.store import Form, Product
from avdub.timeline import Span

INSIGHTFACE = Path("~/.insightface/models/buffalo_l")


@dataclass(frozen=True)
class Seen:
    """What was seen in a part of a video: tracks, and frames where shots begin, both counted from
    the part's first frame."""

    tracks: tuple[FaceTrack, ...]
    cuts: tuple[int, ...]


def detector_files(faces: Path, backend: str) -> list[Path]:
    """Whatever finds faces: networks of the family, and of the user's own pack where it is used."""
    own = INSIGHTFACE.expanduser() if backend == "insightface" else faces
    return sorted({*faces.glob("*.onnx"), *own.glob("*.onnx")})


def _packed(seen: Seen) -> Product:
    words = sorted({word for track in seen.tracks for word in track.reason})
    places = {word: n for n, word in enumerate(words)}
    arrays = {
        "landmarks": _joined([t.landmarks for t in seen.tracks], (468, 3)),
        "box": _joined([t.box for t in seen.tracks], (4,)),
        "reason": np.array([places[w] for t in seen.tracks for w in t.reason], np.uint8),
    }
    identities = {
        f"identity{n}": t.identity for n, t in enumerate(seen.tracks) if t.identity is not None
    }
    facts = {
        "tracks": [[t.id, t.frames.start, t.frames.end, t.shot] for t in seen.tracks],
        "words": words,
        "cuts": list(seen.cuts),
    }
    return Product({**arrays, **identities}, facts)


def _joined(parts: Sequence[np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
    return np.concatenate([np.zeros((0, *shape), np.float32), *parts])


def _unpacked(product: Product) -> Seen:
    arrays, words = product.arrays, product.facts["words"]
    tracks, at = [], 0
    for n, (number, start, end, shot) in enumerate(product.facts["tracks"]):
        here = slice(at, at + end - start)
        at = here.stop
        reason = tuple(str(words[code]) for code in arrays["reason"][here])
        tracks.append(
            FaceTrack(
                id=number,
                frames=Span(start, end),
                landmarks=arrays["landmarks"][here],
                box=arrays["box"][here],
                visible=np.array([not word for word in reason]),
                reason=reason,
                shot=shot,
                identity=arrays.get(f"identity{n}"),
            )
        )
    return Seen(tuple(tracks), tuple(product.facts["cuts"]))


FACES = Form("faces", 1, _packed, _unpacked)
