"""Training that goes on from HierSpeech++: durations found on the way, packs of its own kind."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize
from typer.testing import CliRunner

from avdub.checkpoint import load_module, read_facts, save_manifest, save_module, verify
from avdub.cli import app
from avdub.errors import InputError
from avdub.models.hierarchical import HierarchicalConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
from avdub.models.voice import VoiceEncoderConfig
from avdub.text import OFFICIAL, SYMBOLS
from avdub.training import latents_to_speech as speech
from avdub.training import speech_to_latents as listen
from avdub.training import text_to_latents as text
from avdub.training.align import aligned_durations
from avdub.training.data import SpeechPack
from avdub.training.loop import Losses, Run, train
from avdub.training.pack_latents import remember_front_end
from avdub.training.speech_data import open_utterances, text_batch
from tests.models.made import noise, shaken
from tests.training.made import CONFIG, WIDTH, longer, make_speech_pack, names

PHONEMES = "həlˈoʊ wˈɜːld."
VOICE = VoiceEncoderConfig(80, 16, 8, 3, 1, prompt_mel=True)
TEXT_CONFIG = TextToLatentsConfig(
    symbols=178,
    latents=WIDTH,
    channels=16,
    filter_channels=32,
    text_layers=2,
    posterior_layers=1,
    decoder_layers=1,
    voice=VOICE,
    decoder_channels=24,
    stochastic_durations=True,
    upsampling_pitch=True,
    classify_symbols=True,
    front_end="hierspeechpp",
)
SPEECH_CONFIG = LatentsToSpeechConfig(
    latents=WIDTH, voice=VOICE, hierarchical=HierarchicalConfig.tiny()
)
TEXT = text.recipe_for(CONFIG, TEXT_CONFIG)
SPEECH = replace(speech.recipe_for(CONFIG, SPEECH_CONFIG), cut_steps=15)
ONE = replace(CONFIG, steps=1)
SHARED = Path(__file__).parents[3] / "shared" / "hierspeechpp"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Tensors this small gain nothing by more, and lose much where cores are busy."""
    n = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n)


def make_pack(folder: Path, steps: int = 60, width: int = WIDTH) -> Path:
    """A made pack whose text is in HierSpeech++'s phonemes, without durations."""
    make_speech_pack(folder, 6, steps)
    lines = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    said = [{**line, "phonemes": PHONEMES, "durations": []} for line in lines]
    (folder / "index.jsonl").write_text("\n".join(map(json.dumps, said)) + "\n")
    remember_front_end(folder, "hierspeechpp")
    if width != WIDTH:
        n_steps = sum(line["steps"] for line in lines)
        noise(n_steps, width).half().numpy().tofile(folder / "latents.f16")
    return folder


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return make_pack(tmp_path / "pack")


def make_text(seed: int = 2) -> TextToLatents:
    """Shaken, since flows begin as the identity and would pass nothing on."""
    torch.manual_seed(seed)
    return shaken(TextToLatents(TEXT_CONFIG))  # type: ignore[return-value]


def make_speech() -> LatentsToSpeech:
    torch.manual_seed(3)
    return shaken(LatentsToSpeech(SPEECH_CONFIG), size=0.02)  # type: ignore[return-value]


def unmoved(start: nn.Module, trained: nn.Module) -> set[str]:
    after = dict(trained.named_parameters())
    return {name for name, value in start.named_parameters() if torch.equal(value, after[name])}


def logged(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(app, ["train", *map(str, words)])
    assert result.exit_code == 0, result.output
    return result.output


# ---- text to latents


@pytest.mark.parametrize("steps", [29, 60])
def test_found_durations_fill_the_steps_and_leave_no_symbol_out(steps: int, tmp_path: Path) -> None:
    data = open_utterances([make_pack(tmp_path / "p", steps)], True, False, OFFICIAL)
    batch = text_batch(data.items, WIDTH, OFFICIAL)
    style, drawn = noise(len(data.items), 8, 1), noise(len(data.items), 16, batch.vec.shape[2])
    durations = aligned_durations(make_text(), batch, style, drawn)
    assert durations.sum(1).tolist() == batch.n_steps.tolist()
    assert (durations >= 1).all()  # all say the same, so no row has padding
    assert batch.tokens.shape[1] == 2 * len(PHONEMES) + 1


def test_speech_faster_than_a_step_a_symbol_is_left_out(tmp_path: Path) -> None:
    folder = make_pack(tmp_path / "p", 27)  # 29 symbols; utterances of 27 to 32 steps
    data = open_utterances([folder], True, False, OFFICIAL)
    assert [entry.steps for _, entry in data.items] == [29, 30, 31, 32]
    with pytest.raises(InputError, match="no utterance whose text and timing are known") as error:
        open_utterances([make_pack(tmp_path / "fast", 12)], True, False, OFFICIAL)
    assert "metadata.csv" in error.value.hint


def test_a_step_teaches_every_part_of_the_text_model(pack: Path, tmp_path: Path) -> None:
    start = make_text()
    recipe = replace(TEXT, train=replace(ONE, weight_decay=0.0))
    model = text.train_text_to_latents([pack], tmp_path / "run", recipe, start)
    assert unmoved(start, model) == set()


def test_the_text_model_learns_what_its_recipe_weighs(pack: Path, tmp_path: Path) -> None:
    text.train_text_to_latents([pack], tmp_path / "run", TEXT, make_text())
    assert set(logged(tmp_path / "run")[0]) == {"step", "grad", "s", *dict(TEXT.weights)}
    assert "prior" not in dict(TEXT.weights)
    assert dict(TEXT.weights)["kl"] == pytest.approx(0.1 * TEXT_CONFIG.channels)


def test_the_prior_can_be_learned_too(pack: Path, tmp_path: Path) -> None:
    recipe = replace(TEXT, weights=(*TEXT.weights, ("prior", 1.0)))
    text.train_text_to_latents([pack], tmp_path / "run", recipe, make_text())
    assert logged(tmp_path / "run")[0]["prior"] > 0


def test_pitch_without_the_prior_is_heard_in_true_latents(pack: Path) -> None:
    data = open_utterances([pack], True, False, OFFICIAL)
    batch = text_batch(data.items[:1], WIDTH, OFFICIAL)
    model, style = make_text(), noise(1, 8, 1)
    drawn = noise(1, 16, batch.vec.shape[2]), noise(1, 2, batch.tokens.shape[1])
    durations = aligned_durations(model, batch, style, drawn[0])
    words = (batch.tokens, batch.n_tokens, durations, batch.vec, style, drawn)
    out = model(*words, with_prior=False)
    assert out.prior_vec is None
    wanted = model.pitch(batch.vec, batch.vec, out.mask, style)
    torch.testing.assert_close(out.log_f0, wanted)
    assert not torch.allclose(out.log_f0, model(*words).log_f0)


def test_symbols_are_heard_without_their_blanks(pack: Path) -> None:
    data = open_utterances([pack], True, False, OFFICIAL)
    batch = text_batch(data.items[:1], WIDTH, OFFICIAL)
    ids = OFFICIAL.ids(PHONEMES)
    logits = torch.full((1, 178, batch.vec.shape[2]), -20.0)
    logits[0, 0] = 0.0
    silent = text.symbol_loss(logits, batch)
    for n, symbol in enumerate(ids):
        logits[0, symbol, 4 * n], logits[0, 0, 4 * n] = 0.0, -20.0
    assert text.symbol_loss(logits, batch) < 0.01 < silent


# ---- latents to speech


def test_a_step_teaches_every_part_of_the_speech_model(pack: Path, tmp_path: Path) -> None:
    start = make_speech()
    recipe = replace(SPEECH, train=replace(ONE, weight_decay=0.0))
    model = speech.train_latents_to_speech([pack], tmp_path / "run", recipe, start)
    assert unmoved(start, model) == {"synthesizer.null_style.weight"}
    assert set(logged(tmp_path / "run")[0]) == {"step", "grad", "s", *dict(SPEECH.weights)}


def test_the_speech_model_hears_one_frame_a_step() -> None:
    target = speech.HierarchicalTarget(HierarchicalConfig())
    spectrum, prosody = target(noise(2, 320 * 9))
    assert spectrum.shape == (2, 641, 9)
    assert prosody.shape == (2, 20, 9)


def test_the_speech_model_may_hear_what_the_text_model_predicts(pack: Path, tmp_path: Path) -> None:
    said_by = make_text()
    before = {k: v.clone() for k, v in said_by.state_dict().items()}
    recipe = replace(SPEECH, train=ONE)
    speech.train_latents_to_speech([pack], tmp_path / "run", recipe, make_speech(), said_by)
    assert all(torch.equal(v, before[k]) for k, v in said_by.state_dict().items())


def test_models_of_two_families_are_not_trained_together(pack: Path, tmp_path: Path) -> None:
    said_by = TextToLatents(TextToLatentsConfig.tiny())
    with pytest.raises(InputError, match="of base text, but the speech model takes 16") as error:
        speech.train_latents_to_speech([pack], tmp_path / "run", SPEECH, make_speech(), said_by)
    assert "one family" in error.value.hint


# ---- both


Model = TextToLatents | LatentsToSpeech


def trained(kind: str, packs: list[Path], folder: Path, **changes: object) -> Model:
    if kind == "text":
        recipe = replace(TEXT, **changes)  # type: ignore[arg-type]
        return text.train_text_to_latents(packs, folder, recipe, make_text())
    recipe_of_speech = replace(SPEECH, **changes)  # type: ignore[arg-type]
    return speech.train_latents_to_speech(packs, folder, recipe_of_speech, make_speech())


class Stopped(Exception):
    pass


def stopping_at(module: ModuleType, step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the recipe's losses end the run before the step of that number."""
    losses, calls = module.losses, []

    def stopped(*words: object) -> Losses:
        calls.append(1)
        if len(calls) > step:
            raise Stopped
        return losses(*words)

    monkeypatch.setattr(module, "losses", stopped)


@pytest.mark.parametrize(("kind", "module"), [("text", text), ("speech", speech)])
def test_a_resumed_run_equals_one_that_never_stopped(
    kind: str, module: ModuleType, pack: Path, tmp_path: Path
) -> None:
    config = replace(CONFIG, steps=3)
    whole = trained(kind, [pack], tmp_path / "whole", train=config)
    with pytest.MonkeyPatch.context() as patch:
        stopping_at(module, 2, patch)
        with pytest.raises(Stopped):
            trained(kind, [pack], tmp_path / "parts", train=config)
    torch.manual_seed(12345)
    resumed = trained(kind, [pack], tmp_path / "parts", train=config)
    assert unmoved(whole, resumed) == {name for name, _ in whole.named_parameters()}
    assert [line["step"] for line in logged(tmp_path / "parts")] == [1, 2, 3]


@pytest.mark.parametrize("kind", ["text", "speech"])
def test_weights_stay_normalised_while_they_learn(kind: str, pack: Path, tmp_path: Path) -> None:
    model = trained(kind, [pack], tmp_path / "run")
    assert any(parametrize.is_parametrized(part, "weight") for part in model.modules())


@pytest.mark.parametrize("kind", ["text", "speech"])
def test_packs_of_another_width_are_refused(kind: str, tmp_path: Path) -> None:
    wide = make_pack(tmp_path / "wide", width=24)
    with pytest.raises(InputError, match="of 24 channels, but the model takes 16") as error:
        trained(kind, [wide], tmp_path / "run")
    assert "--latents" in error.value.hint


@pytest.mark.parametrize("kind", ["text", "speech"])
def test_packs_of_two_front_ends_do_not_mix(kind: str, pack: Path, tmp_path: Path) -> None:
    base = make_speech_pack(tmp_path / "base")
    with pytest.raises(InputError, match="base holds phonemes and F0 of the base") as error:
        trained(kind, [pack, base], tmp_path / "run")
    assert "--front-end hierspeechpp" in error.value.hint


def test_base_models_refuse_packs_of_another_front_end(pack: Path, tmp_path: Path) -> None:
    trainings: list[Callable[[], object]] = [
        lambda: text.train_text_to_latents([pack], tmp_path / "t", text.Recipe(ONE)),
        lambda: speech.train_latents_to_speech([pack], tmp_path / "s", speech.Recipe(ONE)),
        lambda: listen.train_speech_to_latents([pack], tmp_path / "l", listen.Recipe(ONE)),
    ]
    for training in trainings:
        with pytest.raises(InputError, match="the hierspeechpp front end, but the model") as error:
            training()
        assert "--front-end base" in error.value.hint


def test_utterances_that_are_all_too_long_or_too_short_are_named(
    pack: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="too long") as error:
        trained("text", [pack], tmp_path / "run", longest=50)
    assert "at most 1 s" in error.value.hint
    with pytest.raises(InputError, match="as long as a cut of 2 s"):
        trained("speech", [pack], tmp_path / "run", cut_steps=100)


def learns(
    module: nn.Module,
    weights: tuple[tuple[str, float], ...],
    folder: Path,
    losses: Callable[[torch.Generator], Losses],
) -> float:
    """Weighted loss at the end over the one at the start, on one batch drawn again and again."""
    train(
        Run(module, longer(80, 1e-3), folder, dict(weights)),
        lambda _: losses(torch.Generator().manual_seed(1)),
    )
    lines = logged(folder)
    first, last = (sum(w * line[k] for k, w in weights) for line in (lines[0], lines[-1]))
    return last / first


@pytest.mark.slow
def test_the_text_model_learns_a_batch(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainee = text.Trainee(TEXT_CONFIG)
    data = open_utterances([pack], True, False, OFFICIAL)
    ratio = learns(
        trainee, TEXT.weights, tmp_path / "run", lambda g: text.losses(trainee, data, TEXT, g)
    )
    assert ratio < 0.7


@pytest.mark.slow
def test_the_speech_model_learns_a_batch(pack: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trainee = speech.Trainee(SPEECH_CONFIG)
    data = open_utterances([pack], False, False, OFFICIAL)
    cuts = [speech.Cut(*item, 5) for item in data.items[:2]]
    vec = torch.stack([c.pack.rows("latents.f16", WIDTH, c.entry, 5, 15).T for c in cuts])
    ratio = learns(
        trainee,
        SPEECH.weights,
        tmp_path / "run",
        lambda g: speech.losses(trainee, vec, cuts, data, g)[0],
    )
    assert ratio < 0.7


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/hierspeechpp")
def test_a_full_size_text_model_takes_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from avdub.models.official import convert

    monkeypatch.syspath_prepend(str(SHARED))
    from fill import fill

    layout = json.loads((SHARED / "ttv_layout.json").read_text())["tensors"]
    state = {n: torch.from_numpy(fill(n, tuple(shape))) for n, shape in dict(layout).items()}
    start = convert("text_to_latents", state)
    folder = make_pack(tmp_path / "pack", width=1024)
    config = replace(ONE, batch=1, save_every=5)
    recipe = text.recipe_for(config, TextToLatentsConfig.hierspeechpp())
    model = text.train_text_to_latents([folder], tmp_path / "run", recipe, start)
    assert unmoved(start, model) == set()
    assert np.isfinite(list(logged(tmp_path / "run")[0].values())).all()


# ---- the commands


@pytest.fixture
def family(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The imported family, tiny, with its manifest."""
    monkeypatch.setenv("AVDUB_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "models" / "hierspeechpp"
    said_by, spoken_by = make_text(), make_speech()
    save_module(folder / "text_to_latents.safetensors", said_by, TEXT_CONFIG, folder.name, None)
    save_module(folder / "latents_to_speech.safetensors", spoken_by, SPEECH_CONFIG, folder.name)
    facts = {"sha256": "0", "bytes": 0, "licence": "MIT", "origin": "a", "source_sha256": "1"}
    save_manifest(folder, {"text_to_latents.safetensors": facts})
    return folder


SHORT = ("--steps", "1", "--batch", "2")


@pytest.mark.parametrize("by_path", [False, True])
def test_text_to_latents_starts_from_the_imported_family(
    by_path: bool, family: Path, pack: Path, tmp_path: Path
) -> None:
    start = family if by_path else "hierspeechpp"
    words = ("text-to-latents", "--start", start, "--pack", pack, *SHORT, "--lr", "1e-6")
    run(*words, "--run", tmp_path / "run", "--out", tmp_path / "out")
    file = tmp_path / "out" / "text_to_latents.safetensors"
    assert read_facts(file)["family"] == "hierspeechpp"
    model = load_module(file, TextToLatents, TextToLatentsConfig)
    assert model.config == TEXT_CONFIG
    torch.testing.assert_close(
        nn.utils.parameters_to_vector(model.parameters()),
        nn.utils.parameters_to_vector(make_text().parameters()),
        atol=2e-6,
        rtol=0,
    )
    tokens = torch.tensor(OFFICIAL.ids(OFFICIAL.chunk(PHONEMES)))
    assert model.predict(tokens, torch.full_like(tokens, 2), noise(1, 8, 1), 0.3, 0).vec.shape == (
        2 * len(tokens),
        WIDTH,
    )


def test_latents_to_speech_starts_from_the_imported_family(
    family: Path, pack: Path, tmp_path: Path
) -> None:
    words = ("latents-to-speech", "--start", "hierspeechpp", "--pack", pack, *SHORT)
    out = tmp_path / "out"
    run(*words, "--run", tmp_path / "run", "--out", out)
    run(*words, "--stage", "2", "--run", tmp_path / "again", "--out", out)  # --start's text model
    run(*words[:1], *words[3:], "--stage", "2", "--run", tmp_path / "more", "--out", family)
    for folder in (out, family):
        file = folder / "latents_to_speech.safetensors"
        assert read_facts(file)["family"] == "hierspeechpp"
        model = load_module(file, LatentsToSpeech, LatentsToSpeechConfig)
        assert model.config == SPEECH_CONFIG


def test_a_result_in_the_imported_folder_keeps_the_manifest_true(
    family: Path, pack: Path, tmp_path: Path
) -> None:
    words = ("text-to-latents", "--start", "hierspeechpp", "--pack", pack, *SHORT)
    run(*words, "--run", tmp_path / "run", "--out", family)
    assert verify(family) == []
    facts = json.loads((family / "manifest.json").read_text())["text_to_latents.safetensors"]
    assert facts["origin"] == "trained further from a"
    assert facts["licence"] == "MIT"
    assert "source_sha256" not in facts


def test_a_run_is_not_continued_with_another_model(
    family: Path, pack: Path, tmp_path: Path
) -> None:
    words = ("--pack", pack, "--run", tmp_path / "run", "--out", tmp_path / "out", *SHORT)
    run("text-to-latents", "--start", "hierspeechpp", *words)
    other = TextToLatents(replace(TEXT_CONFIG, noise=0.1))
    save_module(family / "text_to_latents.safetensors", other, other.config, "hierspeechpp")
    result = CliRunner().invoke(
        app, ["train", "text-to-latents", "--start", "hierspeechpp", *map(str, words)]
    )
    assert result.exit_code == 3
    assert "is from the training of a model of another configuration" in " ".join(
        result.output.split()
    )
    assert "--run" in result.output


def test_without_a_start_a_base_model_is_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def kept(packs: object, folder: Path, recipe: text.Recipe, start: object) -> TextToLatents:
        asked.append((recipe, start))
        return TextToLatents(TextToLatentsConfig.tiny())

    monkeypatch.setattr(text, "train_text_to_latents", kept)
    words = ("text-to-latents", "--pack", tmp_path, "--run", tmp_path / "run", *SHORT)
    run(*words, "--out", tmp_path / "out")
    ((recipe, start),) = asked
    assert start is None
    assert recipe.model == TextToLatentsConfig()
    assert recipe.model.symbols == len(SYMBOLS)
    assert recipe == text.Recipe(replace(recipe.train, steps=1, batch=2, learning_rate=1e-3))
    assert recipe.train.bf16
    assert read_facts(tmp_path / "out" / "text_to_latents.safetensors")["family"] == "base"


def test_speech_is_prepared_for_the_official_front_end(tmp_path: Path) -> None:
    pytest.importorskip("phonemizer")
    pytest.importorskip("amfm_decompy")
    import soundfile

    from tests.make import make_tone

    corpus = tmp_path / "corpus"
    corpus.mkdir()
    listed = names(2)
    for name in listed:
        soundfile.write(corpus / f"{name}.wav", make_tone(0.6, 16_000).samples, 16_000)
    (corpus / "metadata.csv").write_text(f"{listed[0]}|Go.\n{listed[1]}|Stop!\n", "utf-8")
    said = run("prepare", "speech", corpus, tmp_path / "p", "--front-end", "hierspeechpp")
    assert "2 of 2 with text" in said
    pack = SpeechPack(tmp_path / "p")
    assert [entry.phonemes for entry in pack.entries] == ["ɡˈoʊ.", "stˈɑːp!"]
    assert pack.f0(pack.entries[0]).max() > 4
    data = open_utterances([tmp_path / "p"], True, False, OFFICIAL)
    assert len(data.items) == 2
