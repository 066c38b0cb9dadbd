"""The lip heads that the paper's ablation compares, trained alike from one seed.

All begin with the same stage 1 on real latents. One stays there; one goes on to stage 2 on what
TextToLatents predicts; one does that under the sync expert's judgement too.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path

from avdub.faces.lips import Floats
from avdub.models.latents_to_face import LatentsToFace
from avdub.models.sync import SyncExpert
from avdub.training.latents_to_face import STAGES, LipRecipe, fresh_lips, train_lips
from avdub.training.loop import TrainConfig

STAGE_TWO_RATE = 0.5  # of stage 1's


@dataclass(frozen=True)
class Heads:
    """Face models that differ in their lip heads."""

    stage_one: LatentsToFace
    two_stages_plain: LatentsToFace
    two_stages: LatentsToFace


def train_heads(
    painter: LatentsToFace,
    packs: Sequence[Path],
    template: Floats,
    folder: Path,
    config: TrainConfig,
    expert: SyncExpert,
) -> Heads:
    """Each head takes `config.steps` in stage 1, and as many again in stage 2 where it has one.

    Resumes from `folder`. Raises InputError where a pack has no predicted latents.
    """
    first = LipRecipe(config, STAGES["1"])
    second = LipRecipe(
        replace(config, learning_rate=STAGE_TWO_RATE * config.learning_rate), STAGES["2"]
    )
    start = fresh_lips(painter, painter.config.latents, config.seed)
    one = train_lips(start, packs, template, folder / "stage_one", first)
    plain = train_lips(deepcopy(one), packs, template, folder / "two_stages_plain", second)
    two = train_lips(deepcopy(one), packs, template, folder / "two_stages", second, expert)
    return Heads(one, plain, two)
