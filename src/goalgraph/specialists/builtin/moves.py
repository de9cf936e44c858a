"""Numbers of a single series: fitted line, largest fall and rise, turning points. Plain Python, no library."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

__all__ = [
    "Line",
    "Move",
    "extremes",
    "fit",
    "largest_fall",
    "largest_rise",
    "robust_scores",
    "smoothed",
    "turning_points",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A least-squares line."""

    slope: float
    """Per unit of x."""
    start: float
    """Value at x = 0."""
    r2: float
    """Part of the variance that the line explains, 0 to 1; 0 for a constant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A way from one point to a later one, by index."""

    start: int
    end: int


def fit(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """Fit a line through points; at least two different x are needed, else the slope is 0."""
    mean_x, mean_y = fmean(xs), fmean(ys)
    sxx = sum((x - mean_x) ** 2 for x in xs)
    syy = sum((y - mean_y) ** 2 for y in ys)
    sxy = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    if not sxx:
        return Line(slope=0.0, start=mean_y, r2=0.0)
    slope = sxy / sxx
    return Line(slope=slope, start=mean_y - slope * mean_x, r2=min(1.0, sxy * sxy / (sxx * syy)) if syy else 0.0)


def smoothed(ys: Sequence[float]) -> list[float]:
    """Return running medians of three, so that a single wild point makes no peak; the ends stay."""
    if len(ys) < 8:
        return list(ys)
    return [ys[0], *(median(ys[at - 1 : at + 2]) for at in range(1, len(ys) - 1)), ys[-1]]


def largest_fall(ys: Sequence[float]) -> Move:
    """Find the pair of points, the later one lower, that are farthest apart; start equals end where nothing falls."""
    top, best = 0, Move(start=0, end=0)
    for at, value in enumerate(ys):
        if value > ys[top]:
            top = at
        if ys[top] - value > ys[best.start] - ys[best.end]:
            best = Move(start=top, end=at)
    return best


def largest_rise(ys: Sequence[float]) -> Move:
    """Find the pair of points, the later one higher, that are farthest apart."""
    return largest_fall([-value for value in ys])


def extremes(ys: Sequence[float]) -> tuple[int, int]:
    """Return the indexes of the highest and of the lowest value, the first of each."""
    return max(range(len(ys)), key=lambda at: ys[at]), min(range(len(ys)), key=lambda at: ys[at])


def turning_points(ys: Sequence[float], part: float = 0.2) -> list[int]:
    """Find where the direction changes, leaving out swings smaller than a part of the whole range.

    Returns:
        Indexes of the highs and lows between the ends, in order.
    """
    least = part * (max(ys) - min(ys))
    if least <= 0:
        return []
    turns: list[int] = []
    high = low = 0
    rising: bool | None = None
    for at, value in enumerate(ys):
        high = at if value > ys[high] else high
        low = at if value < ys[low] else low
        if rising is not False and ys[high] - value >= least:
            turns += [high] if high > 0 else []
            rising, low = False, at
            high = at
        elif rising is not True and value - ys[low] >= least:
            turns += [low] if low > 0 else []
            rising, high = True, at
            low = at
    return turns


def robust_scores(values: Sequence[float]) -> list[float]:
    """Say how many robust standard deviations each value lies from the median.

    The deviation is 1.4826 times the median absolute deviation (Iglewicz and Hoaglin, 1993: more than 3.5 is an
    outlier); where more than half of the values agree, the interquartile range over 1.349, else the scores are 0.
    """
    middle = median(values)
    deviation = 1.4826 * median(abs(value - middle) for value in values)
    if not deviation:
        ordered = sorted(values)
        deviation = (ordered[(3 * len(ordered)) // 4] - ordered[len(ordered) // 4]) / 1.349
    return [(value - middle) / deviation if deviation else 0.0 for value in values]
