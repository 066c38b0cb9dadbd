"""What a run may keep for later runs: products by the hash of all that made them.

The pipeline knows this interface only; where products lie, and for how long, is others' affair. A
store that keeps nothing is the default.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from numpy.typing import NDArray

import avdub
from avdub.pipeline.digest import digest

if TYPE_CHECKING:
    from avdub.pipeline.spill import Spill

T = TypeVar("T")
MAKERS = ("faces", "learning", "media", "models", "pipeline", "text")  # parts of avdub
ADAPTED = "adapt"  # the folder of adapted face generators inside a store's


@dataclass(frozen=True)
class Product:
    """Arrays of plain numbers and facts that JSON can hold, by name."""

    arrays: dict[str, NDArray[Any]] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)


class Store(Protocol):
    """Keeps products. Neither method raises: what cannot be kept or read back is simply not there.

    `folder` is where files lie, None where nothing is kept; `warnings` are for people.
    """

    @property
    def folder(self) -> Path | None: ...

    @property
    def warnings(self) -> tuple[str, ...]: ...

    def get(self, kind: str, key: str) -> Product | None: ...

    def put(self, kind: str, key: str, product: Product) -> None: ...


class Nothing:
    """The store that keeps nothing."""

    folder: Path | None = None
    warnings: tuple[str, ...] = ()

    def get(self, kind: str, key: str) -> Product | None:
        return None

    def put(self, kind: str, key: str, product: Product) -> None:
        pass


NOTHING = Nothing()


@dataclass(frozen=True)
class Form(Generic[T]):
    """How a kind of product is kept. `version` is raised where another library would now give
    another result; avdub's own code is part of every key."""

    kind: str
    version: int
    pack: Callable[[T], Product]
    unpack: Callable[[Product], T]


class Memory:
    """A store during one run: knows what each segment got from it, and what had to be made."""

    def __init__(self, store: Store = NOTHING) -> None:
        self.store = store
        self._had: dict[int, dict[str, None]] = defaultdict(dict)  # kinds, in their order
        self._made: dict[int, set[str]] = defaultdict(set)

    @cached_property
    def spill(self) -> "Spill":
        """Where the run puts aside what it needs again and cannot hold."""
        from avdub.pipeline.spill import Spill  # it holds products, and so knows this module

        return Spill(self.store.folder)

    @property
    def keeps(self) -> bool:
        """Whether anything is kept; hashing is a waste of time where not."""
        return self.store.folder is not None

    def cached(self, segment: int) -> tuple[str, ...]:
        """Kinds of products of which everything the segment needed was there."""
        return tuple(kind for kind in self._had[segment] if kind not in self._made[segment])

    def recall(
        self,
        form: Form[T],
        parts: Sequence[object],
        make: Callable[[], T],
        segments: Iterable[int] = (),
    ) -> T:
        """What `parts` make: as kept before, else by `make`, and kept. Raises what `make` raises.

        `segments` are those that need it.
        """
        found = self.find(form, parts, segments)
        if found is not None:
            return found
        made = make()
        self.keep(form, parts, made)
        return made

    def find(
        self, form: Form[T], parts: Sequence[object], segments: Iterable[int] = ()
    ) -> T | None:
        """What was kept of `parts`; None where nothing was, or it cannot be used."""
        if not self.keeps:
            return None
        product = self.store.get(form.kind, self._key(form, parts))
        found = None if product is None else _unpacked(form, product)
        for segment in segments:
            if found is None:
                self._made[segment].add(form.kind)
            else:
                self._had[segment][form.kind] = None
        return found

    def keep(self, form: Form[T], parts: Sequence[object], made: T) -> None:
        """Keep what `parts` made."""
        if self.keeps:
            self.store.put(form.kind, self._key(form, parts), form.pack(made))

    def _key(self, form: Form[T], parts: Sequence[object]) -> str:
        return digest(code_digest(), form.kind, form.version, parts)


@cache
def numerics() -> str:
    """What numbers of a network depend on beside its weights and inputs, as far as it matters.

    Not where it is: a GPU, or a processor with other units, rounds otherwise and as well, and
    machines that share a store must find each other's products.
    """
    return version("torch").partition("+")[0]


@cache
def code_digest() -> str:
    """Of whatever in avdub has a part in making products: a change there makes them anew."""
    package = Path(avdub.__file__).parent
    files = [*package.glob("*.py"), *(f for part in MAKERS for f in (package / part).rglob("*.py"))]
    return digest(avdub.__version__, {str(f.relative_to(package)): f for f in files})


def _unpacked(form: Form[T], product: Product) -> T | None:
    try:
        return form.unpack(product)
    except (LookupError, ValueError, TypeError, AttributeError, AssertionError):
        return None  # of another version after all, or made by somebody else
