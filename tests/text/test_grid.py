import pytest

from avdub.errors import InputError
from avdub.text.grid import grid_sentence


def test_names_say_their_sentences() -> None:
    assert grid_sentence("bgwe9p") == "bin green with ee nine please."


def test_a_speaker_before_the_name_is_left_out() -> None:
    assert grid_sentence("s30_pbbm3n") == "place blue by em three now."


@pytest.mark.parametrize("name", ["address", "bbaf2", "xbaf2n", "s30_unk_800ms"])
def test_other_names_say_nothing(name: str) -> None:
    with pytest.raises(InputError, match="no GRID clip name"):
        grid_sentence(name)
