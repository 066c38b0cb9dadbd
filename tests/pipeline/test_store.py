"""A run's memory: made once, told apart by segment, and nothing hashed where nothing is kept."""

from pathlib import Path

import pytest

from avdub.errors import InputError
from avdub.pipeline.store import NOTHING, Form, Memory, Product, code_digest

WORDS = Form("lines", 1, lambda w: Product(facts={"words": w}), lambda p: str(p.facts["words"]))


class Shelf:
    """A store in memory."""

    folder: Path | None = Path("shelf")
    warnings: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.products: dict[tuple[str, str], Product] = {}

    def get(self, kind: str, key: str) -> Product | None:
        return self.products.get((kind, key))

    def put(self, kind: str, key: str, product: Product) -> None:
        self.products[kind, key] = product


class Unhashable:
    """What no hash may be made of."""


def never() -> str:
    raise AssertionError("this is kept already")


def test_what_was_made_once_is_recalled() -> None:
    shelf = Shelf()
    assert Memory(shelf).recall(WORDS, ("a", 1), lambda: "made") == "made"
    assert Memory(shelf).recall(WORDS, ("a", 1), never) == "made"


def test_other_inputs_and_versions_are_made_anew() -> None:
    shelf = Shelf()
    Memory(shelf).recall(WORDS, ("a", 1), lambda: "made")
    assert Memory(shelf).recall(WORDS, ("a", 2), lambda: "other") == "other"
    newer = Form(WORDS.kind, 2, WORDS.pack, WORDS.unpack)
    assert Memory(shelf).recall(newer, ("a", 1), lambda: "newer") == "newer"
    assert len(shelf.products) == 3


def test_another_avdub_makes_everything_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf()
    Memory(shelf).recall(WORDS, ("a",), lambda: "made")
    monkeypatch.setattr("avdub.pipeline.store.code_digest", lambda: "another")
    assert Memory(shelf).recall(WORDS, ("a",), lambda: "later") == "later"


def test_avdub_is_another_once_its_code_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "avdub"
    (package / "faces").mkdir(parents=True)
    (package / "cli").mkdir()
    for file in ("__init__.py", "faces/crop.py", "cli/dub.py"):
        (package / file).write_text("before = 1")
    monkeypatch.setattr("avdub.__file__", str(package / "__init__.py"))
    digests = [code_digest.__wrapped__()]
    for file in ("cli/dub.py", "faces/crop.py", "__init__.py"):
        (package / file).write_text("after_it = 1")
        digests.append(code_digest.__wrapped__())
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_what_cannot_be_made_is_not_kept() -> None:
    def fails() -> str:
        raise InputError("no voice")

    shelf = Shelf()
    with pytest.raises(InputError, match="no voice"):
        Memory(shelf).recall(WORDS, ("a",), fails)
    assert shelf.products == {}


@pytest.mark.parametrize("facts", [{}, {"words": 3, "other": 1}])
def test_a_product_of_another_shape_is_made_again(facts: dict[str, object]) -> None:
    strict = Form("lines", 1, WORDS.pack, lambda p: p.facts["words"].upper())

    class Odd(Shelf):
        def get(self, kind: str, key: str) -> Product | None:
            return Product(facts=facts)

    assert Memory(Odd()).recall(strict, ("a",), lambda: "made") == "made"


def test_a_segment_has_what_was_there_whole() -> None:
    shelf, other = Shelf(), Form("speech", 1, WORDS.pack, WORDS.unpack)
    Memory(shelf).recall(WORDS, ("a",), lambda: "made")
    memory = Memory(shelf)
    memory.recall(WORDS, ("a",), never, [1, 2])
    memory.recall(WORDS, ("b",), lambda: "made", [2])
    memory.recall(other, ("b",), lambda: "made", [1])
    assert memory.cached(1) == ("lines",)
    assert memory.cached(2) == ()
    assert memory.cached(3) == ()


def test_without_a_store_everything_is_made_and_nothing_hashed() -> None:
    memory = Memory()
    assert memory.store is NOTHING
    for _ in range(2):
        assert memory.recall(WORDS, (Unhashable(),), lambda: "made", [1]) == "made"
    assert memory.cached(1) == ()
