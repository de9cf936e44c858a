"""What happened to one series: which kind of movement it is, how large, and how clear."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from goalgraph.specialists.builtin.moves import Line, Move, fit, largest_fall, largest_rise, smoothed
from goalgraph.specialists.builtin.series import Series

__all__ = ["Kind", "Story", "tell"]

Kind = Literal["growth", "decline", "shock_and_recovery", "partial_recovery", "rise_and_fall", "flat"]
"""``shock_and_recovery``: a fall that was made up for. ``partial_recovery``: one that was not, though it turned."""

_FLAT = 0.02
_UNCLEAR = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The main movement of a series."""

    series: Series
    kind: Kind
    effect: float
    """Size of the movement: a log ratio where percentages make sense, else a share of the usual spread of values."""
    clarity: float
    """R2 of a line through the movement, 0 to 1."""
    line: Line
    """Fitted over the whole series, x in years."""
    fall: Move
    rise: Move
    recovered: float
    """Part of the largest fall that is made up for at the end; can pass 1."""
    regained: int | None
    """First point after the fall that reaches the level before it."""

    @property
    def leg(self) -> Move:
        """The part of the series that the story is about."""
        if self.kind in ("shock_and_recovery", "partial_recovery", "decline"):
            return self.fall if self.fall.end > self.fall.start else Move(start=0, end=len(self.series.values) - 1)
        return self.rise if self.kind == "rise_and_fall" else Move(start=0, end=len(self.series.values) - 1)


def tell(series: Series) -> Story:
    """Find the main movement of a series.

    The largest fall and the largest rise are compared, with single wild points smoothed away; a series that is noisy
    but drifts is told by its whole course instead, where that is clearer.
    """
    ys = _scaled(series)
    years = [(when - series.dates[0]).days / 365.25 for when in series.dates]
    soft = smoothed(ys)
    fall, rise = _snapped(largest_fall(soft), ys, falling=True), _snapped(largest_rise(soft), ys, falling=False)
    down, up = ys[fall.start] - ys[fall.end], ys[rise.end] - ys[rise.start]
    net = ys[-1] - ys[0]
    values = series.values
    lost = values[fall.start] - values[fall.end]
    recovered = (values[-1] - values[fall.end]) / lost if lost > 0 else 0.0
    after = range(fall.end + 1, len(values))
    regained = next((at for at in after if lost > 0 and values[at] >= values[fall.start]), None)
    whole = fit(years, ys)
    kind: Kind
    if max(down, up) < _FLAT:
        kind, effect, clarity = "flat", max(down, up), whole.r2
    elif down >= 0.3 * up and recovered >= 0.9:
        kind, effect, clarity = "shock_and_recovery", down, _clarity(years, ys, fall)
    elif down >= up and (net < -0.1 * down or rise.end > fall.start):
        kind = "decline" if recovered < 0.25 else "partial_recovery"
        effect, clarity = down, _clarity(years, ys, fall)
    elif up and (ys[rise.end] - ys[-1]) / up >= 0.5:
        kind, effect, clarity = "rise_and_fall", up, _clarity(years, ys, rise)
    elif net >= 0:
        kind, effect, clarity = "growth", net, whole.r2
    else:
        kind, effect, clarity = "decline", -net, whole.r2
    if kind != "flat" and abs(net) * whole.r2 > effect * clarity:
        kind, effect, clarity = ("growth" if net > 0 else "decline"), abs(net), whole.r2
    if kind != "flat" and clarity < _UNCLEAR:
        kind = "flat"
    return Story(
        series=series,
        kind=kind,
        effect=effect,
        clarity=clarity,
        line=fit(years, values),
        fall=fall,
        rise=rise,
        recovered=recovered,
        regained=regained,
    )


def _scaled(series: Series) -> list[float]:
    """Put values on the scale on which movements are compared."""
    if series.ratio and min(series.values) > 0:
        return [math.log(value) for value in series.values]
    scale = series.spread or (max(series.values) - min(series.values)) or 1.0
    return [value / scale for value in series.values]


def _snapped(move: Move, ys: Sequence[float], *, falling: bool) -> Move:
    """Move the ends of a movement found in smoothed values to the true extremes beside them."""
    if move.start == move.end:
        return move
    sign = 1 if falling else -1

    def best(at: int, direction: int) -> int:
        near = range(max(0, at - 1), min(len(ys), at + 2))
        return max(near, key=lambda place: direction * ys[place])

    start, end = best(move.start, sign), best(move.end, -sign)
    return Move(start=start, end=end) if start < end else move


def _clarity(years: Sequence[float], ys: Sequence[float], leg: Move) -> float:
    """R2 over the movement; lower for movements of few points, which any line fits."""
    count = leg.end - leg.start + 1
    if count < 2:
        return 0.0
    r2 = fit(years[leg.start : leg.end + 1], ys[leg.start : leg.end + 1]).r2
    return r2 * min(1.0, (count - 1) / 4)
