"""What every test gets: fixed seeds, no network, no ERROR logs; tiny models and a face clip."""

import logging
import os
import random
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Tiny models gain nothing from threads, and on a busy machine threads wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
from hypothesis import settings

from tests.make import make_tone

settings.register_profile("avdub", deadline=None)  # times say little on a busy machine
settings.load_profile("avdub")

FACES = Path(__file__).parents[1] / "assets" / "base" / "faces"


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        is_remote = self.family in (socket.AF_INET, socket.AF_INET6)
        if is_remote and address[0] not in ("127.0.0.1", "::1", "localhost"):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", local_only)
        yield


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Commands keep what they make: in no test in the cache of whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("users")))
        patch.delenv("AVDUB_CACHE_DIR", raising=False)
        yield


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


class _Errors(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(f"{record.name}: {record.getMessage()}")


@pytest.fixture(autouse=True)
def _no_error_logs() -> Iterator[None]:
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    yield
    logging.getLogger().removeHandler(errors)
    assert not errors.messages, f"logged as ERROR: {errors.messages}"


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder of tiny untrained models, two voices and the real face networks."""
    from tests.tiny import save_tiny_family

    return save_tiny_family(tmp_path_factory.mktemp("weights"), FACES)


@pytest.fixture(scope="session")
def face_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a gently moving face at 25 frames/s with a stereo tone."""
    from tests.tiny import make_face_clip

    path = tmp_path_factory.mktemp("face") / "face.mp4"
    return make_face_clip(path, audio=make_tone(2.0, 44_100, 2))
