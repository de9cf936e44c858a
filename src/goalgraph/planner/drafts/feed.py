"""Steps out of a draft that is still being written."""

from collections.abc import Iterator, Mapping
from typing import cast

from goalgraph.planner.drafts.arranging import guarded
from goalgraph.planner.drafts.form import FIELDS
from goalgraph.planner.drafts.reading import read_item
from goalgraph.planner.plan import Step

__all__ = ["StepFeed"]


class StepFeed:
    """Takes an object as far as it has arrived, again and again, and gives each step once, as soon as it is whole.

    No step is given before all conditions are there, and one that a condition names depends on it: what has no
    dependencies needs nothing that is still to come. A step that cannot be read is not given.

    Examples:
        >>> feed = StepFeed(simple=True)
        >>> step = {"id": "a", "agent": "reader", "task": "Read.", "depends_on": []}
        >>> [given.id for given in feed.take({"name": "n", "steps": [step]})]
        ['a']
        >>> [given.id for given in feed.rest({"name": "n", "steps": [step, step | {"id": "b"}]})]
        ['b']
    """

    def __init__(self, *, simple: bool = False) -> None:
        """Begin with nothing.

        Args:
            simple: Whether the form has no conditions.
        """
        self._needs_conditions = not simple
        self._read: dict[str, int] = {}
        self._given: set[str] = set()
        self._steps: list[Step] = []

    def take(self, part: Mapping[str, object]) -> tuple[Step, ...]:
        """Return the steps that are whole now and were not before.

        Args:
            part: The object as far as it is certain, see `PartialObject`: more may follow, at the end of its last list
                too.
        """
        if self._needs_conditions and ("conditions" not in part or [*part][-1] == "conditions"):
            return ()
        return tuple(self._new(part))

    def rest(self, whole: object) -> tuple[Step, ...]:
        """Return the steps of the finished object that were not given yet."""
        return tuple(self._new(cast("Mapping[str, object]", whole))) if isinstance(whole, Mapping) else ()

    def _new(self, part: Mapping[str, object]) -> Iterator[Step]:
        for name in FIELDS:
            value = part.get(name)
            if not isinstance(value, list):
                continue
            items = cast("list[object]", value)
            for position in range(self._read.get(name, 0), len(items)):
                self._read[name] = position + 1
                step, problems = read_item(name, items[position], position)
                if step is None or problems or step.id in self._given:
                    continue
                self._given.add(step.id)
                self._steps.append(step)
                yield from guarded((step,), self._steps)
