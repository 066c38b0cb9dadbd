"""SyncNet (Chung & Zisserman 2016) as its second version was published: the network behind the
LSE-D and LSE-C of the literature.

Names of modules are those of the published weights, which the user brings.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

FRAMES = 5  # of pictures at 25/s that one embedding sees
TICKS = 20  # of MFCC at 100/s that one embedding hears
CEPSTRA = 13
SIDE = 224
EMBEDDING = 1024

Size = int | tuple[int, ...]


class SyncNet(nn.Module):
    """Sound and pictures to embeddings that are near each other where they are in sync."""

    def __init__(self) -> None:
        super().__init__()
        hears, pools = (nn.Conv2d, nn.BatchNorm2d), nn.MaxPool2d
        self.netcnnaud = nn.Sequential(
            *_block(hears, (1, 64), 3, padding=1),
            pools(1, 1),
            *_block(hears, (64, 192), 3, padding=1),
            pools(3, (1, 2)),
            *_block(hears, (192, 384), 3, padding=1),
            *_block(hears, (384, 256), 3, padding=1),
            *_block(hears, (256, 256), 3, padding=1),
            pools(3, 2),
            *_block(hears, (256, 512), (5, 4)),
        )
        sees, within = (nn.Conv3d, nn.BatchNorm3d), (0, 1, 1)
        self.netcnnlip = nn.Sequential(
            *_block(sees, (3, 96), (FRAMES, 7, 7), stride=(1, 2, 2)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(sees, (96, 256), (1, 5, 5), stride=(1, 2, 2), padding=within),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), within),
            *_block(sees, (256, 256), (1, 3, 3), padding=within),
            *_block(sees, (256, 256), (1, 3, 3), padding=within),
            *_block(sees, (256, 256), (1, 3, 3), padding=within),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_block(sees, (256, 512), (1, 6, 6)),
        )
        self.netfcaud = _head()
        self.netfclip = _head()

    @torch.inference_mode()
    def hear(self, cepstra: Tensor) -> Tensor:
        """(B, 1, 13, 20) → (B, 1024)."""
        assert cepstra.shape[1:] == (1, CEPSTRA, TICKS), f"no sound for SyncNet: {cepstra.shape}"
        out: Tensor = self.netfcaud(self.netcnnaud(cepstra).flatten(1))
        return out

    @torch.inference_mode()
    def see(self, pictures: Tensor) -> Tensor:
        """BGR in 0–255 (B, 3, 5, 224, 224) → (B, 1024)."""
        assert pictures.shape[1:] == (3, FRAMES, SIDE, SIDE), f"no face: {pictures.shape}"
        out: Tensor = self.netfclip(self.netcnnlip(pictures).flatten(1))
        return out


def _block(
    kind: tuple[type[nn.Module], type[nn.Module]],
    channels: tuple[int, int],
    kernel: Size,
    stride: Size = 1,
    padding: Size = 0,
) -> Sequence[nn.Module]:
    convolution, norm = kind
    made = convolution(*channels, kernel, stride, padding)
    return made, norm(channels[1]), nn.ReLU(inplace=True)


def _head() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, EMBEDDING)
    )
