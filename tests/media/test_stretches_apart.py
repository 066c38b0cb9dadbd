"""Stretches that are made before the splice are what the splice would make."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from avdub.media.probe import probe
from avdub.media.retouch import Repaint
from avdub.media.stretches_apart import make_apart
from avdub.timeline import Span
from tests.media.test_splicer import CLOSED_HEVC, H264
from tests.media.test_stretches import TOUCHED, Kept, Paint, clip, spliced

T = TypeVar("T")


def made(path: Path, keeper: Kept, wanted: list[int], output: str = "out.mp4") -> tuple[Span, ...]:
    """Of all stretches, in order."""
    numbers = iter(range(100))
    told: list[tuple[int | None, int]] = []

    def progress(items: Iterable[T], stage: str, total: int | None = None) -> Iterator[T]:
        n = 0
        for item in items:
            yield item
            n += 1
        told.append((total, n))

    repaint = Repaint((TOUCHED,), Paint(), keeper)
    what = probe(path), path.with_name(output), repaint
    spans = make_apart(*what, None, lambda _: next(numbers) in wanted, progress)
    assert told == ([(sum(map(len, spans)),) * 2] if output == "out.mp4" else [])
    return spans


@pytest.mark.parametrize("kind", [H264, CLOSED_HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("wanted", [[], [1], [0, 2], [0, 1, 2]])
def test_the_splice_finds_what_was_made_and_makes_the_rest(
    kind: dict[str, Any], wanted: list[int], tmp_path: Path
) -> None:
    path, keeper = clip(tmp_path, kind), Kept()
    plain = Kept()
    spliced(path, tmp_path / "plain.mp4", plain)
    spans = made(path, keeper, wanted)
    n_stretches = len(plain.made)
    assert spans == tuple(s for n, s in enumerate(plain.missed) if n in wanted)
    assert set(keeper.made) <= set(plain.made)
    assert len(keeper.made) == len(spans)
    paint = spliced(path, tmp_path / "joined.mp4", keeper)
    assert (not paint.runs) == (len(spans) == n_stretches)
    assert (tmp_path / "joined.mp4").read_bytes() == (tmp_path / "plain.mp4").read_bytes()


def test_what_would_be_encoded_whole_is_left_alone(tmp_path: Path) -> None:
    path, keeper = clip(tmp_path, H264), Kept()
    assert made(path, keeper, [0, 1, 2], "out.webm") == ()
    assert keeper.made == {}


def test_what_would_be_too_large_to_be_kept_is_left_to_the_splice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, keeper = clip(tmp_path, H264), Kept()
    monkeypatch.setattr("avdub.media.stretches_apart.MOST_KEPT", 1000)
    assert made(path, keeper, [0, 1, 2]) == ()
    assert keeper.made == {}
