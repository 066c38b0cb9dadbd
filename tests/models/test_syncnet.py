import pytest
import torch

from avdub.models.syncnet import SyncNet


def test_the_published_weights_names_and_sizes_are_met() -> None:
    shapes = {name: tuple(t.shape) for name, t in SyncNet().state_dict().items()}
    assert sum(p.numel() for p in SyncNet().parameters()) == 13_631_616
    assert shapes["netcnnaud.0.weight"] == (64, 1, 3, 3)
    assert shapes["netcnnaud.18.weight"] == (512, 256, 5, 4)
    assert shapes["netcnnaud.19.running_mean"] == (512,)
    assert shapes["netcnnlip.0.weight"] == (96, 3, 5, 7, 7)
    assert shapes["netcnnlip.4.weight"] == (256, 96, 1, 5, 5)
    assert shapes["netcnnlip.18.weight"] == (512, 256, 1, 6, 6)
    assert shapes["netfcaud.3.weight"] == shapes["netfclip.3.weight"] == (1024, 512)


def test_sound_and_pictures_become_embeddings_of_one_size() -> None:
    model = SyncNet().eval()
    heard = model.hear(torch.randn(2, 1, 13, 20))
    seen = model.see(255 * torch.rand(1, 3, 5, 224, 224))
    assert (heard.shape, seen.shape) == ((2, 1024), (1, 1024))


@pytest.mark.parametrize("shape", [(1, 1, 20, 13), (1, 13, 20)])
def test_other_sound_is_refused_at_the_door(shape: tuple[int, ...]) -> None:
    with pytest.raises(AssertionError, match="no sound for SyncNet"):
        SyncNet().hear(torch.zeros(shape))
