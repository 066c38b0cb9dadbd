import torch

from avdub.models.align import align
from tests.models.made import noise, shaken
from tests.tiny import STYLE, make_text_to_latents


def test_symbols_stay_where_they_are_allowed() -> None:
    model = make_text_to_latents()
    shaken(model, size=0.3)
    tokens, style, vec = torch.tensor([1, 30, 8, 1]), noise(1, STYLE, 1), noise(40, 16)
    allowed = torch.zeros(4, 40, dtype=torch.bool)
    for symbol, (start, end) in enumerate([(0, 12), (8, 20), (18, 33), (30, 40)]):
        allowed[symbol, start:end] = True
    durations = align(model, tokens, vec, style, allowed)
    owners = torch.repeat_interleave(torch.arange(4), durations)
    assert len(owners) == 40
    assert allowed[owners, torch.arange(40)].all()


def test_a_path_is_found_even_where_none_is_allowed() -> None:
    model = make_text_to_latents()
    nowhere = torch.zeros(3, 10, dtype=torch.bool)
    durations = align(model, torch.tensor([1, 30, 1]), noise(10, 16), noise(1, STYLE, 1), nowhere)
    assert int(durations.sum()) == 10
    assert (durations >= 1).all()
