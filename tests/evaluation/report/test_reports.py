"""What the report of each measure tells: its figures, its judges, its plots."""

import hashlib
from dataclasses import replace
from pathlib import Path

from avdub.evaluation.ablation import ARMS, Ablation, ArmScore, Figure
from avdub.evaluation.report import dub, lips, picture, speech, sync
from avdub.evaluation.report.ablation import ablation_report
from avdub.evaluation.report.document import Document, markdown
from avdub.evaluation.report.speed import speed_report
from avdub.evaluation.speech_score import mean_figures
from avdub.evaluation.speed import Benchmark, Run
from tests.evaluation.report import made
from tests.evaluation.report.made import ORIGIN, column, tables_of
from tests.evaluation.report.test_plots import COLOURS, faded, of_colour


def judges_of(document: Document) -> list[str]:
    return [name for name, _ in document.judges]


def names_of(document: Document) -> list[str]:
    return [plot.name for plot in document.plots]


class TestLips:
    document = lips.lip_report(made.LIPS, ORIGIN, "mediapipe")

    def test_a_row_a_clip_and_the_mean(self) -> None:
        moving = tables_of(self.document)[0]
        assert column(moving, "video") == ["good.mp4", "a|b_c.mp4", "dark.mp4", "mean"]
        assert column(moving, "opening") == ["0.900", "0.400", "-", "0.650"]
        assert column(moving, "jaw") == ["-"] * 4
        assert column(moving, "at")[:3] == ["-12", "-12", "-"]
        assert column(moving, "problem") == ["", "", "no face", ""]

    def test_closure_and_pauses_stand_beside_the_real_ones(self) -> None:
        seen = tables_of(self.document)[1]
        assert column(seen, "/pbm/") == ["0.50"] * 3
        assert column(seen, "pause") == ["1.3"] * 3
        assert column(seen, "pause, real") == ["2.1"] * 3

    def test_silence_has_only_what_it_can_have(self) -> None:
        still = tables_of(self.document)[2]
        assert [c.heading for c in still.columns] == [
            *("video", "frames", "amplitude", "pause", "pause, deviation", "problem")
        ]
        assert column(still, "pause") == ["5.0", "5.0"]

    def test_titles_name_source_and_set_up(self) -> None:
        assert [section.title for section in self.document.sections] == [
            "Lips from sound, driven by their own sound",
            "Lips from words, driven by silence",
        ]

    def test_there_are_three_plots_where_something_moves(self) -> None:
        assert names_of(self.document) == [
            *("sound_matched_openings", "sound_matched_correlations", "sound_matched_shifts")
        ]
        assert set(names_of(self.document)) <= set(lips.NAMES)

    def test_scores_without_pairs_have_no_scatter(self) -> None:
        bare = tuple(replace(clip, openings=None) for clip in made.CLIPS)
        table = replace(made.LIPS, scores=(replace(made.MATCHED, clips=bare),))
        assert names_of(lips.lip_report(table, ORIGIN, "mediapipe")) == [
            *("sound_matched_correlations", "sound_matched_shifts")
        ]

    def test_the_sync_expert_is_said_to_be_our_own(self) -> None:
        told = dict(self.document.judges)["avdub's sync expert"]
        assert "not judged independently" in told

    def test_what_is_missing_is_told(self) -> None:
        assert self.document.notes == ("closure needs a package",)

    def test_every_column_says_how_it_was_measured(self) -> None:
        text = markdown(self.document, Path("x.md"))
        for table in tables_of(self.document):
            for each in table.columns:
                assert f"- **{each.heading}**: " in text.replace("\\", "")


class TestSync:
    document = sync.sync_report(made.SYNC, ORIGIN, "mediapipe")

    def test_shares_are_told_by_clip_and_by_shift(self) -> None:
        clips, shifts = tables_of(self.document)
        assert column(clips, "within a frame") == ["75.0", "-", "75.0"]
        assert column(clips, "problem") == ["", "no face", ""]
        assert column(shifts, "shift") == ["-40", "+40"]
        assert column(shifts, "within a frame") == ["50.0", "100.0"]

    def test_there_is_a_plot_of_shares(self) -> None:
        assert names_of(self.document) == ["shifts"]
        assert of_colour(self.document.plots[0].png, COLOURS[0]).sum() > 100

    def test_syncnet_is_named_by_its_file(self, tmp_path: Path) -> None:
        (tmp_path / "syncnet_v2.model").write_bytes(b"weights")
        document = sync.syncnet_report(
            made.SYNCNET, ORIGIN, "mediapipe", tmp_path / "syncnet_v2.model"
        )
        digest = hashlib.sha256(b"weights").hexdigest()
        assert f"syncnet_v2.model, SHA-256 {digest}" in dict(document.judges)["SyncNet"]
        assert column(tables_of(document)[0], "LSE-C") == ["6.500", "-", "6.500"]
        assert names_of(document) == ["syncnet"]


class TestPicture:
    document = picture.picture_report(made.PICTURE, ORIGIN, "mediapipe")

    def test_painted_pasted_and_real_are_lines_of_a_clip(self) -> None:
        against, look = tables_of(self.document)
        assert column(against, "mouth") == ["painted", "pasted", "real"] * 2
        assert column(against, "PSNR") == ["33.3", "31.2", "-"] * 2
        assert column(against, "Fréchet") == ["0.024", "0.015", "0.089"] * 2
        assert column(look, "over skin") == ["0.38", "0.43", "0.62"] * 2
        assert column(look, "open") == ["8", "0", "-"] * 2

    def test_who_could_not_be_painted_or_known_is_told(self) -> None:
        assert self.document.notes == ("b.mp4: no usable face", "identity: no pack")
        assert "ArcFace" not in judges_of(self.document)

    def test_painting_is_plotted_against_pasting(self) -> None:
        assert names_of(self.document) == list(picture.NAMES)


class TestDub:
    document = dub.dub_report(made.DUB, ORIGIN, "insightface")

    def test_segments_and_all_of_them(self) -> None:
        segments = tables_of(self.document)[0]
        assert column(segments, "segment") == ["3", "4", "all"]
        assert column(segments, "correlation") == ["0.700", "-", "0.800"]

    def test_what_was_left_alone_and_what_was_missed(self) -> None:
        _, lengths, alone, changes = tables_of(self.document)
        assert column(lengths, "dub") == ["49", "1.960"]
        assert column(alone, "least") == ["-", "43.2"]
        assert column(changes, "mean") == ["5.00", "0.40", "0.87"]
        assert "Missed: 49 frames, not 50." in self.document.sections[1].sentences

    def test_each_measured_segment_has_its_curve(self) -> None:
        (plot,) = self.document.plots
        assert plot.name in dub.NAMES
        assert of_colour(plot.png, COLOURS[0]).sum() > 100
        assert not of_colour(plot.png, COLOURS[1]).any()  # one segment could not be measured

    def test_the_predicting_model_is_not_called_independent(self) -> None:
        assert "not whether the model is right" in dict(self.document.judges)["avdub's face model"]
        assert judges_of(self.document)[0].startswith("insightface")


class TestSpeech:
    def document(self, tmp_path: Path) -> Document:
        (tmp_path / "model.bin").write_bytes(b"whisper")
        mean = mean_figures(made.VOICES)
        return speech.speech_report(made.VOICES, mean, ORIGIN, tmp_path)

    def test_voices_have_percents_and_slots(self, tmp_path: Path) -> None:
        voices, slots, _ = tables_of(self.document(tmp_path))
        assert column(voices, "voice") == ["heart", "michael", "mean"]
        assert column(voices, "WER") == ["10.0", "70.0", "40.0"]
        assert column(voices, "F0, median") == ["150", "-", "150"]
        assert column(slots, "not sped up") == ["100"] * 3

    def test_lines_say_what_was_said_and_heard(self, tmp_path: Path) -> None:
        lines = tables_of(self.document(tmp_path))[-1]
        assert column(lines, "WER") == ["0.0", "20.0", "40.0", "100.0"]
        assert column(lines, "P.808") == ["4.00", "3.50", "3.00", "-"]
        assert column(lines, "heard")[-2:] == ["five *words* that were heard", "nothing to say"]

    def test_lines_are_plotted_by_voice(self, tmp_path: Path) -> None:
        (plot,) = self.document(tmp_path).plots
        assert plot.name in speech.NAMES
        assert all(of_colour(plot.png, faded(c, 0.7)).any() for c in COLOURS[:2])

    def test_judges_that_were_not_asked_are_not_named(self, tmp_path: Path) -> None:
        assert judges_of(self.document(tmp_path)) == ["Whisper", "DNSMOS P.808", "SwiftF0"]


def test_speed_has_a_table_and_no_plot() -> None:
    runs = (Run("dub", 40.0, 950.0, 0, 10.0), Run("preview", 12.0, 800.0, 5))
    document = speed_report(Benchmark(runs, 0.12, 25.0), ORIGIN)
    assert column(tables_of(document)[0], "wall/media") == ["4.00", "-"]
    assert "+25 MB" in document.sections[0].sentences[1]
    assert document.plots == ()


class TestAblation:
    arms = tuple(
        ArmScore(
            *(arm.name, arm.source, Figure(0.5 + 0.1 * n, 0.02), None, None, None, Figure(0.8, 0)),
            *(None, None, n, 4),
            (("a.mp4", (0.4, 0.6 + 0.2 * n)), ("b.mp4", (None, None))),
        )
        for n, arm in enumerate(ARMS)
    )
    document = ablation_report(Ablation(arms, 2), ORIGIN, "mediapipe")

    def test_arms_are_rows_and_the_last_one_is_not_compared_with_itself(self) -> None:
        table = tables_of(self.document)[0]
        assert column(table, "arm") == [arm.name for arm in ARMS]
        assert column(table, "opening") == ["0.500", "0.600", "0.700", "0.800", "0.900"]
        assert column(table, "±") == ["0.020"] * 5
        assert column(table, "width") == ["-"] * 5
        assert column(table, "last arm better") == ["0", "1", "2", "3", "-"]

    def test_a_clips_figure_is_the_mean_of_its_seeds(self) -> None:
        table = tables_of(self.document)[1]
        assert column(table, "cascade through sound") == ["0.500", "-"]
        assert column(table, "two stages") == ["0.900", "-"]

    def test_the_plot_has_a_point_a_clip_and_arm(self) -> None:
        assert names_of(self.document) == ["arms"]
        assert self.document.plots[0].png.startswith(b"\x89PNG")

    def test_the_expert_is_said_to_know_one_arm(self) -> None:
        (how,) = [how for name, how in self.document.judges if "sync expert" in name]
        assert "learned from it" in how
