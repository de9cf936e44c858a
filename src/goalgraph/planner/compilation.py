"""From the plan as it is written, with steps inside of steps, to one flat graph of steps with qualified ids."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from pydantic import JsonValue

from goalgraph.planner import dag
from goalgraph.planner.approvals import with_approvals
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.naming import Names, free_id, ids_of, inner_steps, reference, template
from goalgraph.planner.plan import (
    AgentStep,
    ApprovalGuardrail,
    ConditionStep,
    Coordinator,
    MapStep,
    ParallelStep,
    Plan,
    Step,
    SubPlanStep,
    TimeoutGuardrail,
    TransformStep,
)
from goalgraph.planner.proposed import roles_of
from goalgraph.planner.renaming import changes_of, once, renamed_output, renamed_template
from goalgraph.planner.templates import ExpressionError, literal
from goalgraph.planner.wording import words_of

__all__ = ["Compiled", "Origin", "compile_plan", "compiled", "compiled_item", "items_of", "with_items"]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a derived step comes from."""

    step: str
    """Qualified id of the step that is written."""
    field: str | None = None
    """The field of it that it stands for; None: all."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A flat plan, and where its derived steps come from."""

    plan: Plan
    origins: Mapping[str, Origin]


def compile_plan(plan: Plan, cards: Iterable[SpecialistCard] = ()) -> Plan:
    """Return the plan as one flat graph; the same object where it is one already.

    Steps inside of steps get qualified ids (``research.web``), names in expressions and dependencies become such ids,
    a sub-plan's steps stand among the others, and the approvals that a guardrail asks for are steps. Conditions and
    parallel steps name their branches by id; a map's step stays in it, to be multiplied when the run comes to it. Roles
    of the plans inside of it are roles of the whole.

    Args:
        plan: Any; what is wrong with it stays wrong, and is found by `validate_plan`.
        cards: The specialists, by whose capabilities guardrails may name steps.
    """
    return compiled(plan, cards).plan


def compiled(plan: Plan, cards: Iterable[SpecialistCard] = ()) -> Compiled:
    """Do what `compile_plan` does, and say where derived steps come from."""
    if _is_flat(plan):
        return Compiled(plan, {})
    names = Names("", frozenset(ids_of(plan.steps)))
    work = _Compilation()
    for step in plan.steps:
        work.add(step, "", names, ())
    if any(isinstance(one, ApprovalGuardrail) for one in plan.coordinator.guardrails):
        work.coordinators[""] = plan.coordinator
    steps = work.guarded(tuple(cards))
    output = renamed_output(plan.output, names, names.root)
    roles = roles_of(plan)
    same = len(steps) == len(plan.steps) and all(one is other for one, other in zip(steps, plan.steps, strict=True))
    if same and output is plan.output and roles == plan.roles:
        return Compiled(plan, work.origins)
    return Compiled(plan.model_copy(update={"steps": tuple(steps), "output": output, "roles": roles}), work.origins)


def items_of(step: MapStep, label: str | int, cards: Iterable[SpecialistCard] = ()) -> tuple[Step, ...]:
    """Return the flat steps that do one item of a map; the last one's output is the item's.

    Args:
        step: Of a flat plan.
        label: The item's number, or ``"*"`` for any.
        cards: See `compile_plan`.
    """
    return compiled_item(step, label, cards).plan.steps


def with_items(steps: Iterable[Step], cards: Sequence[SpecialistCard] = (), label: str | int = "*") -> Iterator[Step]:
    """Yield flat steps, after each map the steps that do one of its items; see `items_of`."""
    for step in steps:
        yield step
        if step.type == "map":
            yield from with_items(items_of(step, label, cards), cards, label)


def compiled_item(step: MapStep, label: str | int, cards: Iterable[SpecialistCard] = ()) -> Compiled:
    """Do what `items_of` does, and say where derived steps come from."""
    whole = template(step, label)
    if whole.type == "agent" and whole.task is None:
        whole = whole.model_copy(update={"task": words_of(step.step.id)})  # of which the item's id says nothing
    if whole.type in _SIMPLE and not (whole.type == "agent" and whole.agents):
        return Compiled(Plan.model_construct(steps=(whole,)), {})
    work = _Compilation()
    names = Names("", frozenset(ids_of((whole,))))
    work.add(whole, "", names, ())
    work.add_end(whole, whole.id, names)
    steps = work.guarded(tuple(cards))
    return Compiled(Plan.model_construct(steps=tuple(steps)), work.origins)


_SIMPLE = ("agent", "human_approval", "human_input", "wait", "transform")


def _is_flat(plan: Plan) -> bool:
    return plan.coordinator == _NO_COORDINATOR and all(
        step.type in _SIMPLE and "." not in step.id and not (step.type == "agent" and step.agents)
        for step in plan.steps
    )


_NO_COORDINATOR = Coordinator()


@dataclass(slots=True)
class _Compilation:
    """Collects flat steps."""

    steps: list[Step] = field(default_factory=list["Step"])
    origins: dict[str, Origin] = field(default_factory=dict[str, Origin])
    coordinators: dict[str, Coordinator] = field(default_factory=dict[str, Coordinator])
    """Those that ask for approvals, by what the ids of their plans begin with."""
    _spans: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """For each step with others inside, the places of all of its flat steps."""
    _ends: dict[str, str] = field(default_factory=dict[str, str])
    """Ends of conditions that are branches, with the condition."""
    _later: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Dependencies of steps that stand elsewhere, because a branch names them."""

    def add(self, step: Step, prefix: str, names: Names, above: Sequence[str]) -> None:
        """Flatten a step.

        Args:
            step: As it is written.
            prefix: Qualified id of what it stands in, with a dot.
            names: Of the plan it belongs to.
            above: Ids that it waits for because of what it stands in.
        """
        full, begin = prefix + step.id, len(self.steps)
        if step.type == "parallel" or (step.type == "agent" and step.agents):
            self._add_group(step, full, prefix, names, above)
        elif step.type == "sub_plan" and isinstance(step.plan, Plan):
            self._add_sub_plan(step, step.plan, full, prefix, names, above)
        elif step.type == "condition":
            self._add_condition(step, full, prefix, names, above)
        else:
            self._add_simple(step, full, prefix, names, above)
        if len(self.steps) > begin + 1:
            self._spans[full] = (begin, len(self.steps))

    def finished(self) -> list[Step]:
        """Return the flat steps, with branches and dependencies that reach into groups."""
        places = {step.id: place for place, step in enumerate(self.steps)} if self._later else {}
        for step_id, needed in self._later.items():
            place = places.get(step_id)
            alone = (place, place + 1) if place is not None else (0, 0)
            for place in range(*self._spans.get(step_id, alone)):
                step = self.steps[place]
                needs = once((*step.depends_on, *(need for need in needed if need != step.id)))
                if needs != step.depends_on:
                    self.steps[place] = step.model_copy(update={"depends_on": needs})
        for place, step in enumerate(self.steps):
            if step.type == "condition":
                then, otherwise = self._spread(step.then), self._spread(step.otherwise)
                if (then, otherwise) != (step.then, step.otherwise):
                    self.steps[place] = step.model_copy(update={"then": then, "otherwise": otherwise})
        return self.steps

    def guarded(self, cards: Sequence[SpecialistCard]) -> list[Step]:
        """Return the flat steps with the approvals that guardrails ask for, the outermost plan's first."""
        steps = self.finished()
        for prefix, coordinator in sorted(self.coordinators.items(), key=lambda item: len(item[0])):
            steps = _approved(steps, coordinator, prefix, cards, self.origins)
        return steps

    def _add_simple(self, step: Step, full: str, prefix: str, names: Names, above: Sequence[str]) -> None:
        changes = changes_of(step, prefix, names, above)
        if full != step.id:
            changes["id"] = full
        if step.type == "map" and (inner := renamed_template(step, prefix, names)) is not step.step:
            changes["step"] = inner
        self.steps.append(step.model_copy(update=changes) if changes else step)

    def _add_condition(self, step: ConditionStep, full: str, prefix: str, names: Names, above: Sequence[str]) -> None:
        changes = changes_of(step, prefix, names, above)
        changes |= {"id": full} if full != step.id else {}
        inside = f"{full}."
        for name, branches in (("then", step.then), ("otherwise", step.otherwise)):
            ids = tuple(
                names.resolve(branch, prefix) if isinstance(branch, str) else inside + branch.id for branch in branches
            )
            if ids != branches:
                changes[name] = ids
        self.steps.append(step.model_copy(update=changes) if changes else step)
        for inner in inner_steps(step):
            self.add(inner, inside, names, ())

    def _add_group(
        self, step: ParallelStep | AgentStep, full: str, prefix: str, names: Names, above: Sequence[str]
    ) -> None:
        inside = f"{full}."
        if step.type == "agent":
            members = tuple(inner_steps(step))
            branches: Sequence[Sequence[Step | str]] = [(member.model_copy(update=_PLAIN),) for member in members]
            self.origins |= {inside + member.id: Origin(full) for member in members}
        else:
            branches = [branch if isinstance(branch, tuple) else (branch,) for branch in step.branches]
        odd = any(not isinstance(one, str) and one.join != "all_success" for branch in branches for one in branch)
        gate, above = self._gate(step, full, prefix, names, above, needed=odd)
        flat: list[str | tuple[str, ...]] = []
        for branch in branches:
            ids: list[str] = []
            for one in branch:
                waits = (*above, *ids[-1:])
                if isinstance(one, str):
                    ids.append(names.resolve(one, prefix))
                    if waits:
                        self._later.setdefault(ids[-1], []).extend(waits)
                else:
                    self.add(one, inside, names, waits)
                    ids.append(self.add_end(one, inside + one.id, names))
            flat.append(ids[0] if len(ids) == 1 else tuple(ids))
        self._open(gate, [one for branch in flat for one in (branch if isinstance(branch, tuple) else (branch,))])
        if step.type == "agent":
            self._end(full, step, branches=tuple(flat), on_failure="continue", quorum=step.quorum, vote=step.vote)
            return
        output = renamed_output(step.output, names, inside)
        last = [branch[-1] if isinstance(branch, tuple) else branch for branch in flat]
        if output is None and not step.is_voted and any(one in self._ends for one in last):
            meant = [self._ends.get(one, one) for one in last]
            output = {one.removeprefix(inside): f"{{{{ {reference(one)}.output }}}}" for one in meant}
        same = full == step.id and tuple(flat) == step.branches and output is step.output
        if same and gate is None and not step.depends_on:
            self.steps.append(step)
        else:
            self._end(
                full,
                step,
                branches=tuple(flat),
                concurrency=step.concurrency,
                on_failure=step.on_failure,
                timeout=step.timeout,
                output=output,
                quorum=step.quorum,
                vote=step.vote,
            )

    def _add_sub_plan(
        self, step: SubPlanStep, plan: Plan, full: str, prefix: str, names: Names, above: Sequence[str]
    ) -> None:
        inside = f"{full}."
        known = frozenset(ids_of(plan.steps, inside))
        source = free_id(f"{full}.input", known)
        inner = Names(inside, known, source)
        odd = any(one.join != "all_success" for one in plan.steps)
        gate, above = self._gate(step, full, prefix, names, above, needed=odd)
        given = changes_of(step, prefix, names, ()).get("input", step.input)
        values: dict[str, JsonValue] = {**_literal(plan.inputs), **given}  # type: ignore[dict-item]
        self.origins[source] = Origin(full, "input")
        self.steps.append(TransformStep.model_construct(id=source, output=values, depends_on=once(above)))
        begin = len(self.steps)
        for one in plan.steps:
            self.add(one, inside, inner, (source,))
        self._open(gate, [source, *(inside + one.id for one in plan.steps)])
        ends = _last(self.steps[begin:])
        output = renamed_output(plan.output, inner, inner.root)
        if output is None and len(ends) == 1:
            output = f"{{{{ {reference(ends[0])}.output }}}}"
        limits = [one.max_seconds for one in plan.coordinator.guardrails if isinstance(one, TimeoutGuardrail)]
        timeouts = [*limits, *([step.timeout] if step.timeout is not None else [])]
        if any(isinstance(one, ApprovalGuardrail) for one in plan.coordinator.guardrails):
            self.coordinators[inside] = plan.coordinator
        self._end(full, step, branches=ends, timeout=min(timeouts, default=None), output=output)

    def add_end(self, step: Step, full: str, names: Names) -> str:
        """Add what is over when a condition and the steps that stand in it are; return the id of what ends a step."""
        inside = [f"{full}.{inner.id}" for inner in inner_steps(step)] if step.type == "condition" else []
        if not inside:
            return full
        end = free_id(f"{full}.end", names.known)
        self._ends[end] = full
        begin, _ = self._spans[full]
        self._end(end, step, branches=(full, *inside), output=f"{{{{ {reference(full)}.output }}}}")
        self._spans[end] = (begin, len(self.steps))
        return end

    def _end(self, full: str, step: Step, **fields: object) -> None:
        """Add the step that stands for a group: it is over when the branches are."""
        self.steps.append(ParallelStep.model_construct(id=full, optional=step.optional, **fields))  # type: ignore[arg-type]

    def _gate(
        self, step: Step, full: str, prefix: str, names: Names, above: Sequence[str], *, needed: bool
    ) -> tuple[int | None, tuple[str, ...]]:
        """Make what decides whether a group's steps run at all, where their own dependencies cannot say it.

        Returns:
            Its place, and what the group's steps are to depend on.
        """
        changes = changes_of(step, prefix, names, above)
        waits: Sequence[str] = changes.get("depends_on", step.depends_on)  # type: ignore[assignment]
        if step.when is None and step.join == "all_success" and not (needed and waits):
            return None, tuple(waits)
        gate = free_id(f"{full}.when", names.known)
        self.origins[gate] = Origin(full, "when")
        test = changes.get("when", step.when) or "true"
        self.steps.append(
            ConditionStep.model_construct(id=gate, test=test, depends_on=tuple(waits), join=step.join)  # type: ignore[arg-type]
        )
        return len(self.steps) - 1, ()

    def _open(self, gate: int | None, members: Iterable[str]) -> None:
        if gate is not None:
            self.steps[gate] = self.steps[gate].model_copy(update={"then": once(members)})

    def _spread(self, branches: Collection[object]) -> tuple[str, ...]:
        """Ids of a condition's branch, with those of all steps in the groups among them."""
        ids: list[str] = []
        for branch in branches:
            name = str(branch)
            begin, end = self._spans.get(name, (0, 0))
            ids += [name, *(step.id for step in self.steps[begin:end])]
        return once(ids)


_PLAIN = {"depends_on": (), "when": None, "join": "all_success", "optional": False}


def _last(steps: Sequence[Step]) -> tuple[str, ...]:
    """Ids of the flat steps of a sub-plan that none of its others waits for."""
    awaited: set[str] = set()
    for step in steps:
        with suppress(ExpressionError):  # told by validation
            awaited |= dag.needs(step) - {step.id}
        if step.type == "parallel":
            awaited |= {*dag.branch_names(step)}
        elif step.type == "condition" and any(True for _ in dag.branch_names(step)):
            awaited.add(step.id)
    return tuple(step.id for step in steps if step.id not in awaited)


def _approved(
    steps: list[Step],
    coordinator: Coordinator,
    prefix: str,
    cards: Sequence[SpecialistCard],
    origins: dict[str, Origin],
) -> list[Step]:
    required = [
        name for one in coordinator.guardrails if isinstance(one, ApprovalGuardrail) for name in one.require_for
    ]
    if not required:
        return steps
    found, made = with_approvals(steps, required, prefix, cards)
    origins |= {step_id: Origin(target) for step_id, target in made.items()}
    return found


def _literal(value: JsonValue) -> JsonValue:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, list):
        return [_literal(item) for item in value]
    return {key: _literal(item) for key, item in value.items()} if isinstance(value, dict) else value
