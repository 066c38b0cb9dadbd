"""Plots are PNGs that show their figures, the same for the same figures."""

import sys

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from avdub.errors import WeightsError
from avdub.evaluation.report import plots
from avdub.evaluation.report.plots import (
    COLOURS,
    MOST_NAMES,
    MOST_PANELS,
    Labels,
    Series,
    Strip,
    check_plots,
    chosen_panels,
    curves,
    dots,
    line,
    panels,
    points,
    scatter,
    strips,
)

LABELS = Labels("x", "y")
RISING = Series("rising", [0.0, 1.0, 2.0], [0.0, 1.0, 2.0])
FALLING = Series("falling", [0.0, 1.0, 2.0], [2.0, 1.0, 0.0])
EVERY = {
    "panels": lambda: panels([RISING, FALLING], LABELS),
    "scatter": lambda: scatter([RISING, FALLING], LABELS),
    "points": lambda: points([RISING, FALLING], LABELS),
    "dots": lambda: dots([("a", 0.5), ("b", 0.75)], "r", 0.6),
    "curves": lambda: curves([RISING, FALLING], LABELS, RISING),
    "line": lambda: line(RISING, LABELS, 0, 2),
    "strips": lambda: strips([("r", [Strip("a", [1.0, 2.0], 1.5), Strip("b", [])])]),
}


def picture(png: bytes) -> NDArray[np.uint8]:
    """RGB (H, W, 3)."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None, "no PNG"
    return np.asarray(image[..., ::-1], np.uint8)


def of_colour(png: bytes, colour: str) -> NDArray[np.bool_]:
    """Which pixels are about of a colour such as #0072b2 (H, W)."""
    wanted = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
    return np.asarray(np.abs(picture(png).astype(int) - wanted).max(-1) < 30)


def faded(colour: str, alpha: float) -> str:
    """A colour as it is seen through on white."""
    parts = (int(colour[n : n + 2], 16) for n in (1, 3, 5))
    return "#" + "".join(f"{round(alpha * part + (1 - alpha) * 255):02x}" for part in parts)


@pytest.mark.parametrize("kind", EVERY)
def test_a_plot_is_a_png_that_is_not_blank_and_the_same_again(kind: str) -> None:
    png = EVERY[kind]()
    assert png.startswith(b"\x89PNG\r\n")
    colour = faded(COLOURS[0], {"panels": 0.55, "strips": 0.7}.get(kind, 1.0))
    assert of_colour(png, colour).sum() > 20
    assert png == EVERY[kind]()


def test_higher_values_stand_higher() -> None:
    shown = of_colour(line(RISING, LABELS, 0, 2), COLOURS[0])
    rows, columns = np.nonzero(shown)
    middle = (columns.min() + columns.max()) / 2
    assert rows[columns < middle].mean() > rows[columns > middle].mean() + 50


def test_the_mean_stands_out_from_single_curves() -> None:
    alone = of_colour(curves([RISING, FALLING], LABELS), COLOURS[0]).sum()
    assert of_colour(curves([RISING, FALLING], LABELS, RISING), COLOURS[0]).sum() > alone + 500


def test_curves_that_are_named_differ_in_colour() -> None:
    png = curves([RISING, FALLING], LABELS, are_named=True)
    assert all(of_colour(png, colour).sum() > 100 for colour in COLOURS[:2])


def test_many_clouds_are_chosen_evenly_from_first_to_last() -> None:
    clouds = [Series(str(n), [0.0], [0.0]) for n in range(100)]
    chosen = chosen_panels(clouds)
    assert (len(chosen), chosen[0].name, chosen[-1].name) == (MOST_PANELS, "0", "99")
    assert len({cloud.name for cloud in chosen}) == MOST_PANELS
    assert chosen_panels(clouds[:7]) == clouds[:7]


def test_a_plot_of_many_values_does_not_grow_without_end() -> None:
    many = [(f"clip {n}", n / 1000) for n in range(20 * MOST_NAMES)]
    assert picture(dots(many, "r")).shape[0] < 1200


def test_one_value_alone_can_be_drawn() -> None:
    one = Series("one", [3.0], [3.0])
    assert of_colour(scatter([one], LABELS), COLOURS[0]).any()


def test_letters_without_a_glyph_and_dollars_are_no_problem() -> None:
    assert dots([("$x_$ 口", 0.5)], "r").startswith(b"\x89PNG")


def test_ones_own_settings_of_matplotlib_do_not_count() -> None:
    import matplotlib

    plain = EVERY["curves"]()
    with matplotlib.rc_context({"axes.facecolor": "black", "lines.linewidth": 9}):
        assert EVERY["curves"]() == plain
        assert matplotlib.rcParams["axes.facecolor"] == "black"


def test_without_matplotlib_an_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(WeightsError, match="plots need matplotlib") as caught:
        check_plots()
    assert "avdub[report]" in caught.value.hint


def test_drawing_does_not_load_pyplot() -> None:
    EVERY["line"]()
    assert "matplotlib.pyplot" not in sys.modules
    assert plots.DPI > 0
