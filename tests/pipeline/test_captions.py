"""Subtitles of a whole dub: none, as a track, or in the picture with the new mouths."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from avdub.errors import SubtitleError
from avdub.jobs.cache import DiskCache
from avdub.media.captions import Caption, Captions
from avdub.media.probe import probe
from avdub.media.retouch import Repaint
from avdub.media.video import Frame, FrameReader, Image
from avdub.pipeline.captions import captioned, captions_for
from avdub.pipeline.options import DubOptions
from avdub.pipeline.run import dub
from avdub.timeline import Span
from tests.make import make_clip, make_tone
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip

CUES = ((400, 800, "¿Dónde está?"), (1200, 1720, "Good day."))
FIRST, SECOND = range(10, 20), range(30, 43)
TEXT = slice(225, 256)  # rows of the picture where captions are
MOUTH = slice(120, 205)


@pytest.fixture
def options(weights: Path) -> DubOptions:
    return DubOptions(model=str(weights))


def pictures(path: Path) -> NDArray[np.int16]:
    """(N, H, W, 3)."""
    with FrameReader(probe(path)) as reader:
        return np.stack([frame.image for frame in reader]).astype(np.int16)


def changed(before: Path, after: Path, rows: slice) -> set[int]:
    """Frames that differ in some rows by more than coding makes."""
    error = np.abs(pictures(before) - pictures(after))[:, rows].max((2, 3))  # (N, rows)
    return set(np.flatnonzero((error > 60).sum(1) > 3).tolist())


def test_subtitles_are_drawn_with_the_mouths_and_nothing_else_is_touched(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    one = replace(options, segments=frozenset({2}))
    plain = dub(face_clip, srt, tmp_path / "plain.mp4", one).output
    drawn = dub(face_clip, srt, tmp_path / "drawn.mp4", replace(one, subs="burn"))
    assert changed(face_clip, drawn.output, TEXT) == {*FIRST, *SECOND}
    assert changed(face_clip, drawn.output, MOUTH) == changed(face_clip, plain, MOUTH)
    assert set(changed(face_clip, plain, MOUTH)) <= set(SECOND)
    assert drawn.exit_code == 0


def test_only_groups_with_a_subtitle_are_encoded_anew(tmp_path: Path, options: DubOptions) -> None:
    clip = make_clip(
        tmp_path / "in.mp4",
        size=(320, 256),
        n_frames=50,
        audio=make_tone(2.0, 48_000),
        options={"g": "10", "x264-params": "scenecut=0"},
    )
    srt = write_srt(tmp_path / "s.srt", (840, 1100, "Drawn."))
    report = dub(clip, srt, tmp_path / "out.mp4", replace(options, subs="burn"))
    assert report.picture is not None
    assert report.picture.whole == ""
    assert report.picture.encoded <= 10
    assert report.picture.copied >= 39
    assert changed(clip, report.output, TEXT) == set(range(21, 28))


def test_subtitles_stand_upright_in_turned_pictures(tmp_path: Path, options: DubOptions) -> None:
    clip = make_clip(
        tmp_path / "in.mp4",
        size=(256, 320),
        rotation=90,
        n_frames=50,
        audio=make_tone(2.0, 48_000),
    )
    srt = write_srt(tmp_path / "s.srt", *CUES)
    report = dub(clip, srt, tmp_path / "out.mp4", replace(options, subs="burn"))
    info = probe(report.output)
    assert (info.rotation, info.width, info.height) == (90, 320, 256)
    assert changed(clip, report.output, TEXT) == {*FIRST, *SECOND}
    assert changed(clip, report.output, slice(0, 200)) == set()


def test_subtitles_are_drawn_where_all_is_encoded_anew(tmp_path: Path, options: DubOptions) -> None:
    clip = make_clip(
        tmp_path / "in.webm",
        codec="libvpx-vp9",
        size=(320, 256),
        n_frames=50,
        audio=make_tone(2.0, 48_000),
        options={"cpu-used": "8", "crf": "10", "b": "0"},
    )
    srt = write_srt(tmp_path / "s.srt", *CUES)
    report = dub(clip, srt, tmp_path / "out.webm", replace(options, subs="burn"))
    assert report.picture is not None
    assert report.picture.whole
    assert changed(clip, report.output, TEXT) == {*FIRST, *SECOND}


@pytest.mark.parametrize("subs", ["none", "soft"])
def test_the_picture_is_not_drawn_on_unless_wanted(
    subs: str, face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    chosen = replace(options, subs=subs, segments=frozenset({1}))
    report = dub(face_clip, srt, tmp_path / "out.mp4", chosen)
    assert changed(face_clip, report.output, TEXT) == set()
    with av.open(str(report.output)) as container:
        kinds = [stream.type for stream in container.streams]
    assert kinds == ["video", "audio", "audio", *(["subtitle"] if subs == "soft" else [])]


def test_a_dub_with_subtitles_uses_what_one_without_has_kept(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt, store = write_srt(tmp_path / "s.srt", *CUES), DiskCache(tmp_path / "cache")
    dub(face_clip, srt, tmp_path / "plain.mp4", options, store=store)
    drawn = dub(face_clip, srt, tmp_path / "drawn.mp4", replace(options, subs="burn"), store=store)
    assert [set(each.cached) >= {"speech", "mouths"} for each in drawn.segments] == [True, True]


def test_drawn_subtitles_are_kept_with_their_picture_and_by_their_text(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt, store = write_srt(tmp_path / "s.srt", *CUES), DiskCache(tmp_path / "cache")
    burn, one = replace(options, subs="burn"), frozenset({1})
    first = dub(face_clip, srt, tmp_path / "first.mp4", burn, store=store)
    again = dub(face_clip, srt, tmp_path / "again.mp4", burn, store=store)
    assert [set(s.cached) >= {"speech", "stretches"} for s in again.segments] == [True, True]
    assert again.output.read_bytes() == first.output.read_bytes()
    other = write_srt(tmp_path / "s.srt", CUES[0], (*CUES[1][:2], "Something else."))
    drawn = dub(face_clip, other, tmp_path / "other.mp4", replace(burn, segments=one), store=store)
    fresh = dub(face_clip, other, tmp_path / "fresh.mp4", replace(burn, segments=one))
    assert drawn.output.read_bytes() == fresh.output.read_bytes()
    assert changed(first.output, drawn.output, TEXT) & {*SECOND}


def test_all_subtitles_are_there_whichever_segments_are_dubbed(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES, (5000, 6000, "After the end."))
    chosen = replace(options, subs="soft", segments=frozenset({2}), language="es")
    captions = captions_for(probe(face_clip), srt, chosen)
    assert captions is not None
    assert [each.text for each in captions.captions] == ["¿Dónde está?", "Good day."]


def test_a_transcript_is_shown_where_it_is_spoken(tmp_path: Path, options: DubOptions) -> None:
    clip = make_face_clip(tmp_path / "in.mp4", audio=make_tone(2.0, 16_000))
    (tmp_path / "s.txt").write_text("First line.\nSecond line.\n", encoding="utf-8")
    found = captions_for(probe(clip), tmp_path / "s.txt", replace(options, subs="soft"))
    assert found is not None
    assert [each.text for each in found.captions] == ["First line.", "Second line."]
    assert found.captions[0].end_ms <= found.captions[1].start_ms


def test_subtitles_that_cannot_be_shown_are_refused_before_any_work(
    face_clip: Path, tmp_path: Path, options: DubOptions
) -> None:
    (tmp_path / "s.srt").write_text("nothing", encoding="utf-8")
    with pytest.raises(SubtitleError):
        dub(face_clip, tmp_path / "s.srt", tmp_path / "out.mp4", replace(options, subs="burn"))
    assert [p.name for p in tmp_path.iterdir()] == ["s.srt"]


class TestCaptioned:
    @pytest.fixture
    def frames(self, face_clip: Path) -> list[Frame]:
        with FrameReader(probe(face_clip)) as reader:
            return list(reader)

    def red(self, frames: Iterable[Frame]) -> Iterator[tuple[Fraction, Image]]:
        seen = [frame.index for frame in frames]
        self.runs = [*getattr(self, "runs", []), seen]
        times = [Fraction(n, 25) for n in seen]
        yield from ((time, np.full((256, 320, 3), (200, 0, 0), np.uint8)) for time in times)

    def test_spans_are_those_of_both(self, face_clip: Path) -> None:
        below = Repaint((Span(4, 8), Span(30, 40)), self.red)
        both = captioned(below, Captions((Caption(280, 800, "a"),)), probe(face_clip))
        assert both.spans == (Span(4, 20), Span(30, 40))

    def test_each_painter_sees_its_own_frames(self, face_clip: Path, frames: list[Frame]) -> None:
        below = Repaint((Span(4, 8), Span(12, 14)), self.red)
        both = captioned(below, Captions((Caption(0, 800, "Text"),)), probe(face_clip))
        made = list(both.paint(frames[:20]))
        assert [time for time, _ in made] == [frame.time for frame in frames[:20]]
        assert self.runs == [[4, 5, 6, 7], [12, 13]]
        reds = [n for n, (_, image) in enumerate(made) if (image[0, 0] == (200, 0, 0)).all()]
        assert reds == [4, 5, 6, 7, 12, 13]
        assert all(image[TEXT].max() > 250 for _, image in made)

    def test_frames_outside_every_caption_come_back_as_they_are(
        self, face_clip: Path, frames: list[Frame]
    ) -> None:
        both = captioned(None, Captions((Caption(0, 200, "Text"),)), probe(face_clip))
        assert both.spans == (Span(0, 5),)
        made = list(both.paint(frames[:10]))
        assert all(
            image is frame.image for frame, (_, image) in zip(frames[5:10], made[5:], strict=True)
        )

    def test_changes_of_text_are_drawn(self, face_clip: Path, frames: list[Frame]) -> None:
        words = Captions((Caption(0, 80, "One"), Caption(80, 160, "Another")))
        made = [image for _, image in captioned(None, words, probe(face_clip)).paint(frames[:4])]
        widths = [
            np.ptp(np.flatnonzero((i != f.image).any((0, 2))))
            for i, f in zip(made, frames, strict=False)
        ]
        assert widths[0] == widths[1] < widths[2] == widths[3]
