"""Write a ranked movement as a finding, with its dates, figures, drivers and setting."""

from collections.abc import Sequence
from statistics import fmean

from pydantic import JsonValue

from goalgraph.specialists.builtin.findings import Finding, rounded
from goalgraph.specialists.builtin.moves import Move, extremes, turning_points
from goalgraph.specialists.builtin.series import Series
from goalgraph.specialists.builtin.stories import Story, tell
from goalgraph.specialists.builtin.trends import Family, Ranked
from goalgraph.specialists.builtin.wording import date_text, iso, join_words, number, percent

__all__ = ["describe", "drivers", "season_finding"]

Figures = dict[str, JsonValue]


def describe(ranked: Ranked, family: Family, file: str) -> Finding:
    """Write a movement up."""
    story = ranked.story
    series = story.series
    figures = _figures(story) | _setting(story, family)
    parts = drivers(family, series.key, story.leg) if story.kind != "flat" else []
    if parts:
        figures["drivers"] = [dict(part) for part in parts]
    sentences = [*_course(story), _drivers_text(story, parts), _setting_text(story, figures, family), _caution(story)]
    columns = [series.column, *(str(part["column"]) for part in parts if part["column"] != series.column)]
    return Finding(
        title=_title(story),
        detail=" ".join(sentence for sentence in sentences if sentence),
        kind=story.kind,
        file=file,
        columns=tuple(dict.fromkeys(columns)),
        figures=figures,
        score=ranked.score,
        group=series.group,
        brief=_brief(story, figures, parts),
    )


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


def season_finding(series: Series, file: str) -> Finding:
    """Write up a pattern that repeats each year.

    Raises:
        ValueError: The series has none.
    """
    if series.season is None:
        raise ValueError(f"the series {series.key!r} has no pattern that repeats each year")
    means, names = series.season.means, ("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split()
    high, low = max(means, key=lambda month: means[month]), min(means, key=lambda month: means[month])
    unit = _unit(series)
    gap = means[high] - means[low]
    scale = series.spread or abs(fmean(means.values())) or 1.0
    return Finding(
        title=f"{series.label} repeats each year: high in {names[high - 1]}, low in {names[low - 1]}",
        detail=(
            f"On average {number(means[high])}{unit} in {names[high - 1]} against {number(means[low])}{unit} in {names[low - 1]}. "
            f"The calendar month explains {percent(series.season.strength)} of the variation within the years."
        ),
        kind="seasonal_pattern",
        file=file,
        columns=(series.column,),
        group=series.group,
        figures={
            "high_month": names[high - 1],
            "high": rounded(means[high]),
            "low_month": names[low - 1],
            "low": rounded(means[low]),
            "strength": rounded(series.season.strength),
            "months": {names[month - 1]: rounded(mean) for month, mean in means.items()},
            "unit": series.unit,
        },
        score=series.season.strength * gap / scale,
    )


def _figures(story: Story) -> Figures:
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
        "annual_growth_pct": _annual(series),
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


def _annual(series: Series) -> float | None:
    """Compound growth per year in percent, over two years or more."""
    first, last = series.values[0], series.values[-1]
    if not series.ratio or first <= 0 or last <= 0 or series.years < 2:
        return None
    return rounded(100 * ((last / first) ** (1 / series.years) - 1))


def _setting(story: Story, family: Family) -> Figures:
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


def _title(story: Story) -> str:
    series, values = story.series, story.series.values
    fall, rise = story.fall, story.rise

    def at(place: int) -> str:
        return date_text(series.dates[place], series.step)

    if story.kind == "flat":
        return f"{series.label} shows no clear trend"
    if story.kind == "growth":
        return f"{series.label} rose {_amount(series, values[0], values[-1])} from {at(0)} to {at(-1)}"
    if story.kind == "rise_and_fall":
        up = _amount(series, values[rise.start], values[rise.end])
        down = _amount(series, values[rise.end], values[-1])
        return f"{series.label} rose {up} up to {at(rise.end)}, then lost {down}"
    if fall.start == fall.end or (story.kind == "decline" and values[-1] < values[0] and story.leg == Move(start=0, end=len(values) - 1)):
        return f"{series.label} fell {_amount(series, values[0], values[-1])} from {at(0)} to {at(-1)}"
    text = f"{series.label} fell {_amount(series, values[fall.start], values[fall.end])} from {at(fall.start)} to {at(fall.end)}"
    if story.kind == "shock_and_recovery":
        return f"{text}, then recovered"
    if story.kind == "partial_recovery":
        return f"{text} and regained {'less than half' if story.recovered < 0.5 else 'only part'} of it"
    return text


def _course(story: Story) -> Sequence[str]:
    series, values, unit = story.series, story.series.values, _unit(story.series)

    def at(place: int) -> str:
        return date_text(series.dates[place], series.step)

    def value(place: int) -> str:
        return f"{number(values[place])}{unit}"

    net = (
        f"Over the whole period it went from {value(0)} ({at(0)}) to {value(-1)} ({at(-1)}), "
        f"{_signed(series, values[0], values[-1])}"
    )
    annual = _annual(series)
    rate = f", or {'+' if annual >= 0 else '−'}{abs(annual):.1f}% a year" if annual is not None else ""
    if story.kind == "flat":
        return [f"{net}, with no steady direction (R² of a line: {story.line.r2:.2f})."]
    if story.kind == "growth" or story.fall.start == story.fall.end:
        steady = "steadily" if story.line.r2 >= 0.9 else "with interruptions" if story.line.r2 >= 0.6 else "unevenly"
        top, bottom = extremes(values)
        ends = "" if top in (0, len(values) - 1) else f" Its peak was {value(top)} ({at(top)})."
        ends += "" if bottom in (0, len(values) - 1) else f" Its low was {value(bottom)} ({at(bottom)})."
        moved = f"moving {steady} (R² of a line {story.line.r2:.2f}, {_per_year(story)}{unit} a year)."
        return [f"{net}{rate}, {moved}{ends}"]
    if story.kind == "rise_and_fall":
        top, base = story.rise.end, story.rise.start
        return [
            f"It climbed from {value(base)} ({at(base)}) to a peak of {value(top)} ({at(top)}), "
            f"{_signed(series, values[base], values[top])}, and stood at {value(-1)} at the end ({at(-1)}), "
            f"{_signed(series, values[top], values[-1])} from that peak.",
            f"{net}.",
        ]
    high, low = story.fall.start, story.fall.end
    text = [f"It fell from {value(high)} ({at(high)}) to {value(low)} ({at(low)}), {_signed(series, values[high], values[low])}."]
    if low < len(values) - 1:
        back = f"At the end ({at(-1)}) it stood at {value(-1)}"
        if story.regained is not None:
            above = values[-1] - values[high]
            side = "above" if above >= 0 else "below"
            text.append(
                f"It regained its earlier peak in {at(story.regained)}. {back}, {number(abs(above))}{unit} {side} that peak."
            )
        elif story.recovered >= 0.05:
            text.append(f"{back}: {percent(story.recovered)} of the loss was won back, and the earlier peak was not reached again.")
        else:
            text.append(f"{back}, with next to none of the loss won back.")
    return [*text, f"{net}{rate}."]


def _drivers_text(story: Story, parts: Sequence[Figures]) -> str:
    with_it = [part for part in parts if _share(part) >= 5][:3]
    against = [part for part in parts if _share(part) <= -5]
    if not with_it:
        return ""
    unit = _unit(story.series)
    named = [f"{part['name']} ({_plus(part)}{unit}, {_share(part):.0f}% of the net change)" for part in with_it]
    word = {"growth": "rise", "rise_and_fall": "rise"}.get(story.kind, "fall")
    text = f"The {word} came mainly from {join_words(named)}"
    if against:
        last = against[-1]
        text += f", while {last['name']} went the other way ({_plus(last)}{unit})"
    return f"{text}."


def _setting_text(story: Story, figures: Figures, family: Family) -> str:
    if story.kind == "flat" or "total" not in figures:
        return ""
    text: list[str] = []
    first, last = figures["share_of_total_first_pct"], figures["share_of_total_last_pct"]
    if isinstance(first, float) and isinstance(last, float) and abs(last - first) >= 1:
        text.append(f"Its share of {figures['total']} went from {first:.1f}% to {last:.1f}%.")
    fell = figures.get("while_total_fell")
    own = fell.get("own_change_pct") if isinstance(fell, dict) else None
    if isinstance(fell, dict) and isinstance(own, float) and isinstance(fell["change_pct"], float) and own > 0:
        text.append(
            f"It grew by {own:.1f}% even while {figures['total']} fell by {abs(fell['change_pct']):.1f}% "
            f"({fell['from_text']} to {fell['to_text']})."
        )
    return " ".join(text)


def _brief(story: Story, figures: Figures, parts: Sequence[Figures]) -> str:
    """Put the movement into one sentence for a reader in a hurry."""
    series, values, unit = story.series, story.series.values, _unit(story.series)
    text = _title(story)
    if story.kind == "growth" or story.leg == Move(start=0, end=len(values) - 1):
        text += f", from {number(values[0])} to {number(values[-1])}{unit}"
    elif story.fall.start < story.fall.end and story.kind != "rise_and_fall":
        text += f" ({number(values[story.fall.start])} to {number(values[story.fall.end])}{unit})"
    if story.kind == "shock_and_recovery":
        gap = values[-1] - values[story.fall.start]
        when = date_text(series.dates[-1], series.step)
        text += f"; in {when} it stood {number(abs(gap))}{unit} {'above' if gap >= 0 else 'below'} its earlier peak"
    elif story.kind == "partial_recovery":
        text += f": {percent(story.recovered)} of the loss was won back"
    with_it = [str(part["name"]) for part in parts if _share(part) >= 20][:3]
    if with_it:
        text += f", with {join_words(with_it)} driving the {'rise' if story.kind in ('growth', 'rise_and_fall') else 'fall'}"
    fell = figures.get("while_total_fell")
    own = fell.get("own_change_pct") if isinstance(fell, dict) else None
    if isinstance(own, float) and own > 0:
        text += f", and grew even while {figures['total']} fell"
    return f"{text}."


def _caution(story: Story) -> str:
    count = len(story.series.values)
    return f"With only {count} points ({story.series.made or story.series.step}), this is an indication at most." if count < 6 else ""


def _per_year(story: Story) -> str:
    slope = story.line.slope
    return f"{'+' if slope >= 0 else '−'}{number(abs(slope))}"


def _amount(series: Series, start: float, end: float) -> str:
    if series.ratio and start > 0:
        return percent((end - start) / start)
    return f"by {number(abs(end - start))}{_unit(series)}"


def _signed(series: Series, start: float, end: float) -> str:
    sign = "+" if end >= start else "−"
    text = f"{sign}{number(abs(end - start))}{_unit(series)}"
    return f"{text} or {sign}{percent((end - start) / start)}" if series.ratio and start > 0 else text


def _unit(series: Series) -> str:
    return f" {series.unit}" if series.unit else ""


def _share(part: Figures) -> float:
    share = part["share_of_change_pct"]
    return float(share) if isinstance(share, (int, float)) else 0.0


def _plus(part: Figures) -> str:
    change = part["change"]
    return f"{'+' if change >= 0 else '−'}{number(abs(change))}" if isinstance(change, (int, float)) else ""
