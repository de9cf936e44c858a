"""Steps that wait for a human or an event: they ask with an interrupt, and go on with what it is answered with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Literal

from langgraph.config import get_config
from langgraph.errors import GraphInterrupt
from langgraph.types import interrupt
from pydantic import JsonValue

from goalgraph.graph import events
from goalgraph.graph.humans.answers import Problem
from goalgraph.graph.humans.replies import Envelope, Reply, read_reply
from goalgraph.graph.humans.requests import approval_request, event_request, input_request
from goalgraph.graph.run import Run
from goalgraph.graph.steps.turn import Turn
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import HumanApprovalStep, HumanInputStep, WaitStep

__all__ = ["Taken", "approved", "asked", "decided", "filled_in", "happened", "is_yes", "refused", "told", "unasked"]

Make = Callable[..., dict[str, Any]]
"""Makes a request, told ``deadline``, ``problem`` and ``asked``, and ``escalated`` where it is for a yes or a no."""

OnTimeout = Literal["reject", "approve", "escalate"]


@dataclass(frozen=True, slots=True)
class Taken:
    """A reply, and who gave it when, where that is known."""

    reply: Reply
    envelope: Envelope | None

    def decision(self, request: Mapping[str, Any], now: datetime) -> Decision:
        """Return the record of it."""
        came = self.envelope
        return Decision(
            kind=request["kind"],
            subject=request["step"],
            chosen=self.reply.chosen,
            rationale=self.reply.comment or "",
            answer=self.reply.value,
            by=came.by if came is not None else None,
            assignee=request["assignee"],
            digest=request["digest"],
            request=came.request if came is not None else "",
            said=came.said if came is not None else "",
            at=now.isoformat(),
        )


def _is_inside() -> bool:
    """Whether another graph does the run that asks; what a run's own tasks have in them is items of maps."""
    _, *below = str(get_config().get("configurable", {}).get("checkpoint_ns") or "").split("|")
    return not all(place.startswith("map_item:") for place in below)


def _taken(request: Mapping[str, Any]) -> Taken | Problem:
    """Ask, and take the answer, if there is one and it is to this."""
    came: object = interrupt(request)
    envelope = Envelope.opened(came)
    if envelope is None:  # it came past our own door, in another graph
        reply = read_reply(request, came)
        return reply if isinstance(reply, Problem) else Taken(reply, None)
    if envelope.digest != request["digest"]:
        return Problem("what was answered is not what is asked now, so it is asked anew")
    return Taken(envelope.reply, envelope)


def told(request: dict[str, Any], run: Run, tell: Callable[[Any], None]) -> Taken | Problem:
    """Take the answer that was carried over to exactly this; where there is none, ask, and announce the request.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    for entry in run.answers:
        if entry.is_carried and entry.envelope.digest == request["digest"]:
            return Taken(entry.envelope.reply, entry.envelope)
    if _is_inside():
        request = {**request, "inside": True}
    if run.path:
        request = {**request, "path": "/".join(filter(None, (run.path, request["step"])))}
    try:
        return _taken(request)
    except GraphInterrupt:  # else it was answered, and nobody is asked any more
        tell(events.RequestMade(type="request", run=request["run"], step=request["step"], request=request))
        raise


def decided(turn: Turn, make: Make, due: datetime | None, on_timeout: OnTimeout) -> Decision:
    """Ask for a yes or a no until there is an answer that is plainly one, or nobody gave one in time.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    problem: str | None = None
    escalated = False
    times = 0
    while True:
        deadline = due.isoformat() if due is not None else None
        request = make(deadline=deadline, problem=problem, escalated=escalated, asked=times)
        if _is_late(turn, due, request):
            if on_timeout != "escalate":
                return _unanswered(turn, request)
            due, escalated = None, True
            continue
        found = told(request, turn.run, turn.tell)
        if isinstance(found, Taken):
            return turn.decided(found.decision(request, turn.board.now()))
        problem = found.message
        times += 1


def approved(turn: Turn, step: HumanApprovalStep) -> Outcome:
    """Ask for an approval.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    make = partial(
        approval_request,
        run=turn.run.id,
        step=step.id,
        prompt=turn.text(step.prompt),
        assignee=_text(turn, step.assignee),
    )
    due = turn.due(step.deadline)
    decision = decided(turn, make, due, step.on_timeout)
    if not is_yes(decision, step.on_timeout):
        outcome = refused(turn, decision, due)
        return outcome.model_copy(update={"output": {"approved": False, "comment": _comment(decision, due)}})
    outcome = turn.ended("succeeded", output={"approved": True, "comment": _comment(decision, due)})
    return outcome.model_copy(update={"degraded": unasked(decision, due)})


def is_yes(decision: Decision, on_timeout: OnTimeout) -> bool:
    """Whether what was asked about may be done."""
    if decision.chosen == "timeout":
        return on_timeout == "approve"
    return decision.chosen in ("approve", "edit")


def refused(turn: Turn, decision: Decision, due: datetime | None) -> Outcome:
    """Return the outcome of a step that may not be done."""
    if decision.chosen == "timeout":
        return turn.failed("timeout", f"{_comment(decision, due)}, which counts as a no")
    because = f": {decision.rationale}" if decision.rationale else ""
    return turn.failed("rejected", f"a human said no{because}")


def unasked(decision: Decision, due: datetime | None) -> tuple[str, ...]:
    """Say so where nobody was asked in truth."""
    return (f"approved without an answer: {_comment(decision, due)}",) if decision.chosen == "timeout" else ()


def _comment(decision: Decision, due: datetime | None) -> str | None:
    if decision.chosen == "timeout" and due is not None:
        return f"no answer by {due.isoformat(timespec='seconds')}"
    return decision.rationale or None


def filled_in(turn: Turn, step: HumanInputStep) -> Outcome:
    """Ask for input until it fits the step's schema.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    make = partial(
        input_request,
        run=turn.run.id,
        step=step.id,
        prompt=turn.text(step.prompt),
        schema=step.answer_schema,
        assignee=_text(turn, step.assignee),
    )
    due = turn.due(step.deadline)
    found = _answered(turn, make, due)
    if found is None and due is not None:
        return turn.failed("timeout", f"no answer by {due.isoformat(timespec='seconds')}")
    return turn.ended("succeeded", output=found.answer if found is not None else None)


def happened(turn: Turn, step: WaitStep, event: str) -> Outcome:
    """Wait for an event; whatever it comes with is the output.

    Raises:
        GraphInterrupt: It has not come yet.
    """
    due = turn.due(step.timeout)
    found = _answered(turn, partial(event_request, run=turn.run.id, step=step.id, event=event), due)
    if found is None and due is not None:
        return turn.failed("timeout", f"the event {event!r} did not come by {due.isoformat(timespec='seconds')}")
    return turn.ended("succeeded", output=found.answer if found is not None else None)


def asked(turn: Turn, prompt: str, schema: Mapping[str, JsonValue], number: int) -> JsonValue:
    """Ask what a specialist wants to know.

    Args:
        turn: The step's.
        prompt: The question.
        schema: JSON Schema of the answer; empty where any will do.
        number: How many questions of the same attempt came before. An attempt that is made anew is not asked anew.

    Raises:
        GraphInterrupt: There is no answer yet.
    """
    if number < len(turn.asked) and turn.asked[number][0] == (prompt, schema):
        return turn.asked[number][1]
    make = partial(input_request, run=turn.run.id, step=turn.step.id, prompt=prompt, schema=schema)
    found = _answered(turn, make, None, len(turn.asked))
    value = found.answer if found is not None else None
    turn.asked.append(((prompt, schema), value))
    return value


def _answered(turn: Turn, make: Make, due: datetime | None, times: int = 0) -> Decision | None:
    """Ask until there is an answer that fits; None where it did not come in time."""
    problem: str | None = None
    while True:
        request = make(deadline=due.isoformat() if due is not None else None, problem=problem, asked=times)
        if _is_late(turn, due, request):
            return None
        found = told(request, turn.run, turn.tell)
        if isinstance(found, Taken):
            return turn.decided(found.decision(request, turn.board.now()))
        problem = found.message
        times += 1


def _is_late(turn: Turn, due: datetime | None, request: Mapping[str, Any]) -> bool:
    """Whether the time is up, and no answer was written down before it was."""
    if due is None or turn.board.now() < due:
        return False
    answers = [one.envelope for one in turn.run.answers if one.envelope.digest == request["digest"]]
    return not any(datetime.fromisoformat(answer.at) < due for answer in answers)


def _unanswered(turn: Turn, request: Mapping[str, Any]) -> Decision:
    return turn.decided(
        Decision(
            kind=request["kind"],
            subject=request["step"],
            chosen="timeout",
            assignee=request["assignee"],
            digest=request["digest"],
            at=turn.board.now().isoformat(),
        )
    )


def _text(turn: Turn, value: str | None) -> str | None:
    return turn.text(value) if value is not None else None
