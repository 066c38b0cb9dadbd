"""Jobs to speech: each line's latents and its sound over the original, the fork's left branch.

A line that cannot be spoken, for whatever reason, fails alone.
"""

import logging
from dataclasses import dataclass
from fractions import Fraction
from zlib import crc32

from avdub.errors import WeightsError
from avdub.latents import Latents
from avdub.media.audio import read_audio
from avdub.media.probe import MediaInfo
from avdub.media.waveform import Waveform
from avdub.pipeline.encode import accents, encode, fit_line
from avdub.pipeline.keep_speech import SPEECH, Spoken, speech_files
from avdub.pipeline.options import DubOptions
from avdub.pipeline.plan import Job, Plan
from avdub.pipeline.prosody import colour, intone
from avdub.pipeline.report import in_words
from avdub.pipeline.speak import enhance, hear, overlay, speak
from avdub.pipeline.spill import Place, Spill
from avdub.pipeline.store import Memory, numerics
from avdub.pipeline.weights import Weights
from avdub.progress import Progress
from avdub.timeline import STEP_RATE, Segment, Span, boundary

SILENT_RATE = 48_000  # of the sound track given to a video that has none
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Voiced:
    """A job after the fork's left branch: how fast it is spoken, the programme's samples it fills,
    and, put aside until they are asked for, what moves its mouth and its speech over the
    original."""

    job: Job
    rate: float
    span: Span
    spill: Spill
    place: Place

    @property
    def mouth(self) -> Latents:
        return self._spoken().mouth

    @property
    def speech(self) -> Waveform:
        return self._spoken().overlay.speech

    def _spoken(self) -> Spoken:
        return SPEECH.unpack(self.spill.get(self.place))


def speak_all(
    plan: Plan, weights: Weights, options: DubOptions, progress: Progress, memory: Memory
) -> tuple[dict[int, Voiced], dict[int, str]]:
    """Each speakable job's latents and overlay by segment index, and why others failed."""
    voiced: dict[int, Voiced] = {}
    failed = {job.segment.index: job.problem for job in plan.jobs if job.is_broken}
    for job in progress(plan.jobs, "speech", len(plan.jobs)):
        if job.line is None:
            continue
        index, seed = job.segment.index, seed_for(job.segment, options.seed)
        try:
            spoken = _voice(job, plan.info, weights, seed, memory)
        except (WeightsError, MemoryError):
            raise  # the next segment would fare no better
        except Exception as error:
            log.info("segment %d cannot be spoken", index, exc_info=True)
            failed[index] = in_words(error)
        else:
            place = memory.spill.put(SPEECH.pack(spoken))
            voiced[index] = Voiced(job, spoken.rate, spoken.overlay.span, memory.spill, place)
    return voiced, failed


def seed_for(segment: Segment, seed: int) -> int:
    """A segment's own seed, from its words and start alone: a cue that comes or goes leaves all
    others as they were."""
    return seed + crc32(f"{segment.start_ms} {segment.text}".encode(errors="replace"))


def _voice(job: Job, info: MediaInfo, weights: Weights, seed: int, memory: Memory) -> Spoken:
    line, style = job.line, job.voice.styles
    assert line is not None, "a job without a line cannot be spoken"
    parts = (
        *(info.path, line.chunks, line.durations, line.emphasis, line.rises),
        *(line.front_end.name, job.steps, job.prosody, style, seed),
        *(speech_files(weights), numerics()),
    )

    def make() -> Spoken:
        return _spoken(job, info, weights, seed)

    return memory.recall(SPEECH, parts, make, [job.segment.index])


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
