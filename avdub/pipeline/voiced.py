"""Jobs to speech: each line's latents and its sound over the original, the fork's left branch.

A line that cannot be spoken, for whatever reason, fails alone.
"""

import logging
from dataclasses import dataclass
from fractions import Fraction

from avdub.errors import WeightsError
from avdub.latents import Latents
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo
from avdub.pipeline.encode import accents, encode, fit_line
from avdub.pipeline.keep_speech import SPEECH, Spoken, machine, speech_files
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job, Plan
from avdub.pipeline.prosody import colour, intone
from avdub.pipeline.report import in_words
from avdub.pipeline.speak import Overlay, enhance, hear, overlay, speak
from avdub.pipeline.store import Memory
from avdub.pipeline.weights import Weights
from avdub.progress import Progress
from avdub.timeline import STEP_RATE, Span, boundary

SILENT_RATE = 48_000  # of the sound track given to a video that has none
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Voiced:
    """A job after the fork's left branch: what moves its mouth, its speech over the original."""

    job: Job
    spoken: Spoken

    @property
    def mouth(self) -> Latents:
        return self.spoken.mouth

    @property
    def overlay(self) -> Overlay:
        return self.spoken.overlay

    @property
    def rate(self) -> float:
        return self.spoken.rate


def speak_all(
    plan: Plan, weights: Weights, options: DubOptions, progress: Progress, memory: Memory
) -> tuple[dict[int, Voiced], dict[int, str]]:
    """Each speakable job's latents and overlay by segment index, and why others failed."""
    voiced: dict[int, Voiced] = {}
    failed = {job.segment.index: job.problem for job in plan.jobs if job.is_broken}
    for job in progress(plan.jobs, "speech", len(plan.jobs)):
        if job.line is None:
            continue
        try:
            voiced[job.segment.index] = _voice(job, plan.info, weights, options, memory)
        except (WeightsError, MemoryError):
            raise  # the next segment would fare no better
        except Exception as error:
            log.info("segment %d cannot be spoken", job.segment.index, exc_info=True)
            failed[job.segment.index] = in_words(error)
    return voiced, failed


def _voice(
    job: Job, info: MediaInfo, weights: Weights, options: DubOptions, memory: Memory
) -> Voiced:
    line, style, seed = job.line, job.voice.styles, options.seed + job.segment.index
    assert line is not None, "a job without a line cannot be spoken"
    parts = (
        *(info.path, line.chunks, line.durations, line.emphasis, line.rises),
        *(line.front_end.name, job.steps, job.prosody, style, seed),
        *(speech_files(weights), machine(weights)),
    )

    def make() -> Spoken:
        return _spoken(job, info, weights, seed)

    return Voiced(job, memory.recall(SPEECH, parts, make, [job.segment.index]))


def _spoken(job: Job, info: MediaInfo, weights: Weights, seed: int) -> Spoken:
    assert job.line is not None, "a job without a line cannot be spoken"
    style = job.voice.styles
    fit = fit_line(job.line, len(job.steps))
    asked = accents(job.line, fit)
    latents = encode(weights.text_to_latents, job.line, fit, style["text"], seed)
    latents = intone(latents, asked, job.prosody)
    speech = speak(weights.latents_to_speech, latents, style["speech"], seed)
    mouth = hear(weights.speech_to_latents, speech) if weights.is_bridged else latents
    rate = info.audio.rate if info.audio else SILENT_RATE
    speech = enhance(weights.speech_sr(rate), speech)
    start, end = Fraction(job.steps.start, STEP_RATE), Fraction(job.steps.end, STEP_RATE)
    original = read_audio(info.path, info, (start, end)) if info.audio else None
    span = Span(boundary(start, rate), boundary(end, rate))
    speech = colour(speech, asked, job.prosody, original)
    return Spoken(mouth, overlay(speech, span, rate), fit.rate)
