"""The published HierSpeech++ and wav2vec 2.0 state dicts: which parameter of ours is which there.

One table of prefixes a model, ours to theirs. Buffers of theirs are recomputed, not read; weight
norm may be kept (`weight_g`, `weight_v`) or folded (`weight`) in the file.
"""

from collections.abc import Collection, Iterator, Mapping

import torch
from torch import Tensor, nn

from avdub.models.latents_to_speech import LatentsToSpeech, LatentsToSpeechConfig
from avdub.models.speech_sr import SpeechSR, SpeechSRConfig
from avdub.models.speech_to_latents_names import from_hub, is_wav2vec2
from avdub.models.text_to_latents import TextToLatents, TextToLatentsConfig

KINDS = (
    "text_to_latents",
    "latents_to_speech",
    "speech_sr_24k",
    "speech_sr_48k",
    "speech_to_latents",
)
SIGNS = {  # a tensor that only this model has
    "text_to_latents": "w2v_decoder.proj.weight",
    "latents_to_speech": "enc_p_l.pre_source.weight",
    "speech_sr": "dec.resblocks.0.convs1.0.bias",
}
BUFFER = ".filter"  # of their resamplers
GAIN, DIRECTION = "parametrizations.weight.original0", "parametrizations.weight.original1"
Pairs = Iterator[tuple[str, str]]


class OfficialMismatch(ValueError):
    """A state dict does not fit: names it lacks, names it has too many, shapes that differ."""

    def __init__(self, missing: list[str], extra: list[str], misshapen: list[str]) -> None:
        super().__init__(f"{len(missing)} missing, {len(extra)} extra, {len(misshapen)} misshapen")
        self.missing, self.extra, self.misshapen = missing, extra, misshapen


def recognise(names: Collection[str]) -> str | None:
    """The kind of a state dict by its keys; `speech_sr` for either rate; None for a foreign one."""
    for kind, sign in SIGNS.items():
        if sign in names:
            return kind
    return "speech_to_latents" if is_wav2vec2(names) else None


def build(kind: str) -> nn.Module:
    """Our module of a kind at its published size, untrained."""
    if kind == "text_to_latents":
        return TextToLatents(TextToLatentsConfig.hierspeechpp())
    if kind == "latents_to_speech":
        return LatentsToSpeech(LatentsToSpeechConfig.hierspeechpp())
    if kind in ("speech_sr_24k", "speech_sr_48k"):
        return SpeechSR(SpeechSRConfig(24_000 if kind.endswith("24k") else 48_000))
    from avdub.models.speech_to_latents import SpeechToLatents, SpeechToLatentsConfig

    assert kind == "speech_to_latents", f"no such kind: {kind}"
    return SpeechToLatents(SpeechToLatentsConfig.mms())


def convert(kind: str, state: Mapping[str, Tensor]) -> nn.Module:
    """Our module with the weights of an official state dict. Raises OfficialMismatch."""
    module = build(kind)
    if kind == "speech_to_latents":
        ours = dict(from_hub(state))
        _check_shapes(module, ours)
    else:
        ours = from_official(kind, module, state)
    module.load_state_dict(ours)
    return module.eval()


def from_official(kind: str, module: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` under our names, for `module`; every tensor of both used. Raises OfficialMismatch."""
    state = _plainly_named(state)
    table = sorted(pairs(kind), key=lambda pair: -len(pair[0]))
    ours: dict[str, Tensor] = {}
    missing: list[str] = []
    misshapen: list[str] = []
    used: set[str] = set()
    for name, own in module.state_dict().items():
        theirs = official_names(name, table)
        used.update(theirs)
        _unfold(state, theirs[0])
        absent = [n for n in theirs if n not in state]
        missing += absent
        if absent:
            continue
        value = torch.cat([state[n] for n in theirs]) if len(theirs) > 1 else state[theirs[0]]
        if value.ndim == own.ndim + 1 and value.shape[-1] == 1:
            value = value[..., 0]  # a convolution of width 1 where we have a matrix
        if value.shape != own.shape:
            misshapen.append(f"{theirs[0]}: {tuple(value.shape)} instead of {tuple(own.shape)}")
        ours[name] = value
    extra = [n for n in state if n not in used and not n.endswith(BUFFER)]
    if missing or extra or misshapen:
        raise OfficialMismatch(missing, extra, misshapen)
    return ours


def official_names(ours: str, table: list[tuple[str, str]]) -> tuple[str, ...]:
    """Their name of one of our parameters, or the names of the three it joins."""
    for own, theirs in table:
        if ours.startswith(own):
            rest = ours[len(own) :].replace(GAIN, "weight_g").replace(DIRECTION, "weight_v")
            if theirs.endswith("conv_q,conv_k,conv_v"):
                stem = theirs.removesuffix("conv_q,conv_k,conv_v")
                return tuple(f"{stem}conv_{c}.{rest}" for c in "qkv")
            return (theirs + rest,)
    raise KeyError(ours)


def pairs(kind: str) -> Pairs:
    """Prefixes of our names and of theirs."""
    if kind == "text_to_latents":
        yield from _text_to_latents()
    elif kind == "latents_to_speech":
        yield from _latents_to_speech()
    else:
        yield from (("pre.", "dec.conv_pre."), ("post.", "dec.conv_post."))
        yield ("snake.", "dec.activation_post.act.")
        yield from _blocks("mean.", "dec.", 0, 3)


def _text_to_latents() -> Pairs:
    yield from _voice()
    yield from _relative("text.", "enc_p.")
    yield from _relative("text.encoder.", "enc_p.encoder.", 3)
    yield from _relative("text.encoder2.", "enc_p.encoder2.", 3)
    for ours, theirs in (("posterior", "enc_q"), ("decoder", "w2v_decoder")):
        yield f"{ours}_pre.", f"{theirs}.pre."
        yield f"{ours}.", f"{theirs}.enc."
        yield f"{ours}_proj.", f"{theirs}.proj."
    yield from _flow("flow.", "flow.")
    yield from (("pitch.pre.", "pp.conv_pre."), ("pitch.cond.", "pp.cond."))
    yield "pitch.post.", "pp.conv_post."
    yield from _stages("pitch.", "pp.", 2)
    yield "durations.", "dp."
    for ours, theirs in (("", ""), ("posterior_", "post_")):
        yield f"durations.{ours}pre.", f"dp.{theirs}pre."
        yield f"durations.{ours}proj.", f"dp.{theirs}proj."
        yield from _stack(f"durations.{ours}stack.", f"dp.{theirs}convs.")
        yield from _spline_flow(f"durations.{ours}flow.", f"dp.{theirs}flows.")
    yield "classifier.", "phoneme_classifier."


def _latents_to_speech() -> Pairs:
    yield from _voice()
    s = "synthesizer."
    for ours, theirs in (("semantic_prior.", "enc_p_l."), ("semantic_posterior.", "enc_p.")):
        yield f"{s}{ours}pre_latents.", f"{theirs}pre_source."
        yield f"{s}{ours}pre_pitch.", f"{theirs}pre_filter."
        yield f"{s}{ours}latents.", f"{theirs}source_enc."
        yield f"{s}{ours}pitch.", f"{theirs}filter_enc."
        yield f"{s}{ours}both.", f"{theirs}enc."
        yield f"{s}{ours}proj.", f"{theirs}proj."
    yield from _flow(f"{s}semantic_flow.", "flow_l.")
    yield from _flow(f"{s}acoustic_flow.", "flow.")
    q = f"{s}acoustic_posterior."
    yield from ((f"{q}pre.", "enc_q.pre."), (f"{q}spectrum.", "enc_q.enc."))
    yield from ((f"{q}wave_pre.", "enc_q.down_pre."), (f"{q}wave_post.", "enc_q.conv_post."))
    yield from ((f"{q}downs.", "enc_q.downs."), (f"{q}snake.", "enc_q.activation_post.act."))
    yield f"{q}proj.", "enc_q.proj."
    for i in range(4):
        yield from _blocks(f"{q}means.{i}.", "enc_q.", 3 * i, 3)
    yield from ((f"{s}prosody.", "mel_decoder."), (f"{s}prosody.pre.", "mel_decoder.conv_pre."))
    yield from _relative(f"{s}prosody.encoder.", "mel_decoder.encoder.", 2)
    for ours, theirs, n in (("source.", "sn.", 2), ("generator.", "dec.", 5)):
        yield f"{s}{ours}", theirs
        yield f"{s}{ours}pre.", f"{theirs}conv_pre."
        yield f"{s}{ours}post.", f"{theirs}conv_post."
        yield f"{s}{ours}snake.", f"{theirs}activation_post.act."
        yield from _stages(f"{s}{ours}", theirs, n)
    yield f"{s}generator.down.skip.", "dec.downs.residual_dense."
    yield f"{s}generator.down.convs.", "dec.downs.conv."
    yield f"{s}null_style.", "emb."


def _voice() -> Pairs:
    yield from (("voice.spectral.0.", "emb_g.spectral.0."), ("voice.out.", "emb_g.fc."))
    yield "voice.spectral.1.", "emb_g.spectral.3."
    for i in range(2):
        yield f"voice.temporal.{i}.", f"emb_g.temporal.{i}.conv1."
    yield "voice.attention.in_proj_", "emb_g.slf_attn.conv_q,conv_k,conv_v"
    yield "voice.attention.out_proj.", "emb_g.slf_attn.conv_o."


def _relative(ours: str, theirs: str, layers: int = 0) -> Pairs:
    yield ours, theirs
    for i in range(layers):
        for n in (1, 2):
            yield f"{ours}ffn_{n}.{i}.", f"{theirs}ffn_layers.{i}.conv_{n}."


def _flow(ours: str, theirs: str, flows: int = 4, blocks: int = 3) -> Pairs:
    yield f"{ours}condition.0.", f"{theirs}cond_block.0."
    yield f"{ours}to_hidden.", f"{theirs}cond_block.2."
    for i in range(flows):
        here = f"{theirs}flows.{2 * i}."  # every other one exchanges the halves
        yield f"{ours}pre.{i}.", f"{here}pre."
        yield f"{ours}post.{i}.", f"{here}post."
        for j in range(blocks):
            own, block = f"{ours}blocks.{i}.{j}.", f"{here}enc_block.{j}."
            yield f"{own}qkv.", f"{block}attn.qkv."
            yield f"{own}proj.", f"{block}attn.proj."
            yield f"{own}fc", f"{block}mlp.fc"
            yield f"{own}modulation.", f"{block}adaLN_modulation.1."


def _stages(ours: str, theirs: str, n: int) -> Pairs:
    for i in range(n):
        yield f"{ours}stages.{i}.up.", f"{theirs}ups.{i}."
        yield from _blocks(f"{ours}stages.{i}.mean.", theirs, 3 * i, 3)


def _blocks(ours: str, theirs: str, first: int, n: int) -> Pairs:
    for j in range(n):
        own, block = f"{ours}blocks.{j}.", f"{theirs}resblocks.{first + j}."
        yield f"{own}dilated.", f"{block}convs1."
        yield f"{own}plain.", f"{block}convs2."
        for k in range(3):
            yield f"{own}before_dilated.{k}.", f"{block}activations.{2 * k}.act."
            yield f"{own}before_plain.{k}.", f"{block}activations.{2 * k + 1}.act."


def _stack(ours: str, theirs: str) -> Pairs:
    yield ours, theirs
    yield f"{ours}depthwise.", f"{theirs}convs_sep."
    yield f"{ours}pointwise.", f"{theirs}convs_1x1."


def _spline_flow(ours: str, theirs: str, couplings: int = 4) -> Pairs:
    yield f"{ours}affine.shift", f"{theirs}0.m"
    yield f"{ours}affine.log_scale", f"{theirs}0.logs"
    for i in range(couplings):
        own, coupling = f"{ours}couplings.{i}.", f"{theirs}{2 * i + 1}."
        yield own, coupling
        yield from _stack(f"{own}stack.", f"{coupling}convs.")


def _plainly_named(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with the older of PyTorch's two spellings of weight norm."""
    return {n.replace(GAIN, "weight_g").replace(DIRECTION, "weight_v"): v for n, v in state.items()}


def _unfold(state: dict[str, Tensor], wanted: str) -> None:
    """Where `wanted` belongs to weight norm and only its product is there, take that apart."""
    stem, _, part = wanted.rpartition("_")
    if part in ("g", "v") and wanted not in state and stem in state:
        weight = state.pop(stem)
        state[f"{stem}_v"] = weight
        state[f"{stem}_g"] = weight.flatten(1).norm(dim=1).view(-1, *[1] * (weight.ndim - 1))


def _check_shapes(module: nn.Module, ours: Mapping[str, Tensor]) -> None:
    own = module.state_dict()
    missing = [n for n in own if n not in ours]
    extra = [n for n in ours if n not in own]
    misshapen = [
        f"{n}: {tuple(ours[n].shape)} instead of {tuple(v.shape)}"
        for n, v in own.items()
        if n in ours and ours[n].shape != v.shape
    ]
    if missing or extra or misshapen:
        raise OfficialMismatch(missing, extra, misshapen)
