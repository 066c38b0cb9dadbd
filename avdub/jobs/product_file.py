"""A product as one file, wherever such files are kept: checksum first, then the arrays.

The checksum covers the product's own name, so that neither half a file nor one that lies in the
place of another is ever taken for it.
"""

import hashlib
import json
import zipfile
from typing import Any, BinaryIO

import numpy as np

from avdub.pipeline.store import Product

MAGIC = b"avdub-product-1\n"
HEAD = len(MAGIC) + hashlib.sha256().digest_size
BLOCK = 1 << 20  # bytes read at once
FACTS = "facts"  # the entry that holds JSON


def check_plain(product: Product) -> None:
    """Nothing but numbers may be kept, under names of their own."""
    assert FACTS not in product.arrays, f"an array must not be called {FACTS}"
    assert not any(a.dtype.hasobject for a in product.arrays.values()), "numbers only"


def write_product(file: BinaryIO, product: Product, label: str) -> None:
    """Into an empty file open for reading and writing; streamed. Raises OSError."""
    facts = np.frombuffer(json.dumps(product.facts).encode(), np.uint8)
    arrays: dict[str, Any] = {**product.arrays, FACTS: facts}
    file.write(bytes(HEAD))
    np.savez(file, **arrays)
    head = MAGIC + _checksum(file, label)
    file.seek(0)
    file.write(head)


def read_product(file: BinaryIO, label: str) -> Product | None:
    """What `write_product` wrote under this label; None for anything else."""
    if file.read(HEAD) != MAGIC + _checksum(file, label):
        return None
    file.seek(HEAD)
    try:
        with np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        facts = json.loads(arrays.pop(FACTS).tobytes())
    except (ValueError, KeyError, OSError, EOFError, zipfile.BadZipFile):
        return None
    return Product(arrays, facts)


def _checksum(file: BinaryIO, label: str) -> bytes:
    """Of a label and all of a file after its head."""
    file.seek(HEAD)
    made = hashlib.sha256(label.encode())
    while block := file.read(BLOCK):
        made.update(block)
    return made.digest()
