"""A reviser without a model: another specialist, one step less, the work split, or a second opinion."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from goalgraph.planner import dag
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.naming import free_id
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.patch import PlanPatch
from goalgraph.planner.plan import AgentStep, Step
from goalgraph.planner.reviser import RevisionRequest
from goalgraph.planner.templates import literal
from goalgraph.planner.wording import task_of

__all__ = ["RuleReviser"]

_NOT_THE_SPECIALIST = frozenset(("invalid_input", "dependency", "cancelled", "rejected"))
"""Failures that any other specialist would have too."""
_MOST_DOERS = 2
"""Steps that do the same work; more opinions are not asked for."""


class RuleReviser:
    """Revises by rules, in this order; the first change that may be made is made.

    1. A specialist's step that failed is done by another one who is able to: who has all that the step requires, or
       shares capabilities with the one that failed. Who has failed at it, or does the same work already, is not asked.
    2. A step that failed and that the plan can do without is dropped: one that is optional, or whose dependants run
       without it (``join`` is ``all_done``, or ``any_success`` with others to wait for).
    3. A step that failed and requires several capabilities is split between several specialists: a step for each
       capability, one after the other, as the step names them. The last one keeps the step's id and place, and puts the
       whole together.
    4. For a specialist's step that succeeded with low confidence, another able specialist gives a second opinion, which
       those that wait for the step and have not begun are given as well. It holds nobody up if it fails.
    5. Else nothing is changed.

    Nothing is proposed that `RevisionRequest.check` refuses, nor what an earlier revision of the run has said already.
    """

    async def revise(self, request: RevisionRequest) -> PlanPatch:
        """Return the first change that a rule knows and that may be made, or an empty patch that says there is none."""
        said = {decision.rationale for decision in request.history}
        for patch in _proposals(request):
            if patch.rationale not in said and not request.check(patch):
                return patch
        return PlanPatch(rationale=f"no rule knows a better way than that of step {request.trigger.step!r}")


def _proposals(request: RevisionRequest) -> Iterator[PlanPatch]:
    step = next((one for one in request.plan.steps if one.id == request.trigger.step), None)
    outcome = request.outcomes.get(request.trigger.step)
    if step is None or outcome is None:
        return
    case = _Case(request=request, step=step, outcome=outcome, graph=dag.graph(request.plan))
    for rule in _RULES:
        yield from rule(case)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    request: RevisionRequest
    step: Step
    outcome: Outcome
    graph: Mapping[str, frozenset[str]]
    """Each step of the plan with all that it waits for."""

    @property
    def failed(self) -> bool:
        return self.outcome.status == "failed"

    @property
    def may_change_hands(self) -> bool:
        """Whether the step failed, and somebody else could do better."""
        error = self.outcome.error
        return self.failed and (error is None or error.code not in _NOT_THE_SPECIALIST)

    @property
    def is_doubtful(self) -> bool:
        """Whether the step succeeded, and with too little confidence."""
        found = self.outcome.confidence
        if self.outcome.status != "succeeded" or found is None:
            return False
        floor = self.step.min_confidence if self.step.type == "agent" else None
        return (floor is not None and found < floor) or "confidence" in self.request.trigger.reason

    def has_begun(self, step_id: str) -> bool:
        """Whether a step is at work or over."""
        outcome = self.request.outcomes.get(step_id)
        return step_id in self.request.at_work or (outcome is not None and outcome.status != "blocked")


def _other_specialist(case: _Case) -> Iterator[PlanPatch]:
    step = case.step
    if not isinstance(step, AgentStep) or not case.may_change_hands:
        return
    for name in _able(step, case, _wanted(step, case)):
        # A step without a task does what its id says, which may be a specialist's name where several do the same work.
        changed = step.model_copy(update={"agent": name, "fallback": (), "task": step.task or literal(task_of(step))})
        why = f"{_doer(case)} failed at step {step.id!r}; {name!r}, who is able to do it as well, does it instead"
        yield PlanPatch(replace=(changed,), rationale=why)


def _without(case: _Case) -> Iterator[PlanPatch]:
    step, request = case.step, case.request
    if not case.failed or step.type == "human_approval":
        return
    graph = case.graph
    dependants = [one for one in request.plan.steps if step.id in graph[one.id]]
    if not step.optional and not (dependants and all(_can_do_without(one, graph[one.id]) for one in dependants)):
        return
    # What the step waited for is still waited for: the order of the others, and the approvals before them, stay.
    above = tuple(one.id for one in request.plan.steps if one.id in graph[step.id])
    rewire = {
        one.id: tuple(
            dict.fromkeys(
                (*(need for need in one.depends_on if need != step.id), *(above if one.join != "any_success" else ()))
            )
        )
        for one in dependants
        if step.id in one.depends_on
    }
    why = "which is optional" if step.optional else "which those that wait for it can do without"
    yield PlanPatch(drop=(step.id,), rewire=rewire, rationale=f"step {step.id!r}, {why}, failed and is left out")


def _split(case: _Case) -> Iterator[PlanPatch]:
    step = case.step
    if not isinstance(step, AgentStep) or not case.may_change_hands or step.join != "all_success":
        return
    doers = {one: next(_able(step, case, frozenset((one,))), None) for one in step.requires}
    if None in doers.values() or len({*doers.values()}) < 2:
        return
    above = _above(step, case)
    taken = {one.id for one in case.request.plan.steps}
    made: list[AgentStep] = []
    *first, last = doers
    for capability in first:
        part_id = free_id(f"{step.id}_part{len(made) + 1}", taken)
        taken.add(part_id)
        note = f"Do only the part of the task that takes this: {capability}. The rest is done after you."
        made.append(_part(step, part_id, doers[capability], capability, (*above, *(one.id for one in made)), note))
    note = f"The results of {', '.join(one.id for one in made)} are parts of the task. Do the rest, and give the whole."
    whole = _part(step, step.id, doers[last], last, (*step.depends_on, *(one.id for one in made)), note)
    parts = ", ".join(f"{name!r} what takes {capability}" for capability, name in doers.items())
    why = f"{_doer(case)} failed at step {step.id!r}; it is split: {parts}"
    yield PlanPatch(add=tuple(made), replace=(whole,), rationale=why)


def _second_opinion(case: _Case) -> Iterator[PlanPatch]:
    step, request = case.step, case.request
    if not isinstance(step, AgentStep) or not case.is_doubtful:
        return
    if len(_doing_the_same(step, case)) >= _MOST_DOERS:
        return
    second_id = free_id(f"{step.id}_second", {one.id for one in request.plan.steps})
    waiting = [one for one in _readers(step.id, case) if not case.has_begun(one.id)]
    for name in _able(step, case, _wanted(step, case)):
        second = step.model_copy(
            update={
                "id": second_id,
                "agent": name,
                "fallback": (),
                "task": step.task or literal(task_of(step)),
                "depends_on": _above(step, case),
                "optional": True,
                "join": "all_success",
            }
        )
        why = f"the confidence in the result of step {step.id!r} is low; {name!r} gives a second opinion"
        for kinds in (("agent", "human_approval", "human_input"), ("agent",)):
            rewire = {
                one.id: tuple(dict.fromkeys((*one.depends_on, *({step.id} & case.graph[one.id]), second_id)))
                for one in waiting
                if one.type in kinds
            }
            yield PlanPatch(add=(second,), rewire=rewire, rationale=why)


_RULES: tuple[Callable[[_Case], Iterator[PlanPatch]], ...] = (_other_specialist, _without, _split, _second_opinion)


def _wanted(step: AgentStep, case: _Case) -> frozenset[str]:
    """Capabilities that the work may take: what the step requires, else all that its specialist has."""
    if step.requires:
        return frozenset(step.requires)
    own = _own_card(step, case)
    return frozenset(own.capabilities) if own is not None else frozenset()


def _own_card(step: AgentStep, case: _Case) -> SpecialistCard | None:
    """Who did the step, or was to do it."""
    name = case.outcome.specialist or step.agent
    return next((card for card in case.request.cards if card.name == name), None)


def _able(step: AgentStep, case: _Case, wanted: frozenset[str]) -> Iterator[str]:
    """Names of others that can do a step, the best match first.

    Of what a step requires they have all. Where it requires nothing, nobody knows which of its specialist's
    capabilities it takes: who has most of them comes first. Among equals it is who has the fewest others, then who is
    registered first. Work with effects outside of the run is given to nobody else: it may have had them already.
    """
    request, tried = case.request, _tried(step, case)
    own = _own_card(step, case)
    if own is not None and own.effects:
        return iter(())
    found: list[tuple[int, int, str]] = []
    for card in request.policy.usable(request.cards):
        shared = wanted & set(card.capabilities)
        enough = shared == wanted if step.requires else bool(shared)
        if shared and enough and not card.effects and card.name not in tried:
            found.append((-len(shared), len(set(card.capabilities) - wanted), card.name))
    return (name for _, _, name in sorted(found, key=lambda one: one[:2]))


def _tried(step: AgentStep, case: _Case) -> frozenset[str]:
    """Names of those who have failed at a step, now or before an earlier revision of it, or do the same work."""
    names = {step.agent, case.outcome.specialist, *(step.fallback if case.failed else ())}
    names |= {one.agent for one in _doing_the_same(step, case)}
    known = [card.name for card in case.request.cards]
    for decision in case.request.history:
        if decision.subject == step.id and decision.chosen in ("revise", "no_progress"):
            told = {decision.rationale, *_texts(decision.answer)}
            names |= {name for name in known if name in told or repr(name) in decision.rationale}
    return frozenset(name for name in names if name is not None)


def _texts(value: JsonValue) -> Iterator[str]:
    """All texts in a JSON value."""
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, (list, dict)):
            left += one if isinstance(one, list) else one.values()


def _doing_the_same(step: AgentStep, case: _Case) -> list[AgentStep]:
    """Steps with the same work, the step itself among them."""
    return [
        one
        for one in case.request.plan.steps
        if isinstance(one, AgentStep)
        and (one.input, task_of(one), case.graph[one.id]) == (step.input, task_of(step), case.graph[step.id])
    ]


def _above(step: Step, case: _Case) -> tuple[str, ...]:
    """What a step beside this one is to depend on: its dependencies, and the conditions that it is a branch of."""
    conditions = dag.guards(case.request.plan.steps).get(step.id, [])
    return tuple(dict.fromkeys((*step.depends_on, *(one for one, _ in conditions))))


def _readers(step_id: str, case: _Case) -> list[Step]:
    """Steps that work with a result: those that wait for it, or for the group that it is a branch of."""
    found: dict[str, Step] = {}
    left = [step_id]
    while left:
        name = left.pop()
        for one in case.request.plan.steps:
            if name in case.graph[one.id] and one.id not in found:
                found[one.id] = one
                left += [one.id] if one.type == "parallel" and name in dag.branch_names(one) else []
    return list(found.values())


def _can_do_without(step: Step, needs: frozenset[str]) -> bool:
    return step.join == "all_done" or (step.join == "any_success" and len(needs) > 1)


def _part(
    step: AgentStep, part_id: str, name: str | None, capability: str, needs: tuple[str, ...], note: str
) -> AgentStep:
    return step.model_copy(
        update={
            "id": part_id,
            "agent": name,
            "requires": (capability,),
            "fallback": (),
            "task": step.task or literal(task_of(step)),
            "constraints": (*step.constraints, note),
            "depends_on": needs,
        }
    )


def _doer(case: _Case) -> str:
    return repr(case.outcome.specialist) if case.outcome.specialist is not None else "its specialist"
