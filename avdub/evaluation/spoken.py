"""A clip's words said anew by TextToLatents at the clip's own timing: what lips from text are
made from.

As in training stage 2, durations are the likeliest in the clip's own latents; here each word must
also lie near the time at which it is known to be spoken, so that long clips cannot go astray.
"""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from avdub.errors import InputError, WeightsError
from avdub.evaluation.aligner import Word
from avdub.latents import Latents
from avdub.models.align import align
from avdub.pipeline.encode import LONGEST_CHUNK
from avdub.pipeline.speak import hear, speak
from avdub.pipeline.weights import Weights
from avdub.text import FrontEnd
from avdub.timeline import STEP_RATE

PAUSE_S = 0.3  # between words, from which the text model sees them apart
NEAR_S = 0.2  # the sounds of a voice may lead or follow their symbols by so much


def check_text_source(weights: Weights) -> None:
    """Raises WeightsError for a family whose text latents the face model does not know."""
    if weights.is_bridged:
        raise WeightsError(
            f"the model {weights.name} reaches the mouth over a bridge, not by its text's latents",
            "use --from sound, or a model with a face model of its own",
        )


def said_latents(
    words: Sequence[Word], vec: Tensor, weights: Weights, style: Tensor, seed: int = 0
) -> Latents:
    """`words` said in `style` at the timing of a clip, whose own latents are `vec` (T, D) → T
    steps.

    Raises InputError where there are too many words for their time.
    """
    assert words, "nothing is said"
    model, front = weights.text_to_latents, weights.front_end
    parts, at = [], 0
    for n, (group, end) in enumerate(_stretches(words, len(vec))):
        symbols, allowed = _symbols(group, front, at, end)
        if len(symbols) > end - at:
            raise InputError(
                f"there is no time to say {' '.join(w.text for w in group)[:50]!r}",
                "check the transcript",
            )
        tokens = torch.tensor(front.ids(symbols))
        durations = align(model, tokens, vec[at:end], style, allowed)
        parts.append(model.predict(tokens, durations, style, model.config.noise, seed + n))
        at = end
    return Latents(torch.cat([part.vec for part in parts]), torch.cat([part.f0 for part in parts]))


def resounded(latents: Latents, weights: Weights, style: Tensor, seed: int = 0) -> Tensor:
    """The long way round: what is heard in the speech made of latents → (T, D)."""
    speech = speak(weights.latents_to_speech, latents, style, seed)
    return hear(weights.speech_to_latents, speech).vec


def unsaid_latents(n_steps: int, weights: Weights, style: Tensor, seed: int = 0) -> Tensor:
    """What the text model makes of no words at all, for so many steps (T, D)."""
    model, front = weights.text_to_latents, weights.front_end
    tokens = torch.tensor(front.ids(front.edge + front.edge))
    durations = torch.tensor([n_steps // 2, n_steps - n_steps // 2])
    return model.predict(tokens, durations, style, model.config.noise, seed).vec


def _stretches(words: Sequence[Word], n_steps: int) -> list[tuple[list[Word], int]]:
    """Words between pauses, each with the step at which its stretch ends: amid the pause."""
    groups: list[list[Word]] = [[]]
    for word in words:
        last = groups[-1]
        letters = sum(len(w.text) + 1 for w in last) + len(word.text)
        if last and (word.start_s - last[-1].end_s >= PAUSE_S or letters > LONGEST_CHUNK):
            groups.append([])
        groups[-1].append(word)
    ends = [
        round((before[-1].end_s + after[0].start_s) / 2 * STEP_RATE)
        for before, after in pairwise(groups)
    ]
    return list(zip(groups, [*(min(end, n_steps) for end in ends), n_steps], strict=True))


def _symbols(words: Sequence[Word], front: FrontEnd, first: int, end: int) -> tuple[str, Tensor]:
    """What the text model sees of a stretch of steps, and where each symbol may lie (P, T)."""
    read = _read(words, front)
    inner: list[tuple[float, float]] = []
    for n, (word, sounds) in enumerate(zip(words, read, strict=True)):
        if n:
            inner.append((words[n - 1].end_s, word.start_s))  # the space before it
        inner += [(word.start_s, word.end_s)] * len(sounds)
    if front.blank:
        inner = [span for span in inner for _ in range(2)][:-1]
    edges = (first / STEP_RATE, words[0].start_s), (words[-1].end_s, end / STEP_RATE)
    middles = (torch.arange(first, end) + 0.5) / STEP_RATE
    near = [
        (middles > low - NEAR_S) & (middles < high + NEAR_S)
        for low, high in (edges[0], *inner, edges[1])
    ]
    return front.chunk(" ".join(read)), torch.stack(near)


def _read(words: Sequence[Word], front: FrontEnd) -> list[str]:
    """Phonemes of each word: read in their sentence, or one by one where that joins or parts
    words."""
    together = front.phonemize(" ".join(word.text for word in words), "en").split(" ")
    if len(together) == len(words):
        return together
    return [front.phonemize(word.text, "en").replace(" ", "") for word in words]
