"""What can be wrong with a step by itself, and with who is to do it."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping

from goalgraph.errors import PlanProblem
from goalgraph.errors.codes import ProblemCode
from goalgraph.planner.card import SpecialistCard
from goalgraph.planner.checks.json_schemas import schema_fault
from goalgraph.planner.checks.scopes import Written
from goalgraph.planner.checks.suggestions import Suggestions, listed
from goalgraph.planner.plan import (
    AgentStep,
    BudgetGuardrail,
    HumanInputStep,
    MapStep,
    ParallelStep,
    Plan,
    SubPlanStep,
    WaitStep,
)

__all__ = ["step_problems"]

_RESERVED = frozenset(
    ("input", "steps", "index", "now", "range", "true", "false", "none", "and", "or", "not", "in", "is", "if", "else")
)


def step_problems(
    written: Written,
    cards: Mapping[str, SpecialistCard],
    available: Collection[str] | None,
    suggestions: Suggestions,
) -> Iterator[PlanProblem]:
    """Find what is wrong with a step by itself.

    Args:
        written: The step.
        cards: The specialists, by name.
        available: Those that may be named; None: all.
        suggestions: For names that are not there.
    """
    match written.step:
        case AgentStep() as step:
            if step.agents:
                yield from _several(written.id, step)
            if step.is_voted:
                yield from _voted(written.id, step, len(step.agents))
            if step.agents or step.requires or step.fallback or step.agent not in cards or available is not None:
                yield from _specialists(written.id, step, cards, available, suggestions)
        case ParallelStep() as step if step.is_voted:
            yield from _voted(written.id, step, len(step.branches))
        case HumanInputStep() as step:
            if step.answer_schema and (fault := schema_fault(step.answer_schema)):
                yield _problem(
                    "invalid_schema",
                    written.id,
                    "schema",
                    fault,
                    "write a JSON Schema, draft 2020-12, without outside refs",
                )
        case MapStep() as step:
            if step.variable.lower() in _RESERVED:
                message = f"the name {step.variable!r} means something else in expressions"
                yield _problem("invalid_value", written.id, "as", message, "choose another name, such as 'item'")
        case WaitStep() as step:
            yield from _wait(written.id, step)
        case SubPlanStep() as step:
            yield from _sub_plan(written.id, step)
        case _:
            return


def _several(step_id: str, step: AgentStep) -> Iterator[PlanProblem]:
    if step.agent is not None:
        message = "the step names one specialist in 'agent' and several in 'agents'"
        yield _problem("conflicting_fields", step_id, "agents", message, "keep one of the two")
    for name, value in (("requires", step.requires), ("fallback", step.fallback)):
        if value:
            message = f"{name!r} is for a step of one specialist, this one has 'agents'"
            yield _problem("conflicting_fields", step_id, name, message, f"remove {name}, or name one specialist")
    for name, count in Counter(step.agents).items():
        if count > 1:
            message = f"the specialist {name!r} is named {count} times"
            yield _problem("duplicate_agent", step_id, "agents", message, "name each specialist once")


def _voted(step_id: str, step: AgentStep | ParallelStep, voters: int) -> Iterator[PlanProblem]:
    named = "vote" if step.vote is not None else "quorum"
    if not voters:
        message = f"{named!r} is for a step of several specialists, this one has no 'agents'"
        yield _problem("conflicting_fields", step_id, named, message, "name the voters in 'agents', or remove it")
    elif isinstance(step.quorum, int) and step.quorum > voters:
        message = f"a quorum of {step.quorum} cannot be reached by {voters} voters"
        yield _problem("invalid_value", step_id, "quorum", message, f"ask for at most {voters}, or for a share")
    if step.type == "parallel" and step.output is not None:
        message = f"{named!r} makes the output that of the winner, this one has an 'output' of its own"
        yield _problem("conflicting_fields", step_id, "output", message, "keep one of the two")


def _specialists(
    step_id: str,
    step: AgentStep,
    cards: Mapping[str, SpecialistCard],
    available: Collection[str] | None,
    suggestions: Suggestions,
) -> Iterator[PlanProblem]:
    there = cards if available is None else {name: card for name, card in cards.items() if name in available}
    if step.agent is None and not step.requires and not step.agents:
        message = "the step names no specialist and requires no capability"
        yield _problem("no_specialist", step_id, "agent", message, f"set agent to one of: {listed(there)}")
    named = [("agent", step.agent)] if step.agent is not None else []
    for field, name in (
        *named,
        *(("agents", one) for one in step.agents),
        *(("fallback", one) for one in step.fallback),
    ):
        if name in there:
            continue
        if name in cards:
            message = f"the specialist {name!r} is not available here"
            yield _problem("unknown_specialist", step_id, field, message, f"there are: {listed(there)}")
        else:
            hint = suggestions.hint(name, there, f"there are: {listed(there)}")
            yield _problem("unknown_specialist", step_id, field, f"no specialist is called {name!r}", hint)
    wanted = set(step.requires)
    if wanted and not step.agents:
        chosen = [there[step.agent]] if step.agent is not None and step.agent in there else list(there.values())
        if not any(wanted <= set(card.capabilities) for card in chosen):
            have = sorted({term for card in chosen for term in card.capabilities})
            message = f"no specialist has all of {sorted(wanted)}"
            yield _problem("missing_capability", step_id, "requires", message, f"known capabilities: {listed(have)}")


def _wait(step_id: str, step: WaitStep) -> Iterator[PlanProblem]:
    given = [name for name in ("duration", "until", "event") if getattr(step, name) is not None]
    if not given:
        message = "a wait needs one of 'duration', 'until' and 'event'"
        yield _problem("missing_field", step_id, "duration", message, "say what it waits for")
    for name in given[1:]:
        message = f"a wait has one of 'duration', 'until' and 'event', this one has {given[0]!r} and {name!r}"
        yield _problem("conflicting_fields", step_id, name, message, "keep one of them")
    if step.timeout is not None and step.event is None:
        message = "'timeout' is for a wait for an event"
        yield _problem("conflicting_fields", step_id, "timeout", message, "remove it, or wait for an event")


def _sub_plan(step_id: str, step: SubPlanStep) -> Iterator[PlanProblem]:
    if not isinstance(step.plan, Plan):
        message = f"the plan {step.plan!r} is an alias, and was not looked up"
        yield _problem("unknown_plan", step_id, "plan", message, "give the library of plans, or write the plan itself")
        return
    if not step.plan.steps:
        yield _problem("no_steps", step_id, "plan.steps", "a plan needs at least one step", "add a step")
    if step.plan.coordinator.strategy == "sequential":
        message = "the strategy 'sequential' is for a whole run, not for a plan inside of another"
        hint = "remove it here, and let the steps depend on each other"
        yield _problem("nested_coordinator", step_id, "plan.coordinator.strategy", message, hint)
    if any(isinstance(one, BudgetGuardrail) for one in step.plan.coordinator.guardrails):
        message = "a budget is for a whole run, not for a plan inside of another"
        hint = "move it to the outermost plan"
        yield _problem("nested_coordinator", step_id, "plan.coordinator.guardrails", message, hint)


def _problem(code: ProblemCode, step: str, field: str, message: str, hint: str) -> PlanProblem:
    return PlanProblem(code=code, step=step, field=field, message=message, hint=hint)
