"""Decide which picture shows a finding, and make it from the data."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic import JsonValue

from goalgraph.specialists.builtin.columns import Roles, find_roles, spoken_unit
from goalgraph.specialists.builtin.drawing import Bars, Histogram, Lines, Mark, Picture, Scatter
from goalgraph.specialists.builtin.findings import Finding
from goalgraph.specialists.builtin.series import Series, build_series
from goalgraph.specialists.builtin.tables import Table, read_table
from goalgraph.specialists.builtin.wording import date_text, iso, number, percent, words

__all__ = ["Drawable", "Shelf"]

_MAX_BARS = 24


class Drawable:
    """A picture with the finding it shows and what it says in words."""

    def __init__(self, picture: Picture, *, alt: str, finding: str = "") -> None:
        self.picture = picture
        self.alt = alt
        self.finding = finding


class Shelf:
    """The tables of a run, each read once."""

    def __init__(self, paths: Sequence[tuple[Path, str]], unit: str = "") -> None:
        self._paths = {name: path for path, name in paths}
        self._unit = unit
        self._read: dict[str, tuple[Table, Roles, tuple[Series, ...]]] = {}

    def draw(self, finding: Finding) -> Drawable | None:
        """Make the picture of a finding; None where its data is not here."""
        if finding.file not in self._paths or not finding.columns:
            return None
        table, roles, series = self._open(finding.file)
        panels = list(_panels(finding, table, series, self._unit))
        if not panels:
            return None
        picture = Picture(title=finding.title, panels=panels, source=_source(table, roles, panels, finding))
        return Drawable(picture, alt=f"{finding.title}. {finding.detail}".strip(), finding=finding.title)

    def histogram(self, column: str) -> Drawable | None:
        """Make a histogram of a column, from the first table that has it."""
        for name in self._paths:
            table, roles, _ = self._open(name)
            if column in table.frame.columns and table.frame.schema[column].is_numeric():
                panel = _histogram(table, column)
                title = f"Distribution of {words(column).lower()}: median {number(panel.median)}"
                source = _source(table, roles, [panel], None)
                return Drawable(
                    Picture(title=title, panels=[panel], source=source), alt=f"{title}, {len(panel.values)} rows."
                )
        return None

    def measures(self) -> list[str]:
        """Name the numeric columns of all tables."""
        return [column for name in self._paths for column in self._open(name)[1].measures]

    def overviews(self) -> Iterator[Drawable]:
        """Make, for each table with series that percentages fit, a ranking of their changes."""
        for name in self._paths:
            table, roles, series = self._open(name)
            changes = {
                item.label: (item.values[-1] - item.values[0]) / item.values[0]
                for item in series
                if item.ratio and item.values[0] > 0
            }
            if len(changes) < 2:
                continue
            order = sorted(changes, key=lambda label: changes[label], reverse=True)
            shown = order if len(order) <= _MAX_BARS else order[: _MAX_BARS // 2] + order[-_MAX_BARS // 2 :]
            first = series[0]
            span = f"{date_text(first.dates[0], first.step)} to {date_text(first.dates[-1], first.step)}"
            if any((item.dates[0], item.dates[-1]) != (first.dates[0], first.dates[-1]) for item in series):
                span = "first to last point of each"
            panel = Bars(
                values={label: 100 * changes[label] for label in shown},
                label=f"Change in %, {span}",
                texts=[_signed(changes[label]) for label in shown],
            )
            top, bottom = (f"{_signed(changes[label])} ({label})" for label in (order[0], order[-1]))
            title = f"Changes from {top} to {bottom}, {span}"
            alt = f"{title}: " + ", ".join(f"{label} {_signed(changes[label])}" for label in shown) + "."
            yield Drawable(Picture(title=title, panels=[panel], source=_source(table, roles, [panel], None)), alt=alt)

    def _open(self, name: str) -> tuple[Table, Roles, tuple[Series, ...]]:
        if name not in self._read:
            table = read_table(self._paths[name], name)
            roles = find_roles(table)
            self._read[name] = (table, roles, build_series(table, roles, self._unit))
        return self._read[name]


def _panels(
    finding: Finding, table: Table, series: Sequence[Series], unit: str
) -> Iterator[Lines | Bars | Scatter | Histogram]:
    main = finding.columns[0]
    if finding.kind == "group_difference":
        yield from _group_bars(finding, main)
    elif finding.kind == "seasonal_pattern":
        yield from _months(finding, main)
    elif finding.kind == "relation" and len(finding.columns) == 2:
        other = finding.columns[1]
        rows = list(table.frame.select(main, other).drop_nulls().iter_rows())
        slope, start = finding.figures.get("slope"), finding.figures.get("intercept")
        if rows and isinstance(slope, (int, float)) and isinstance(start, (int, float)):
            xs, ys = [float(x) for x, _ in rows], [float(y) for _, y in rows]
            yield Scatter(xs=xs, ys=ys, x_label=words(main), y_label=words(other), slope=slope, start=start)
    elif finding.kind in ("outliers", "distribution"):
        if main in table.frame.columns and table.frame.schema[main].is_numeric():
            yield _histogram(table, main)
    else:
        found = next((item for item in series if item.column == main and item.group == finding.group), None)
        if found is not None:
            yield _line(finding, found)
            yield from _driver_bars(finding, found)


def _line(finding: Finding, series: Series) -> Lines:
    texts = [iso(when, series.step) for when in series.dates]
    last = len(texts) - 1
    marks: dict[int, bool] = {0: False, last: False}
    leg = finding.figures.get("fall") or finding.figures.get("rise")
    span: tuple[int, int] | None = None
    if isinstance(leg, dict) and leg.get("from_date") in texts and leg.get("to_date") in texts:
        start, end = texts.index(str(leg["from_date"])), texts.index(str(leg["to_date"]))
        span = (start, end) if "fall" in finding.figures else None
        marks |= {start: False, end: False}
    marks = {at: _is_low(series.values, at) for at in marks}
    shown = _apart(marks, last, {0, last})
    label = series.label if series.group is None else f"{words(series.column)}: {series.group}"
    label = f"{label} ({series.unit})" if series.unit and series.unit not in label else label
    return Lines(
        dates=series.dates,
        values=series.values,
        label=f"{label}, {series.made}" if series.made else label,
        marks=[
            Mark(at=at, text=f"{number(series.values[at])}\n{date_text(series.dates[at], series.step)}", below=low)
            for at, low in shown.items()
        ],
        span=span,
        yearly=series.step == "year",
    )


def _is_low(values: Sequence[float], at: int) -> bool:
    """Tell whether a mark's text belongs under its point: the line runs above it."""
    reach = max(1, len(values) // 10)
    near = [*values[max(0, at - reach) : at], *values[at + 1 : at + 1 + reach]]
    return bool(near) and sum(near) / len(near) > values[at]


def _apart(marks: dict[int, bool], last: int, ends: set[int]) -> dict[int, bool]:
    """Drop the end marks that would run into another mark's text; on the other side of the line both fit."""
    kept = {at: low for at, low in marks.items() if at not in ends}
    for at in sorted(ends):
        if all(abs(at - other) > 0.16 * last or kept[other] != marks[at] for other in kept):
            kept[at] = marks[at]
    return dict(sorted(kept.items()))


def _driver_bars(finding: Finding, series: Series) -> Iterator[Bars]:
    parts = finding.figures.get("drivers")
    changes: dict[str, float] = {}
    for part in parts if isinstance(parts, list) else []:
        change = part.get("change") if isinstance(part, dict) else None
        if isinstance(part, dict) and isinstance(change, (int, float)):
            changes[str(part.get("name"))] = float(change)
    if len(changes) >= 2:
        order = sorted(changes, key=lambda name: changes[name])
        shown = order if len(order) <= 12 else order[:6] + order[-6:]
        leg = finding.figures.get("fall") or finding.figures.get("rise")
        span = "whole period"
        if isinstance(leg, dict):
            texts = {iso(when, series.step): date_text(when, series.step) for when in series.dates}
            span = f"{texts.get(str(leg.get('from_date')), '')} to {texts.get(str(leg.get('to_date')), '')}"
        unit = f" ({series.unit})" if series.unit else ""
        yield Bars(
            values={name: changes[name] for name in shown},
            label=f"Change by part{unit},\n{span}",
            texts=[f"{'+' if changes[name] >= 0 else '−'}{number(abs(changes[name]))}" for name in shown],
        )


def _group_bars(finding: Finding, main: str) -> Iterator[Bars]:
    listed = finding.figures.get("groups")
    means: dict[str, float] = {}
    for item in listed if isinstance(listed, list) else []:
        mean = item.get("mean") if isinstance(item, dict) else None
        if isinstance(item, dict) and isinstance(mean, (int, float)):
            means[str(item.get("group"))] = float(mean)
    if means:
        order = sorted(means, key=lambda name: means[name], reverse=True)
        shown = order if len(order) <= _MAX_BARS else order[: _MAX_BARS // 2] + order[-_MAX_BARS // 2 :]
        yield Bars(
            values={name: means[name] for name in shown},
            label=f"Mean {words(main).lower()}",
            texts=[number(means[n]) for n in shown],
        )


def _months(finding: Finding, main: str) -> Iterator[Bars]:
    months: JsonValue = finding.figures.get("months")
    if isinstance(months, dict):
        means = {name: float(mean) for name, mean in months.items() if isinstance(mean, (int, float))}
        yield Bars(
            values=means, label=f"Mean {words(main).lower()} by month", texts=[number(mean) for mean in means.values()]
        )


def _histogram(table: Table, column: str) -> Histogram:
    values = [float(value) for value in table.frame[column].drop_nulls()]
    ordered = sorted(values)
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    unit = spoken_unit(column)
    name = words(column)
    return Histogram(values=values, label=name if not unit or unit in name else f"{name} ({unit})", median=middle)


def _source(table: Table, roles: Roles, panels: Sequence[object], finding: Finding | None) -> str:
    text = f"Source: {table.name}, {table.shape[0]:,} rows"
    lines = [panel for panel in panels if isinstance(panel, Lines)]
    if lines and lines[0].span is not None:
        text += ". Shaded: the fall that the title names"
    if lines:
        low = min(lines[0].values)
        text += ". The vertical axis does not start at zero" if low > 0.2 * max(lines[0].values) else ""
    return f"{text}."


def _signed(fraction: float) -> str:
    return f"{'+' if fraction >= 0 else '−'}{percent(fraction)}"
