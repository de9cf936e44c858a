"""The channels of the graph."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from langchain_core.messages import AnyMessage
from langgraph.channels import DeltaChannel
from langgraph.graph.message import add_messages
from pydantic import JsonValue
from typing_extensions import TypedDict

from goalgraph.graph.board.transitions import RunStatus
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Usage
from goalgraph.planner.plan import Plan
from goalgraph.planner.reviewed import PlanInReview
from goalgraph.planner.run_metrics import RunMetrics
from goalgraph.planner.signalled import Signal
from goalgraph.planner.source import Source

__all__ = ["PlanInput", "PlanOutput", "PlanState", "StepSend"]


def _merged(outcomes: Mapping[str, Outcome], writes: Sequence[Mapping[str, Outcome | None]]) -> dict[str, Outcome]:
    """Fold steps' outcomes together; each step writes one, so their order does not matter.

    None takes an outcome back: of a step that is to be done in another way, or that was parked and has none.
    """
    merged = dict(outcomes)
    for write in writes:
        for step_id, outcome in dict(write).items():
            if outcome is None:
                merged.pop(step_id, None)
            else:
                merged[step_id] = outcome
    return merged


# Stored once, as the steps' own writes, and not again with every later superstep.
Outcomes = Annotated[dict[str, Outcome], DeltaChannel(_merged, snapshot_frequency=10**9)]


def _appended(decisions: Sequence[Decision], new: Sequence[Decision]) -> list[Decision]:
    """Add decisions, each once: a request has one."""
    requests = {one.request for one in decisions if one.request}
    return [*decisions, *(one for one in new if one not in decisions and one.request not in requests)]


def _carried(carried: Sequence[Decision], new: Sequence[Decision]) -> list[Decision]:
    """Add answers to those that are carried over already; none puts all of them away."""
    return _appended(carried, new) if new else []


Decisions = Annotated[list[Decision], _appended]


class PlanInput(TypedDict, total=False):
    """What a caller gives: a goal, or messages the last of which is one; and, optionally, the plan itself."""

    goal: str
    messages: Annotated[list[AnyMessage], add_messages]
    plan: Plan | None
    inputs: dict[str, JsonValue]


class PlanOutput(TypedDict, total=False):
    """What a run gives."""

    goal: str
    answer: str
    structured_response: JsonValue
    """The answer in the form that ``response_format`` asks for: plain JSON, which ``MyModel.model_validate`` takes;
    None where there is none."""
    sources: list[Source]
    """What the answer was made from."""
    status: RunStatus
    degraded: list[str]
    """What is missing or weak, in words; empty where nothing is."""
    plan: Plan
    """As it was run: flat, with qualified ids."""
    outcomes: Outcomes
    decisions: Decisions
    """What people decided, about the plan and its steps; then what was delegated, and what was put on record."""
    signals: list[Signal]
    """What the steps have signalled, in their order."""
    usage: Usage
    metrics: RunMetrics | None
    """What the run took, by specialist and in all."""
    messages: Annotated[list[AnyMessage], add_messages]


class PlanState(TypedDict, total=False):
    """All channels."""

    goal: str
    messages: Annotated[list[AnyMessage], add_messages]
    plan: Plan | None
    inputs: dict[str, JsonValue]
    review: PlanInReview | None
    """What a human is to see before anything runs; None once it was seen."""
    started_at: str
    """ISO 8601, UTC: when the plan was made."""
    outcomes: Outcomes
    answer: str | None
    structured_response: JsonValue
    sources: list[Source]
    status: RunStatus | None
    degraded: list[str]
    decisions: Decisions
    signals: list[Signal]
    carried: Annotated[list[Decision], _carried]
    """Answers to steps that were not over when the state was changed from outside; those that are spent mean nothing.
    A superstep may have several last tasks, one for each call that went on with it."""
    usage: Usage
    metrics: RunMetrics | None
    spent: Usage
    """By all runs of the thread that came to an answer."""
    assigned: dict[str, str]
    """Who is to do which step, as a router of whole plans has said; empty where it said nothing of one."""


class StepSend(TypedDict):
    """What is sent to a specialist's node: which step; the plan itself is not copied into every message."""

    step: str
