"""Progress as an injected function: library code wraps what it iterates over and knows no more."""

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """Wraps an iterable; `stage` names the work, `total` counts its items where known."""

    def __call__(self, items: Iterable[T], stage: str, total: int | None = None) -> Iterable[T]: ...


def silent(items: Iterable[T], stage: str, total: int | None = None) -> Iterable[T]:
    """The default: returns `items` unchanged."""
    return items
