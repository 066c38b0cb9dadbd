"""A home of its own for each test, and stand-ins for the official networks."""

from pathlib import Path

import pytest

from tests.registry.fakes import FAKE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("AVDUB_HOME", str(folder))
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """The official networks are a few numbers each; returns the family's folder."""
    monkeypatch.setattr("avdub.registry.convert.official", FAKE)
    return home / "models" / "hierspeechpp"
