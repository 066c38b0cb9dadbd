"""speak_text(): a text in a voice, without a video."""

from fractions import Fraction

from avdub.errors import InputError
from avdub.media.waveform import Waveform
from avdub.pipeline.cast import find_voice
from avdub.pipeline.encode import accents, encode, fit_line, read_line
from avdub.pipeline.options import DubOptions
from avdub.pipeline.prosody import PLAIN, colour, intone
from avdub.pipeline.speak import speak
from avdub.pipeline.weights import Weights, choose_device
from avdub.text.reading import read_aloud
from avdub.timeline import STEP_RATE, boundary


def speak_text(
    text: str,
    options: DubOptions | None = None,
    seconds: float | None = None,
    weights: Weights | None = None,
) -> Waveform:
    """`text` in a voice, (S, 1) at 16 kHz; with `seconds` it fills them exactly.

    Raises InputError where the text cannot be spoken in so little time.
    """
    options = options or DubOptions()
    weights = weights or Weights(options.model, choose_device(options.device))
    family = weights.front_end
    name = options.voice or weights.voice_for(options.language)
    said = read_aloud(text, (), family, weights.read_in(name, options.language))
    if not said.phonemes:
        raise InputError("there is nothing to say in this text", "give it at least one word")
    style = find_voice(weights, name).styles
    line = read_line(weights.text_to_latents, said, style["text"], family, options.pace)
    steps = round(line.natural_steps) if seconds is None else boundary(Fraction(seconds), STEP_RATE)
    if steps < 1 or line.natural_steps / steps > options.max_rate:
        raise InputError(
            f"the text takes {line.natural_s:.2f} s and cannot be spoken in {seconds} s",
            "allow more --seconds or raise --max-rate",
        )
    fit = fit_line(line, steps, 1.0 if seconds is None else options.min_rate)
    latents = encode(weights.text_to_latents, line, fit, style["text"], options.seed)
    asked = accents(line, fit)
    latents = intone(latents, asked, PLAIN)
    sound = speak(weights.latents_to_speech, latents, style["speech"], options.seed)
    return colour(sound, asked, PLAIN, None)
