"""Words and phonemes of a known text, found in sound."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from avdub.errors import InputError, WeightsError
from avdub.evaluation.aligner import (
    BILABIALS,
    Aligner,
    Phone,
    Word,
    arpabet,
    phones_of,
    spoken_words,
)
from avdub.media.audio import read_audio
from avdub.media.probe import probe
from avdub.media.waveform import resample
from avdub.text import SOUNDS, phonemize
from avdub.text.grid import grid_sentence
from tests.make import make_tone

DATA = Path(__file__).parents[3] / "shared" / "data"


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(WeightsError, match="pocketsphinx") as caught:
        Aligner()
    assert caught.value.hint == "run: pip install pocketsphinx"


def test_words_are_those_that_have_a_sound() -> None:
    text = "“Hello” — 25 of them, don’t you? ... self-evident"
    assert spoken_words(text) == ["Hello", "25", "of", "them", "don't", "you", "self-evident"]


def test_our_phonemes_have_arpabet_names() -> None:
    assert arpabet(phonemize("bird")) == ["B", "ER", "D"]
    assert arpabet(phonemize("measure"))[:3] == ["M", "EH", "ZH"]
    assert arpabet(phonemize("twenty five")) == ["T", "W", "EH", "N", "T", "IY", "F", "AY", "V"]


@pytest.mark.parametrize("text", ["The quick brown fox jumps over the lazy dog", "pleasure boys"])
def test_no_sound_of_english_is_left_out(text: str) -> None:
    sounds = [c for c in phonemize(text) if c in SOUNDS]
    assert len(arpabet(phonemize(text))) >= len(sounds) - 1  # r after a coloured vowel is joined


def test_phonemes_of_a_kind_are_gathered_from_all_words() -> None:
    bee = Word("bee", 0, 1, (Phone("B", 0, 0.5), Phone("IY", 0.5, 1)))
    am = Word("am", 1, 2, (Phone("AE", 1, 1.5), Phone("M", 1.5, 2)))
    assert [phone.name for phone in phones_of([bee, am], BILABIALS)] == ["B", "M"]


class TestPocketsphinx:
    @pytest.fixture(scope="class")
    def aligner(self) -> Aligner:
        pytest.importorskip("pocketsphinx")
        return Aligner()

    @pytest.mark.skipif(not (DATA / "grid_s1").is_dir(), reason="no real speech beside the project")
    @pytest.mark.parametrize("name", ["bbaf2n", "prwd6p", "srwv2p"])
    def test_real_words_are_found_where_they_are_said(self, aligner: Aligner, name: str) -> None:
        video = DATA / "grid_s1" / f"{name}.mp4"
        sound = read_audio(video, probe(video))
        assert sound is not None
        wav = resample(sound.mono(), 16_000).samples[:, 0]
        found = aligner.align(wav, grid_sentence(name), start_s=10.0)
        with (DATA / "grid_s1_words.tsv").open() as file:
            rows = [row for row in csv.DictReader(file, delimiter="\t") if row["clip"] == name]
        wanted = [float(row["start_s"]) + 10 for row in rows if row["word"] != "sil"]
        assert [word.text for word in found] == grid_sentence(name).strip(".").split()
        missed = np.abs(np.array([word.start_s for word in found]) - wanted)
        assert np.median(missed) < 0.05
        assert all(word.phones[0].start_s == word.start_s for word in found)
        assert all(word.phones[-1].end_s == pytest.approx(word.end_s) for word in found)

    def test_a_sound_that_does_not_say_the_text_is_an_input_error(self, aligner: Aligner) -> None:
        tone = make_tone(0.3, 16_000).samples[:, 0]
        with pytest.raises(InputError, match="does not say 'we hold these truths"):
            aligner.align(tone, "we hold these truths to be self evident and many more")

    def test_a_text_without_words_is_an_input_error(self, aligner: Aligner) -> None:
        with pytest.raises(InputError, match="no word"):
            aligner.align(np.zeros(16_000, np.float32), "... —")
