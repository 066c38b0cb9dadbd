"""The heads of the ablation."""

from pathlib import Path

import torch

from avdub.faces.lips import load_template
from avdub.models.sync import SyncExpert, SyncExpertConfig
from avdub.training.ablation import train_heads
from avdub.training.predicted import write_predicted
from tests.conftest import FACES
from tests.tiny import make_latents_to_face, make_styles, make_text_to_latents
from tests.training.made import CONFIG, make_face_pack


def test_heads_share_stage_one_and_differ_after_it(tmp_path: Path) -> None:
    faces = make_face_pack(tmp_path / "faces")
    write_predicted(make_text_to_latents(), {"heart": make_styles(0)["text"]}, faces)
    painter = make_latents_to_face()
    before = {k: v.clone() for k, v in painter.state_dict().items()}
    expert = SyncExpert(SyncExpertConfig.tiny())
    heads = train_heads(painter, [faces], load_template(FACES), tmp_path / "runs", CONFIG, expert)
    states = [m.state_dict() for m in (heads.stage_one, heads.two_stages_plain, heads.two_stages)]
    for name, value in before.items():
        if not name.startswith("lips."):
            assert all(torch.equal(state[name], value) for state in states)
    bias = [state["lips.lips.bias"] for state in states]
    assert not torch.equal(bias[0], bias[1])
    assert not torch.equal(bias[1], bias[2])
    assert torch.equal(painter.state_dict()["lips.lips.bias"], before["lips.lips.bias"])
