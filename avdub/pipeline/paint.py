"""Painting: a face's frames and the lips wanted in them to what changes in the pictures."""

from collections.abc import Mapping, Sequence
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray

from avdub.faces.crop import Area, crop, match_colour, mouth_mask, paste, window
from avdub.faces.lips import Floats, jaw, lip_shape, to_frame
from avdub.models.face_fields import JAW
from avdub.models.latents_to_face import Exemplars, LatentsToFace, Target, render
from avdub.models.placed import device_of, moved
from avdub.pipeline.actor import STILL_POINTS, Actor, points_of, stacked
from avdub.pipeline.patches import Image, Patch

KEPT_JAW = 0.75  # of the difference to an own jaw that hangs lower than the wanted one


class Painter:
    """Paints with `model` on the device where it is."""

    def __init__(self, model: LatentsToFace, template: Floats) -> None:
        self.model, self.template = model, template
        self.device = device_of(model)

    def paint(
        self,
        actor: Actor,
        pictures: Mapping[int, Image],
        lips: Floats,
        strength: Floats,
    ) -> dict[int, Patch]:
        """What changes in pictures (H, W, 3) by frame, N of them, whose mouths shall have `lips`
        (N, L, 2) relative to rest, weighed with `strength` (N,)."""
        frames, size = list(pictures), self.model.config.size
        first = actor.track.frames.start
        landmarks = actor.track.landmarks[[n - first for n in frames]]
        squares = [actor.placement(n) for n in frames]
        wanted_shapes = with_own_jaw(actor.rest + lips, lip_shape(landmarks, self.template))
        on_head = to_frame(wanted_shapes, landmarks, self.template)
        masks = [mouth_mask(m, p, size) for m, p in zip(landmarks, squares, strict=True)]
        target = Target(
            stacked([crop(pictures[n], p, size) for n, p in zip(frames, squares, strict=True)]),
            torch.from_numpy(np.stack(masks))[:, None],
            points_of(on_head, squares),
            points_of(landmarks[:, STILL_POINTS], squares),
        )
        outlines = [mouth_mask(m, p, actor.size) for m, p in zip(landmarks, squares, strict=True)]
        area = Area.around(outlines)
        made = self._mouths(actor, target, frames, area)
        patches = {}
        for n, square, outline, mouth, share in zip(
            frames, squares, outlines, made, strength, strict=True
        ):
            mask, old = area.of(outline), pictures[n]
            before = crop(old, square, actor.size, area)
            matched = match_colour(mouth, before, np.asarray(mask * (1 - mask) * 4))
            new = paste(old, matched, square, np.asarray(mask * float(share)), area)
            patches[n] = Patch.between(old, new, window(square, old.shape, area))
        return patches

    @torch.inference_mode()
    def _mouths(
        self, actor: Actor, target: Target, frames: Sequence[int], area: Area
    ) -> NDArray[np.float32]:
        """(N, h, w, 3) in 0–255: `area` of the new square."""
        banned = torch.tensor([[own == frame for own in actor.chosen] for frame in frames])
        images, shapes, still, inner = (
            t[None] for t in (actor.images, actor.shapes, actor.still, actor.inner)
        )
        exemplars = Exemplars(images, shapes, still, banned.to(self.device), inner)
        in_bf16 = self.device.type == "cpu" and multiplies_bf16()
        with torch.autocast("cpu", torch.bfloat16, enabled=in_bf16):
            mouth = self.model(moved(target, self.device), exemplars)
        made = render(mouth, actor.native[None], actor.size, area.part)
        return np.asarray((made * 255).permute(0, 2, 3, 1).contiguous().cpu().numpy(), np.float32)


@cache
def multiplies_bf16() -> bool:
    """Whether convolutions in bfloat16 are the faster ones on this processor.

    They are where it multiplies whole tiles; elsewhere they take up to twice as long as float32.
    """
    tell = getattr(torch.cpu, "get_capabilities", dict)  # torch 2.11 does not tell
    abilities: dict[str, object] = tell()
    return bool(abilities.get("amx_bf16"))


def with_own_jaw(wanted: Floats, own: Floats) -> Floats:
    """Wanted lip shapes (N, L, 2) whose jaw gives way to the frame's own where that hangs lower.

    What lies below a chin cannot be painted away, so lifting an open jaw would leave two chins.
    """
    result = wanted.copy()
    share = np.where(jaw(own) > jaw(wanted), KEPT_JAW, 0).astype(np.float32)[:, None, None]
    result[:, JAW] += share * (own[:, JAW] - wanted[:, JAW])
    return result
