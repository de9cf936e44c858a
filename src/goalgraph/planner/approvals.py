"""Approvals that a guardrail asks for, as steps of the plan."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from goalgraph.planner import dag
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.naming import free_id, inner_steps
from goalgraph.planner.plan import AgentStep, ConditionStep, HumanApprovalStep, ParallelStep, Step
from goalgraph.planner.templates import ExpressionError, literal

__all__ = ["agent_steps", "approved_steps", "asks_a_human", "doers", "heads", "members", "names_step", "with_approvals"]


def names_step(name: str, step: Step, cards: Sequence[SpecialistCard], prefix: str = "") -> bool:
    """Whether a name means a step of a flat plan: by its id, by who may do it, or by what that one is able to do.

    A map is meant where a step that it repeats is.

    Args:
        name: Id, specialist or capability.
        step: The step.
        cards: The specialists.
        prefix: What the ids of the plan that the name is written in begin with.
    """
    if not step.id.startswith(prefix):
        return False
    return step.id == prefix + name or any(_may_do(name, one, cards) for one in agent_steps(step))


def doers(step: AgentStep, cards: Sequence[SpecialistCard]) -> frozenset[str]:
    """Names of all specialists that a step may be given to, those that would take over among them.

    A specialist and its replicas stand for each other: a gate in front of one of them is one in front of all.
    """
    found = {*step.agents, *step.fallback, *([step.agent] if step.agent is not None else [])}
    if step.agent is None and step.requires:
        found |= {card.name for card in cards if set(step.requires) <= set(card.capabilities)}
    if replicas := [card for card in cards if card.replica_of is not None]:
        found |= {str(card.replica_of) for card in replicas if card.name in found}
        found |= {card.name for card in replicas if card.replica_of in found}
    return frozenset(found)


def _may_do(name: str, step: AgentStep, cards: Sequence[SpecialistCard]) -> bool:
    found = doers(step, cards)
    able = any(card.name in found and name in card.capabilities for card in cards)
    return able or name in found or name in step.requires


def agent_steps(step: Step) -> Iterator[AgentStep]:
    """Agents' steps in a step of a flat plan: its own, or those that a map repeats."""
    left: list[Step] = [step.step if step.type == "map" else step]
    while left:
        one = left.pop()
        if one.type == "agent":
            yield one
        elif one.type == "map":
            left.append(one.step)
        elif one.type == "sub_plan" and not isinstance(one.plan, str):
            left += one.plan.steps
        elif step.type == "map":
            left += inner_steps(one)


def approved_steps(steps: Sequence[Step], needs: dict[str, Collection[str]], order: Iterable[str]) -> frozenset[str]:
    """Ids of the steps that cannot run before a human has approved something.

    Args:
        steps: Of a flat plan without cycles.
        needs: See `dag.graph`.
        order: Ids, every step after those it needs.
    """
    by_id = {step.id: step for step in steps}
    guards = {name: [condition for condition, _ in found] for name, found in dag.guards(steps).items()}
    approved: set[str] = set()
    for step_id in order:
        step = by_id[step_id]
        given = {
            need: need in approved or asks_a_human(by_id[need])
            for need in needs[step_id]
            if step.type == "parallel" or not by_id[need].optional
        }
        must = [given.get(one, False) for one in guards.get(step_id, ())]
        rest = [yes for need, yes in given.items() if need not in guards.get(step_id, ())]
        if step.join == "any_success":
            holds = bool(rest) and all(rest) and len(given) == len(needs[step_id])
        else:
            holds = step.join == "all_success" and step.type != "parallel" and any(rest)
        if step.type == "parallel":
            holds = all(rest) and not all(by_id[head].optional for head in heads(step) if head in by_id)
        if holds or any(must):
            approved.add(step_id)
    return frozenset(approved)


def asks_a_human(step: Step) -> bool:
    """Whether a step passes only if a human says yes."""
    return step.type == "human_approval" and (step.deadline is None or step.on_timeout != "approve")


def heads(step: ParallelStep) -> tuple[str, ...]:
    """Ids of the steps of a flat group whose failure is their branch's."""
    return tuple(str(branch[-1] if isinstance(branch, tuple) else branch) for branch in step.branches)


def with_approvals(
    steps: Sequence[Step], required: Iterable[str], prefix: str, cards: Sequence[SpecialistCard]
) -> tuple[list[Step], dict[str, str]]:
    """Put an approval in front of every step that one is required for and that has none directly before it.

    Args:
        steps: Flat.
        required: Ids, specialists or capabilities.
        prefix: What the ids of the plan that asks for it begin with.
        cards: The specialists.

    Returns:
        The steps, and the steps that were made, each with the id of the one it is for.
    """
    found = {step.id: step for step in steps}
    made: dict[str, str] = {}
    for name in required:
        for target in [step.id for step in found.values() if names_step(name, step, cards, prefix)]:
            if target not in made and target not in made.values():
                with suppress(ExpressionError):  # told by validation
                    made |= _guard(found, target)
    place = {step.id: number for number, step in enumerate(steps)}
    first = {target: min(place[one] for one in members(found, target) if one in place) for target in made.values()}
    ranks = {step_id: (first[target], 0) for step_id, target in made.items()}
    ordered = sorted(found.values(), key=lambda step: ranks.get(step.id) or (place[step.id], 1))
    return ordered, made


def members(steps: Mapping[str, Step], target: str) -> list[str]:
    """Ids of the flat steps of a step: its own and, for a group, those of its branches, wherever these stand."""
    found: dict[str, None] = {}
    left = [target]
    while left:
        one = left.pop()
        step = steps.get(one)
        if step is None or one in found:
            continue
        found[one] = None
        if step.type == "parallel":
            left += dag.branch_names(step)
            left += [other for other in steps if other.startswith(f"{one}.")]
    return [one for one in steps if one in found]


def _guard(steps: dict[str, Step], target: str) -> dict[str, str]:
    """Add an approval for a step in place; nothing where there is one."""
    if steps[target].type == "human_approval":
        return {}
    inside = set(members(steps, target)) - ({target} if steps[target].type == "parallel" else set())
    needs = {one: dag.needs(step) for one, step in steps.items() if one in inside}
    exposed = _exposed(steps, needs)
    if all(_is_approved(steps[one], steps, needs[one]) for one in exposed):
        return {}
    approval = free_id(f"{target}.approval", steps)
    first, alone = steps[exposed[0]], len(exposed) == 1
    waits = dict.fromkeys(need for one in exposed for need in sorted(needs[one]) if need not in inside)
    steps[approval] = HumanApprovalStep.model_construct(
        id=approval,
        prompt=f"May step '{target}' run?{_told(first) if alone else ''}",
        depends_on=tuple(waits),
        join=first.join if alone else "all_success",
        when=first.when if alone else None,
    )
    made = {approval: target}
    odd = [one for one in exposed if steps[one].join != "all_success"]
    if odd:
        gate = free_id(f"{target}.approved", steps)
        steps[gate] = ConditionStep.model_construct(id=gate, test="true", depends_on=(approval,), then=tuple(odd))
        made[gate] = target
    for one in exposed:
        if one not in odd:
            steps[one] = steps[one].model_copy(update={"depends_on": (*steps[one].depends_on, approval)})
    _share_conditions(steps, exposed, made)
    return made


def _exposed(steps: Mapping[str, Step], needs: Mapping[str, Collection[str]]) -> list[str]:
    """Ids of the steps that would run although the others of their group may not.

    Args:
        steps: Of the flat plan, by id.
        needs: What the steps of the group wait for.
    """
    guarded = {name for one in needs if (step := steps[one]).type == "condition" for name in dag.branch_names(step)}

    def is_held(step: Step) -> bool:
        """Whether it waits for another step of the group in a way that holds it back with that one."""
        return step.join == "all_success" and any(
            need in needs and not steps[need].optional and steps[need].type != "parallel" for need in needs[step.id]
        )

    return [one for one in needs if one not in guarded and steps[one].type != "parallel" and not is_held(steps[one])]


def _share_conditions(steps: dict[str, Step], targets: Collection[str], made: Collection[str]) -> None:
    """Put new steps, in place, into the branches that all of the steps they are for are in: nobody is asked in vain."""
    for step in list(steps.values()):
        if step.type == "condition" and step.id not in made:
            changes = {
                name: (*branch, *made)
                for name, branch in (("then", step.then), ("otherwise", step.otherwise))
                if set(targets) <= {one for one in branch if isinstance(one, str)}
            }
            if changes:
                steps[step.id] = step.model_copy(update=changes)


def _is_approved(step: Step, steps: Mapping[str, Step], needs: Collection[str]) -> bool:
    """Whether it asks itself, or directly waits for something that asks."""
    if step.type == "human_approval" and not step.optional:
        return True
    if step.join == "all_success":
        return _has_approval(needs, steps)
    gates = [one for one in steps.values() if one.type == "condition" and step.id in one.then]
    return any(gate.join == "all_success" and _has_approval(gate.depends_on, steps) for gate in gates)


def _has_approval(needs: Collection[str], steps: Mapping[str, Step]) -> bool:
    asked = [steps[need] for need in needs if need in steps]
    return any(one.type == "human_approval" and not one.optional for one in asked)


def _told(step: Step) -> str:
    if step.type != "agent":
        return ""
    task = f"\n\n{step.task}" if step.task is not None else ""
    return f"\n\nBy {literal(step.agent)}.{task}" if step.agent is not None else task
