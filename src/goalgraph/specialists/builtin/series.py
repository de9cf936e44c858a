"""Turn a table with a time column into series: one for each measure, or for each group's measure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

from goalgraph.specialists.builtin.columns import Roles, spoken_unit
from goalgraph.specialists.builtin.tables import Table
from goalgraph.specialists.builtin.wording import Step, words

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Season", "Series", "build_series", "is_intensive"]

_INTENSIVE = re.compile(
    r"(?<![a-z])(?:temp\w*|rates?|ratio|prices?|avg|average|mean|median|index|score|percent\w*|pct|share|speed|wind|humidity|"
    r"pressure|rating|level|age|per|density|margin|min|max|open|close|high|low|stock|balance|population|employ\w*|yield|"
    r"latitude|longitude)(?![a-z])|%",
    re.IGNORECASE,
)
_FLOW = re.compile(
    r"(?<![a-z])(?:sales?|sold|revenue|turnover|amount|total|sum|counts?|quantity|qty|units|costs?|spend\w*|volume|profit|loss|"
    r"orders?|visits?|clicks|views|deaths|births|cases|net_generation|generation|production|produced|consumption|payments?|income|"
    r"expenses?|emissions?|passengers|tickets|incidents|hours|downloads|shipments?)(?![a-z])",
    re.IGNORECASE,
)
_DAYS: dict[Step, float] = {"hour": 1 / 24, "day": 1, "week": 7, "month": 30.44, "quarter": 91.3, "year": 365.25}
_TRUNCATE = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Season:
    """A pattern that repeats each year."""

    means: dict[int, float]
    """Mean of each calendar month (1 to 12) that occurs, over the whole years."""
    strength: float
    """Part of the variance, trend taken out, that the calendar month explains; 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One measure over time, in order, without gaps in place of values."""

    label: str
    """In words, such as ``"Goods producing"``."""
    column: str
    group: str | None = None
    """Value of the group column, in a long table; the total of all groups has ``None``."""
    by: str | None = None
    """Name of that column."""
    dates: tuple[datetime, ...]
    values: tuple[float, ...]
    step: Step
    ratio: bool
    """Never negative in the file, so that percentages make sense."""
    spread: float
    """Interquartile range of the file's values, in their unit."""
    made: str = ""
    """How the points were made from the rows, where they are not the rows: ``"yearly means"``."""
    season: Season | None = None
    unit: str = ""

    @property
    def key(self) -> str:
        """Name that no other series of the table has."""
        return self.column if self.group is None else f"{self.column}|{self.group}"

    @property
    def years(self) -> float:
        """Length in years."""
        return (self.dates[-1] - self.dates[0]).days / 365.25


def is_intensive(column: str) -> bool:
    """Tell by its name whether a sum of the column's values means nothing, as with prices and temperatures."""
    return _INTENSIVE.search(column) is not None


def build_series(table: Table, roles: Roles, unit: str = "") -> tuple[Series, ...]:
    """Make the series of a table; empty where it has no time, no measure, or fewer than three points in time.

    Rows of one moment are averaged, or summed where the column's name says that it holds amounts. Fine steps over
    long spans are averaged into coarser ones, and a pattern that repeats each year is taken out by yearly means.
    """
    import polars as pl

    if roles.time is None or roles.moments is None:
        return ()
    frame = table.frame.with_columns(roles.moments.alias("__when")).filter(pl.col("__when").is_not_null())
    by = _grouping(frame, roles)
    found: list[Series] = []
    for measure in roles.measures:
        for group, part in _parts(frame, measure, by):
            series = _series(part, measure, group, by, roles, single=len(roles.measures) == 1)
            if series is not None:
                found.append(replace(series, unit=spoken_unit(measure) or unit))
        found.extend(_total([item for item in found if item.column == measure and item.group is not None]))
    return tuple(found)


def _grouping(frame: "pl.DataFrame", roles: Roles) -> str | None:
    """Choose the column that tells rows of one moment apart."""
    if frame["__when"].n_unique() == frame.height or not roles.groups:
        return None
    pairs = {name: frame.select("__when", name).n_unique() for name in roles.groups}
    exact = [name for name, count in pairs.items() if count == frame.height]
    if exact:
        return min(exact, key=lambda name: frame[name].n_unique())
    few = [name for name in roles.groups if frame[name].n_unique() <= 12]
    return max(few, key=lambda name: frame[name].n_unique(), default=None)


def _parts(frame: "pl.DataFrame", measure: str, by: str | None) -> "Iterator[tuple[str | None, pl.DataFrame]]":
    import polars as pl

    if by is None:
        yield None, frame.select("__when", measure).drop_nulls()
        return
    for value in frame[by].drop_nulls().unique(maintain_order=True):
        yield str(value), frame.filter(pl.col(by) == value).select("__when", measure).drop_nulls()


def _series(
    part: "pl.DataFrame", measure: str, group: str | None, by: str | None, roles: Roles, *, single: bool
) -> Series | None:
    import polars as pl

    values = part[measure].cast(pl.Float64)
    part = part.filter(values.is_finite())
    values = values.filter(values.is_finite())
    if part["__when"].n_unique() < 3:
        return None
    low, q1, q3 = values.min(), values.quantile(0.25, "linear"), values.quantile(0.75, "linear")
    made = ""
    if part["__when"].n_unique() < part.height:
        mean = is_intensive(measure) or not _FLOW.search(measure)
        how = pl.col(measure).mean() if mean else pl.col(measure).sum()
        part = part.group_by("__when").agg(how)
        made = "means of the rows of each date" if mean else "sums of the rows of each date"
    part = part.sort("__when")
    dates = [when for when in part["__when"] if isinstance(when, datetime)]
    points = [float(value) for value in part[measure]]
    step: Step = "year" if roles.yearly else _step(dates)
    coarse = _coarser(step, (dates[-1] - dates[0]).days)
    if coarse is not None:
        dates, points = _averaged(dates, points, coarse)
        step, made = coarse, f"{_adjective(coarse)} means"
    season = _season(dates, points, step)
    if season is not None:
        dates, points = _averaged(dates, points, "year")
        step, made = "year", "yearly means"
    if len(points) < 3:
        return None
    name = words(measure)
    if made.endswith("of each date"):
        name = f"Mean {name.lower()}" if made.startswith("means") else f"Total {name.lower()}"
        single = False
    return Series(
        label=name if group is None else group if single else f"{name} ({group})",
        column=measure,
        group=group,
        by=by,
        dates=tuple(dates),
        values=tuple(points),
        step=step,
        ratio=isinstance(low, float) and low >= 0,
        spread=float((q3 or 0.0) - (q1 or 0.0)),
        made=made,
        season=season,
    )


def _total(groups: list[Series]) -> Iterator[Series]:
    """Add the groups of a long table up, where a sum makes sense and every group has every date."""
    means = any(item.season or item.made.startswith("means") for item in groups)
    if len(groups) < 2 or is_intensive(groups[0].column) or means:
        return
    first = groups[0]
    if any(item.dates != first.dates or not item.ratio or item.step != first.step for item in groups):
        return
    values = tuple(sum(item.values[at] for item in groups) for at in range(len(first.dates)))
    yield replace(
        first,
        label=f"Total {words(first.column).lower()}",
        group=None,
        values=values,
        spread=max(s.spread for s in groups),
    )


def _step(dates: list[datetime]) -> Step:
    gap = median((later - earlier).total_seconds() / 86400 for earlier, later in pairwise(dates))
    return min(_DAYS, key=lambda step: abs(_DAYS[step] - gap) / _DAYS[step])


def _coarser(step: Step, days: int) -> Step | None:
    if step in ("hour", "day") and days >= 2 * 365:
        return "month"
    if step == "week" and days >= 3 * 365:
        return "month"
    return "day" if step == "hour" and days >= 30 else None


def _adjective(step: Step) -> str:
    return {"day": "daily", "month": "monthly", "year": "yearly"}.get(step, f"{step}ly")


def _averaged(dates: list[datetime], values: list[float], step: Step) -> tuple[list[datetime], list[float]]:
    """Average into coarser steps; the first and the last one are dropped where they are cut short."""
    import polars as pl

    frame = pl.DataFrame({"when": dates, "value": values}).with_columns(pl.col("when").dt.truncate(_TRUNCATE[step]))
    grouped = frame.group_by("when").agg(pl.col("value").mean(), pl.len().alias("rows")).sort("when")
    rows = [int(count) for count in grouped["rows"]]
    usual = median(rows)
    first = 1 if rows[0] < 0.8 * usual else 0
    last = len(rows) - (1 if rows[-1] < 0.8 * usual else 0)
    kept = grouped.slice(first, last - first)
    return [when for when in kept["when"] if isinstance(when, datetime)], [float(value) for value in kept["value"]]


def _season(dates: list[datetime], values: list[float], step: Step) -> Season | None:
    """Find a pattern that repeats each year in monthly or quarterly points.

    The trend is taken out by a centred moving average of one year (classical decomposition). A pattern counts where the
    calendar month explains half of what is left, and where it moves by a fifth of the series' whole range.
    """
    usual = {"month": 12, "quarter": 4}.get(step, 0)
    if not usual or len(values) < 3 * usual or len(values) < 0.95 * usual * (dates[-1] - dates[0]).days / 365.25:
        return None
    half = usual // 2
    gaps: dict[int, list[float]] = {}
    levels: dict[int, list[float]] = {}
    for at in range(len(values) - len(values) % usual):
        levels.setdefault(dates[at].month, []).append(values[at])
    for at in range(half, len(values) - half):
        year = values[at - half : at + half + 1]
        trend = (sum(year) - (year[0] + year[-1]) / 2) / usual
        gaps.setdefault(dates[at].month, []).append(values[at] - trend)
    every = [gap for points in gaps.values() for gap in points]
    means = {month: fmean(points) for month, points in gaps.items()}
    total = sum((gap - fmean(every)) ** 2 for gap in every)
    left = sum((gap - means[month]) ** 2 for month, points in gaps.items() for gap in points)
    wide = max(means.values()) - min(means.values()) >= 0.2 * (max(values) - min(values))
    if not total or not wide or 1 - left / total < 0.5:
        return None
    return Season(means={month: fmean(points) for month, points in sorted(levels.items())}, strength=1 - left / total)
