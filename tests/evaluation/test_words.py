"""Word error rate as a listener would count it."""

import pytest

from avdub.evaluation.words import distance, word_errors, words_of


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("The ferry leaves the harbour.", "the ferry leaves the HARBOR"),
        ("He bought 5 pounds", "he bought five pounds"),
        ("in 1984", "in one thousand nine hundred eighty four"),
        ("1,250,000 people", "one million two hundred fifty thousand people"),
        ("on the 21st of May", "on the twenty-first of May"),
        ("the 12th and the 30th", "the twelfth and the thirtieth"),
        ("3.5% of it", "three point five percent of it"),
        ("at 6:00", "at six"),
        ("Dr. Smith and Mr. Bean", "doctor Smith & mister Bean"),
        ("don't stop", "don’t stop"),
        ("the neighbours realised it", "the neighbors realized it"),
        ("a lighthouse anymore", "a light house any more"),
        ("good-bye", "goodbye"),
        ("007", "zero zero seven"),
    ],
)
def test_ways_of_writing_the_same_are_no_error(said: str, heard: str) -> None:
    n_words, errors = word_errors(said, heard)
    assert (n_words > 0, errors) == (True, 0)


def test_a_wrong_a_missing_and_an_extra_word_are_an_error_each() -> None:
    assert word_errors("the cat sat down", "the bat sat") == (4, 2)
    assert word_errors("the cat sat", "the big cat sat down") == (3, 2)


def test_silence_misses_every_word() -> None:
    assert word_errors("one two three", "") == (3, 3)


def test_words_from_nothing_are_errors_too() -> None:
    assert word_errors("", "hello there") == (0, 2)


def test_words_of_other_alphabets_are_words() -> None:
    assert words_of("Señor, 映画!") == ["señor", "映画"]


def test_distance_is_the_least_number_of_edits() -> None:
    assert distance("kitten", "sitting") == 3
    assert distance("", "abc") == distance("abc", "") == 3
    assert distance("abc", "abc") == 0
