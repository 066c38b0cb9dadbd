"""LatentsToSpeech: latents, F0 and a voice to 16 kHz speech.

One interface over two synthesizers, chosen by the config: the base family's source-filter decoder,
and HierSpeech++'s hierarchical one.
"""

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from avdub.latents import Latents
from avdub.models.hierarchical import Hierarchical, HierarchicalConfig
from avdub.models.placed import on_its_device
from avdub.models.source_filter import SourceFilter
from avdub.models.voice import VoiceEncoder, VoiceEncoderConfig
from avdub.timeline import F0_PER_STEP

OLD_NAMES = ("pre.", "slow.", "pitch.", "fast.", "norm.", "filters.")


@dataclass(frozen=True)
class LatentsToSpeechConfig:
    """Sizes. With `hierarchical` that synthesizer is built, and of the others only `latents` and
    `voice` count; without it `slow_blocks` run at 50 steps/s, `fast_blocks` at 200/s. `sharpen` is
    how much `speak` raises the formants of the source-filter decoder.
    """

    latents: int = 256
    channels: int = 256
    slow_blocks: int = 4
    fast_blocks: int = 5
    n_fft: int = 512
    voice: VoiceEncoderConfig = field(default_factory=VoiceEncoderConfig)
    hierarchical: HierarchicalConfig | None = None
    sharpen: float = 0.0

    @classmethod
    def tiny(cls) -> "LatentsToSpeechConfig":
        return cls(16, 16, 1, 1, 512, VoiceEncoderConfig.tiny())

    @classmethod
    def hierspeechpp(cls) -> "LatentsToSpeechConfig":
        """The published synthesizer, 97 M parameters."""
        voice, hierarchical = VoiceEncoderConfig.hierspeechpp(), HierarchicalConfig()
        return cls(latents=1024, voice=voice, hierarchical=hierarchical)


class LatentsToSpeech(nn.Module):
    """Speech synthesizer."""

    def __init__(self, config: LatentsToSpeechConfig) -> None:
        super().__init__()
        self.config = config
        self.voice = VoiceEncoder(config.voice)
        style = config.voice.style
        self.synthesizer: SourceFilter | Hierarchical
        if config.hierarchical is not None:
            self.synthesizer = Hierarchical(config.latents, style, config.hierarchical)
        else:
            blocks = (config.slow_blocks, config.fast_blocks)
            self.synthesizer = SourceFilter(
                config.latents, config.channels, style, blocks, config.n_fft
            )
        self.register_load_state_dict_pre_hook(_rename_old)  # type: ignore[no-untyped-call]

    def forward(self, vec: Tensor, log_f0: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """vec (B, D, T), log_f0 (B, 4T), style (B, G, 1), noise as noise_shape(T) → (B, 320T)."""
        assert log_f0.shape[1] == F0_PER_STEP * vec.shape[2], "four F0 values a step"
        wav: Tensor = self.synthesizer(vec, log_f0, style, noise)
        return wav

    def noise_shape(self, steps: int) -> tuple[int, ...]:
        """Of the noise that `forward` needs for so many steps."""
        return self.synthesizer.noise_shape(steps)

    @on_its_device
    @torch.inference_mode()
    def speak(self, latents: Latents, style: Tensor, seed: int) -> Tensor:
        """→ (320T,). Same seed, same sound."""
        generator = torch.Generator().manual_seed(seed)
        shape = (1, *self.noise_shape(len(latents)))
        noise = torch.randn(shape, generator=generator, device="cpu").to(latents.vec.device)
        vec, f0 = latents.vec.T[None], latents.f0[None]
        if isinstance(self.synthesizer, SourceFilter):
            wav: Tensor = self.synthesizer(vec, f0, style, noise, self.config.sharpen)
        else:
            wav = self(vec, f0, style, noise)
        return wav[0]


def _rename_old(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: object) -> None:
    """Weights saved before there were two synthesizers name the source-filter's parts directly."""
    for name in [n for n in state if n.removeprefix(prefix).startswith(OLD_NAMES)]:
        if name.startswith(prefix):
            state[f"{prefix}synthesizer.{name.removeprefix(prefix)}"] = state.pop(name)
