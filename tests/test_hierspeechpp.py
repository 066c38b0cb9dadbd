"""Dubs by a family as users import them: the original speaker's voice, the bridge, SpeechSR; and
voice samples for every family."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from avdub.cli import app
from avdub.errors import InputError, WeightsError
from avdub.media.audio import read_audio, write_wav
from avdub.media.probe import probe
from avdub.media.waveform import Waveform, join, resample, silence
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import make_plan
from avdub.pipeline.report import DubReport
from avdub.pipeline.run import dub, speak_text
from avdub.pipeline.weights import BRIDGE, ORIGINAL, SAME_LATENTS, Weights
from tests.make import make_tone
from tests.pipeline.test_plan import write_srt
from tests.tiny import make_face_clip, save_tiny_hierspeechpp

SHARED = Path(__file__).parents[2] / "shared"
SENTENCE = "This is what I said before anybody thought of giving me other words."
CUES = ((300, 1800, "Hello there."), (2000, 3600, "Good day to you."))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_hierspeechpp(tmp_path_factory.mktemp("hierspeechpp"))


@pytest.fixture(scope="module")
def speech() -> Waveform:
    return resample(speak_text(SENTENCE, seconds=3.9), 44_100)


@pytest.fixture(scope="module")
def clip(speech: Waveform, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "talk.mp4"
    return make_face_clip(path, n_frames=100, audio=speech)


@pytest.fixture(scope="module")
def dubbed(clip: Path, family: Path, tmp_path_factory: pytest.TempPathFactory) -> DubReport:
    folder = tmp_path_factory.mktemp("dubbed")
    srt = write_srt(folder / "s.srt", *CUES)
    return dub(clip, srt, folder / "out.mp4", DubOptions(model=str(family)))


def test_every_segment_is_dubbed_in_the_original_speakers_voice(dubbed: DubReport) -> None:
    assert dubbed.exit_code == 0
    assert {s.voice for s in dubbed.segments} == {ORIGINAL}


def test_the_report_names_the_bridge_the_voice_and_the_licences(dubbed: DubReport) -> None:
    told = json.loads(json.dumps(dubbed.as_json()))
    assert told["mouth"] == BRIDGE
    assert told["licences"] == ["none of the user's business"]
    assert "the video's own sound" in told["voices"][0]


def test_frames_and_length_stay(dubbed: DubReport, clip: Path) -> None:
    before, after = probe(clip), probe(dubbed.output)
    assert len(after.frame_times) == len(before.frame_times) == 100
    assert abs(after.end - before.end) <= 1 / before.rate


def test_the_sound_inside_the_cues_is_new_and_as_loud_as_before(
    dubbed: DubReport, clip: Path
) -> None:
    old, new = (read_audio(p, probe(p)) for p in (clip, dubbed.output))
    assert old is not None
    assert new is not None
    n = round(0.25 * new.rate)
    before_cue = np.abs(old.samples[:n] - new.samples[:n]).max()
    assert before_cue < 0.05
    inside = slice(round(2.1 * new.rate), round(3.0 * new.rate))
    assert np.abs(old.samples[inside] - new.samples[inside]).max() > 0.05
    assert np.abs(new.samples[inside]).max() > 0.01


def test_a_plan_tells_model_bridge_and_voice(clip: Path, family: Path, tmp_path: Path) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    plan = make_plan(clip, srt, DubOptions(model=str(family)))
    assert plan.as_json()["mouth"] == BRIDGE
    assert plan.rows[0].voice == ORIGINAL
    shown = CliRunner().invoke(app, ["plan", str(clip), str(srt), "--model", str(family)])
    assert "mouth by a bridge" in shown.output


def test_each_speaker_gets_a_voice_of_their_own(
    speech: Waveform, family: Path, tmp_path: Path
) -> None:
    low = Waveform(speech.samples[::-1].copy(), speech.rate)
    clip = make_face_clip(tmp_path / "two.mp4", n_frames=195, audio=join([speech, low]))
    vtt = tmp_path / "two.vtt"
    vtt.write_text(
        "WEBVTT\n\n00:00.300 --> 00:03.700\n<v Ann>Hello there.\n\n"
        "00:04.200 --> 00:07.500\n<v Ben>Good day to you.\n"
    )
    plan = make_plan(clip, vtt, DubOptions(model=str(family)))
    ann, ben = (job.voice for job in plan.jobs)
    assert (ann.name, ben.name) == ("original (Ann)", "original (Ben)")
    assert not torch.allclose(ann.styles["speech"], ben.styles["speech"])


def test_a_video_without_speech_asks_for_a_voice_sample(family: Path, tmp_path: Path) -> None:
    clip = make_face_clip(tmp_path / "tone.mp4", audio=make_tone(2.0, 44_100))
    srt = write_srt(tmp_path / "s.srt", (300, 1200, "Hello."))
    with pytest.raises(InputError, match="speech") as caught:
        dub(clip, srt, tmp_path / "out.mp4", DubOptions(model=str(family)))
    assert "--voice FILE.wav" in caught.value.hint
    assert not (tmp_path / "out.mp4").exists()


def test_named_voices_are_only_in_families_that_have_them(
    clip: Path, family: Path, tmp_path: Path
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    with pytest.raises(InputError, match="no named voices"):
        make_plan(clip, srt, DubOptions(model=str(family), voice="heart"))


def test_a_family_without_named_voices_says_what_to_use(family: Path) -> None:
    shown = CliRunner().invoke(app, ["voices", "--model", str(family)])
    assert shown.exit_code == 0
    assert "--voice original" in shown.output


@pytest.mark.parametrize("is_base", [True, False])
def test_a_voice_sample_speaks_in_either_family(
    is_base: bool, speech: Waveform, family: Path, weights: Path, tmp_path: Path
) -> None:
    sample = tmp_path / "me.wav"
    write_wav(sample, speech)
    model = str(weights if is_base else family)
    told = speak_text("Hello.", DubOptions(model=model, voice=str(sample)), 1.0)
    assert told.seconds == 1.0
    assert np.abs(told.samples).max() > 0.01


def test_the_base_family_takes_the_original_voice_too(
    clip: Path, weights: Path, tmp_path: Path
) -> None:
    srt = write_srt(tmp_path / "s.srt", *CUES)
    plan = make_plan(clip, srt, DubOptions(model=str(weights), voice=ORIGINAL))
    assert plan.rows[0].voice == ORIGINAL
    assert plan.model.mouth == SAME_LATENTS


def test_speaking_without_a_video_has_no_original_voice(family: Path) -> None:
    with pytest.raises(InputError, match="no original speaker"):
        speak_text("Hello.", DubOptions(model=str(family)))


def test_a_silent_voice_sample_is_refused(family: Path, tmp_path: Path) -> None:
    write_wav(tmp_path / "s.wav", silence(48_000, 1, 16_000))
    with pytest.raises(InputError, match="silent"):
        speak_text("Hello.", DubOptions(model=str(family), voice=str(tmp_path / "s.wav")))


def test_speech_sr_is_used_from_its_rate_on(family: Path) -> None:
    weights = Weights(str(family))
    assert weights.speech_sr(16_000) is None
    low, high = weights.speech_sr(24_000), weights.speech_sr(48_000)
    assert low is high is not None
    assert low.config.rate == 24_000


def test_a_face_model_for_the_familys_latents_removes_the_bridge(
    family: Path, tmp_path: Path
) -> None:
    from avdub.checkpoint import save_module
    from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig

    for file in family.iterdir():
        (tmp_path / file.name).symlink_to(file)
    assert Weights(str(tmp_path)).is_bridged
    tiny = LatentsToFaceConfig.tiny()
    for latents, is_bridged in ((tiny.latents, True), (24, False)):
        config = type(tiny)(**{**tiny.__dict__, "latents": latents})
        save_module(tmp_path / "latents_to_face.safetensors", LatentsToFace(config), config)
        assert Weights(str(tmp_path)).is_bridged is is_bridged


def test_a_family_that_is_not_installed_says_how_to_get_it(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="not installed") as caught:
        dub(clip, options=DubOptions(model="hierspeechpp"))
    assert "avdub models import" in caught.value.hint


@pytest.fixture(scope="module")
def official_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """The published pair's layout at full size, with recomputable weights."""
    parity = SHARED / "hierspeechpp"
    if not parity.is_dir():
        pytest.skip("needs ../shared/hierspeechpp, which is not here")
    spec = importlib.util.spec_from_file_location("fill", parity / "fill.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("official")
    files = []
    for layout, name in (
        ("ttv_layout.json", "ttv_lt960_ckpt.pth"),
        ("synthesizer_layout.json", "hierspeechpp_v1.1_ckpt.pth"),
    ):
        shapes = json.loads((parity / layout).read_text())["tensors"]
        shapes = dict(shapes)
        state = {k: torch.from_numpy(module.fill(k, tuple(s))) for k, s in shapes.items()}
        torch.save(state, folder / name)
        files.append(folder / name)
    yield files
    for file in files:
        file.unlink()


@pytest.mark.slow
def test_the_published_pair_imports_verifies_and_dubs_a_real_clip(
    official_files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = SHARED / "data" / "clips" / "webcam_1080x720_30fps_10s.mp4"
    if not clip.is_file():
        pytest.skip("needs ../shared/data, which is not here")
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NO_COLOR", "1")
    runner = CliRunner()
    names = [str(file) for file in official_files]
    assert runner.invoke(app, ["models", "import", *names]).exit_code == 0
    assert runner.invoke(app, ["models", "verify", "hierspeechpp"]).exit_code == 0
    srt = write_srt(tmp_path / "s.srt", (500, 3000, "We have to talk about the weather today."))
    out = tmp_path / "out.mp4"
    words = ["dub", str(clip), str(srt), "-o", str(out), "--model", "hierspeechpp", "--json"]
    # in a process of its own, whose peak memory is not that of the tests
    result = subprocess.run(
        [sys.executable, "-m", "avdub", *words], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["mouth"] == BRIDGE
    assert told["peak_rss_mb"] < 3000
    before, after = probe(clip), probe(out)
    assert len(after.frame_times) == len(before.frame_times)
    sound = read_audio(out, after, (Fraction(1), Fraction(2)))
    assert sound is not None
    assert np.abs(sound.samples).max() > 0.01
