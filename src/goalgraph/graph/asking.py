"""Steps that wait for a human or an event: they ask with an interrupt, and go on with what it is answered with."""

from datetime import UTC, datetime
from typing import Any

from langgraph.types import interrupt

from goalgraph.graph import events
from goalgraph.graph.answers import Approval, Problem, read_approval, read_event, read_input
from goalgraph.graph.requests import approval_request, event_request, input_request
from goalgraph.graph.turn import Turn
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import HumanApprovalStep, HumanInputStep, WaitStep

__all__ = ["approved", "filled_in", "happened"]


def approved(turn: Turn, step: HumanApprovalStep) -> Outcome:
    """Ask for an approval until there is an answer that is plainly a yes or a no.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    prompt, assignee, due = turn.text(step.prompt), _text(turn, step.assignee), turn.due(step.deadline)
    problem: str | None = None
    escalated = False
    while True:
        if due is not None and datetime.now(UTC) >= due:
            if step.on_timeout != "escalate":
                return _timed_out(turn, step, due)
            due, escalated = None, True
        request = approval_request(
            run=turn.run.id,
            step=step.id,
            prompt=prompt,
            assignee=assignee,
            deadline=due.isoformat() if due is not None else None,
            problem=problem,
            escalated=escalated,
        )
        found = read_approval(_asked(turn, request))
        if isinstance(found, Approval):
            if due is not None and datetime.now(UTC) >= due:
                continue  # too late: what the deadline means comes first
            return _decided(turn, found)
        problem = found.message


def filled_in(turn: Turn, step: HumanInputStep) -> Outcome:
    """Ask for input until it fits the step's schema.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    prompt, assignee, due = turn.text(step.prompt), _text(turn, step.assignee), turn.due(step.deadline)
    problem: str | None = None
    while True:
        if due is not None and datetime.now(UTC) >= due:
            return turn.failed("timeout", f"no answer by {due.isoformat(timespec='seconds')}")
        request = input_request(
            run=turn.run.id,
            step=step.id,
            prompt=prompt,
            schema=step.answer_schema,
            assignee=assignee,
            deadline=due.isoformat() if due is not None else None,
            problem=problem,
        )
        found = read_input(_asked(turn, request), step.answer_schema)
        if not isinstance(found, Problem):
            return turn.ended("succeeded", output=found)
        problem = found.message


def happened(turn: Turn, step: WaitStep, event: str) -> Outcome:
    """Wait for an event; whatever it comes with is the output.

    Raises:
        GraphInterrupt: It has not come yet.
    """
    due = turn.due(step.timeout)
    if due is not None and datetime.now(UTC) >= due:
        return turn.failed("timeout", f"the event {event!r} did not come by {due.isoformat(timespec='seconds')}")
    request = event_request(
        run=turn.run.id, step=step.id, event=event, deadline=due.isoformat() if due is not None else None
    )
    came = read_event(_asked(turn, request))
    if isinstance(came, Problem):
        return turn.failed("invalid_output", came.message)
    return turn.ended("succeeded", output=came)


def _asked(turn: Turn, request: dict[str, Any]) -> object:
    """Announce a request and take its answer, if there is one."""
    turn.tell(events.RequestMade(type="request", run=turn.run.id, step=turn.step.id, request=request))
    return interrupt(request)


def _text(turn: Turn, value: str | None) -> str | None:
    return turn.text(value) if value is not None else None


def _decided(turn: Turn, answer: Approval) -> Outcome:
    if answer.approved:
        return turn.ended("succeeded", output={"approved": True, "comment": answer.comment})
    because = f": {answer.comment}" if answer.comment else ""
    outcome = turn.failed("rejected", f"a human said no{because}")
    return outcome.model_copy(update={"output": {"approved": False, "comment": answer.comment}})


def _timed_out(turn: Turn, step: HumanApprovalStep, due: datetime) -> Outcome:
    said = f"no answer by {due.isoformat(timespec='seconds')}"
    if step.on_timeout == "approve":
        outcome = turn.ended("succeeded", output={"approved": True, "comment": said})
        return outcome.model_copy(update={"degraded": (f"approved without an answer: {said}",)})
    outcome = turn.failed("timeout", f"{said}, which counts as a no")
    return outcome.model_copy(update={"output": {"approved": False, "comment": said}})
