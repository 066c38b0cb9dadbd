"""Stretches that are kept: written again as they were, and made again one by one where lost."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from avdub.media import stretches
from avdub.media.gops import TOGETHER
from avdub.media.probe import probe
from avdub.media.reencode import Made
from avdub.media.retouch import Repaint
from avdub.media.splice import write_dub
from avdub.media.video import Frame, FrameReader, Image
from avdub.timeline import Span
from tests.make import make_clip
from tests.media.test_splicer import CLOSED_HEVC, H264, HEVC, OPEN_H264, SIZE, differing

N_FRAMES, TOUCHED = 360, Span(33, 339)
INTRA = {"options": {"g": "1"}}
TEAM = 16  # frames that must be painted together


class Kept:
    """Keeps stretches by the digest of nothing: by frames and how they were encoded."""

    def __init__(self) -> None:
        self.made: dict[str, tuple[Made, ...]] = {}
        self.missed: list[Span] = []

    def whole(self, frames: Span) -> Span:
        start, end = max(frames.start, TOUCHED.start), min(frames.end, TOUCHED.end)
        start, end = start // TEAM * TEAM, -(-end // TEAM) * TEAM
        return Span(
            min(frames.start, max(start, TOUCHED.start)), max(frames.end, min(end, TOUCHED.end))
        )

    def find(self, frames: Span, how: Sequence[object]) -> Sequence[Made] | None:
        found = self.made.get(repr((frames, how)))
        if found is None:
            self.missed.append(frames)
        return found

    def keep(self, frames: Span, how: Sequence[object], made: Sequence[Made]) -> None:
        self.made[repr((frames, how))] = tuple(made)


class Paint:
    """A box whose colour tells with which frames of its team a frame came."""

    def __init__(self) -> None:
        self.runs: list[list[int]] = []

    def __call__(self, frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        run: list[int] = []
        self.runs.append(run)
        team: list[Frame] = []
        for frame in frames:
            run.append(frame.index)
            if team and frame.index // TEAM != team[0].index // TEAM:
                yield from self._painted(team)
                team = []
            team.append(frame)
        yield from self._painted(team)

    def _painted(self, team: list[Frame]) -> Iterator[tuple[Fraction, Image]]:
        for frame in team:
            image = frame.image.copy()
            image[20:44, 30:60] = (10 * len(team), 7 * (team[0].index % TEAM), 60)
            yield frame.time, image


def clip(folder: Path, kind: dict[str, Any]) -> Path:
    return make_clip(folder / "in.mp4", n_frames=N_FRAMES, size=SIZE, **kind)


def spliced(path: Path, output: Path, keeper: Kept | None, crf: int | None = None) -> Paint:
    paint = Paint()
    write_dub(probe(path), output, Repaint((TOUCHED,), paint, keeper), None, crf)
    return paint


@pytest.mark.parametrize(
    "kind",
    [H264, HEVC, CLOSED_HEVC, OPEN_H264, INTRA],
    ids=["h264", "hevc-open", "hevc", "h264-open", "h264-intra"],
)
def test_a_kept_video_is_written_again_without_being_decoded(
    kind: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, keeper = clip(tmp_path, kind), Kept()
    assert spliced(path, tmp_path / "plain.mp4", None).runs == [[*TOUCHED.range()]]
    assert spliced(path, tmp_path / "first.mp4", keeper).runs == [[*TOUCHED.range()]]
    monkeypatch.setattr(stretches, "FrameReader", None)
    assert spliced(path, tmp_path / "again.mp4", keeper).runs == []
    first = (tmp_path / "first.mp4").read_bytes()
    assert first == (tmp_path / "plain.mp4").read_bytes()
    assert first == (tmp_path / "again.mp4").read_bytes()
    assert differing(path, tmp_path / "again.mp4") >= {*TOUCHED.range()}


@pytest.mark.parametrize("kind", [H264, CLOSED_HEVC], ids=["h264", "hevc"])
@pytest.mark.parametrize("lost", [[0], [1], [2], [0, 1], [1, 2], [0, 2]])
def test_what_is_lost_is_made_again_alone_and_the_same(
    kind: dict[str, Any], lost: list[int], tmp_path: Path
) -> None:
    path, keeper = clip(tmp_path, kind), Kept()
    spliced(path, tmp_path / "first.mp4", keeper)
    spans, names = keeper.missed, list(keeper.made)
    assert len(spans) == 3
    assert all(len(span) >= TOGETHER for span in spans[:-1])
    for n in lost:
        del keeper.made[names[n]]
    keeper.missed = []
    paint = spliced(path, tmp_path / "again.mp4", keeper)
    assert set(keeper.missed) == {spans[n] for n in lost}
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()
    assert len(paint.runs) == (2 if lost == [0, 2] else 1)  # neighbours are painted in one go
    wanted = {frame for n in lost for frame in spans[n].range()} & {*TOUCHED.range()}
    painted = {frame for run in paint.runs for frame in run}
    assert wanted <= painted
    assert len(painted - wanted) < 2 * TEAM * len(paint.runs)


def test_packets_for_other_frames_or_encoded_otherwise_are_not_used(tmp_path: Path) -> None:
    path, keeper = clip(tmp_path, H264), Kept()
    spliced(path, tmp_path / "first.mp4", keeper)
    assert spliced(path, tmp_path / "other.mp4", keeper, crf=30).runs
    keeper.made = {
        name: tuple(Made(each.data, each.pts + 1, each.is_keyframe) for each in made)
        for name, made in keeper.made.items()
    }
    assert spliced(path, tmp_path / "again.mp4", keeper).runs
    assert (tmp_path / "first.mp4").read_bytes() == (tmp_path / "again.mp4").read_bytes()


def test_a_stretch_without_end_is_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, keeper = clip(tmp_path, H264), Kept()
    monkeypatch.setattr(stretches, "MOST_KEPT", 1000)
    spliced(path, tmp_path / "out.mp4", keeper)
    assert keeper.made == {}
    assert len(differing(path, tmp_path / "out.mp4")) >= len(TOUCHED)


def test_a_failed_painter_keeps_what_was_whole(tmp_path: Path) -> None:
    path, keeper = clip(tmp_path, H264), Kept()

    def fails_late(frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        for frame in frames:
            if frame.index == 200:
                raise RuntimeError("no more paint")
            yield frame.time, frame.image

    repaint = Repaint((TOUCHED,), fails_late, keeper)
    with pytest.raises(RuntimeError, match="no more paint"):
        write_dub(probe(path), tmp_path / "out.mp4", repaint, None)
    assert len(keeper.made) == 1
    assert list(tmp_path.iterdir()) == [path]


def test_seams_between_stretches_show_every_frame_once(tmp_path: Path) -> None:
    path = clip(tmp_path, H264)
    spliced(path, tmp_path / "out.mp4", None, crf=12)
    with (
        FrameReader(probe(path)) as before,
        FrameReader(probe(tmp_path / "out.mp4")) as after,
    ):
        for old, new in zip(before, after, strict=True):
            beside = np.abs(old.image[:, 66:].astype(int) - new.image[:, 66:]).mean()
            assert beside < 6, new.index
