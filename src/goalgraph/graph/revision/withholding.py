"""What happens at once where a step's outcome calls for another plan: it is withheld, and the reviser is called."""

from functools import partial
from typing import Any

from langgraph.runtime import Runtime

from goalgraph.graph import events
from goalgraph.graph.board.suspending import RevisableBoard
from goalgraph.graph.revision.rules import Rules, Stand
from goalgraph.graph.revision.triggers import Due, fired, guided_steps, outcome_digest, spent
from goalgraph.graph.run import Run
from goalgraph.graph.work import Work
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Step
from goalgraph.planner.reviser import Trigger
from goalgraph.planner.signals import ESCALATION

__all__ = ["withheld"]


def withheld(outcome: Outcome, step: Step, work: Work, run: Run, runtime: Runtime[Any]) -> bool:
    """Withhold the outcome of a step, if it calls for another plan; say whether that is so.

    The reviser is called right away, in a task of its own, also while it is at work for other steps; the run goes on
    with all that does not need the step, unless a failure is to end the rest.
    """
    rules, board = run.rules, work.board
    if rules is None or not isinstance(board, RevisableBoard) or step.id in board.index.parents:
        return False
    if run.is_halted or run.accounts.is_met:
        return False
    one = _due(outcome, step, work, rules, run)
    if one is None:
        return False
    work.withheld[step.id] = outcome
    is_awaited = not one.is_direct and begin(one, work, run)
    board.withhold(step.id, is_awaited=is_awaited, at_once=run.fail_fast or rules.at_limit == "abort")
    if one.is_direct:
        return True
    runtime.stream_writer(
        events.RevisionStarted(type="revision_started", run=run.id, step=step.id, reason=one.trigger.reason)
    )
    return True


def begin(one: Due, work: Work, run: Run) -> bool:
    """Call the reviser, where no bound is reached with the calls that are under way; say whether it was called."""
    rules, calls = run.rules, run.calls
    if rules is None or calls is None or spent(work.decisions).left(rules.policy) <= len(calls):
        return False
    board = work.board
    stand = Stand(
        goal=work.goal,
        inputs=work.inputs,
        plan=board.index.plan,
        outcomes={**board.outcomes, **work.withheld},
        decisions=work.decisions,
        at_work=board.at_work - {one.trigger.step} if isinstance(board, RevisableBoard) else (),
    )
    calls.begin(rules.request(stand, one), one.digest, run.accounts.ledgers, partial(run.told, one.trigger.step))
    return True


def _due(outcome: Outcome, step: Step, work: Work, rules: Rules, run: Run) -> Due | None:
    """Whether an outcome calls for a revision that can still be made, or that a human is to be asked about."""
    if rules.at_limit == "accept" and spent(work.decisions).exhausted(rules.policy):
        return None  # it stays as it is, and holds nobody up
    outcomes, least = work.board.outcomes, rules.min_confidence
    reason = fired(step, outcome, rules.policy, inputs=work.inputs, outcomes=outcomes, min_confidence=least)
    run.judged[step.id] = (step, outcome, reason)
    if reason is None:
        return None
    is_direct = reason == ESCALATION and step.id not in guided_steps(work.decisions)
    if is_direct and rules.at_limit == "accept":
        return None
    return Due(trigger=Trigger(step=step.id, reason=reason), digest=outcome_digest(outcome), is_direct=is_direct)
