"""The voice sample: what is taken, what is left, and every way in which there is none.

Speakers are told apart by a faint tone at 7.5 kHz that lies under one of them.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile

from avdub.errors import InputError
from avdub.media.audio import write_wav
from avdub.media.probe import MediaInfo, probe
from avdub.media.voice_activity import hear, speech_probability
from avdub.media.waveform import Waveform, gain, join, loudness, resample, silence
from avdub.pipeline import voice
from avdub.pipeline.voice import original_voice, read_voice_sample
from tests.make import make_clip, make_tone
from tests.media.test_voice_activity import CLIPS, VAD, make_chords, make_noise, make_speech

RATE = 16_000
MARK_HZ = 7500


def marked(w: Waveform, size: float = 0.004) -> Waveform:
    tone = size * np.sin(2 * np.pi * MARK_HZ * np.arange(len(w)) / w.rate)
    return Waveform(w.samples + tone.astype(np.float32)[:, None], w.rate)


def share_marked(w: Waveform) -> float:
    """Which part of the sound has the tone under it, by pieces of 0.1 s."""
    pieces = w.samples[: len(w) // 1600 * 1600, 0].reshape(-1, 1600) * np.hanning(1600)
    spectra = np.abs(np.fft.rfft(pieces))  # 10 Hz a bin
    tone, beside = spectra[:, 750], np.median(spectra[:, 730:770], axis=1)
    return float(np.mean((tone > 0.5) & (tone > 5 * beside)))


def talk(*sentences: int) -> Waveform:
    """Sentences with half a second of silence around each."""
    gap = silence(RATE // 2, 1, RATE)
    return join([gap, *(part for n in sentences for part in (make_speech(n), gap))])


def over(w: Waveform, noise: float) -> Waveform:
    return Waveform(w.samples + make_noise(w.seconds, noise).samples[: len(w)], w.rate)


def as_wav(path: Path, w: Waveform) -> Path:
    write_wav(path, w)
    return path


def voiced(w: Waveform) -> float:
    return float((speech_probability(w, VAD) > 0.5).mean())


def clip_of(path: Path, audio: Waveform | None) -> MediaInfo:
    seconds = 2.0 if audio is None else audio.seconds
    make_clip(path, rate=Fraction(5), n_frames=int(5 * seconds), audio=audio)
    return probe(path)


@pytest.fixture
def never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*_: object) -> Iterator[Waveform]:
        raise AssertionError("the sound was decoded")

    monkeypatch.setattr(voice, "iter_audio", decode)


def test_a_sample_is_mono_speech_at_16_khz(tmp_path: Path) -> None:
    sample = read_voice_sample(as_wav(tmp_path / "a.wav", talk(0, 1)), VAD)
    assert (sample.rate, sample.channels) == (RATE, 1)
    assert 4 < sample.seconds < make_speech(0).seconds + make_speech(1).seconds
    assert voiced(sample) > 0.9


def test_a_sample_has_at_most_12_seconds(tmp_path: Path) -> None:
    sample = read_voice_sample(as_wav(tmp_path / "a.wav", talk(0, 1, 2, 0, 1, 2)), VAD)
    assert 11 < sample.seconds <= 12
    assert voiced(sample) > 0.9


def test_the_joins_do_not_click(tmp_path: Path) -> None:
    raised = Waveform(talk(0, 1, 2).samples + np.float32(0.5), RATE)
    sample = read_voice_sample(as_wav(tmp_path / "a.wav", raised), VAD).samples[:, 0]
    largest = [float(np.abs(np.diff(x)).max()) for x in (sample, raised.samples[:, 0])]
    assert largest[0] < 1.1 * largest[1] < 0.4


def test_sentences_keep_their_order(tmp_path: Path) -> None:
    sound = join([over(talk(0), 0.003), marked(talk(1))])
    sample = read_voice_sample(as_wav(tmp_path / "a.wav", sound), VAD)
    half = len(sample) // 2
    first, last = (Waveform(sample.samples[s], RATE) for s in (slice(half), slice(half, None)))
    assert share_marked(first) < 0.3
    assert share_marked(last) > 0.7


def test_the_natural_level_is_kept(tmp_path: Path) -> None:
    levels = [
        loudness(read_voice_sample(as_wav(tmp_path / "a.wav", gain(talk(0, 1), db)), VAD))
        for db in (0, 6)
    ]
    assert levels[1] - levels[0] == pytest.approx(6, abs=0.2)


@pytest.mark.parametrize("db", [-20, -35])
def test_soft_samples_are_raised(db: float, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", gain(talk(0, 1), db).samples, RATE, "FLOAT")
    sample = read_voice_sample(tmp_path / "a.wav", VAD)
    assert loudness(sample) == pytest.approx(-26, abs=0.1)
    assert np.abs(sample.samples).max() <= 1


@pytest.mark.parametrize(
    ("name", "rate", "channels"),
    [
        ("stereo.wav", 48_000, 2),
        ("telephone.wav", 8_000, 1),
        ("three.wav", 16_000, 3),
        ("music.mp3", 44_100, 2),
        ("free.ogg", 44_100, 1),
        ("whole.flac", 96_000, 1),
    ],
)
def test_sound_files_of_many_kinds_are_read(
    name: str, rate: int, channels: int, tmp_path: Path
) -> None:
    samples = resample(talk(0, 1), rate).samples.repeat(channels, axis=1)
    soundfile.write(tmp_path / name, samples, rate)
    sample = read_voice_sample(tmp_path / name, VAD)
    assert sample.rate == RATE
    assert sample.seconds > 4
    assert voiced(sample) > 0.85


def test_a_video_can_be_the_sample(tmp_path: Path) -> None:
    clip_of(tmp_path / "a.mp4", resample(talk(0, 1), 48_000))
    sample = read_voice_sample(tmp_path / "a.mp4", VAD)
    assert sample.seconds > 4
    assert voiced(sample) > 0.85


def surround(centre: Waveform, sides: Waveform, path: Path) -> Path:
    samples = sides.samples[: len(centre)].repeat(6, axis=1)
    samples[:, 2] = centre.samples[: len(samples), 0]
    soundfile.write(path, samples, RATE)
    return path


def test_in_surround_sound_the_centre_is_heard(tmp_path: Path) -> None:
    speech = talk(0, 1)
    music = make_tone(speech.seconds, hz=MARK_HZ)
    sample = read_voice_sample(surround(speech, music, tmp_path / "a.wav"), VAD)
    assert share_marked(sample) < 0.05
    assert voiced(sample) > 0.9


def test_surround_sound_with_a_silent_centre_is_mixed(tmp_path: Path) -> None:
    speech = talk(0, 1)
    path = surround(silence(len(speech), 1, RATE), speech, tmp_path / "a.wav")
    assert voiced(read_voice_sample(path, VAD)) > 0.9


def test_clipped_speech_ranks_behind_clean_speech(tmp_path: Path) -> None:
    clean = marked(talk(0, 1))
    for factor, share in ((2.0, (0.0, 0.7)), (12.0, (0.85, 1.0))):
        loud = np.clip(factor * talk(2, 0, 1).samples, -1, 1)
        sound = join([Waveform(loud, RATE), clean])
        sample = read_voice_sample(as_wav(tmp_path / "a.wav", sound), VAD)
        assert share[0] <= share_marked(sample) <= share[1]


def test_noisy_speech_ranks_behind_clean_speech(tmp_path: Path) -> None:
    sound = join([over(gain(talk(2, 0, 1), 6), 0.03), marked(talk(0, 1))])
    assert share_marked(read_voice_sample(as_wav(tmp_path / "a.wav", sound), VAD)) > 0.85


def refused(path: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        read_voice_sample(path, VAD)
    assert "\n" not in caught.value.message
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: silence(5 * RATE, 1, RATE), "is silent"),
        (lambda: Waveform(make_speech().samples[8_000:14_400], RATE), "lasts only 0.4 s"),
        (lambda: make_tone(5.0), "holds no speech"),
        (lambda: make_chords(10), "holds no speech"),
        (lambda: make_noise(5.0), "holds no speech"),
        (
            lambda: join([Waveform(make_speech().samples[:12_000], RATE), make_noise(3, 0.003)]),
            "s of speech, too little",
        ),
    ],
    ids=["silent", "short", "tone", "chords", "noise", "one word"],
)
def test_sound_without_enough_speech_is_refused(
    make: Callable[[], Waveform], message: str, tmp_path: Path
) -> None:
    error = refused(as_wav(tmp_path / "a.wav", make()))
    assert str(tmp_path / "a.wav") in error.message
    assert message in error.message
    assert "5 to 30 seconds" in error.hint


@pytest.mark.parametrize(("probability", "is_speech"), [(0.7, False), (0.9, True)])
def test_what_only_half_passes_for_speech_is_refused(
    probability: float, is_speech: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = as_wav(tmp_path / "a.wav", make_chords(4))
    heard = hear([make_chords(4)], VAD)
    surer = replace(heard, probability=np.full_like(heard.probability, probability))
    monkeypatch.setattr(voice, "hear", lambda *_: surer)
    if is_speech:
        assert read_voice_sample(path, VAD).seconds > 3
    else:
        assert "holds no speech" in refused(path).message


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("text.wav", b"This is no sound.\n" * 50, "is no sound file that can be read"),
        ("empty.wav", b"", "is empty"),
        ("header.wav", b"RIFF\0\0\0\0WAVE", "is no sound file that can be read"),
    ],
)
def test_what_is_no_sound_file_is_refused(
    name: str, content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    assert message in refused(tmp_path / name).message


def test_missing_files_folders_and_silent_films_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "gone.wav").message
    assert "is a folder" in refused(tmp_path).message
    clip_of(tmp_path / "a.mp4", None)
    assert "has no sound" in refused(tmp_path / "a.mp4").message


def test_a_sound_file_without_samples_is_refused(tmp_path: Path) -> None:
    as_wav(tmp_path / "a.wav", silence(0, 1, RATE))
    assert "no sound that can be decoded" in refused(tmp_path / "a.wav").message


@pytest.mark.usefixtures("never_decoded")
def test_two_hours_are_refused_by_their_header(tmp_path: Path) -> None:
    n_bytes = 2 * 3600 * RATE * 2
    form = struct.pack("<IHHIIHH", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    head = b"RIFF" + struct.pack("<I", n_bytes + 36) + b"WAVEfmt " + form
    with (tmp_path / "a.wav").open("wb") as file:
        file.write(head + b"data" + struct.pack("<I", n_bytes))
        file.truncate(44 + n_bytes)
    error = refused(tmp_path / "a.wav")
    assert "longer than 10 minutes" in error.message
    assert "cut out 5 to 30 seconds" in error.hint


def test_a_long_file_whose_header_has_no_length_is_refused_too(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(601 * 8000, np.float32), 8000)
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # the number of samples: unknown
    (tmp_path / "a.flac").write_bytes(content)
    assert "longer than 10 minutes" in refused(tmp_path / "a.flac").message


@pytest.fixture(scope="module")
def dialogue(tmp_path_factory: pytest.TempPathFactory) -> MediaInfo:
    """Noisy speech of one person, then clean and marked speech of another, then the first again."""
    parts = [over(talk(0), 0.05), marked(talk(1, 2)), over(talk(2), 0.05)]
    return clip_of(tmp_path_factory.mktemp("voice") / "a.mkv", join(parts))


FIRST = (0, Fraction(5))
SECOND = (Fraction(11, 2), Fraction(31, 2))
AGAIN = (Fraction(16), Fraction(22))


def test_the_original_voice_is_the_speech_inside_the_spans(dialogue: MediaInfo) -> None:
    sample = original_voice(dialogue, [SECOND], [FIRST, AGAIN], VAD)
    assert 6 < sample.seconds <= 12
    assert (sample.rate, sample.channels) == (RATE, 1)
    assert voiced(sample) > 0.9
    assert share_marked(sample) > 0.85


def test_what_others_say_is_never_used(dialogue: MediaInfo) -> None:
    everything = [(0, dialogue.end)]
    assert share_marked(original_voice(dialogue, everything, [], VAD)) > 0.85
    alone = original_voice(dialogue, everything, [SECOND], VAD)
    assert alone.seconds > 5
    assert share_marked(alone) < 0.05


def test_others_are_avoided_with_a_margin(tmp_path: Path) -> None:
    one, other = (Waveform(make_speech(n).samples[8000:56_000], RATE) for n in (0, 1))
    info = clip_of(tmp_path / "a.mkv", join([one, marked(other), one]))
    late = [(Fraction(315, 100), Fraction(585, 100))]
    sample = original_voice(info, [(0, info.end)], late, VAD)
    assert sample.seconds > 4
    assert share_marked(sample) == 0


def test_with_little_speech_in_the_spans_the_rest_is_searched(dialogue: MediaInfo) -> None:
    short = [(Fraction(1), Fraction(2))]
    sample = original_voice(dialogue, short, [SECOND], VAD)
    assert sample.seconds > 5
    assert share_marked(sample) < 0.05


def test_the_speaker_s_own_seconds_go_first_into_a_widened_search(tmp_path: Path) -> None:
    own = marked(make_speech(0), 0.03)
    info = clip_of(tmp_path / "a.mkv", join([own, talk(1, 2, 0, 1)]))
    sample = original_voice(info, [(Fraction(1, 2), 2)], [], VAD)
    rest = original_voice(info, [(5, info.end)], [], VAD)
    assert share_marked(rest) < 0.02
    assert share_marked(sample) * sample.seconds > 0.8


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".avi"])
def test_every_container_gives_the_same_seconds(suffix: str, tmp_path: Path) -> None:
    sound = join([gain(talk(0), -6), marked(talk(1)), gain(talk(2, 0, 1), -6)])
    info = clip_of(tmp_path / f"a{suffix}", resample(sound, 44_100))
    sample = original_voice(info, [(Fraction(11, 2), Fraction(51, 5))], [], VAD)
    assert sample.seconds == pytest.approx(make_speech(1).seconds, rel=0.25)
    assert share_marked(sample) > 0.85


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (None, "has no sound"),
        (silence(5 * RATE, 1, RATE), "has no clear speech"),
        (make_tone(5.0), "has no clear speech"),
        (Waveform(make_noise(4.0, 0.003).samples, RATE), "has no clear speech"),
    ],
    ids=["no sound", "silence", "tone", "noise"],
)
def test_a_video_without_speech_asks_for_a_sample(
    audio: Waveform | None, message: str, tmp_path: Path
) -> None:
    info = clip_of(tmp_path / "a.mp4", audio)
    with pytest.raises(InputError, match=message) as caught:
        original_voice(info, [(0, info.end)], [], VAD)
    assert "--voice FILE.wav" in caught.value.hint
    assert "a named voice" in caught.value.hint


def test_a_video_in_which_only_others_speak_asks_for_a_sample(dialogue: MediaInfo) -> None:
    with pytest.raises(InputError, match="no clear speech"):
        original_voice(dialogue, [FIRST], [(0, dialogue.end)], VAD)


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs the clips in ../shared/data/clips")
@pytest.mark.parametrize(
    ("name", "least_s"),
    [("address_450x450_25fps_20s.mp4", 10), ("webcam_1080x720_30fps_10s.mp4", 3.5)],
)
def test_real_clips_give_seconds_of_nothing_but_speech(name: str, least_s: float) -> None:
    info = probe(CLIPS / name)
    sample = original_voice(info, [(0, info.end)], [], VAD)
    assert least_s < sample.seconds <= 12
    assert voiced(sample) > 0.9
    assert loudness(sample) > -26.1
