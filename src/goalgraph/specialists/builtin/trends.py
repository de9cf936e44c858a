"""Rank the movements of a table's series and pick the few that tell most, each a different story."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from goalgraph.specialists.builtin.additive import Sums, find_changes, find_sums
from goalgraph.specialists.builtin.series import Series, is_intensive
from goalgraph.specialists.builtin.stories import Story, tell

__all__ = ["METHOD", "Family", "Ranked", "family_of", "rank"]

METHOD = (
    "Each series' main movement (a fall, with or without recovery, a rise, or a drift) is scored by its relative "
    "size, times "
    "the square root of the series' size against the largest comparable one, times its clarity (R2 of a line "
    "through the movement). "
    "Totals and their parts are recognised by their sums: a movement is told once, at the widest level where it "
    "is nearly as "
    "strong, with the parts that drive it; further findings of the same kind, of related or of parallel series "
    "count less."
)

_WIDER = 0.7
_RELATED_SAME, _RELATED_OTHER, _SAME_KIND, _PARALLEL = 0.1, 0.7, 0.5, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How the series of a table belong together."""

    series: dict[str, Series]
    sums: Sums
    changes: dict[str, str]
    above: dict[str, frozenset[str]]
    """For each series, the totals that contain it."""

    def related(self, one: str, other: str) -> bool:
        """Tell whether one of the two is a part of the other."""
        return other in self.above.get(one, frozenset()) or one in self.above.get(other, frozenset())

    @property
    def root(self) -> str | None:
        """The total of the most, where there is one."""
        tops = [key for key in self.sums if not self.above.get(key)]
        return max(tops, key=lambda key: fmean(self.series[key].values), default=None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A story with its place."""

    story: Story
    score: float
    """As in the method, before what was already told was counted off."""


def family_of(series: Sequence[Series]) -> Family:
    """Find totals, parts and change columns among series of the same dates."""
    by_dates: dict[object, dict[str, Series]] = {}
    for item in series:
        by_dates.setdefault((item.dates, item.made), {})[item.key] = item
    sums: Sums = {}
    changes: dict[str, str] = {}
    for group in by_dates.values():
        changes |= find_changes({key: item.values for key, item in group.items()})
        sums |= find_sums({key: item.values for key, item in group.items() if item.ratio and key not in changes})
    parts = {total: {part for split in splits for part in split} for total, splits in sums.items()}
    above = {item.key: frozenset(_above(item.key, parts)) for item in series}
    return Family(series={item.key: item for item in series}, sums=sums, changes=changes, above=above)


def rank(family: Family, wanted: int, focus: frozenset[str] = frozenset()) -> list[Ranked]:
    """Pick the movements to tell, the most telling first.

    Args:
        family: The series.
        wanted: How many at most; fewer come back where fewer are there.
        focus: Keys of series that were asked for by name; they come first.
    """
    stories = {key: tell(series) for key, series in family.series.items() if key not in family.changes or key in focus}
    scores = {key: story.effect * math.sqrt(_weight(family, key)) * story.clarity for key, story in stories.items()}
    scores = {key: score * (0.05 if stories[key].kind == "flat" else 1.0) for key, score in scores.items()}
    chosen: list[str] = []
    left = dict(scores)
    while left and len(chosen) < wanted:
        worth = {key: (key in focus, score * _novelty(family, stories, key, chosen)) for key, score in left.items()}
        best = max(worth, key=lambda key: worth[key])
        if best not in focus:
            best = _widest(family, stories, scores, best, chosen)
        chosen.append(best)
        left.pop(best)
    return [Ranked(story=stories[key], score=scores[key]) for key in chosen]


def _above(key: str, parts: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [key]
    while todo:
        low = todo.pop()
        new = {total for total, inside in parts.items() if low in inside} - found
        found |= new
        todo += new
    return found


def _weight(family: Family, key: str) -> float:
    """Size of a series against the largest that it can be compared with; 1 where there is none."""
    series = family.series[key]
    if key in family.sums or family.above.get(key):
        peers = [other for other in family.series if other in family.sums or family.above.get(other)]
    elif series.group is not None and series.ratio and not is_intensive(series.column):
        peers = [other for other, item in family.series.items() if item.column == series.column]
    else:
        return 1.0 if not family.sums else 0.5
    largest = max(abs(fmean(family.series[other].values)) for other in peers)
    return abs(fmean(series.values)) / largest if largest else 1.0


def _novelty(family: Family, stories: dict[str, Story], key: str, chosen: list[str]) -> float:
    worth = 1.0
    for other in chosen:
        same = _plot(stories[key]) == _plot(stories[other])
        if family.related(key, other):
            worth *= _RELATED_SAME if same else _RELATED_OTHER
        elif _parallel(family.series[key], family.series[other]):
            worth *= _PARALLEL
        elif same:
            worth *= _SAME_KIND
    return worth


def _plot(story: Story) -> str:
    return "fall" if story.kind in ("decline", "partial_recovery") else story.kind


def _widest(family: Family, stories: dict[str, Story], scores: dict[str, float], key: str, chosen: list[str]) -> str:
    """Go up to the largest total that tells the same story nearly as strongly."""
    fit = [
        total
        for total in family.above.get(key, frozenset())
        if total not in chosen
        and total in scores
        and stories[total].kind == stories[key].kind
        and scores[total] >= _WIDER * scores[key]
    ]
    return max(fit, key=lambda total: fmean(family.series[total].values), default=key)


def _parallel(one: Series, other: Series) -> bool:
    """Tell whether two series move together from point to point, so that they say the same thing."""
    if one.dates != other.dates or len(one.dates) < 4:
        return False
    first = [later - earlier for earlier, later in pairwise(one.values)]
    second = [later - earlier for earlier, later in pairwise(other.values)]
    mean_a, mean_b = fmean(first), fmean(second)
    cov = sum((a - mean_a) * (b - mean_b) for a, b in zip(first, second, strict=True))
    var = sum((a - mean_a) ** 2 for a in first) * sum((b - mean_b) ** 2 for b in second)
    return var > 0 and cov / math.sqrt(var) > 0.98
