"""Which models there are, in plain words: what each gives, how large, whose, under which licence.

Facts only; reads no file and loads nothing.
"""

from dataclasses import dataclass

HIERSPEECHPP, SPEECH_SR, MMS, XLS_R = "hierspeechpp", "speech-sr", "mms-300m", "xls-r-300m"
INSIGHTFACE = "insightface"

# What an official file can be, in the order in which they are shown.
TEXT_TO_LATENTS, LATENTS_TO_SPEECH = "text_to_latents", "latents_to_speech"
SPEECH_SR_24K, SPEECH_SR_48K = "speech_sr_24k", "speech_sr_48k"
SPEECH_TO_LATENTS = "speech_to_latents"
KINDS = (TEXT_TO_LATENTS, LATENTS_TO_SPEECH, SPEECH_SR_24K, SPEECH_SR_48K, SPEECH_TO_LATENTS)
NEEDED = (TEXT_TO_LATENTS, LATENTS_TO_SPEECH)
USES = {
    TEXT_TO_LATENTS: "needed: turns text into how it is spoken",
    LATENTS_TO_SPEECH: "needed: turns that into sound in the wanted voice",
    SPEECH_SR_24K: "optional: clearer 24 kHz sound; else it is resampled",
    SPEECH_SR_48K: "optional: clearer 48 kHz sound; else it is resampled",
    SPEECH_TO_LATENTS: "only for training: turns recordings into latents",
}
PUBLISHED_AS = {  # how to recognise the file to bring
    TEXT_TO_LATENTS: "ttv_lt960_ckpt.pth",
    LATENTS_TO_SPEECH: "hierspeechpp_v1.1_ckpt.pth",
    SPEECH_SR_24K: "speechsr24k/G_340000.pth",
    SPEECH_SR_48K: "speechsr48k/G_100000.pth",
    SPEECH_TO_LATENTS: "facebook/mms-300m",
}


@dataclass(frozen=True)
class Published:
    """A file on the Hugging Face hub; `sha256` is "" where only the hub knows it."""

    kind: str
    path: str
    n_bytes: int
    sha256: str = ""


@dataclass(frozen=True)
class Repository:
    """Where a model is published; `repo_type` is the hub's word: model or space."""

    repo: str
    repo_type: str
    revision: str
    files: tuple[Published, ...]


@dataclass(frozen=True)
class Model:
    """What a person should know of a model before and after having it."""

    name: str
    summary: str
    gives: str
    n_bytes: int
    licence: str
    origin: str
    note: str = ""
    non_commercial: bool = False
    kinds: tuple[str, ...] = ()


# Paths, sizes and SHA-256 as in the git LFS pointers of that Space (its commits 0164e4a and
# 7f1e034 of November 2023).
_SPACE = Repository(
    "LeeSangHoon/HierSpeech_TTS",
    "space",
    "main",
    (
        Published(
            TEXT_TO_LATENTS,
            "logs/ttv_libritts_v1/ttv_lt960_ckpt.pth",
            434_482_782,
            "2e408e2c6a72551da0ca616f43e0f989449ff5e0d0ca6229b27dea3dc36aa6c1",
        ),
        Published(
            LATENTS_TO_SPEECH,
            "logs/hierspeechpp_eng_kor/hierspeechpp_v1.1_ckpt.pth",
            388_999_163,
            "9fd704f9a4d11b62195caaaeb76ce759b12ea69a1c36b2716af44bd60bde6a64",
        ),
        Published(
            SPEECH_SR_24K,
            "speechsr24k/G_340000.pth",
            1_715_101,
            "94bc84b6f8bdb375e2027bc7a3222730d29f9d4c042fd9edce0024806d5c4320",
        ),
        Published(
            SPEECH_SR_48K,
            "speechsr48k/G_100000.pth",
            1_715_101,
            "62c70874ac4efeb4dc9c8aa9dc0a611a951e1c36292abeb4c406d7fb91e0eefc",
        ),
    ),
)
# Neither repository has a model.safetensors on its main branch; sizes as the hub shows them.
_MMS = Repository(
    "facebook/mms-300m",
    "model",
    "4ee317ce793c53dbc041fc4376c7558292dd38dc",
    (Published(SPEECH_TO_LATENTS, "pytorch_model.bin", 1_270_000_000),),
)
_XLS_R = Repository(
    "facebook/wav2vec2-xls-r-300m",
    "model",
    "main",
    (Published(SPEECH_TO_LATENTS, "pytorch_model.bin", 1_270_000_000),),
)
REPOSITORIES = {HIERSPEECHPP: _SPACE, MMS: _MMS, XLS_R: _XLS_R}

MODELS = (
    Model(
        "base",
        "What comes with avdub: text, speech and lips in one small family.",
        "Dubs English at once, in named voices, with moving lips; nothing to download.",
        0,
        "Apache-2.0; each file's own is in its manifest",
        "trained for avdub; see MODEL_CARD.md beside the weights",
    ),
    Model(
        HIERSPEECHPP,
        "The published HierSpeech++ speech networks (Korea University, 2023).",
        "Speech in the voice of a short sample; much larger and slower than base.",
        823_481_945,
        "MIT",
        "github.com/sh-lee-prml/HierSpeechpp",
        "Its authors changed the licence from CC BY-NC to MIT in January 2024; the card of the "
        "Space that holds the files may still name the old one. Its latents are those of "
        "mms-300m, which itself is CC BY-NC 4.0 (non-commercial).",
        kinds=(TEXT_TO_LATENTS, LATENTS_TO_SPEECH),
    ),
    Model(
        SPEECH_SR,
        "Two small HierSpeech++ networks that add the treble missing at 16 kHz.",
        "Clearer speech at 24 and 48 kHz; without them it is only resampled.",
        3_430_202,
        "MIT",
        "github.com/sh-lee-prml/HierSpeechpp, speechsr24k and speechsr48k",
        kinds=(SPEECH_SR_24K, SPEECH_SR_48K),
    ),
    Model(
        MMS,
        "Meta's speech encoder: turns recordings into the latents of HierSpeech++.",
        "Only for training with HierSpeech++; dubbing does not need it.",
        1_270_000_000,
        "CC BY-NC 4.0",
        "huggingface.co/facebook/mms-300m",
        "What is trained on its latents is for you to judge under that licence.",
        non_commercial=True,
        kinds=(SPEECH_TO_LATENTS,),
    ),
    Model(
        XLS_R,
        "Meta's speech encoder: built like mms-300m, trained on other recordings.",
        "Only for training a family of your own; its latents do not fit HierSpeech++.",
        1_270_000_000,
        "Apache-2.0",
        "huggingface.co/facebook/wav2vec2-xls-r-300m",
        kinds=(SPEECH_TO_LATENTS,),
    ),
    Model(
        INSIGHTFACE,
        "Published face detection packs, such as buffalo_l.",
        "Another way to find faces: --face-backend insightface. Seldom needed.",
        326_000_000,
        "non-commercial research only",
        "github.com/deepinsight/insightface, model zoo",
        "Packs that you trained yourself are yours; put their .onnx files into the same folder.",
        non_commercial=True,
    ),
)
BY_NAME = {model.name: model for model in MODELS}


def model_of(kind: str, encoder: str) -> Model:
    """The model to which a file of `kind` belongs; `encoder` is the name of a speech_to_latents."""
    if kind == SPEECH_TO_LATENTS:
        return BY_NAME[encoder if encoder == XLS_R else MMS]  # in doubt the stricter licence
    return BY_NAME[SPEECH_SR if kind in (SPEECH_SR_24K, SPEECH_SR_48K) else HIERSPEECHPP]


def is_published(kind: str, sha256: str) -> bool:
    """Whether this is, byte for byte, the file that the catalogue knows for `kind`."""
    return any(file.kind == kind and file.sha256 == sha256 for file in _SPACE.files)
