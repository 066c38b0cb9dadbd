from pathlib import Path

import pytest

from avdub.training.sentences import make_sentences, read_prompts, sentences_for, word_salad

DEV = Path(__file__).parents[3] / "shared" / "text" / "dev_sentences.txt"


def test_the_same_seed_gives_the_same_sentences() -> None:
    assert make_sentences(50, 3) == make_sentences(50, 3)
    assert make_sentences(50, 3) != make_sentences(50, 4)


def test_more_sentences_begin_with_the_same_ones() -> None:
    assert make_sentences(60, 3)[:20] == make_sentences(20, 3)


def test_no_sentence_comes_twice_and_every_blank_is_filled() -> None:
    lines = make_sentences(500, 0)
    assert len(set(lines)) == 500
    assert not [line for line in lines if "{" in line or "}" in line]
    assert all(line[-1] in ".?!" and line[0] == line[0].upper() for line in lines)


def test_word_salad_is_seeded_and_takes_plain_words_only() -> None:
    words = ["apple", "bear", "chair", "door", "egg", "fish", "goat", "hat", "ink", "jam"]
    odd = ["Anna", "it's", "no", "naïve"]
    lines = word_salad(words + odd, 20, 1)
    assert lines == word_salad(words + odd, 20, 1)
    said = {word.strip(",.").lower() for line in lines for word in line.split()}
    assert said <= set(words)


def test_prompts_are_the_texts_of_listings(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x1|Good morning.\nno text\nx2|A|B\n", "utf-8")
    assert read_prompts([tmp_path / "a.csv"]) == ["Good morning.", "A|B"]


def test_a_reading_list_has_what_was_counted() -> None:
    prompts = [f"Prompt {n}." for n in range(30)]
    lines = sentences_for(prompts, (10, 15, 5), seed=0)
    assert len(lines) == 30
    assert set(lines[:10]) < set(prompts)
    assert lines == sentences_for(prompts, (10, 15, 5), seed=0)


@pytest.mark.skipif(not DEV.is_file(), reason="the development sentences are not here")
def test_no_development_sentence_is_read() -> None:
    dev = {line.strip().lower() for line in DEV.read_text("utf-8").splitlines()}
    assert not dev & {line.lower() for line in make_sentences(4000, 0)}
