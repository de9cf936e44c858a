"""How the names that a step uses become qualified ids: the innermost step of that name, seen from where it stands."""

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass

from goalgraph.planner.chains import Chain, Renaming
from goalgraph.planner.plan import MapStep, Step

__all__ = ["FIELDS", "Names", "free_id", "ids_of", "inner_steps", "reference", "slug", "template"]

FIELDS = ("output", "status", "confidence", "error")
"""What expressions can take from a step."""


@dataclass(frozen=True, slots=True)
class Names:
    """The steps of one plan, as expressions and dependencies see them; a sub-plan has names of its own."""

    root: str
    """What all ids of this plan begin with: empty, or the sub-plan step's id and a dot."""
    known: frozenset[str]
    """Qualified ids."""
    inputs: str | None = None
    """The step whose output is this plan's ``input``; None: the run's own."""
    around: "tuple[Names, str] | None" = None
    """For a map's step, whose own names stay as they are: the names around it, and the prefix of the map."""

    def resolve(self, name: str, prefix: str) -> str:
        """Return the qualified id that a name means.

        Args:
            name: As it is written.
            prefix: Qualified id of the step that the user of the name stands in, with a dot; empty at the top.
        """
        found = self.find(name, prefix)
        if self.around is not None:
            names, place = self.around
            return name if found is not None else names.resolve(name, place)
        return found if found is not None else self.root + name

    def find(self, name: str, prefix: str) -> str | None:
        """Return the qualified id of the step of that name that is nearest; None where there is none."""
        while True:
            if prefix + name in self.known:
                return prefix + name
            if len(prefix) <= len(self.root):
                return None
            outer = prefix[:-1].rpartition(".")[0]
            prefix = f"{outer}." if outer else ""

    def knows(self, step_id: str) -> bool:
        """Whether there is a step of that qualified id here or, for a map's step, around it."""
        return step_id in self.known or (self.around is not None and self.around[0].knows(step_id))

    def has(self, path: Sequence[str | int], prefix: str) -> bool:
        """Whether a way into a step begins with one of these names, not with one around them."""
        return any(self.find(written, prefix) is not None for _, written in _candidates(path))

    def renaming(self, prefix: str) -> dict[str, Renaming]:
        """Return how expressions that stand there are to be written anew."""
        found: dict[str, Renaming] = {"steps": lambda chain: self._renamed(chain, prefix)}
        if self.inputs is not None:
            source = f"{reference(self.inputs)}.output"
            found["input"] = lambda _chain: (1, source)
        return found

    def _renamed(self, chain: Chain, prefix: str) -> tuple[int, str] | None:
        """Take as many parts for the id as make one: ``steps.research.web.output`` may mean ``research.web``."""
        for count, written in _candidates(chain.parts[1:]):
            if self.find(written, prefix) is not None and self.around is not None:
                return None
            found = self.resolve(written, prefix)
            if count == 1 or self.knows(found):
                return None if count == 1 and found == written else (count + 1, reference(found))
        return None


def _candidates(path: Sequence[str | int]) -> Iterator[tuple[int, str]]:
    """Names that the first parts of a way into a step can be, the longest first, with how many parts they take."""
    names: list[str] = []
    for part in path[:8]:
        if not isinstance(part, str) or (names and part in FIELDS):
            break
        names.append(part)
    for count in range(len(names), 0, -1):
        yield count, ".".join(names[:count])


def reference(step_id: str) -> str:
    """Write a step as expressions name it."""
    return f"steps.{step_id}" if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", step_id) else f"steps['{step_id}']"


def inner_steps(step: Step) -> Iterator[Step]:
    """Steps that stand in a step and share its names: branches, not a map's step nor a sub-plan's."""
    if step.type == "condition":
        yield from _whole((*step.then, *step.otherwise))
    elif step.type == "parallel":
        for branch in step.branches:
            yield from _whole(branch if isinstance(branch, tuple) else (branch,))
    elif step.type == "agent":
        for place, name in enumerate(step.agents):
            yield step.model_copy(update={"id": slug(step.agents, place), "agent": name, **_ALONE})


_ALONE = {"agents": (), "quorum": None, "vote": None}


def ids_of(steps: Iterable[Step], prefix: str = "") -> Iterator[str]:
    """Qualified ids of steps and of those that stand in them, in order."""
    for step in steps:
        yield prefix + step.id
        yield from ids_of(inner_steps(step), f"{prefix}{step.id}.")


def template(step: MapStep, label: str | int) -> Step:
    """Return the step that a map repeats, with the id it has for one item; its own id is nobody's name for it."""
    return step.step.model_copy(update={"id": f"{step.id}[{label}]"})


def free_id(wanted: str, taken: Container[str]) -> str:
    """Return an id like the wanted one that no step has."""
    number = 1
    found = wanted
    while found in taken:
        number += 1
        found = f"{wanted}_{number}"
    return found


def slug(names: tuple[str, ...], place: int) -> str:
    """Make an id out of one of several names, different from the others'."""
    made: list[str] = []
    for name in names[: place + 1]:
        made.append(free_id(re.sub(r"[^A-Za-z0-9_\-]", "_", name).lstrip("-") or "_", made))
    return made[place]


def _whole(branches: Iterable[Step | str]) -> Iterator[Step]:
    for branch in branches:
        if not isinstance(branch, str):
            yield branch
