"""Speech judged: lines and slots, voices, lengths."""

from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError, SubtitleError
from avdub.evaluation import speech
from avdub.evaluation.judges import Judges
from avdub.evaluation.similarity import Ears
from avdub.evaluation.speech import Cue, Spoken, judge
from avdub.evaluation.speech_score import Slot
from avdub.media.audio import write_wav
from avdub.media.waveform import Waveform
from avdub.pipeline.options import DubOptions
from tests.make import make_tone


def judges(*heard: str, p808: float = 4.0, ears: Ears | None = None) -> Judges:
    said = iter(heard)
    return Judges(
        lambda wav: next(said), lambda wav: p808, lambda wav: np.float32([100, 110, 200]), ears
    )


def test_errors_are_pooled_over_lines_and_voices_kept_apart() -> None:
    spoken = [
        Spoken("ann", "one", make_tone()),
        Spoken("ann", "two three four", make_tone()),
        Spoken("ben", "five", make_tone()),
    ]
    ann, ben = judge(spoken, judges("won", "two three four", "five"))
    assert [line.wer for line in ann.lines] == [1, 0]
    assert (ann.voice, ann.figures.wer, ann.figures.p808) == ("ann", 0.25, 4.0)
    assert (ben.voice, ben.figures.wer) == ("ben", 0)


def test_an_asked_length_is_missed_either_way() -> None:
    spoken = [
        Spoken("ann", "one", make_tone(), asked_s=1.0, made_s=1.004),
        Spoken("ann", "two", make_tone(), asked_s=1.0, made_s=0.98),
    ]
    (ann,) = judge(spoken, judges("one", "two"))
    assert [line.miss_ms for line in ann.lines] == pytest.approx([4, 20])


def test_without_asked_lengths_none_is_missed() -> None:
    (ann,) = judge([Spoken("ann", "one", make_tone())], judges("one"))
    assert ann.figures.miss_ms is None


def test_silence_around_the_words_is_not_spoken_time() -> None:
    padded = Waveform(np.pad(make_tone(0.5).samples, ((8_000, 16_000), (0, 0))), 16_000)
    (ann,) = judge([Spoken("ann", "one", padded)], judges("one"))
    assert (ann.lines[0].seconds, ann.lines[0].spoken_s) == (2.0, 0.5)


def test_lines_are_compared_in_their_language() -> None:
    spoken = [Spoken("ann", "60 años", make_tone())]
    assert judge(spoken, judges("sesenta años"), "es")[0].figures.wer == 0
    assert judge(spoken, judges("sesenta años"), "en")[0].figures.wer == 0.5


def test_pitch_is_told_over_all_lines_of_a_voice() -> None:
    (ann,) = judge([Spoken("ann", "one", make_tone())], judges("one"))
    assert ann.f0_hz == pytest.approx((101, 110, 191))


def test_a_voice_is_compared_with_its_reference() -> None:
    ears = Ears(lambda wav: np.float32([0.6, 0.8]), {"ann": np.float32([[1, 0]])})
    spoken = [Spoken("ann", "one", make_tone()), Spoken("ben", "two", make_tone())]
    ann, ben = judge(spoken, judges("one", "two", ears=ears))
    assert ann.figures.similarity == pytest.approx(0.6)
    assert (ben.figures.similarity, ben.lines[0].similarity) == (None, None)


def test_a_line_that_cannot_be_spoken_misses_every_word_and_no_more() -> None:
    (ann,) = judge([Spoken("ann", "two words", None, problem="why")], judges())
    assert (ann.figures.wer, ann.figures.p808, ann.f0_hz) == (1, None, None)
    assert ann.lines[0].problem == "why"


class TestLines:
    def test_only_lines_of_words_are_read(self, tmp_path: Path) -> None:
        path = tmp_path / "lines.txt"
        path.write_text("One.\n\n ... \n 42 \nThree.\n", encoding="utf-8")
        assert speech.read_lines(path) == [Cue("One."), Cue("42"), Cue("Three.")]
        assert speech.read_lines(path, limit=2) == [Cue("One."), Cue("42")]

    @pytest.mark.parametrize("content", [b"", b"\n...\n", b"\xff\xfe\xfa"])
    def test_a_text_without_words_is_an_input_error(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "lines.txt").write_bytes(content)
        with pytest.raises(InputError):
            speech.read_lines(tmp_path / "lines.txt")

    def test_subtitles_are_lines_with_slots(self, tmp_path: Path) -> None:
        path = tmp_path / "a.srt"
        path.write_text(
            "1\n00:00:01,000 --> 00:00:02,500\nOne.\n\n2\n00:00:03,000 --> 00:00:04,000\n♪\n\n"
            "3\n00:00:05,000 --> 00:00:05,200\nThree.\n",
            encoding="utf-8",
        )
        cues, warnings = speech.read_slots(path)
        assert (cues, warnings) == ([Cue("One.", 1.5), Cue("Three.", 0.2)], [])
        assert speech.read_slots(path, limit=1)[0] == [Cue("One.", 1.5)]

    def test_subtitles_without_words_are_an_input_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.srt").write_text("1\n00:00:01,000 --> 00:00:02,500\n...\n")
        with pytest.raises(InputError, match="no subtitle of words"):
            speech.read_slots(tmp_path / "a.srt")
        (tmp_path / "b.srt").write_text("One.\n")
        with pytest.raises(SubtitleError):
            speech.read_slots(tmp_path / "b.srt")


class TestRecordings:
    def test_files_follow_the_lines_by_name(self, tmp_path: Path) -> None:
        write_wav(tmp_path / "b.wav", make_tone(0.2))
        write_wav(tmp_path / "a.wav", make_tone(0.1))
        (tmp_path / "notes.txt").touch()
        first, second = speech.recorded_lines([Cue("One."), Cue("Two.")], tmp_path, 1.5)
        assert (first.voice, first.text, first.slot) == (tmp_path.name, "One.", None)
        assert first.sound is not None
        assert second.sound is not None
        assert first.sound.seconds < second.sound.seconds

    def test_a_recording_is_held_against_its_slot(self, tmp_path: Path) -> None:
        write_wav(tmp_path / "a.wav", make_tone(0.8))
        write_wav(tmp_path / "b.wav", make_tone(0.8))
        cues = [Cue("One.", 1.0), Cue("Two.", 0.5)]
        first, second = speech.recorded_lines(cues, tmp_path, max_rate=1.5)
        assert (first.slot, second.slot) == (Slot(1.0, 0.8), Slot(0.5, 0.8, True))

    def test_too_few_recordings_are_an_input_error(self, tmp_path: Path) -> None:
        write_wav(tmp_path / "a.wav", make_tone(0.1))
        with pytest.raises(InputError, match="1 sound files for 2 lines"):
            speech.recorded_lines([Cue("One."), Cue("Two.")], tmp_path, 1.5)


class TestOurVoice:
    @pytest.fixture
    def options(self, weights: Path) -> DubOptions:
        return DubOptions(model=str(weights), device="cpu")

    def natural_s(self, options: DubOptions) -> float:
        (line,) = speech.spoken_lines([Cue("Hello there.")], options)
        assert line.sound is not None
        return line.sound.seconds

    def test_the_fit_is_tried_beside_the_natural_length(self, options: DubOptions) -> None:
        (line,) = speech.spoken_lines([Cue("Hello there.")], options)
        assert line.asked_s is not None
        assert line.made_s is not None
        assert line.sound is not None
        assert line.made_s < line.sound.seconds
        assert abs(line.made_s - line.asked_s) <= 0.0101

    def test_an_asked_length_is_what_is_judged(self, options: DubOptions) -> None:
        (line,) = speech.spoken_lines([Cue("Hello there.")], options, seconds=1.234)
        assert line.sound is not None
        assert (line.asked_s, line.made_s) == (1.234, line.sound.seconds)
        assert line.sound.seconds == pytest.approx(1.234, abs=0.0101)

    def test_in_a_roomy_slot_the_natural_speech_is_judged(self, options: DubOptions) -> None:
        natural_s = self.natural_s(options)
        (line,) = speech.spoken_lines([Cue("Hello there.", natural_s + 1)], options)
        assert line.sound is not None
        assert line.sound.seconds == natural_s
        assert line.slot == Slot(natural_s + 1, natural_s)
        assert line.made_s == pytest.approx(natural_s + 1, abs=0.0101)

    def test_in_a_tight_slot_the_faster_speech_is_judged(self, options: DubOptions) -> None:
        natural_s = self.natural_s(options)
        slot_s = round(natural_s / 1.2, 2)
        (line,) = speech.spoken_lines([Cue("Hello there.", slot_s)], options)
        assert line.sound is not None
        assert line.sound.seconds == line.made_s == pytest.approx(slot_s, abs=0.0101)
        assert line.slot == Slot(slot_s, natural_s)

    def test_what_does_not_fit_is_judged_naturally_and_told(self, options: DubOptions) -> None:
        (line,) = speech.spoken_lines([Cue("Hello there.", 0.04)], options)
        assert line.slot == Slot(0.04, self.natural_s(options), True)
        assert (line.asked_s, line.made_s) == (None, None)

    def test_a_line_without_a_sound_to_make_is_a_problem_not_an_end(
        self, options: DubOptions
    ) -> None:
        first, second = speech.spoken_lines([Cue("映画"), Cue("Hello.")], options)
        assert (first.sound, first.problem) == (None, "nothing to say in this text")
        assert second.sound is not None

    @pytest.mark.parametrize("wrong", [{"voice": "nobody"}, {"language": "xx"}])
    def test_a_wrong_voice_or_language_is_told_before_any_work(
        self, weights: Path, wrong: dict[str, str]
    ) -> None:
        with pytest.raises(InputError):
            speech.spoken_lines([Cue("Hello.")], DubOptions(model=str(weights), **wrong))
