"""What is said in a video, by what lies beside it or by its name."""

from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError
from avdub.evaluation.aligner import Word
from avdub.evaluation.transcripts import (
    Utterance,
    aligned_words,
    listed_words,
    read_times,
    times_beside,
    transcript,
)

TABLE = (
    "clip\tstart_s\tend_s\tword\n"
    "bbaf2n\t0.000\t0.950\tsil\n"
    "bbaf2n\t0.950\t1.180\tbin\n"
    "bbaf2n\t1.180\t1.360\tblue\n"
)


def test_a_text_beside_the_video_is_one_utterance(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("Good morning.\n\nHow are you?\n", encoding="utf-8")
    said = transcript(tmp_path / "talk.mp4", 7.5)
    assert said == [Utterance("Good morning. How are you?", 0.0, 7.5)]


def test_subtitles_beside_the_video_keep_their_times(tmp_path: Path) -> None:
    cue = "1\n00:00:01,000 --> 00:00:02,500\nGood morning.\n"
    (tmp_path / "talk.srt").write_text(cue, encoding="utf-8")
    assert transcript(tmp_path / "talk.mp4", 7.5) == [Utterance("Good morning.", 1.0, 2.5)]


def test_a_text_goes_before_subtitles_and_both_before_a_name(tmp_path: Path) -> None:
    video = tmp_path / "bbaf2n.mp4"
    assert transcript(video, 3.0)[0].text == "bin blue at eff two now."
    (tmp_path / "bbaf2n.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nOne.\n")
    assert transcript(video, 3.0)[0].text == "One."
    (tmp_path / "bbaf2n.txt").write_text("Two.")
    assert transcript(video, 3.0)[0].text == "Two."


def test_a_video_of_which_nothing_tells_says_what_to_write(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing tells what is said in talk.mp4") as caught:
        transcript(tmp_path / "talk.mp4", 3.0)
    assert "talk.txt" in caught.value.hint


def test_word_times_are_read_without_silence(tmp_path: Path) -> None:
    path = tmp_path / "times.tsv"
    path.write_text(TABLE, encoding="utf-8")
    assert read_times(path) == {"bbaf2n": (Word("bin", 0.95, 1.18), Word("blue", 1.18, 1.36))}


@pytest.mark.parametrize("text", ["", "clip\tword\na\tb\n", TABLE.replace("1.180", "soon")])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "times.tsv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match="no table of word times"):
        read_times(path)


def test_the_table_of_a_folder_lies_beside_it(tmp_path: Path) -> None:
    (tmp_path / "grid").mkdir()
    assert times_beside(tmp_path / "grid" / "a.mp4") is None
    (tmp_path / "grid_words.tsv").touch()
    assert times_beside(tmp_path / "grid" / "a.mp4") == tmp_path / "grid_words.tsv"


def test_listed_words_are_spelled_as_they_are_said() -> None:
    said = [Utterance("at eff.", 0.0, 3.0)]
    listed = (Word("at", 1.0, 1.2), Word("f", 1.2, 1.5))
    assert listed_words(said, listed) == (Word("at", 1.0, 1.2), Word("eff", 1.2, 1.5))


def test_a_list_of_other_words_is_not_used() -> None:
    assert listed_words([Utterance("at eff two", 0, 3)], (Word("at", 1.0, 1.2),)) == ()


def test_subtitles_are_found_in_the_sound_around_them() -> None:
    class Finder:
        """Says that each text begins with the sound it is given."""

        def align(self, wav: np.ndarray, text: str, start_s: float) -> list[Word]:
            return [Word(text, start_s, start_s + len(wav) / 16_000)]

    wav = np.zeros(3 * 16_000, np.float32)
    said = [Utterance("two", 2.0, 2.9), Utterance("one", 0.1, 1.0)]
    words = aligned_words(Finder(), wav, said)  # type: ignore[arg-type]
    assert [word.text for word in words] == ["one", "two"]
    assert words[0].start_s == 0
    assert words[0].end_s == pytest.approx(1.3)
    assert (words[1].start_s, words[1].end_s) == (pytest.approx(1.7), pytest.approx(3.0))
