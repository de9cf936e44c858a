"""Findings that need no time: differences between groups, relations, outliers, distributions."""

from collections.abc import Iterator
from itertools import combinations
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING

from pydantic import JsonValue

from goalgraph.specialists.builtin.columns import Roles, spoken_unit
from goalgraph.specialists.builtin.findings import Finding, rounded
from goalgraph.specialists.builtin.moves import fit, robust_scores
from goalgraph.specialists.builtin.tables import Table
from goalgraph.specialists.builtin.wording import join_words, number, percent, words

if TYPE_CHECKING:
    import polars as pl

__all__ = ["distributions", "group_differences", "outliers", "relations"]

_OUTLIER = 3.5
_MAX_SHARE = 0.1


def group_differences(table: Table, roles: Roles) -> Iterator[Finding]:
    """Compare every measure between the values of every group column; scored by eta squared."""
    for by in roles.groups:
        for measure in roles.measures:
            groups: dict[str, list[float]] = {}
            for name, value in table.frame.select(by, measure).drop_nulls().iter_rows():
                groups.setdefault(str(name), []).append(float(value))
            if len(groups) < 2 or sum(map(len, groups.values())) < 2 * len(groups):
                continue
            values = [value for group in groups.values() for value in group]
            middle = fmean(values)
            total = sum((value - middle) ** 2 for value in values)
            if not total:
                continue
            means = {name: fmean(group) for name, group in groups.items()}
            eta = sum(len(groups[name]) * (mean - middle) ** 2 for name, mean in means.items()) / total
            order = sorted(means, key=lambda name: means[name], reverse=True)
            high, low = order[0], order[-1]
            listed: list[JsonValue] = [
                {
                    "group": name,
                    "mean": rounded(means[name]),
                    "median": rounded(median(groups[name])),
                    "rows": len(groups[name]),
                }
                for name in order
            ]
            yield Finding(
                title=f"{words(measure)} differs by {words(by).lower()}: highest for {high}, lowest for {low}",
                detail=(
                    f"On average {number(means[high])} for {high} ({len(groups[high])} rows) against "
                    f"{number(means[low])} for {low} "
                    f"({len(groups[low])} rows); all rows: {number(middle)}. "
                    f"{words(by)} explains {percent(eta)} of the variance of {words(measure).lower()}."
                ),
                kind="group_difference",
                file=table.name,
                columns=(measure, by),
                figures={
                    "groups": listed,
                    "overall_mean": rounded(middle),
                    "eta_squared": rounded(eta),
                    "unit": spoken_unit(measure),
                },
                score=eta,
            )


def relations(table: Table, roles: Roles) -> Iterator[Finding]:
    """Name pairs of measures that go together; scored by r squared, left out below |r| = 0.5."""
    for one, other in combinations(roles.measures[:40], 2):
        rows = [(float(x), float(y)) for x, y in table.frame.select(one, other).drop_nulls().iter_rows()]
        if len(rows) < 10:
            continue
        xs, ys = [x for x, _ in rows], [y for _, y in rows]
        line = fit(xs, ys)
        r = line.r2**0.5 * (1 if line.slope >= 0 else -1)
        if abs(r) < 0.5:
            continue
        word = "more" if r > 0 else "less"
        yield Finding(
            title=f"{words(one)} and {words(other).lower()} go together ({'positive' if r > 0 else 'negative'})",
            detail=(
                f"The more {words(one).lower()}, the {word} {words(other).lower()}: correlation {r:+.2f} over "
                f"{len(rows)} rows. "
                "A correlation shows no cause."
            ),
            kind="relation",
            file=table.name,
            columns=(one, other),
            figures={
                "r": rounded(r),
                "slope": rounded(line.slope),
                "intercept": rounded(line.start),
                "rows": len(rows),
            },
            score=line.r2,
        )


def outliers(table: Table, roles: Roles) -> Iterator[Finding]:
    """Name values far from the rest: more than 3.5 robust standard deviations from the median.

    In a table in order of time, the changes from row to row are looked at instead of the levels. A column where more
    than a tenth of the values is "far" is skewed rather than full of outliers, and is passed over.
    """
    frame, when = table.frame, None
    if roles.moments is not None and roles.moments.n_unique() == frame.height:
        frame = frame.with_columns(roles.moments.alias("__when")).sort("__when")
        when = frame["__when"]
    for measure in roles.measures:
        column = frame[measure].cast(float)
        if when is not None:
            column = column.diff()
        rows = [(at, float(value)) for at, value in enumerate(column) if value is not None]
        if len(rows) < 8:
            continue
        scores = robust_scores([value for _, value in rows])
        far = [(score, at, value) for score, (at, value) in zip(scores, rows, strict=True) if abs(score) > _OUTLIER]
        if not far or len(far) > _MAX_SHARE * len(rows):
            continue
        far.sort(key=lambda item: abs(item[0]), reverse=True)
        typical = median(value for _, value in rows)
        named: list[JsonValue] = [
            {"where": _where(frame, roles, when, at), "value": rounded(value), "robust_z": rounded(score)}
            for score, at, value in far[:10]
        ]
        shown = [f"{number(value)} ({_where(frame, roles, when, at)})" for _, at, value in far[:3]]
        what = "changes from one row to the next" if when is not None else "values"
        yield Finding(
            title=f"{words(measure)} has {len(far)} unusual {'changes' if when is not None else 'values'}",
            detail=(
                f"{len(far)} of {len(rows)} {what} lie more than {_OUTLIER} robust standard deviations from the usual "
                f"{number(typical)}; the farthest: {join_words(shown)}."
            ),
            kind="outliers",
            file=table.name,
            columns=(measure,),
            figures={"count": len(far), "median": rounded(typical), "of": what, "values": named, "threshold": _OUTLIER},
            score=min(1.0, abs(far[0][0]) / 50),
        )


def distributions(table: Table, roles: Roles) -> Iterator[Finding]:
    """Describe how each measure's values are spread; scored by skewness, the more uneven first."""
    for measure in roles.measures:
        values = [float(value) for value in table.frame[measure].drop_nulls()]
        if len(values) < 4:
            continue
        low, middle, high = quantiles(values, n=4, method="inclusive")
        skew = ((high - middle) - (middle - low)) / (high - low) if high > low else 0.0
        shape = "is fairly even" if abs(skew) < 0.15 else f"has a long tail of {'high' if skew > 0 else 'low'} values"
        yield Finding(
            title=f"{words(measure)} lies mostly between {number(low)} and {number(high)}",
            detail=(
                f"Half of the {len(values)} values lie between {number(low)} and {number(high)}, the median is "
                f"{number(middle)}, "
                f"the mean {number(fmean(values))}, the range {number(min(values))} to {number(max(values))}. "
                f"The distribution {shape} (quartile skewness {skew:+.2f})."
            ),
            kind="distribution",
            file=table.name,
            columns=(measure,),
            figures={
                "q1": rounded(low),
                "median": rounded(middle),
                "q3": rounded(high),
                "mean": rounded(fmean(values)),
                "min": rounded(min(values)),
                "max": rounded(max(values)),
                "quartile_skewness": rounded(skew),
                "rows": len(values),
                "unit": spoken_unit(measure),
            },
            score=abs(skew),
        )


def _where(frame: "pl.DataFrame", roles: Roles, when: "pl.Series | None", at: int) -> str:
    if when is not None:
        return str(when[at])[:10]
    names = [name for name in frame.columns if name not in roles.measures and str(frame.schema[name]) == "String"]
    label = frame[names[0]][at] if names else None
    return str(label) if label is not None else f"row {at + 1}"
