"""Write a ranked movement as a finding, with its dates, figures, drivers and setting."""

import re
from collections.abc import Sequence
from statistics import fmean

from goalgraph.specialists.builtin.figures import Figures, annual, drivers, figures_of, setting_of
from goalgraph.specialists.builtin.findings import Finding, rounded
from goalgraph.specialists.builtin.moves import Move, extremes
from goalgraph.specialists.builtin.series import Series
from goalgraph.specialists.builtin.stories import Story
from goalgraph.specialists.builtin.trends import Family, Ranked
from goalgraph.specialists.builtin.wording import date_text, join_words, number, percent

__all__ = ["describe", "season_finding"]


def describe(ranked: Ranked, family: Family, file: str) -> Finding:
    """Write a movement up."""
    story = ranked.story
    series = story.series
    figures = figures_of(story) | setting_of(story, family)
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


def season_finding(series: Series, file: str) -> Finding:
    """Write up a pattern that repeats each year.

    Raises:
        ValueError: The series has none.
    """
    if series.season is None:
        raise ValueError(f"the series {series.key!r} has no pattern that repeats each year")
    means, names = (
        series.season.means,
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"],
    )
    high, low = max(means, key=lambda month: means[month]), min(means, key=lambda month: means[month])
    unit = _unit(series)
    gap = means[high] - means[low]
    scale = series.spread or abs(fmean(means.values())) or 1.0
    return Finding(
        title=f"{series.label} repeats each year: high in {names[high - 1]}, low in {names[low - 1]}",
        detail=(
            f"On average {number(means[high])}{unit} in {names[high - 1]} against {number(means[low])}{unit} in "
            f"{names[low - 1]}. "
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


def _title(story: Story) -> str:
    series, values = story.series, story.series.values
    rise = story.rise

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
    if story.leg == Move(start=0, end=len(values) - 1):
        return f"{series.label} fell {_amount(series, values[0], values[-1])} from {at(0)} to {at(-1)}"
    text = _fall_title(story)
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
    yearly = annual(series)
    rate = f", or {'+' if yearly >= 0 else '−'}{abs(yearly):.1f}% a year" if yearly is not None else ""
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
    text = [
        f"It fell from {value(high)} ({at(high)}) to {value(low)} ({at(low)}), "
        f"{_signed(series, values[high], values[low])}."
    ]
    if low < len(values) - 1:
        back = f"At the end ({at(-1)}) it stood at {value(-1)}"
        if story.regained is not None:
            above = values[-1] - values[high]
            side = "above" if above >= 0 else "below"
            text.append(
                f"It regained its earlier peak in {at(story.regained)}. {back}, {number(abs(above))}{unit} {side} "
                f"that peak."
            )
        elif story.recovered >= 0.05:
            text.append(
                f"{back}: {percent(story.recovered)} of the loss was won back, and the earlier peak was not "
                f"reached again."
            )
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
    """Put the movement into a sentence or two for a reader in a hurry."""
    series, values, unit, fall = story.series, story.series.values, _unit(story.series), story.fall
    last = date_text(series.dates[-1], series.step)
    if story.kind == "flat":
        return f"{_title(story)}: {number(values[0])}{unit} at the start, {number(values[-1])}{unit} in {last}."
    with_it = [str(part["name"]) for part in parts if _share(part) >= 20][:3]
    driven = f", driven by {join_words(with_it)}" if with_it else ""
    if story.kind == "rise_and_fall":
        top = number(values[story.rise.end])
        return f"{_title(story)}: {top}{unit} at the peak, {number(values[-1])}{unit} in {last}{driven}."
    if story.leg == Move(start=0, end=len(values) - 1):
        fell = figures.get("while_total_fell")
        own = fell.get("own_change_pct") if isinstance(fell, dict) else None
        even = f" It grew even while {figures['total']} fell." if isinstance(own, float) and own > 0 else ""
        return f"{_title(story)}, from {number(values[0])} to {number(values[-1])}{unit}{driven}.{even}"
    text = f"{_fall_title(story)}, from {number(values[fall.start])} to {number(values[fall.end])}{unit}{driven}."
    if story.kind == "shock_and_recovery":
        gap = values[-1] - values[fall.start]
        text += f" It then recovered and stood in {last} at {number(values[-1])}{unit}, "
        return text + f"{number(abs(gap))}{unit} {'above' if gap >= 0 else 'below'} its earlier peak."
    if story.kind == "partial_recovery":
        back = f"{number(values[-1])}{unit}, with {percent(story.recovered)} of the loss regained"
        text += f" By {last} it was back at {back}."
    return text


def _fall_title(story: Story) -> str:
    series, fall = story.series, story.fall
    start, end = (date_text(series.dates[at], series.step) for at in (fall.start, fall.end))
    amount = _amount(series, series.values[fall.start], series.values[fall.end])
    return f"{series.label} fell {amount} from {start} to {end}"


def _caution(story: Story) -> str:
    count = len(story.series.values)
    return (
        f"With only {count} points ({story.series.made or story.series.step}), this is an indication at most."
        if count < 6
        else ""
    )


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
    spoken = re.sub(r"^(thousand|million|billion)s(?: of)?\b", r"\1", series.unit)
    return f" {spoken}" if spoken else ""


def _share(part: Figures) -> float:
    share = part["share_of_change_pct"]
    return float(share) if isinstance(share, (int, float)) else 0.0


def _plus(part: Figures) -> str:
    change = part["change"]
    return f"{'+' if change >= 0 else '−'}{number(abs(change))}" if isinstance(change, (int, float)) else ""
