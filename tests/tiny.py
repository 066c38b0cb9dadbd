"""Tiny untrained models as a model folder, and a clip with a real face, for tests of the whole."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from skimage import data
from torch import Tensor, nn

from avdub.checkpoint import Voice, save_module, save_voices, write_manifest
from avdub.faces.detect import make_detector
from avdub.faces.track import FaceTrack, Tracker
from avdub.media.audio import Waveform
from avdub.media.video import Frame
from avdub.models.hierarchical import HierarchicalConfig
from avdub.models.latents_to_face import LatentsToFace, LatentsToFaceConfig
from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.speech_sr import SpeechSR, SpeechSRConfig
from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig
from avdub.models.voice import VoiceEncoderConfig
from avdub.text import OFFICIAL
from tests.make import _add_track, _sound

STYLE = 8  # of VoiceEncoderConfig.tiny()
STEPS_A_SYMBOL = 2.0
VOICES = ("heart", "michael")
FILES = ("speech_to_latents", "text_to_latents", "latents_to_speech", "latents_to_face", "voices")


def make_speech_to_latents() -> SpeechToLatents:
    torch.manual_seed(1)
    return SpeechToLatents(SpeechToLatentsConfig.tiny()).eval()


def make_text_to_latents() -> TextToLatents:
    """Every symbol takes about STEPS_A_SYMBOL steps."""
    torch.manual_seed(2)
    model = TextToLatents(TextToLatentsConfig.tiny()).eval()
    assert model.durations.out.bias is not None
    nn.init.constant_(model.durations.out.bias, float(np.log1p(STEPS_A_SYMBOL)))
    nn.init.normal_(model.durations.out.weight, 0, 0.02)
    return model


def make_latents_to_speech() -> LatentsToSpeech:
    torch.manual_seed(3)
    return LatentsToSpeech(LatentsToSpeechConfig.tiny()).eval()


def make_latents_to_face() -> LatentsToFace:
    """Its lips are far from rest, so that a painted mouth looks unlike the original."""
    torch.manual_seed(4)
    model = LatentsToFace(LatentsToFaceConfig.tiny()).eval()
    assert model.lips.lips.bias is not None
    nn.init.normal_(model.lips.lips.bias, 0, 0.5)
    return model


def make_styles(seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {use: torch.randn(1, STYLE, 1, generator=generator) for use in ("text", "speech")}


def save_tiny_family(folder: Path, faces: Path) -> Path:
    (folder / "faces").mkdir()
    for file in faces.iterdir():
        (folder / "faces" / file.name).symlink_to(file.resolve())
    for module, name in (
        (make_speech_to_latents(), "speech_to_latents"),
        (make_text_to_latents(), "text_to_latents"),
        (make_latents_to_speech(), "latents_to_speech"),
        (make_latents_to_face(), "latents_to_face"),
    ):
        save_module(folder / f"{name}.safetensors", module, module.config)
    voices = {
        name: (Voice(name, "en-US", "female", "made up", "random", "none"), make_styles(n))
        for n, name in enumerate(VOICES)
    }
    save_voices(folder, voices)
    files = [*(f"{name}.safetensors" for name in FILES)]
    files += [f"faces/{file.name}" for file in faces.iterdir()]
    write_manifest(folder, dict.fromkeys(files, "none"))
    return folder


def save_tiny_hierspeechpp(folder: Path) -> Path:
    """A family as imported ones are: no voices, no faces, latents that no face model knows."""
    torch.manual_seed(6)
    voice = VoiceEncoderConfig(80, 16, STYLE, 3, 1, prompt_mel=True)
    text = TextToLatentsConfig(
        *(len(OFFICIAL.symbols), 24, 16, 32, 2, 2, 1, 1, 2, 1, voice),
        stochastic_durations=True,
        upsampling_pitch=True,
        classify_symbols=True,
        front_end=OFFICIAL.name,
    )
    speech = LatentsToSpeechConfig(24, voice=voice, hierarchical=HierarchicalConfig.tiny())
    for module, name in (
        (TextToLatents(text), "text_to_latents"),
        (LatentsToSpeech(speech), "latents_to_speech"),
        (SpeechSR(SpeechSRConfig.tiny()), "speech_sr_24k"),
    ):
        save_module(folder / f"{name}.safetensors", module, module.config, "hierspeechpp")
    names = ("text_to_latents", "latents_to_speech", "speech_sr_24k")
    write_manifest(folder, {f"{name}.safetensors": "none of the user's business" for name in names})
    return folder


def make_face_clip(
    path: Path,
    *,
    n_frames: int = 50,
    rate: Fraction = Fraction(25),
    audio: Waveform | None = None,
    face: bool = True,
    group: int = 250,
) -> Path:
    """The astronaut's portrait (320 × 256 px), upside down and out of focus without a face.

    A group of pictures has `group` frames.
    """
    portrait = np.ascontiguousarray(data.astronaut()[:256, 60:380])
    portrait = cv2.GaussianBlur(portrait if face else portrait[::-1], (0, 0), 0.8 if face else 25)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": "12", "g": str(group)})
        stream.width, stream.height, stream.pix_fmt = 320, 256, "yuv420p"
        stream.codec_context.time_base = stream.time_base = 1 / rate
        track = _add_track(container, "aac", audio, "") if audio is not None else None
        for n in range(n_frames):
            shift = np.float32([[1, 0, 4 * np.sin(n / 6)], [0, 1, 2 * np.cos(n / 9)]])
            image = cv2.warpAffine(portrait, shift, (320, 256), borderMode=cv2.BORDER_REFLECT)
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = n, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if audio is not None and track is not None:
            container.mux(track.encode(_sound(audio, Fraction(0), track.codec_context.layout.name)))
            container.mux(track.encode(None))
    return path


def track_face(frames: Sequence[Frame], faces: Path) -> FaceTrack:
    """The one face of all frames, at 25 frames/s."""
    tracker = Tracker(make_detector(faces), 25)
    for frame in frames:
        tracker.feed(frame.index, frame.image)
    (track,) = tracker.finish()
    return track
