"""What the last step of a superstep leaves behind beside its outcome: what was answered, for record or for later."""

from datetime import UTC, datetime
from typing import Any

from goalgraph.graph.humans.journal import Entry
from goalgraph.graph.ledger.telling import new_decisions
from goalgraph.graph.run import Run
from goalgraph.graph.work import Work

__all__ = ["closed"]


def closed(run: Run, work: Work) -> dict[str, Any]:
    """Settle the answers of a superstep, and return the update that does.

    What was answered to this plan's own steps is in their outcomes. To those that have none yet, because the plan is
    about to be changed, it is carried over; to specialists and to runs inside, it is put on record.
    """
    limits = new_decisions(run.accounts.ledgers, work.decisions, datetime.now(UTC)) if run.accounts.is_met else []
    if not run.answers:
        return {"decisions": limits} if limits else {}
    outcomes = [*work.board.outcomes.values(), *work.withheld.values()]
    known = {decision.request for outcome in outcomes for decision in outcome.decisions}
    over = {outcome.step for outcome in outcomes}
    left = sorted((one for one in run.answers if one.request not in known), key=lambda entry: entry.envelope.at)
    own = (one for one in left if one.is_own and not one.is_inside and one.kind != "plan")
    carried = [one.decision() for one in own if one.step not in over]
    told = [one.decision() for one in left]
    update: dict[str, Any] = {}
    if record := [*limits, *(one for one in told if one not in carried)]:
        update["decisions"] = record
    if carried or any(entry.is_carried for entry in run.answers):
        update["carried"] = carried
    run.answers = tuple(map(Entry.carried, carried))  # a step that is ever done anew is asked about anew
    return update
