"""The figures of a movement: dates, values, what drove it and what surrounded it."""

from statistics import fmean

from pydantic import JsonValue

from goalgraph.specialists.builtin.findings import rounded
from goalgraph.specialists.builtin.moves import Move, extremes, turning_points
from goalgraph.specialists.builtin.series import Series
from goalgraph.specialists.builtin.stories import Story, tell
from goalgraph.specialists.builtin.trends import Family
from goalgraph.specialists.builtin.wording import date_text, iso

__all__ = ["Figures", "annual", "drivers", "figures_of", "setting_of"]

Figures = dict[str, JsonValue]
"""Figures by name, as JSON."""


def drivers(family: Family, key: str, leg: Move) -> list[Figures]:
    """Split a total's change over a movement into its parts' changes, the largest contribution first.

    A part that makes up nearly all of the change, or much of it and has three parts or more, is split in its turn.
    """
    if key not in family.sums:
        return []
    whole = family.series[key].values[leg.end] - family.series[key].values[leg.start]
    if not whole:
        return []

    def change(part: str) -> float:
        values = family.series[part].values
        return values[leg.end] - values[leg.start]

    todo, done = list(family.sums[key][0]), list[str]()
    while todo:
        part = todo.pop(0)
        share, splits = change(part) / whole, family.sums.get(part, ())
        if splits and (share > 0.9 or (share > 0.4 and len(splits[0]) >= 3)):
            todo += splits[0]
        else:
            done.append(part)
    done.sort(key=lambda part: change(part) / whole, reverse=True)
    found: list[Figures] = []
    for part in done:
        series = family.series[part]
        found.append(
            {
                "name": series.label,
                "column": series.column,
                "group": series.group,
                "change": rounded(change(part)),
                "share_of_change_pct": rounded(100 * change(part) / whole),
            }
        )
    return found


def figures_of(story: Story) -> Figures:
    """Gather a movement's dates and values, percentages only where they make sense."""
    series, values = story.series, story.series.values
    top, bottom = extremes(values)

    def at(place: int) -> str:
        return iso(series.dates[place], series.step)

    figures: Figures = {
        "series": series.label,
        "unit": series.unit,
        "points": len(values),
        "point_is": series.made or f"one row for each {series.step}",
        "first_date": at(0),
        "first": rounded(values[0]),
        "last_date": at(-1),
        "last": rounded(values[-1]),
        "change": rounded(values[-1] - values[0]),
        "change_pct": _pct(series, values[0], values[-1]),
        "annual_growth_pct": annual(series),
        "slope_per_year": rounded(story.line.slope),
        "r2": rounded(story.line.r2),
        "peak_date": at(top),
        "peak": rounded(values[top]),
        "trough_date": at(bottom),
        "trough": rounded(values[bottom]),
        "clarity": rounded(story.clarity),
        "turning_points": [{"date": at(place), "value": rounded(values[place])} for place in turning_points(values)],
    }
    if story.kind in ("shock_and_recovery", "partial_recovery", "decline") and story.fall.end > story.fall.start:
        figures["fall"] = _move(series, story.fall)
        figures["recovered_pct"] = rounded(100 * story.recovered)
        figures["regained_date"] = at(story.regained) if story.regained is not None else None
        figures["since_trough"] = _move(series, Move(start=story.fall.end, end=len(values) - 1))
    if story.kind == "rise_and_fall":
        figures["rise"] = _move(series, story.rise)
        figures["since_peak"] = _move(series, Move(start=story.rise.end, end=len(values) - 1))
    return figures


def _move(series: Series, move: Move) -> Figures:
    start, end = series.values[move.start], series.values[move.end]
    return {
        "from_date": iso(series.dates[move.start], series.step),
        "from": rounded(start),
        "to_date": iso(series.dates[move.end], series.step),
        "to": rounded(end),
        "change": rounded(end - start),
        "change_pct": _pct(series, start, end),
    }


def _pct(series: Series, start: float, end: float) -> float | None:
    """Percent only where zero means nothing at all; else None."""
    return rounded(100 * (end - start) / start) if series.ratio and start > 0 else None


def annual(series: Series) -> float | None:
    """Compound growth per year in percent, over two years or more."""
    first, last = series.values[0], series.values[-1]
    if not series.ratio or first <= 0 or last <= 0 or series.years < 2:
        return None
    return rounded(100 * ((last / first) ** (1 / series.years) - 1))


def setting_of(story: Story, family: Family) -> Figures:
    """Put a part beside the total: its share, and what it did while the total fell."""
    key = story.series.key
    over = [total for total in family.above.get(key, ()) if total in family.series]
    if not over:
        return {}
    total = family.series[max(over, key=lambda name: fmean(family.series[name].values))]
    values = story.series.values
    figures: Figures = {
        "total": total.label,
        "share_of_total_first_pct": rounded(100 * values[0] / total.values[0]) if total.values[0] else None,
        "share_of_total_last_pct": rounded(100 * values[-1] / total.values[-1]) if total.values[-1] else None,
    }
    fall = _total_fall(total)
    if story.kind == "growth" and fall is not None:
        figures["while_total_fell"] = _move(total, fall) | {
            "from_text": date_text(total.dates[fall.start], total.step),
            "to_text": date_text(total.dates[fall.end], total.step),
            "own_change": rounded(values[fall.end] - values[fall.start]),
            "own_change_pct": _pct(story.series, values[fall.start], values[fall.end]),
        }
    return figures


def _total_fall(total: Series) -> Move | None:
    told = tell(total)
    return told.fall if told.kind in ("shock_and_recovery", "partial_recovery", "decline") else None
