from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from avdub.errors import InputError
from avdub.training.data import Entry, PackWriter, SpeechPack, batches
from tests.training.made import PHONEMES, WIDTH, make_speech_pack


def test_a_pack_returns_what_was_added(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    writer, kept = PackWriter(tmp_path), []
    for n, steps in enumerate((3, 5)):
        wav = rng.uniform(-1, 1, steps * 320).astype(np.float32)
        f0 = rng.uniform(4, 6, steps * 4).astype(np.float32)
        teacher = rng.standard_normal((steps, 8)).astype(np.float32)
        writer.add(
            Entry(f"u{n}", "anna", writer.offset, steps, "Hé!", "ab", (1, 2)), wav, f0, teacher
        )
        kept.append((wav, f0, teacher))
    writer.close()
    pack = SpeechPack(tmp_path)
    assert [e.durations for e in pack.entries] == [(1, 2), (1, 2)]
    assert pack.entries[1].text == "Hé!"
    for entry, (wav, f0, teacher) in zip(pack.entries, kept, strict=True):
        np.testing.assert_allclose(pack.audio(entry), wav, atol=2**-15)
        np.testing.assert_allclose(pack.f0(entry), f0, rtol=1e-3)
        np.testing.assert_allclose(pack.rows("teacher.f16", 8, entry), teacher, atol=4e-3)


def test_a_cut_is_a_part_of_its_utterance(tmp_path: Path) -> None:
    pack = SpeechPack(make_speech_pack(tmp_path))
    entry = pack.entries[2]
    assert torch.equal(pack.audio(entry, 4, 3), pack.audio(entry)[4 * 320 : 7 * 320])
    assert torch.equal(pack.f0(entry, 4, 3), pack.f0(entry)[16:28])
    whole = pack.rows("latents.f16", WIDTH, entry)
    assert torch.equal(pack.rows("latents.f16", WIDTH, entry, 4, 3), whole[4:7])


def test_loud_sound_is_clipped_not_wrapped(tmp_path: Path) -> None:
    writer = PackWriter(tmp_path)
    loud = np.full(320, 1.5, np.float32)
    writer.add(Entry("u", "a", 0, 1), loud, np.zeros(4, np.float32), np.zeros((1, 2), np.float32))
    writer.close()
    pack = SpeechPack(tmp_path)
    assert pack.audio(pack.entries[0]).min() > 0.99


def test_an_unfinished_pack_is_no_pack(tmp_path: Path) -> None:
    for file in PackWriter(tmp_path / "p").files.values():
        file.close()
    with pytest.raises(InputError, match="not a prepared pack"):
        SpeechPack(tmp_path / "p")


def test_a_missing_array_is_named(tmp_path: Path) -> None:
    pack = SpeechPack(make_speech_pack(tmp_path, latents=False))
    with pytest.raises(InputError, match=r"latents\.f16 is missing"):
        pack.rows("latents.f16", WIDTH, pack.entries[0])


@pytest.mark.parametrize(("n_samples", "rows"), [(319, 1), (320, 2)])
def test_parts_of_other_lengths_are_refused(n_samples: int, rows: int, tmp_path: Path) -> None:
    writer = PackWriter(tmp_path)
    wav, f0 = np.zeros(n_samples, np.float32), np.zeros(4, np.float32)
    with pytest.raises(AssertionError, match="u:"):
        writer.add(Entry("u", "a", 0, 1), wav, f0, np.zeros((rows, 2), np.float32))
    writer.close()


def test_phonemes_survive_with_their_marks(tmp_path: Path) -> None:
    assert SpeechPack(make_speech_pack(tmp_path)).entries[0].phonemes == PHONEMES


@given(st.integers(0, 99))
def test_batches_follow_their_generator(seed: int) -> None:
    one, two = (batches(9, 4, torch.Generator().manual_seed(seed)) for _ in range(2))
    assert [next(one) for _ in range(3)] == [next(two) for _ in range(3)]


def test_what_weighs_nothing_is_never_drawn() -> None:
    drawn = batches(3, 50, torch.Generator().manual_seed(0), [1.0, 0.0, 2.0])
    assert set(next(drawn)) == {0, 2}
