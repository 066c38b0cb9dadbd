"""Seeded inputs and checks that all model tests share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def shaken(model: nn.Module, seed: int = 5, size: float = 0.1) -> nn.Module:
    """`model` with noise on every parameter, so that nothing is zero by initialisation."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += size * torch.randn(parameter.shape, generator=generator)
    return model


def without_gradient(model: nn.Module, run: Callable[[], Tensor]) -> set[str]:
    """Names of the parameters that `run`, a loss, does not depend on."""
    model.zero_grad(set_to_none=True)
    run().backward()
    return {
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.abs().max() > 0
    }


def size_of(*outputs: Tensor) -> Tensor:
    """A loss that every value matters to."""
    return torch.stack([(out * noise(*out.shape, seed=9)).sum() for out in outputs]).sum()


def level(out: Tensor) -> float:
    """The number that is recorded of an output."""
    return float(out.detach().double().abs().mean())
