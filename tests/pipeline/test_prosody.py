"""Prosody: the original line and the text move F0 and level, within bounds, and nothing else."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch

from avdub.checkpoint import base_folder
from avdub.latents import SEMITONE, Latents
from avdub.media.probe import probe
from avdub.media.waveform import Waveform, loudness
from avdub.pipeline.encode import Accent, Asked
from avdub.pipeline.prosody import (
    EMPHASIS_DB,
    EMPHASIS_ST,
    PLAIN,
    RISE_ST,
    Manner,
    Prosody,
    colour,
    compare,
    find_prosody,
    intone,
    measure,
)
from avdub.pipeline.speak import SPEECH_DB, speech_level
from tests.make import make_clip, make_segment, make_tone

VAD = base_folder() / "speech" / "silero_vad.onnx"
CLIPS = Path(__file__).parents[3] / "shared" / "data" / "clips"
TYPICAL = Manner(80.0, 6.0, -24.0)
WORD = Accent(Asked.EMPHASIS, 20, 25, 30)


def make_voice(steps: int = 60) -> Latents:
    """A voice that glides from 160 to 120 Hz."""
    f0 = torch.linspace(float(np.log1p(160)), float(np.log1p(120)), 4 * steps)
    f0[-20:] = 0
    return Latents(torch.randn(steps, 8), f0)


def semitones(latents: Latents) -> torch.Tensor:
    return torch.expm1(latents.f0.double()).log() / SEMITONE


def test_without_a_hint_and_accents_nothing_moves() -> None:
    voice = make_voice()
    torch.testing.assert_close(intone(voice, [], PLAIN).f0, voice.f0)


def test_a_hint_scales_and_shifts_f0_and_leaves_voicing_and_latents_alone() -> None:
    voice = make_voice()
    made = intone(voice, [], Prosody(1.4, 2.0))
    is_voiced = voice.f0 > 0
    assert torch.equal(made.vec, voice.vec)
    assert torch.equal(made.f0 > 0, is_voiced)
    before, after = semitones(voice)[is_voiced], semitones(made)[is_voiced]
    assert float(after.max() - after.min()) == pytest.approx(
        1.4 * float(before.max() - before.min()), rel=0.01
    )
    assert float(after.median() - before.median()) == pytest.approx(2.0, abs=0.05)


def test_an_emphasised_word_peaks_in_its_middle_and_others_stay() -> None:
    lift = semitones(intone(make_voice(), [WORD], PLAIN)) - semitones(make_voice())
    assert float(lift[100]) == pytest.approx(EMPHASIS_ST, abs=0.1)
    assert float(lift[:60].abs().max()) < 0.01
    assert float(lift[140:220].abs().max()) < 0.01
    assert float(lift[:220].diff().abs().max()) < 0.2


def test_a_question_rises_where_the_voice_last_sounds() -> None:
    rise = Accent(Asked.RISE, 40, 59, 59)
    lift = (semitones(intone(make_voice(), [rise], PLAIN)) - semitones(make_voice()))[:220]
    assert float(lift[-1]) == pytest.approx(RISE_ST, abs=0.1)
    assert float(lift[:140].abs().max()) < 0.01


def test_an_emphasised_word_is_louder_than_the_rest() -> None:
    speech = make_tone(1.2, rate=16_000)
    made = colour(Waveform(speech.samples[:, :1], 16_000), [WORD], PLAIN, None)
    word, rest = made.samples[20 * 320 : 30 * 320], made.samples[: 16 * 320]
    louder = loudness(Waveform(word, 16_000)) - loudness(Waveform(rest, 16_000))
    assert louder == pytest.approx(EMPHASIS_DB, abs=0.1)


def test_the_level_is_the_hints_or_that_of_speech_over_silence() -> None:
    speech = Waveform(make_tone(1.0).samples[:, :1], 44_100)
    for hint, level in ((Prosody(level_db=-20.0), -20.0), (PLAIN, SPEECH_DB)):
        assert speech_level(colour(speech, [], hint, None)) == pytest.approx(level, abs=0.1)


def test_a_lively_line_is_livelier_and_a_flat_one_flatter_than_the_typical() -> None:
    lines = [TYPICAL, TYPICAL, TYPICAL]
    lively = compare(Manner(81.0, 7.5, -22.0), lines)
    assert (lively.f0_scale, lively.shift_st, lively.gain_db) == (1.25, 1.0, 2.0)
    assert lively.level_db == -22.0
    assert compare(Manner(79.0, 4.8, -25.0), lines).f0_scale == 0.8


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (Manner(99.0, 30.0, 0.0), (1.5, 3.0, 4.0)),
        (Manner(60.0, 0.0, -70.0), (0.7, -3.0, -4.0)),
    ],
)
def test_what_is_taken_over_is_bounded(line: Manner, expected: tuple[float, ...]) -> None:
    made = compare(line, [TYPICAL, TYPICAL])
    assert (made.f0_scale, made.shift_st, made.gain_db) == expected


def test_a_line_without_a_voice_is_plain_at_the_typical_level() -> None:
    made = compare(None, [TYPICAL, TYPICAL])
    assert (made.f0_scale, made.shift_st, made.level_db) == (1.0, 0.0, -24.0)
    assert "less than 0.3 s of voice" in made.plain


def test_with_nothing_to_compare_with_a_line_is_plain() -> None:
    assert "only line" in compare(TYPICAL, [TYPICAL]).plain
    assert "no voice is heard" in compare(None, []).plain


@pytest.mark.parametrize("n_samples", [1, 300, 700, 48_000])
def test_neither_tones_nor_silence_nor_snippets_have_a_manner(n_samples: int) -> None:
    for sound in (make_tone(3.0), Waveform(np.zeros((n_samples, 2), np.float32), 48_000)):
        assert measure(Waveform(sound.samples[:n_samples], sound.rate), VAD) is None


def test_a_video_without_sound_suggests_nothing(tmp_path: Path) -> None:
    info = probe(make_clip(tmp_path / "v.mp4", rate=Fraction(5), n_frames=5))
    hint = find_prosody(info, [make_segment()], [make_segment()], VAD)[1]
    assert hint == Prosody(plain="the video has no sound")


def test_real_lines_are_measured_and_compared_with_all_lines_of_their_speaker() -> None:
    clip = CLIPS / "address_450x450_25fps_20s.mp4"
    if not clip.is_file():
        pytest.skip(f"{clip} is absent")
    lines = [make_segment(index=n, start_ms=3000 * n, end_ms=3000 * n + 2800) for n in range(1, 6)]
    hints = find_prosody(probe(clip), lines[:2], lines, VAD)
    assert set(hints) == {1, 2}
    whole = find_prosody(probe(clip), lines, lines, VAD)
    assert hints == {n: whole[n] for n in (1, 2)}
    assert all(not hint.plain for hint in whole.values())
    assert len({hint.f0_scale for hint in whole.values()}) > 2
