import json
from pathlib import Path

import pytest

from avdub.pipeline.report import DUBBED, FAILED, KEPT, VOICE_ONLY, DubReport, SegmentReport


def make_report(*statuses: str) -> DubReport:
    segments = (
        SegmentReport(n, 0.0, 1.0, "Hi.", "heart", status) for n, status in enumerate(statuses, 1)
    )
    return DubReport(
        Path("out.mp4"), 25, 1.0, tuple(segments), {"total_s": 0.5}, 100.0, ("line 3",)
    )


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((DUBBED, DUBBED), 0),
        ((DUBBED, VOICE_ONLY), 5),
        ((DUBBED, KEPT), 5),
        ((FAILED,), 5),
    ],
)
def test_anything_but_dubbed_is_told_by_the_exit_code(statuses: tuple[str, ...], code: int) -> None:
    assert make_report(*statuses).exit_code == code


def test_the_json_has_the_promised_fields() -> None:
    made = json.loads(json.dumps(make_report(DUBBED).as_json()))
    assert set(made) >= {"output", "frames", "duration_s", "segments", "timing", "peak_rss_mb"}
    assert made["output"] == "out.mp4"
    assert made["warnings"] == ["line 3"]
    assert set(made["segments"][0]) == {
        *("index", "start_s", "end_s", "text", "voice", "status", "reason", "natural_s", "rate"),
        *("face", "prosody", "cached"),
    }
