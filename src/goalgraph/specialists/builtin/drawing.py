"""Draw one chart with matplotlib: lines over time, bars, scatter, histogram. No pyplot, so it is safe in threads."""

# pyright: reportUnknownMemberType=false
# matplotlib annotates its keyword arguments incompletely.

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import fill
from threading import Lock
from typing import TYPE_CHECKING

from goalgraph.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Bars", "Histogram", "Lines", "Mark", "Picture", "Scatter", "save"]

BLUE, ORANGE, GREY, INK = "#0072B2", "#D55E00", "#9AA0A6", "#222222"
"""From the palette of Okabe and Ito (2008), which colour-blind readers can tell apart."""

_SALTING = Lock()
_CLIP_ID = re.compile(r"\bp[0-9a-f]{10}\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point of a line with its text."""

    at: int
    text: str
    below: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """A series over time, with marked points and one shaded span."""

    dates: Sequence[datetime]
    values: Sequence[float]
    label: str
    marks: Sequence[Mark] = ()
    span: tuple[int, int] | None = None
    yearly: bool = False
    """Each point stands for a year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """Horizontal bars, drawn from top to bottom; negative ones in another colour."""

    values: Mapping[str, float]
    label: str
    texts: Sequence[str] = ()
    """What stands at each bar's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scatter:
    """Pairs of values with the fitted line."""

    xs: Sequence[float]
    ys: Sequence[float]
    x_label: str
    y_label: str
    slope: float
    start: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often values occur, with the median marked."""

    values: Sequence[float]
    label: str
    median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A whole chart: one or two panels side by side under one title."""

    title: str
    panels: Sequence[Lines | Bars | Scatter | Histogram]
    source: str
    """Note at the foot, such as ``"Source: sales.csv"``."""


def save(picture: Picture, path: Path) -> None:
    """Draw a picture and write it as the path's suffix says (``.png`` or ``.svg``); the folder must exist.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtra("drawing charts", "data") from error
    bars = max((len(panel.values) for panel in picture.panels if isinstance(panel, Bars)), default=0)
    height = max(5.0, 1.9 + 0.34 * bars)
    wide = len(picture.panels) > 1
    figure = Figure(figsize=(11.5 if wide else 9.0, height), dpi=120, facecolor="white")
    figure.set_layout_engine(ConstrainedLayoutEngine(rect=(0.01, 0.055, 0.98, 0.935)))
    FigureCanvasAgg(figure)
    ratios = [1.75 if isinstance(panel, Lines) else 1.0 for panel in picture.panels]
    grid = figure.add_gridspec(1, len(ratios), width_ratios=ratios)
    for place, panel in enumerate(picture.panels):
        _panel(figure.add_subplot(grid[0, place]), panel)
    title = fill(picture.title, 88 if wide else 68)
    figure.suptitle(title, x=0.015, ha="left", fontsize=14, fontweight="bold", color=INK)
    figure.text(0.015, 0.015, picture.source, fontsize=8.5, color="#666666")
    _write(figure, path, picture.title)


def _steady(svg: str) -> str:
    """Number the clip paths, whose ids matplotlib makes from addresses in memory, so that they differ each time."""
    numbers: dict[str, str] = {}
    return _CLIP_ID.sub(lambda found: numbers.setdefault(found[0], f"clip{len(numbers)}"), svg)


def _write(figure: "Figure", path: Path, title: str) -> None:
    """Write beside the target first, so that no half-written picture is ever seen."""
    from matplotlib import rc_context  # pyright: ignore[reportUnknownVariableType]

    part = path.with_name(f".{path.name}.part")
    if path.suffix == ".svg":
        # The salt is what makes the ids inside of an SVG the same each time; it can only be set globally.
        with _SALTING, rc_context({"svg.hashsalt": "goalgraph"}):
            figure.savefig(part, format="svg", metadata={"Date": None, "Title": title})
        part.write_text(_steady(part.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        figure.savefig(part, format=path.suffix[1:], metadata={"Software": None, "Title": title})
    part.replace(path)


def _panel(axes: "Axes", panel: Lines | Bars | Scatter | Histogram) -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#BBBBBB")
    axes.tick_params(colors="#444444", labelsize=9.5, length=3)
    if isinstance(panel, Lines):
        _lines(axes, panel)
    elif isinstance(panel, Bars):
        _bars(axes, panel)
    elif isinstance(panel, Scatter):
        _scatter(axes, panel)
    else:
        _histogram(axes, panel)


def _lines(axes: "Axes", panel: Lines) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
    from matplotlib.patheffects import withStroke
    from matplotlib.ticker import FuncFormatter

    days = [(when - datetime(1970, 1, 1)).total_seconds() / 86400 for when in panel.dates]
    axes.xaxis_date()
    if panel.yearly:
        every = -(-len(days) // 10)
        axes.set_xticks(days[::every], [str(when.year) for when in list(panel.dates)[::every]])
    else:
        locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="y", color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    if panel.span is not None:
        start, end = days[panel.span[0]], days[panel.span[1]]
        axes.axvspan(start, end, color=ORANGE, alpha=0.10, linewidth=0)
    few = len(panel.values) <= 20
    axes.plot(days, panel.values, color=BLUE, linewidth=2.2, marker="o" if few else "", markersize=4)
    axes.margins(x=0.07, y=0.2)
    axes.set_ylabel(panel.label, color="#444444", fontsize=10)
    last = len(panel.values) - 1
    for mark in panel.marks:
        at = (days[mark.at], panel.values[mark.at])
        axes.plot([at[0]], [at[1]], marker="o", markersize=6.5, color=ORANGE)
        side = "left" if mark.at < 0.12 * last else "right" if mark.at > 0.88 * last else "center"
        shift = (0, -10 if mark.below else 10)
        axes.annotate(
            mark.text, at, xytext=shift, textcoords="offset points", ha=side, va="top" if mark.below else "bottom",
            fontsize=9.5, color=INK, path_effects=[withStroke(linewidth=3, foreground="white")],
        )  # fmt: skip


def _bars(axes: "Axes", panel: Bars) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    names = [fill(name, 24) for name in panel.values]
    values = list(panel.values.values())
    places = range(len(values))
    axes.barh(list(places), values, color=[BLUE if value >= 0 else ORANGE for value in values], height=0.66)
    axes.set_yticks(list(places), names, fontsize=9.5)
    axes.axvline(0, color="#888888", linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.grid(axis="x", color="#E6E6E6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.margins(x=0.3)
    axes.set_ylim(max(len(values), 5) - 0.4 - max(0, 5 - len(values)) / 2, -0.6 - max(0, 5 - len(values)) / 2)
    if min(values) >= 0:
        axes.set_xlim(left=0)
    axes.set_xlabel(panel.label, color="#444444", fontsize=10)
    for place, value, text in zip(places, values, panel.texts, strict=False):
        axes.annotate(
            text, (value, place), xytext=(4 if value >= 0 else -4, 0), textcoords="offset points",
            ha="left" if value >= 0 else "right", va="center", fontsize=9, color=INK,
        )  # fmt: skip


def _scatter(axes: "Axes", panel: Scatter) -> None:
    from matplotlib.ticker import FuncFormatter

    many = len(panel.xs) > 300
    axes.scatter(panel.xs, panel.ys, s=14 if many else 28, color=BLUE, alpha=0.35 if many else 0.65, linewidths=0)
    ends = [min(panel.xs), max(panel.xs)]
    axes.plot(ends, [panel.start + panel.slope * x for x in ends], color=ORANGE, linewidth=2)
    axes.set_xlabel(panel.x_label, color="#444444", fontsize=10)
    axes.set_ylabel(panel.y_label, color="#444444", fontsize=10)
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick))


def _histogram(axes: "Axes", panel: Histogram) -> None:
    from matplotlib.ticker import FuncFormatter

    bins = max(6, min(40, round(len(panel.values) ** 0.5)))
    axes.hist(panel.values, bins=bins, color=BLUE, edgecolor="white", linewidth=0.6)
    axes.axvline(panel.median, color=ORANGE, linewidth=2)
    axes.annotate(
        f"median {_tick(panel.median)}", (panel.median, 1), xycoords=("data", "axes fraction"), xytext=(5, -4),
        textcoords="offset points", va="top", fontsize=9.5, color=INK,
        bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.8},
    )  # fmt: skip
    axes.xaxis.set_major_formatter(FuncFormatter(_tick))
    axes.set_xlabel(panel.label, color="#444444", fontsize=10)
    axes.set_ylabel("Rows", color="#444444", fontsize=10)


def _tick(value: float, _place: object = None) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 1e12 or abs(value) < 1e-6:
        return f"{value:.2g}"
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:,.4g}"
