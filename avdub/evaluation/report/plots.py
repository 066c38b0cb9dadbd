"""Plots as PNG bytes: the only door to matplotlib, which is optional.

Knows shapes of plots, not what was measured. Drawn without a display and without anybody's own
settings: the same figures give the same bytes.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from avdub.errors import WeightsError

DPI = 110
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d", "#a6761d")
FAINT, STRONG, LINE = "#8c8c8c", "#0072b2", "#b0b0b0"
PANELS_A_ROW, MOST_PANELS = 5, 40
MOST_NAMES = 60  # rows of a dot plot that still have room for a name
MOST_LEGEND = 8
NAME_LENGTH = 28  # characters


@dataclass(frozen=True)
class Labels:
    """What the axes show, with units."""

    x: str
    y: str


@dataclass(frozen=True)
class Series:
    """Named points or a curve: x (N,) and y (N,)."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True)
class Strip:
    """Values of a group in their order, and the one figure that is told of the group."""

    name: str
    values: Sequence[float]
    told: float | None = None


def check_plots() -> None:
    """Raise WeightsError, before any work, where plots cannot be drawn."""
    try:
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise WeightsError(
            f"plots need matplotlib, which cannot be imported: {error}",
            "install it with pip install 'avdub[report]'",
        ) from error


def chosen_panels(clouds: Sequence[Series]) -> list[Series]:
    """All clouds, or MOST_PANELS of them evenly from the first to the last."""
    if len(clouds) <= MOST_PANELS:
        return list(clouds)
    step = (len(clouds) - 1) / (MOST_PANELS - 1)
    return [clouds[round(n * step)] for n in range(MOST_PANELS)]


def panels(clouds: Sequence[Series], labels: Labels) -> bytes:
    """A panel for each of `chosen_panels`, all with the same axes and the diagonal."""
    shown = chosen_panels(clouds)
    n_columns = min(PANELS_A_ROW, len(shown))
    n_rows = -(-len(shown) // n_columns)
    low, high = _limits([v for cloud in shown for v in (*cloud.x, *cloud.y)])
    with _drawing(1 + 1.9 * n_columns, 0.8 + 2.0 * n_rows) as (figure, out):
        axes = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
        for n, each in enumerate(axes.flat):
            if n >= len(shown):
                each.set_axis_off()
                continue
            each.plot([low, high], [low, high], color=LINE, linewidth=0.8, zorder=1)
            each.scatter(shown[n].x, shown[n].y, s=7, color=STRONG, alpha=0.55, linewidths=0)
            each.set(xlim=(low, high), ylim=(low, high), aspect="equal")
            each.set_title(_short(shown[n].name), fontsize=7)
            each.tick_params(labelsize=7, labelbottom=n + n_columns >= len(shown))
        figure.supxlabel(labels.x, fontsize=9)
        figure.supylabel(labels.y, fontsize=9)
    return out.getvalue()


def scatter(clouds: Sequence[Series], labels: Labels) -> bytes:
    """All clouds on the same axes with the diagonal, each in its colour; few enough are named."""
    low, high = _limits([v for cloud in clouds for v in (*cloud.x, *cloud.y)])
    with _drawing(5.6, 5.2) as (figure, out):
        axes = figure.subplots()
        axes.plot([low, high], [low, high], color=LINE, linewidth=0.8, zorder=1)
        for cloud, colour in zip(clouds, _colours(len(clouds)), strict=True):
            axes.scatter(cloud.x, cloud.y, s=22, color=colour, label=_short(cloud.name))
        axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
        _finish(axes, labels, len(clouds))
    return out.getvalue()


def points(clouds: Sequence[Series], labels: Labels) -> bytes:
    """All clouds on axes of different kinds, each in its colour; few enough are named."""
    with _drawing(5.8, 4.4) as (figure, out):
        axes = figure.subplots()
        for each, colour in zip(clouds, _colours(len(clouds)), strict=True):
            axes.scatter(each.x, each.y, s=22, color=colour, label=_short(each.name))
        axes.grid(color=LINE, alpha=0.4)
        _finish(axes, labels, len(clouds))
    return out.getvalue()


def dots(values: Sequence[tuple[str, float]], label: str, mean: float | None = None) -> bytes:
    """A row for each named value, the highest above, on a range that holds 0 and 1; the mean as a
    line. Too many rows have no names."""
    order = sorted(values, key=lambda each: each[1])
    has_names = len(order) <= MOST_NAMES
    height = 1.0 + (0.2 * len(order) if has_names else 7.0)
    with _drawing(6.4, max(1.8, height)) as (figure, out):
        axes = figure.subplots()
        rows = range(len(order))
        axes.scatter([value for _, value in order], rows, s=20, color=STRONG, zorder=3)
        if mean is not None:
            axes.axvline(mean, color=COLOURS[1], linewidth=1, label=f"mean {mean:.3f}")
            axes.legend(fontsize=8, loc="best")
        axes.set_ylim(-0.7, len(order) - 0.3)
        names = [_short(name) for name, _ in order] if has_names else []
        axes.set_yticks(list(rows) if has_names else [], names, fontsize=7)
        axes.grid(axis="x" if not has_names else "both", color=LINE, alpha=0.4)
        low, high = _limits([0.0, 1.0, *(value for _, value in order)])
        axes.set_xlim(low, high)
        axes.set_xlabel(label, fontsize=9)
        axes.tick_params(axis="x", labelsize=8)
    return out.getvalue()


def curves(
    singles: Sequence[Series], labels: Labels, mean: Series | None = None, are_named: bool = False
) -> bytes:
    """Single curves, faint beside their mean; in colours where they are to be told apart."""
    with _drawing(6.4, 4.0) as (figure, out):
        axes = figure.subplots()
        is_coloured = are_named and len(singles) <= MOST_LEGEND
        colours = _colours(len(singles)) if is_coloured else [FAINT] * len(singles)
        for curve, colour in zip(singles, colours, strict=True):
            name = _short(curve.name) if is_coloured else None
            width, alpha = (1.3, 0.9) if is_coloured else (0.8, 0.45)
            axes.plot(curve.x, curve.y, color=colour, linewidth=width, alpha=alpha, label=name)
        if mean is not None:
            colour = "black" if is_coloured else STRONG
            axes.plot(mean.x, mean.y, color=colour, linewidth=2.4, label=mean.name)
        axes.axvline(0, color=LINE, linewidth=0.8, zorder=0)
        axes.grid(color=LINE, alpha=0.4)
        named = (len(singles) if is_coloured else 0) + (mean is not None)
        _finish(axes, labels, named, most=MOST_LEGEND + 1)
    return out.getvalue()


def line(curve: Series, labels: Labels, bottom: float, top: float) -> bytes:
    """One curve with its points on a fixed range."""
    with _drawing(6.4, 3.6) as (figure, out):
        axes = figure.subplots()
        axes.plot(curve.x, curve.y, color=STRONG, linewidth=1.6, marker="o", markersize=4)
        axes.set_ylim(bottom, top)
        axes.grid(color=LINE, alpha=0.4)
        _finish(axes, labels, 0)
    return out.getvalue()


def strips(rows: Sequence[tuple[str, Sequence[Strip]]]) -> bytes:
    """A panel for each labelled measure, in it a band for each group: its values in their order
    across the band, and the figure told of it as a line."""
    most = max(len(groups) for _, groups in rows)
    with _drawing(4.2 * len(rows), 1.2 + 0.55 * most) as (figure, out):
        for axes, (label, groups) in zip(
            figure.subplots(1, len(rows), squeeze=False).flat, rows, strict=True
        ):
            for n, (group, colour) in enumerate(zip(groups, _colours(len(groups)), strict=True)):
                count = len(group.values)
                heights = [n + 0.6 * ((k + 0.5) / count - 0.5) for k in range(count)]
                axes.scatter(group.values, heights, s=13, color=colour, alpha=0.7, linewidths=0)
                if group.told is not None:
                    axes.plot([group.told] * 2, [n - 0.38, n + 0.38], color="black", linewidth=1.4)
            axes.set_yticks(range(len(groups)), [_short(g.name) for g in groups], fontsize=8)
            axes.set_ylim(len(groups) - 0.5, -0.5)
            axes.grid(axis="x", color=LINE, alpha=0.4)
            axes.set_xlabel(label, fontsize=9)
            axes.tick_params(labelsize=8)
    return out.getvalue()


@contextmanager
def _drawing(width_in: float, height_in: float) -> Iterator[tuple[Any, BytesIO]]:
    """An empty figure, and where its PNG will be once it is drawn."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    out = BytesIO()
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that its font lacks
        matplotlib.rcdefaults()  # not what the user's own matplotlibrc says
        matplotlib.rcParams["text.parse_math"] = False  # a name may hold a dollar
        figure = Figure((width_in, height_in), DPI, layout="constrained")
        canvas = FigureCanvasAgg(figure)
        yield figure, out
        canvas.print_png(out, metadata={"Software": None})


def _finish(axes: Any, labels: Labels, n_named: int, most: int = MOST_LEGEND) -> None:
    axes.set_xlabel(labels.x, fontsize=9)
    axes.set_ylabel(labels.y, fontsize=9)
    axes.tick_params(labelsize=8)
    if 0 < n_named <= most:
        axes.legend(fontsize=7)


def _colours(n: int) -> list[str]:
    """Of `n` things: all different where they can be told apart, else one for all."""
    return list(COLOURS[:n]) if n <= len(COLOURS) else [STRONG] * n


def _limits(values: Sequence[float]) -> tuple[float, float]:
    """A range with a little air around all values."""
    low, high = min(values), max(values)
    air = 0.05 * (high - low) or 0.05
    return low - air, high + air


def _short(name: str) -> str:
    return name if len(name) <= NAME_LENGTH else f"{name[: NAME_LENGTH - 1]}…"
