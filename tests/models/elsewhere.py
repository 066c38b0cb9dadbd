"""A device that is not there: torch on the CPU, made to behave as if some tensors were elsewhere.

Inside `pretending()` the device `meta` holds real values, and an operation between it and the CPU
fails as it does between two real devices.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

ELSEWHERE = torch.device("meta")


class Far(Tensor):
    """A tensor that says it is elsewhere; `near` has its values."""

    near: Tensor

    @staticmethod
    def __new__(cls, near: Tensor) -> "Far":
        with torch.inference_mode(False):
            made: Far = Tensor._make_wrapper_subclass(
                cls,
                near.shape,
                strides=near.stride(),
                storage_offset=near.storage_offset(),
                dtype=near.dtype,
                device=ELSEWHERE,
            )
        made.near = near
        return made

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


class _Pretence(TorchDispatchMode):
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _run(func, args, kwargs or {})


def _run(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    tensors = [each for each in tree_flatten((args, kwargs))[0] if isinstance(each, Tensor)]
    is_far = any(isinstance(each, Far) for each in tensors)
    near = [each for each in tensors if not isinstance(each, Far) and each.ndim]
    target = kwargs.get("device")
    kwargs = kwargs | ({"device": torch.device("cpu")} if target is not None else {})
    values, named = tree_map(lambda x: x.near if isinstance(x, Far) else x, (args, kwargs))
    copies = func in (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
    if is_far and near and not copies:
        raise RuntimeError(f"{func}: tensors on two devices")
    made = func(*values, **named)
    stays = target == ELSEWHERE if target is not None else is_far
    if not stays:
        return made
    # what was changed in place is the same object still
    known = {id(each.near): each for each in tensors if isinstance(each, Far)}

    def named_far(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return x
        return known[id(x)] if id(x) in known else Far(x)

    return tree_map(named_far, made)


@contextmanager
def pretending() -> Iterator[torch.device]:
    """Within it `.to(device)` of what this yields works, and keeps the values."""
    with _Pretence():
        yield ELSEWHERE


def sent(model: nn.Module, device: torch.device) -> nn.Module:
    """The model with its weights and buffers on the device."""
    for module in model.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None:
                far = weight.data.to(device)
                module._parameters[name] = nn.Parameter(far, requires_grad=False)
        for name, buffer in list(module._buffers.items()):
            if buffer is not None:
                module._buffers[name] = buffer.to(device)
    return model
