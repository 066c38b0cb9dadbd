"""The door to espeak-ng: silent, safe between threads, and clear about what is missing."""

import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from avdub.errors import WeightsError
from avdub.text import espeak


@pytest.fixture
def afresh() -> Iterator[None]:
    """Loads espeak-ng again for this test, and again after it."""
    espeak._backend.cache_clear()
    yield
    espeak._backend.cache_clear()


def test_threads_get_the_phonemes_of_their_own_line() -> None:
    texts = [f"{n} green bottles, number {n}." for n in range(40)]
    voices = ["en-us", "en-gb"] * 20
    alone = [espeak.to_ipa(*line) for line in zip(texts, voices, strict=True)]
    assert len(set(alone)) == 40
    with ThreadPoolExecutor(8) as pool:
        for _ in range(5):
            assert list(pool.map(espeak.to_ipa, texts, voices)) == alone


def test_espeak_is_loaded_once_a_voice(afresh: None) -> None:
    for n in range(3):
        espeak.to_ipa(f"{n} bottles", "en-us")
    assert espeak._backend.cache_info().misses == 1


@pytest.mark.usefixtures("afresh")
def test_nothing_is_printed_or_logged(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        espeak.to_ipa("on the one hand, of the other", "en-us")  # words that espeak-ng joins
    assert caplog.records == []
    assert capfd.readouterr() == ("", "")


def test_a_process_ends_in_silence_and_leaves_no_file(tmp_path: Path) -> None:
    code = "from avdub.text import OFFICIAL; assert OFFICIAL.phonemize('Hello.', 'en')"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        env={**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("afresh")
def test_data_too_deep_for_espeak_is_an_error_and_not_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(espeak, "find_espeak", lambda: ("libespeak-ng.so", "/a" * 80))
    with pytest.raises(WeightsError, match="path as long as"):
        espeak.to_ipa("Hello.", "en-us")


@pytest.mark.usefixtures("afresh")
def test_a_library_that_cannot_be_loaded_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(espeak, "find_espeak", lambda: (str(tmp_path / "none.so"), str(tmp_path)))
    with pytest.raises(WeightsError, match="cannot load espeak-ng") as caught:
        espeak.to_ipa("Hello.", "en-us")
    assert "espeak-ng 1.51" in caught.value.hint


def test_without_a_wheel_the_systems_espeak_is_left_to_be_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "espeak_english", None)
    monkeypatch.setitem(sys.modules, "espeakng_loader", None)
    assert espeak.find_espeak() is None
