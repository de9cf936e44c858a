"""The last word of a run: what hooks make of its answer, and what signals of specialists say against it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import JsonValue

from goalgraph.errors import HookFailed
from goalgraph.graph.coordination.consequences import capped, halting_reason, unanswered
from goalgraph.graph.coordination.consequences import conflicts as conflicts_of
from goalgraph.graph.coordination.hooks import Completion
from goalgraph.graph.revision.rules import Rules
from goalgraph.graph.revision.triggers import halting
from goalgraph.graph.run import Run
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, text_of
from goalgraph.planner.plan import Plan
from goalgraph.specialists.results import InvalidOutput, OutputTooLarge, as_json

__all__ = ["completed", "halted_by", "signalled"]


def halted_by(
    plan: Plan, outcomes: Mapping[str, Outcome], rules: Rules | None, inputs: Mapping[str, JsonValue]
) -> tuple[str, ...]:
    """Return the ids of the steps that have halted a run.

    Args:
        plan: Flat.
        outcomes: Those of maps' items too.
        rules: Of revisions, where there are any.
        inputs: Of the run.
    """
    if rules is not None:
        return rules.halting(plan, outcomes, inputs)
    return halting({step.id: step for step in plan.steps}, outcomes, None, inputs=inputs)


def signalled(outcomes: Mapping[str, Outcome], halted: tuple[str, ...], rules: Rules | None) -> tuple[str, ...]:
    """Say what signals of specialists have come to; conflicts of the plan's own steps apart.

    Args:
        outcomes: By step, those of maps' items too.
        halted: See `halted_by`.
        rules: Of revisions, where there are any.
    """
    found = [one for one in outcomes.values() if one.signals]
    if not found:
        return ()
    conflicts = [reason for one in found if "[" in one.step for reason in conflicts_of(one)]
    why = [f"the run was halted: {halting_reason(outcomes, halted)}"] if halted else []
    return (*why, *conflicts, *unanswered(found, is_asked=rules is not None and not halted))


async def completed(run: Run, told: Completion) -> tuple[str, Decision] | None:
    """Let the hooks have the last word.

    Returns:
        The answer, and the record of it; None where it stays as it is.

    Raises:
        HookFailed: A hook raised, or gave what is no answer.
    """
    if run.hooks is None or (found := await run.hooks.ruling("all_complete", told)) is None:
        return None
    ruling, by = found
    try:
        chosen = as_json(ruling.chosen)
    except (InvalidOutput, OutputTooLarge) as error:
        raise HookFailed(f"the hook {by} gave what cannot be the answer: {error}", hook=by) from None
    decision = Decision(
        kind="completion",
        subject="",
        chosen="replaced",
        rationale=str(as_json(str(ruling.why))),
        answer=capped(told.answer),
        by=by,
        at=datetime.now(UTC).isoformat(),
    )
    return text_of(chosen), decision
