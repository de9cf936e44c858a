"""Find which series add up to which, and which are another one's changes."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

__all__ = ["Sums", "find_changes", "find_sums"]

_TOLERANCE = 2e-4
_MAX_CANDIDATES = 24
_MAX_CHECKS = 20_000
_MIN_POINTS = 8

Sums = dict[str, tuple[tuple[str, ...], ...]]
"""For each total, the sets of parts that sum to it; those with the fewest parts first."""


def find_sums(columns: Mapping[str, Sequence[float]]) -> Sums:
    """Find totals and all sets of parts that sum to them at every point, within 0.02 %.

    All subsets are searched by meeting in the middle at one point (Horowitz and Sahni, 1974) and checked at the others.
    Totals with more than 24 smaller columns are passed over, as are tables of fewer than 8 points, where sums
    could fit by chance.

    Args:
        columns: Values by name, all of the same length and never negative.
    """
    length = min((len(values) for values in columns.values()), default=0)
    if length < _MIN_POINTS:
        return {}
    found: Sums = {}
    for total, target in columns.items():
        floor = 2 * _TOLERANCE * max(target)
        parts = {
            name: values
            for name, values in columns.items()
            if name != total
            and max(values) > floor
            and all(v <= t * (1 + _TOLERANCE) for v, t in zip(values, target, strict=True))
        }
        if 2 <= len(parts) <= _MAX_CANDIDATES:
            fits = [
                chosen for chosen in _near(parts, target[length // 2], length // 2) if _adds_up(parts, chosen, target)
            ]
            if fits:
                found[total] = tuple(
                    sorted(fits, key=lambda names: (len(names), max(max(parts[name]) for name in names)))
                )
    return found


def find_changes(columns: Mapping[str, Sequence[float]]) -> dict[str, str]:
    """Find columns that only repeat another one's change from point to point.

    Returns:
        The column whose level it is, by the column of changes.
    """
    found: dict[str, str] = {}
    for change, values in columns.items():
        for level, levels in columns.items():
            if change == level or len(values) != len(levels) or len(values) < _MIN_POINTS:
                continue
            steps = [later - earlier for earlier, later in pairwise(levels)]
            scale = max(map(abs, steps))
            same = sum(abs(step - value) <= 1e-3 * scale for step, value in zip(steps, values[1:], strict=True))
            if scale and same >= 0.95 * len(steps):
                found[change] = level
                break
    return found


def _near(parts: Mapping[str, Sequence[float]], target: float, at: int) -> Iterator[tuple[str, ...]]:
    """Yield the subsets of two or more parts that sum to the target at one point."""
    names = list(parts)
    left = _subsets(names[: len(names) // 2], parts, at)
    right = sorted(_subsets(names[len(names) // 2 :], parts, at))
    sums = [total for total, _ in right]
    slack = _TOLERANCE * abs(target)
    checks = 0
    for total, chosen in left:
        for place in range(bisect_left(sums, target - total - slack), len(right)):
            if sums[place] > target - total + slack or checks >= _MAX_CHECKS:
                break
            checks += 1
            both = chosen + right[place][1]
            if len(both) > 1:
                yield both


def _subsets(
    names: Sequence[str], parts: Mapping[str, Sequence[float]], at: int
) -> list[tuple[float, tuple[str, ...]]]:
    found: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
    for name in names:
        found += [(total + parts[name][at], (*chosen, name)) for total, chosen in found]
    return found


def _adds_up(parts: Mapping[str, Sequence[float]], chosen: Sequence[str], target: Sequence[float]) -> bool:
    rows = zip(target, *(parts[name] for name in chosen), strict=True)
    return all(abs(total - sum(values)) <= _TOLERANCE * abs(total) for total, *values in rows)
