"""Which gates the steps of a flat plan stand behind: people and events without which they do not run."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from goalgraph.planner import dag
from goalgraph.planner.approvals import approved_steps, heads
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.compilation import items_of
from goalgraph.planner.plan import Join, ParallelStep, Step
from goalgraph.planner.templates import ExpressionError

__all__ = ["Layout", "is_gate"]

_Ids = frozenset[str]
_NONE: _Ids = frozenset()
_Cause = tuple[str, bool | None]


def is_gate(step: Step) -> bool:
    """Whether a step waits for somebody or something outside: a human's yes or answer, or an event."""
    return step.type in ("human_approval", "human_input") or (step.type == "wait" and step.event is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """A flat plan, or what a map in it repeats, looked through for its gates."""

    steps: Mapping[str, Step]
    graph: Mapping[str, _Ids]
    """See `dag.graph`."""
    order: tuple[str, ...]
    guards: Mapping[str, Sequence[tuple[str, bool]]]
    """See `dag.guards`."""
    ancestors: Mapping[str, _Ids]
    """By step, all that is over before it begins."""
    before: Mapping[str, _Ids]
    """By step, the gates that have succeeded in any run in which it begins."""
    approved: _Ids
    """See `approved_steps`."""
    inner: "Mapping[str, Layout]"
    """By map, what it repeats, the ids in it as in ``each[*]``."""
    last: str | None
    """The step that the others lead to, in what a map repeats."""
    can_be_skipped: _Ids
    """Ids of the steps that conditions may have skipped."""

    @classmethod
    def of(cls, steps: Sequence[Step], cards: Sequence[SpecialistCard]) -> "Layout | None":
        """Look steps through; None where that makes no sense, which validation tells.

        Args:
            steps: Flat.
            cards: See `compile_plan`.
        """
        by_id = {step.id: step for step in steps}
        if len(by_id) < len(steps):
            return None
        try:
            named = {step.id: dag.needs(step).intersection(by_id) - {step.id} for step in steps}
            graph = {
                step_id: found.intersection(by_id) - {step_id}
                for step_id, found in dag.with_branches(steps, named).items()
            }
        except ExpressionError:
            return None
        if dag.find_cycle(graph):
            return None
        found = {step.id: cls.of(items_of(step, "*", cards), cards) for step in steps if step.type == "map"}
        inner = {step_id: layout for step_id, layout in found.items() if layout is not None}
        if len(inner) < len(found):
            return None
        order, guards = dag.order(graph), dag.guards(steps)
        work = _Work(by_id, named, guards, inner, _sources(steps))
        for step_id in order:
            work.add(by_id[step_id])
        return cls(
            steps=by_id,
            graph=graph,
            order=order,
            guards=guards,
            ancestors=_ancestors(graph, order),
            before=work.before,
            approved=approved_steps(steps, dict(graph), order),
            inner=inner,
            last=steps[-1].id if steps else None,
            can_be_skipped=frozenset(step_id for step_id, causes in work.causes.items() if causes),
        )

    @property
    def gates(self) -> _Ids:
        """Ids of the gates; not those in maps."""
        return frozenset(step_id for step_id, step in self.steps.items() if is_gate(step))

    def approvals(self, step_id: str) -> _Ids:
        """Ids of those gates before a step that are approvals."""
        return frozenset(one for one in self.before[step_id] if self.steps[one].type == "human_approval")

    def everywhere(self) -> "Iterable[Layout]":
        """This one and all inside of its maps."""
        yield self
        for layout in self.inner.values():
            yield from layout.everywhere()


@dataclass(slots=True)
class _Work:
    """Goes through the steps in order; what is said of each follows from how the engine decides what may begin."""

    steps: Mapping[str, Step]
    named: Mapping[str, _Ids]
    """What each waits for by itself; branches and conditions apart."""
    guards: Mapping[str, Sequence[tuple[str, bool]]]
    inner: Mapping[str, Layout]
    sources: _Ids
    before: dict[str, _Ids] = field(default_factory=dict[str, _Ids])
    passed: dict[str, _Ids] = field(default_factory=dict[str, _Ids])
    """By step, the gates that have succeeded in any run in which it succeeds."""
    causes: dict[str, frozenset[_Cause]] = field(default_factory=dict[str, frozenset[_Cause]])
    """By step, what it may be skipped for: a branch that is not taken, or (with no value) a step's own condition."""

    def add(self, step: Step) -> None:
        guards = self.guards.get(step.id, ())
        ends = [one for one in heads(step) if one in self.steps] if step.type == "parallel" else ()
        needs = self._needs(step)
        self.before[step.id] = _union(self.passed[guard] for guard, _ in guards) | self._held(step.join, needs)
        own = frozenset((step.id,)) if is_gate(step) else _NONE
        gathered = self._gathered(step, ends) if step.type == "parallel" else _NONE
        self.passed[step.id] = self.before[step.id] | own | gathered
        self.causes[step.id] = frozenset(guards) | self._own_causes(step) | self._passed_on(step, needs, ends)

    def _needs(self, step: Step) -> _Ids:
        """What the step's join is about."""
        if step.type == "parallel":
            return frozenset(step.depends_on) & self.steps.keys()
        needs = self.named[step.id]
        if step.join != "any_success":
            return needs
        source = {one for one in needs & self.sources if step.id.startswith(f"{one.rpartition('.')[0]}.")}
        return needs - source or needs

    def _held(self, join: Join, needs: _Ids) -> _Ids:
        if join == "all_success":
            return _union(self.passed[need] for need in needs if not self.steps[need].optional)
        return _common([self.passed[need] for need in needs]) if join == "any_success" else _NONE

    def _gathered(self, step: ParallelStep, ends: Sequence[str]) -> _Ids:
        """Gates that have succeeded where a group has: one branch at least did, unless all of them may fail."""
        strict = [one for one in ends if not self.steps[one].optional]
        if not strict:
            return _NONE
        # A branch that all of them are in was taken, where any of them has succeeded.
        shared = frozenset(self.guards.get(ends[0], ())).intersection(*(self.guards.get(one, ()) for one in ends))
        sure = [one for one in strict if step.on_failure != "continue" and self.causes[one] <= shared]
        return _common([self.passed[one] for one in ends]).union(*(self.passed[one] for one in sure))

    def _own_causes(self, step: Step) -> frozenset[_Cause]:
        is_skipped = step.when is not None
        if step.type == "map":
            layout = self.inner[step.id]
            is_skipped = is_skipped or layout.last in layout.can_be_skipped
        return frozenset({(step.id, None)}) if is_skipped else frozenset()

    def _passed_on(self, step: Step, needs: _Ids, ends: Sequence[str]) -> frozenset[_Cause]:
        """Why it may be skipped together with what it waits for."""
        found = frozenset[_Cause]()
        if all(self.steps[one].optional or self.causes[one] for one in ends):
            found = found.union(*(self.causes[one] for one in ends))
        if step.join == "all_success":
            found = found.union(*(self.causes[need] for need in needs if not self.steps[need].optional))
        if step.join == "any_success" and all(self.causes[need] for need in needs):
            found = found.union(*(self.causes[need] for need in needs))
        return found


def _sources(steps: Sequence[Step]) -> _Ids:
    """Ids of the steps that make the inputs of what was a plan in the plan: no join waits for their success alone."""
    branches = {step.id: frozenset(dag.branch_names(step)) for step in steps if step.type == "parallel"}
    first: dict[str, str] = {}
    for step in steps:
        if step.type == "transform" and (group := step.id.rpartition(".")[0]) in branches:
            first.setdefault(group, step.id)
    return frozenset(step_id for group, step_id in first.items() if step_id not in branches[group])


def _ancestors(graph: Mapping[str, _Ids], order: Iterable[str]) -> dict[str, _Ids]:
    found: dict[str, _Ids] = {}
    for step_id in order:
        needs = graph[step_id]
        found[step_id] = needs.union(*(found[need] for need in needs))
    return found


def _union(found: Iterable[_Ids]) -> _Ids:
    return _NONE.union(*found)


def _common(found: Sequence[_Ids]) -> _Ids:
    return found[0].intersection(*found[1:]) if found else _NONE
