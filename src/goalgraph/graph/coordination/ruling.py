"""What hooks decide about a step: who does it, who does it again, and what holds of results that contradict it."""

from collections.abc import Awaitable, Callable
from copy import deepcopy
from typing import Literal

from pydantic import JsonValue

from goalgraph.errors import HookFailed
from goalgraph.graph.coordination.consequences import capped, evidence_of
from goalgraph.graph.coordination.hooks import Assignment, Conflict, Escalation, Hooks, Ruling
from goalgraph.graph.revision.triggers import outcome_digest
from goalgraph.graph.steps.turn import Turn
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import AgentStep
from goalgraph.planner.signals import CONFLICT, ESCALATION
from goalgraph.specialists.artifacts import ArtifactStore
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json, kept
from goalgraph.specialists.specialist import Specialist, StepResult

__all__ = ["assigned", "ruled"]

_MOST_AGAIN = 2
"""How often a step is done again because its specialist asks for somebody else."""


async def assigned(
    turn: Turn, step: AgentStep, chain: tuple[str, ...], instruction: str, arguments: dict[str, JsonValue]
) -> tuple[str, ...]:
    """Ask the hooks who is to do a step, and give it that one's place.

    A step that is not recorded yet may be done again, after an interrupt too: then the hooks are asked again.

    Args:
        turn: The step's.
        step: As the plan has it.
        chain: Who does it by the plan, then those who take over.
        instruction: What they are told.
        arguments: The step's, resolved.

    Returns:
        Who does it, then the others, each once.

    Raises:
        HookFailed: A hook raised, or named somebody who may not do it.
    """
    told = Assignment(
        run=turn.run.id,
        goal=turn.work.goal,
        step=step.id,
        instruction=instruction,
        input=deepcopy(arguments),
        specialists=chain,
    )
    found = await _hooks(turn).ruling("assignment", told)
    if found is None:
        return chain
    ruling, by = found
    name = _named(turn, step, chain, ruling, by, "assignment")
    others = tuple(dict.fromkeys(one for one in chain if one != name))
    turn.decided(_decision(turn, "assignment", name, ruling, by).model_copy(update={"alternatives": others}))
    if name != chain[0]:
        await turn.work.move(step.id, name)
    return (name, *others)


async def ruled(
    turn: Turn,
    step: AgentStep,
    outcome: Outcome,
    *,
    again: Callable[[tuple[str, ...]], Awaitable[Outcome]],
    doer: Callable[[str], Specialist],
    artifacts: ArtifactStore | None,
) -> Outcome:
    """Have the hooks see to what a step signals.

    Where somebody is named for an escalation, that one does the step again, and what comes of it takes the place of the
    first outcome; both have the same idempotency key. What is given for a conflict takes the place of the output.

    Args:
        turn: The step's.
        step: As the plan has it.
        outcome: What it has come to.
        again: Does the step, by those who are named, with all that is asked before.
        doer: Finds a specialist by name.
        artifacts: Where large outputs are kept.

    Raises:
        HookFailed: A hook raised, named somebody who may not do the step, or gave an output that does not fit it.
    """
    _take_over(turn, outcome)
    for _ in range(_MOST_AGAIN):
        if ESCALATION not in outcome.signals or not _hooks(turn).has("escalation"):
            break
        told = Escalation(run=turn.run.id, step=step.id, outcome=outcome, specialist=outcome.specialist or "")
        if (found := await _hooks(turn).ruling("escalation", told)) is None:
            break
        outcome = await _done_again(turn, step, outcome, *found, again)
    if CONFLICT in outcome.signals and outcome.status == "succeeded" and _hooks(turn).has("conflict"):
        outcome = await _arbitrated(turn, outcome, doer, artifacts)
    return outcome


async def _done_again(
    turn: Turn,
    step: AgentStep,
    outcome: Outcome,
    ruling: Ruling,
    by: str,
    again: Callable[[tuple[str, ...]], Awaitable[Outcome]],
) -> Outcome:
    name = _named(turn, step, turn.work.chains[step.id], ruling, by, "escalation")
    made = _decision(turn, "escalation", name, ruling, by)
    turn.decided(made.model_copy(update={"answer": evidence_of(outcome), "digest": outcome_digest(outcome)}))
    if name != outcome.specialist:
        await turn.work.move(step.id, name)
    second = await again((name,))
    _take_over(turn, second)
    whole = {"usage": outcome.usage + second.usage, "seconds": outcome.seconds + second.seconds}
    return second.model_copy(update={**whole, "decisions": tuple(turn.decisions)})


async def _arbitrated(
    turn: Turn, outcome: Outcome, doer: Callable[[str], Specialist], artifacts: ArtifactStore | None
) -> Outcome:
    board = turn.board
    versions = {need: board.outcomes[need] for need in board.index.needs[turn.step.id] if need in board.outcomes}
    told = Conflict(run=turn.run.id, step=turn.step.id, outcome=outcome, versions=versions)
    if (found := await _hooks(turn).ruling("conflict", told)) is None:
        return outcome
    ruling, by = found
    schema = doer(outcome.specialist).card.output_schema if outcome.specialist else None
    try:
        result, output = await kept(StepResult(output=ruling.chosen), schema, artifacts)
    except (InvalidOutput, OutputTooLarge) as error:
        raise HookFailed(
            f"the hook {by} gave step {turn.step.id!r} what cannot be its output: {error}", hook=by
        ) from None
    made = _decision(turn, "conflict", "resolved", ruling, by)
    turn.decided(made.model_copy(update={"answer": capped(outcome.output), "digest": outcome_digest(outcome)}))
    changes = {"output": output, "artifacts": (*outcome.artifacts, *result.artifacts)}
    return outcome.model_copy(update={**changes, "decisions": tuple(turn.decisions)})


def _named(turn: Turn, step: AgentStep, chain: tuple[str, ...], ruling: Ruling, by: str, moment: str) -> str:
    """Return the specialist that a hook has named, if it may do the step."""
    reassigning, work = turn.run.reassigning, turn.work
    if reassigning is None:
        raise AssertionError("hooks without rules for whom they name")
    plan, name = work.board.index.plan, ruling.chosen
    why = reassigning.refusal(name, step, chain, plan=plan, gates=work.gates, decisions=work.decisions)
    if why:
        raise HookFailed(
            f"the {moment} of step {step.id!r} by the hook {by} cannot be used: {why}",
            hook=by,
            hint="return the name of another specialist, or None to leave the step as it is",
        )
    return str(name)


def _decision(
    turn: Turn, kind: Literal["assignment", "escalation", "conflict"], chosen: str, ruling: Ruling, by: str
) -> Decision:
    at = turn.board.now().isoformat()
    why = str(as_json(str(ruling.why)))
    return Decision(kind=kind, subject=turn.step.id, chosen=chosen, rationale=why, by=by, at=at)


def _take_over(turn: Turn, outcome: Outcome) -> None:
    """Keep what an outcome has on record beside what was decided in the turn: notes, and to whom work was delegated."""
    turn.decisions.extend(one for one in outcome.decisions if one not in turn.decisions)


def _hooks(turn: Turn) -> Hooks:
    if turn.run.hooks is None:
        raise AssertionError("a ruling without hooks")
    return turn.run.hooks
