"""Numbers of which only bounds are known."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Range", "envelope", "worded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A number that lies between two others."""

    low: float
    high: float | None
    """None: there is no telling how much it may be."""

    def __add__(self, other: "Range") -> "Range":
        high = self.high + other.high if self.high is not None and other.high is not None else None
        return Range(low=self.low + other.low, high=high)

    def times(self, count: "Range") -> "Range":
        """Return the same so many times."""
        high = self.high * count.high if self.high is not None and count.high is not None else None
        return Range(low=self.low * count.low, high=0.0 if self.high == 0 else high)

    def capped(self, most: float | None) -> "Range":
        """Return the same, known to be at most so much."""
        if most is None:
            return self
        high = most if self.high is None else min(self.high, most)
        return Range(low=min(self.low, high), high=high)

    @property
    def middle(self) -> float:
        """The number halfway; infinite where there is no upper bound."""
        return (self.low + self.high) / 2 if self.high is not None else math.inf


def envelope(ranges: Iterable[Range | None]) -> Range | None:
    """Return the narrowest range around others; None where one of them is not known, or there is none."""
    found = list(ranges)
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return None
    highs = [one.high for one in known if one.high is not None]
    high = max(highs) if len(highs) == len(known) else None
    return Range(low=min(one.low for one in known), high=high)


def worded(found: Range, unit: str) -> str:
    """Write a range for people: ``1,200 to 3,400 tokens``, ``at least 0.20 USD``.

    Args:
        found: What is written.
        unit: Sums in ``"USD"`` have two decimals, or those that show something; other numbers one where they are small.
    """
    low = _written(found.low, unit)
    if found.high is None:
        return f"at least {low} {unit}"
    high = _written(found.high, unit)
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"


def _written(number: float, unit: str) -> str:
    if unit == "USD":
        places = 1 - math.floor(math.log10(number)) if 0 < number < 0.01 else 2
        return f"{number:,.{places}f}"
    return f"{number:,.1f}" if 0 < number < 10 and number % 1 else f"{number:,.0f}"
