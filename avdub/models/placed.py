"""How a model is used: on the device where its weights are, with tensors of the CPU outside.

Whoever calls a model need not know where it is. Random numbers are drawn on the CPU, so that a
seed means the same everywhere.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from avdub.latents import Latents

P = ParamSpec("P")
T = TypeVar("T")
CPU = torch.device("cpu")


def device_of(model: nn.Module) -> torch.device:
    """Where a model's weights are."""
    return next(model.parameters()).device


def moved(value: T, device: torch.device) -> T:
    """Tensors, latents, and tuples of them, on `device`; all else as it is."""
    return _moved(value, device)  # type: ignore[no-any-return]


def on_its_device(method: Callable[P, T]) -> Callable[P, T]:
    """A model's method whose tensors go to the model's device, and whose result comes back.

    What it makes without saying where (masks, noise's places) is made on that device.
    """

    @wraps(method)
    def used(*args: P.args, **kwargs: P.kwargs) -> T:
        model = args[0]
        assert isinstance(model, nn.Module), "only methods of models have a device"
        device = device_of(model)
        if device == CPU:
            return method(*args, **kwargs)
        with device:
            given = [_moved(each, device) for each in args]
            named = {name: _moved(each, device) for name, each in kwargs.items()}
            return moved(method(*given, **named), CPU)

    return used


def _moved(value: Any, device: torch.device) -> Any:
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, Latents):
        return Latents(value.vec.to(device), value.f0.to(device))
    if isinstance(value, tuple):
        parts = [_moved(each, device) for each in value]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value
