"""Where a moment of a run stands in a picture as wide as the page; long idle stretches are shown shortened; pure."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Gap", "Scale", "Tick", "scale_of"]

_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
"""Seconds between ticks that people can read; below them decimals, above them days."""
_TICKS = 6
_CLOSEST = 8.0
"""Percent between two ticks, so that their labels do not meet."""
_LONG = 0.5
"""An idle stretch is shortened where it is longer than this share of all work together."""
_SHORTENED = 0.08
"""Its width then, as a share of all work together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A stretch in which nothing was at work, shown shortened."""

    x: float
    """Percent from the left."""
    width: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """A mark of the axis."""

    x: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Seconds to percent of the width; between the given points in proportion."""

    seconds: tuple[float, ...]
    """Ascending, from 0."""
    places: tuple[float, ...]
    """Percent for each of them, from 0 to 100."""
    gaps: tuple[Gap, ...] = ()
    ticks: tuple[Tick, ...] = ()

    def x(self, second: float) -> float:
        """Percent from the left; what lies beyond the ends stands at them."""
        at = min(max(bisect_right(self.seconds, second) - 1, 0), len(self.seconds) - 2)
        begin, end = self.seconds[at], self.seconds[at + 1]
        share = min(max((second - begin) / (end - begin), 0.0), 1.0) if end > begin else 0.0
        return round(self.places[at] + share * (self.places[at + 1] - self.places[at]), 3)


def scale_of(work: Iterable[tuple[float, float]], seconds: float) -> Scale:
    """Make the scale of a run.

    Args:
        work: When something was at work, from and to, in seconds from the beginning, in any order.
        seconds: Length of the run.
    """
    total = max(seconds, 1e-6)
    busy = _merged(work)
    length = sum(end - begin for begin, end in busy)
    edges = [0.0, *(edge for stretch in busy for edge in stretch), total]
    idle = list(zip(edges[::2], edges[1::2], strict=True))
    long = [(begin, end) for begin, end in idle if length and end - begin > _LONG * length]
    points = sorted({0.0, total, *(edge for stretch in long for edge in stretch)})
    widths = [_SHORTENED * length if pair in long else pair[1] - pair[0] for pair in pairwise(points)]
    whole = sum(widths)
    places = [0.0]
    for width in widths:
        places.append(places[-1] + 100 * width / whole)
    plain = Scale(seconds=tuple(points), places=tuple(places))
    gaps = tuple(
        Gap(x=plain.x(begin), width=round(plain.x(end) - plain.x(begin), 3), seconds=end - begin) for begin, end in long
    )
    shown = [pair for pair in pairwise(points) if pair not in long]
    return Scale(seconds=plain.seconds, places=plain.places, gaps=gaps, ticks=_ticks(plain, shown, whole))


def _merged(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Put stretches that overlap together."""
    found: list[tuple[float, float]] = []
    for begin, end in sorted(stretches):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((begin, end))
    return found


def _ticks(scale: Scale, shown: Iterable[tuple[float, float]], width: float) -> tuple[Tick, ...]:
    step = _step(width / _TICKS)
    found: list[Tick] = []
    for begin, end in shown:
        for number in range(int(begin // step), int(end // step) + 1):
            second = number * step
            x = scale.x(second)
            if begin <= second <= end and x <= 100 - _CLOSEST / 2 and (not found or x - found[-1].x >= _CLOSEST):
                found.append(Tick(x=x, seconds=second))
    return tuple(found)


def _step(least: float) -> float:
    """The next larger distance that people can read."""
    if 0.5 < least <= _STEPS[-1]:
        return float(next(seconds for seconds in _STEPS if least <= seconds))
    unit = float(_STEPS[-1]) if least > 1 else 1e-6
    while True:
        for factor in (1, 2, 5):
            if least <= factor * unit:
                return factor * unit
        unit *= 10
