"""Changes to a plan as data: steps added, replaced, dropped, or given other dependencies."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from goalgraph.errors import InvalidPlan, PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.checks.suggestions import Suggestions, listed
from goalgraph.planner.naming import inner_steps
from goalgraph.planner.placement import placed, still_needed
from goalgraph.planner.plan import ConditionStep, ParallelStep, Plan, Step, StepId, SubPlanStep

__all__ = ["PlanPatch", "apply_patch", "digest_of"]

_Way = tuple[str, ...]
"""Own ids of the steps that lead to one: those it stands in, the outermost first, then its own."""
_MOST_NAMES = 20_000


class PlanPatch(BaseModel):
    """What is to be different in a plan; see `apply_patch`.

    An id names a step of the plan, or by its qualified id (``"research.web"``) one that stands in a group, a condition
    or a plan inside of it. What a map repeats, and the several specialists of one step, are changed with that step.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        ser_json_inf_nan="null",
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    add: tuple[Step, ...] = ()
    """New steps of the plan itself."""
    replace: tuple[Step, ...] = ()
    """Whole steps, each in place of the one that has its id, and where that stands."""
    drop: tuple[StepId, ...] = ()
    """Ids of steps that are taken out."""
    rewire: dict[StepId, tuple[StepId, ...]] = Field(default_factory=dict)
    """New ``depends_on`` of steps, by id; what their expressions name they wait for all the same."""
    rationale: Annotated[str, StringConstraints(max_length=2_000)] = ""
    """Why, in a sentence or two; it changes nothing."""

    def __bool__(self) -> bool:
        """Whether it names any step."""
        return bool(self.add or self.replace or self.drop or self.rewire)


def apply_patch(plan: Plan, patch: PlanPatch) -> Plan:
    """Return the plan with the changes made, everything else in its order.

    A new step stands right before the first step that waits for it, where none does at the end; after other new steps
    that it waits for itself.

    Args:
        plan: As it is written; whether it is valid afterwards is for `validate_plan` to say.
        patch: The changes.

    Raises:
        InvalidPlan: The changes do not go with this plan or with each other, all problems at once: ``unknown_step``,
            ``ambiguous_step``, ``duplicate_id``, ``conflicting_changes``, ``empty_group``, ``still_needed``.
    """
    work = _Work(_by_id(plan.steps))
    ways = work.ways(plan, patch)
    steps = work.changed(plan.steps, work.tree(patch, ways))
    found = plan.model_copy(update={"steps": (*steps, *patch.add)})
    if patch.drop:
        dropped = frozenset(one for one in patch.drop if one in ways)
        work.problems += still_needed(found, dropped)
    if work.problems:
        raise InvalidPlan(work.problems, source="the patch")
    return placed(found, len(steps))


def digest_of(plan: Plan) -> str:
    """Return what two plans have in common only if they are the same, however they were made: 64 hexadecimal digits.

    The order of steps counts, that of keys does not; fields at their defaults are as good as written.
    """
    canonical = json.dumps(plan.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Change:
    """What happens to a step."""

    kind: str
    """Field of the patch."""
    step: Step | None = None
    needs: tuple[str, ...] = ()


@dataclass(slots=True)
class _Node:
    """What happens to a step, and to those inside of it by their own ids."""

    change: _Change | None = None
    inner: dict[str, "_Node"] = field(default_factory=dict[str, "_Node"])


@dataclass(slots=True)
class _Work:
    by_id: Mapping[str, list[Step]]
    """The plan's own steps."""
    problems: list[PlanProblem] = field(default_factory=list[PlanProblem])
    refused: set[str] = field(default_factory=set[str])
    """Ids that nothing is done with, because it is not clear what."""

    def ways(self, plan: Plan, patch: PlanPatch) -> dict[str, _Way]:
        """Find the steps that a patch names, and what does not go together."""
        fields: dict[str, list[str]] = {}
        for name, step_id in _named(patch):
            fields.setdefault(step_id, []).append(name)
        for step_id, names in fields.items():
            if len(names) > 1:
                self._conflict(step_id, names)
        ways: dict[str, _Way] = {}
        unknown: list[tuple[str, str]] = []
        for step_id, names in fields.items():
            places = list(islice(_places(self.by_id, step_id), 2))
            if names[0] == "add":
                if places and step_id not in self.refused:
                    self._refuse("duplicate_id", step_id, "add", "the plan has a step of this id", "choose another id")
            elif not places:
                unknown.append((step_id, names[0]))
            elif len(places) > 1:
                message = "several steps of the plan have this id"
                self._refuse("ambiguous_step", step_id, names[0], message, "replace the steps they stand in")
            else:
                ways[step_id] = places[0]
        if unknown:
            self._unknown(plan, unknown)
        return ways

    def tree(self, patch: PlanPatch, ways: Mapping[str, _Way]) -> dict[str, _Node]:
        """Sort changes by where their steps stand."""
        root: dict[str, _Node] = {}
        for step_id, change in sorted(_changes(patch), key=lambda one: len(ways.get(one[0], ()))):
            if step_id not in ways or step_id in self.refused:
                continue
            above: _Change | None = None
            nodes, node = root, _Node()
            for own in ways[step_id]:
                node = nodes.setdefault(own, _Node())
                nodes = node.inner
                above = above or (node.change if node.change is not None and node.change.kind != "rewire" else None)
            if above is None:
                node.change = change
            else:
                outer = "dropped" if above.kind == "drop" else "replaced"
                message = f"a step that it stands in is {outer} as a whole"
                self._refuse("conflicting_changes", step_id, change.kind, message, "change one of the two")
        return root

    def changed(self, steps: tuple[Step, ...], nodes: Mapping[str, _Node]) -> tuple[Step, ...]:
        """Return steps with the changes made."""
        found = (self._step(step, nodes[step.id]) if step.id in nodes else step for step in steps)
        return tuple(step for step in found if step is not None)

    def _step(self, step: Step, node: _Node) -> Step | None:
        change = node.change
        if change is not None and change.kind == "drop":
            return None
        if change is not None and change.step is not None:
            return change.step if change.step.id == step.id else change.step.model_copy(update={"id": step.id})
        if change is not None:
            step = step.model_copy(update={"depends_on": change.needs})
        if not node.inner:
            return step
        match step:
            case SubPlanStep(plan=Plan() as plan):
                inner = plan.model_copy(update={"steps": self.changed(plan.steps, node.inner)})
                return step.model_copy(update={"plan": inner})
            case ConditionStep():
                branches = {name: self._row(getattr(step, name), node.inner) for name in ("then", "otherwise")}
                return step.model_copy(update=branches)
            case ParallelStep():
                return self._group(step, node.inner)
            case _:
                raise AssertionError(f"a step of type {step.type} has no steps inside")

    def _row(self, branches: tuple[Step | str, ...], nodes: Mapping[str, _Node]) -> tuple[Step | str, ...]:
        found = (
            self._step(one, nodes[one.id]) if not isinstance(one, str) and one.id in nodes else one for one in branches
        )
        return tuple(one for one in found if one is not None)

    def _group(self, step: ParallelStep, nodes: Mapping[str, _Node]) -> Step:
        rows = [
            (branch, self._row(branch if isinstance(branch, tuple) else (branch,), nodes)) for branch in step.branches
        ]
        branches = tuple(row if isinstance(branch, tuple) else row[0] for branch, row in rows if row)
        if branches:
            return step.model_copy(update={"branches": branches})
        message = "all of its branches are dropped"
        self._problem("empty_group", step.id, "drop", message, "drop the group itself, or replace it")
        return step

    def _conflict(self, step_id: str, names: list[str]) -> None:
        if set(names) == {"add"}:
            self._refuse("duplicate_id", step_id, "add", f"{len(names)} new steps have this id", "choose other ids")
            return
        where = " and ".join(dict.fromkeys(repr(name) for name in names))
        several = f"it is named {len(names)} times, in {where}"
        hint = "use 'replace' alone" if "add" in names or "replace" in names else "say once what happens to it"
        self._refuse("conflicting_changes", step_id, names[-1], several, hint)

    def _unknown(self, plan: Plan, unknown: list[tuple[str, str]]) -> None:
        suggestions = Suggestions()
        known = tuple(islice(_all_ids(plan.steps, ""), _MOST_NAMES))
        for step_id, name in unknown:
            hint = suggestions.hint(step_id, known, f"there are: {listed(known)}")
            self._refuse("unknown_step", step_id, name, "the plan has no step of this id", hint)

    def _refuse(self, code: ProblemCode, step_id: str, name: str, message: str, hint: str) -> None:
        self.refused.add(step_id)
        self._problem(code, step_id, name, message, hint)

    def _problem(self, code: ProblemCode, step_id: str, name: str, message: str, hint: str) -> None:
        self.problems.append(PlanProblem(code=code, step=step_id, field=name, message=message, hint=hint))


def _named(patch: PlanPatch) -> Iterator[tuple[str, str]]:
    """All fields with the ids in them."""
    yield from (("add", step.id) for step in patch.add)
    yield from (("replace", step.id) for step in patch.replace)
    yield from (("drop", step_id) for step_id in patch.drop)
    yield from (("rewire", step_id) for step_id in patch.rewire)


def _changes(patch: PlanPatch) -> Iterator[tuple[str, _Change]]:
    return chain(
        ((step.id, _Change("replace", step)) for step in patch.replace),
        ((step_id, _Change("drop")) for step_id in patch.drop),
        ((step_id, _Change("rewire", needs=needs)) for step_id, needs in patch.rewire.items()),
    )


def _inside(step: Step) -> tuple[Step, ...]:
    """Steps in a step that can be changed there; a step's several specialists are none."""
    if step.type == "sub_plan":
        return step.plan.steps if isinstance(step.plan, Plan) else ()
    return tuple(inner_steps(step)) if step.type in ("condition", "parallel") else ()


def _by_id(steps: Iterable[Step]) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for step in steps:
        found.setdefault(step.id, []).append(step)
    return found


def _places(steps: Mapping[str, list[Step]], name: str) -> Iterator[_Way]:
    """Ways to the steps of a qualified id, whose parts may have dots of their own; several where one leads to many."""
    yield from ((name,) for _ in steps.get(name, ()))
    for at, letter in enumerate(name):
        outer = steps.get(name[:at], ()) if letter == "." else ()
        inner = _by_id(one for step in outer for one in _inside(step))
        for way in _places(inner, name[at + 1 :]) if inner else ():
            yield from ((name[:at], *way) for _ in outer)


def _all_ids(steps: tuple[Step, ...], prefix: str) -> Iterator[str]:
    for step in steps:
        yield prefix + step.id
    for step in steps:
        yield from _all_ids(_inside(step), f"{prefix}{step.id}.")
