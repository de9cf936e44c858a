"""A flat plan with what the engine looks up in it all the time; it grows when a map is multiplied."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import JsonValue

from goalgraph.planner import dag
from goalgraph.planner.plan import MapStep, ParallelStep, Plan, Step

__all__ = ["Group", "PlanIndex"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Steps with something in common: a limit of branches at work, a limit of time, or what one's failure does."""

    id: str
    """Of the parallel step or map."""
    branches: tuple[frozenset[str], ...]
    """Ids of the steps of each branch or item."""
    heads: frozenset[str]
    """The steps whose failure is the branch's."""
    members: frozenset[str]
    concurrency: int | None
    fail_fast: bool
    timeout: float | None
    poll: ParallelStep | None = None
    """The step itself, where its branches vote."""

    @property
    def ends_early(self) -> bool:
        """Whether any of its steps may be stopped before the others."""
        return self.fail_fast or self.timeout is not None or self.poll is not None


@dataclass(slots=True, kw_only=True)
class PlanIndex:
    """Everything by step id."""

    plan: Plan
    steps: dict[str, Step]
    needs: dict[str, tuple[str, ...]]
    """What the step's join is about, in plan order."""
    guards: dict[str, tuple[tuple[str, bool], ...]]
    """Conditions that must have been decided in favour of the step, with the value that is."""
    members: dict[str, tuple[str, ...]]
    """What the end of a group waits for, whatever becomes of it."""
    inputs: dict[str, tuple[str, ...]]
    """The step that makes a sub-plan's input, for those in it whose join it would satisfy at once; they see it."""
    dependents: dict[str, list[str]]
    order: tuple[str, ...]
    """Topological; steps of the plan only."""
    priority: dict[str, float]
    optional: set[str]
    groups: tuple[Group, ...]
    """Those of the plan with any limit."""
    positions: dict[str, int] = field(default_factory=dict[str, int])
    """In plan order."""
    items: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """By map that was multiplied: the ids of all steps of its items, in topological order."""
    bindings: dict[str, Mapping[str, JsonValue]] = field(default_factory=dict[str, Mapping[str, JsonValue]])
    """What the names of items stand for, by step of an item."""
    parents: dict[str, str] = field(default_factory=dict[str, str])
    """The map that a step of an item belongs to."""

    @classmethod
    def of(cls, plan: Plan) -> "PlanIndex":
        """Look a valid flat plan through once."""
        index = cls(
            plan=plan,
            steps={},
            needs={},
            guards={},
            members={},
            inputs={},
            dependents={},
            order=(),
            priority={},
            optional=set(),
            groups=(),
        )
        index._add(plan.steps)
        index.order = dag.order({step_id: index.awaited(step_id) for step_id in index.steps})
        if plan.coordinator.strategy == "sequential":
            index.priority = {step.id: -float(place) for place, step in enumerate(plan.steps)}
        else:
            index.priority = dag.remaining_path(index.order, index.dependents)
        index.groups = _groups(plan.steps)
        return index

    def group(self, step: ParallelStep) -> Group:
        """Return what belongs to a parallel step, whatever its limits."""
        (found,) = _groups(self.steps.values(), (step,))
        return found

    def awaited(self, step_id: str) -> tuple[str, ...]:
        """Ids of everything that a step waits for, each once."""
        needs, guards, members = self.needs[step_id], self.guards.get(step_id), self.members.get(step_id)
        if not guards and not members and step_id not in self.inputs:
            return needs
        inputs = self.inputs.get(step_id, ())
        return tuple(dict.fromkeys((*needs, *(guard for guard, _ in guards or ()), *(members or ()), *inputs)))

    def multiply(
        self, step: MapStep, items: Sequence[tuple[Step, ...]], values: Sequence[JsonValue]
    ) -> tuple[Group, ...]:
        """Take in the steps of a map's items; return the items as a group, and the groups with any limit in them.

        Args:
            step: The map.
            items: For each item its flat steps.
            values: The items.
        """
        outer = self.bindings.get(step.id, {})
        for number, (steps, value) in enumerate(zip(items, values, strict=True)):
            bound = {**outer, step.variable: value, "index": number}
            for one in steps:
                self.bindings[one.id] = bound
                self.parents[one.id] = step.id
        every = [one for steps in items for one in steps]
        self._add(every)
        own = {one.id for one in every}
        graph = {one.id: tuple(need for need in self.awaited(one.id) if need in own) for one in every}
        self.items[step.id] = dag.order(graph)
        priority = self.priority.get(step.id, 0.0)
        self.priority |= dict.fromkeys(own, priority)
        branches = tuple(frozenset(one.id for one in steps) for steps in items)
        whole = Group(
            id=step.id,
            branches=branches,
            heads=frozenset(steps[-1].id for steps in items),
            members=frozenset(own),
            concurrency=step.concurrency,
            fail_fast=step.on_failure == "fail_fast",
            timeout=step.timeout,
        )
        return (whole, *_groups(every))

    def _add(self, steps: Iterable[Step]) -> None:
        steps = tuple(steps)
        position = self.positions
        for step in steps:
            position[step.id] = len(position)
        sources = _sources(steps)
        self.steps.update({step.id: step for step in steps})
        for step in steps:
            if step.optional:
                self.optional.add(step.id)
            named = dag.needs(step)
            if step.type == "parallel":
                asked = sorted(named - set(step.depends_on), key=position.__getitem__)
                members = (*dag.branch_names(step), *asked)
                self.members[step.id] = tuple(dict.fromkeys(members))
                named = frozenset(step.depends_on)
            if step.join == "any_success" and named & sources:
                own = frozenset(one for one in named & sources if step.id.startswith(f"{one.rpartition('.')[0]}."))
                if own and own != named:
                    self.inputs[step.id] = tuple(own)
                    named -= own
            self.needs[step.id] = tuple(sorted(named, key=position.__getitem__)) if len(named) > 1 else tuple(named)
        self.guards |= {step_id: tuple(found) for step_id, found in dag.guards(steps).items()}
        for step in steps:
            self.dependents.setdefault(step.id, [])
            for need in self.awaited(step.id):
                self.dependents.setdefault(need, []).append(step.id)


def _sources(steps: Sequence[Step]) -> frozenset[str]:
    """Ids of the steps that make sub-plans' inputs: the first transform of a group, where it is in no branch."""
    branches = {step.id: frozenset(dag.branch_names(step)) for step in steps if step.type == "parallel"}
    first: dict[str, str] = {}
    for step in steps:
        if step.type == "transform" and (group := step.id.rpartition(".")[0]) in branches:
            first.setdefault(group, step.id)
    return frozenset(step_id for group, step_id in first.items() if step_id not in branches[group])


def _groups(steps: Collection[Step], wanted: Sequence[ParallelStep] | None = None) -> tuple[Group, ...]:
    parallel = {step.id: step for step in steps if step.type == "parallel"}
    limited = (
        wanted
        if wanted is not None
        else [
            step
            for step in steps
            if step.type == "parallel"
            and (
                step.concurrency is not None
                or step.on_failure == "fail_fast"
                or step.timeout is not None
                or step.is_voted
            )
        ]
    )
    if not limited:
        return ()
    ids = sorted(step.id for step in steps)

    def inside(step_id: str) -> list[str]:
        prefix = f"{step_id}."
        found = ids[bisect_left(ids, prefix) : bisect_left(ids, f"{step_id}/")]  # "/" follows "." in Unicode
        if (group := parallel.get(step_id)) is not None:
            found += [inner for name in dag.branch_names(group) for inner in (name, *inside(name))]
        return found

    groups: list[Group] = []
    for step in limited:
        named = [branch if isinstance(branch, tuple) else (branch,) for branch in step.branches]
        branches = tuple(
            frozenset(one for name in map(str, branch) for one in (name, *inside(name))) for branch in named
        )
        groups.append(
            Group(
                id=step.id,
                branches=branches,
                heads=frozenset(str(branch[-1]) for branch in named),
                members=frozenset(inside(step.id)).union(*branches),
                concurrency=step.concurrency,
                fail_fast=step.on_failure == "fail_fast",
                timeout=step.timeout,
                poll=step if step.is_voted else None,
            )
        )
    return tuple(groups)
