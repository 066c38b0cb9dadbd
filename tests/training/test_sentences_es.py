"""Spanish sentences for teacher voices."""

from avdub.text import SOUNDS, phonemize
from avdub.training.sentences_es import WORDS, make_sentences_es, sentences_for_es

SPANISH = set("aeioubdfjklmnpstwxɾrθðβɣɡŋɲʎʝʧɛAIW")


def test_sentences_are_distinct_and_the_same_for_the_same_seed() -> None:
    made = make_sentences_es(2500, 1)
    assert len(set(made)) == 2500
    assert made == make_sentences_es(2500, 1)
    assert made[:50] != make_sentences_es(50, 2)


def test_there_are_statements_questions_and_cries() -> None:
    made = make_sentences_es(300, 1)
    assert {line[-1] for line in made} == set(".?!")
    assert all(line.startswith("¿") for line in made if line.endswith("?"))


def test_articles_are_joined_to_prepositions() -> None:
    made = " ".join(make_sentences_es(2000, 3))
    assert " del " in made
    assert " de el " not in made
    assert " a el " not in made


def test_no_form_is_left_unfilled() -> None:
    assert not set("{}|!_") & set("".join(make_sentences_es(2000, 4)).replace("!", ""))


def test_everyday_words_are_distinct_and_many() -> None:
    assert len(set(WORDS)) == len(WORDS) >= 800


def test_sentences_and_word_lists_are_as_many_as_asked_for() -> None:
    lines = sentences_for_es((5, 3), 1)
    assert len(lines) == 8
    assert {word.strip(".,").lower() for word in lines[-1].split()} <= {w.lower() for w in WORDS}


def test_every_phoneme_of_spanish_is_heard_often() -> None:
    said = "".join(phonemize(line, "es") for line in sentences_for_es((600, 200), 1))
    rare = {sound for sound in SPANISH if said.count(sound) < 10}
    assert not rare
    assert set(said) & SOUNDS >= SPANISH
