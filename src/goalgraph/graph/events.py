"""What a run tells whoever watches it: typed events on the ``custom`` stream.

With ``subgraphs=True`` those of runs inside of its steps come too. Their ``run`` is the outer run's id with the step,
such as ``"run-5e1f3a/report"``.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal, NotRequired, cast

from pydantic import Discriminator, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from goalgraph.graph.board.transitions import RunStatus
from goalgraph.planner.decision import Decision
from goalgraph.planner.outcome import Outcome, Status, Usage

__all__ = [
    "DecisionMade",
    "Event",
    "PlanMade",
    "PlanRevised",
    "RequestMade",
    "RevisionStarted",
    "RunFinished",
    "StepDrafted",
    "StepFinished",
    "StepProgress",
    "StepStarted",
    "Used",
    "as_event",
    "decision_made",
    "step_finished",
    "used",
]


class Used(TypedDict):
    """What models were asked for."""

    tokens: int
    """Read and written."""
    calls: int
    cost_usd: NotRequired[float]
    """Of the calls that were priced; left out where none was."""
    unpriced_calls: NotRequired[int]
    """Those that should have been priced, and whose price is not known."""


class StepDrafted(TypedDict):
    """The model has written a step of a plan that is not complete yet, nor checked."""

    type: Literal["step_drafted"]
    run: str
    step: str
    title: str
    """What it is about, in a line."""
    needs: list[str]
    """Ids of the steps that it depends on."""
    draft: int
    """1 for the first; others repair what was wrong with the one before."""
    early: bool
    """Whether it is being done already."""


class PlanMade(TypedDict):
    """The plan is valid and about to run."""

    type: Literal["plan_made"]
    run: str
    steps: list[str]
    """Ids in plan order."""
    done: list[str]
    """Ids whose outcomes are already recorded."""
    usage: NotRequired[Used]
    """Of planning, and of revising, so far."""


class RevisionStarted(TypedDict):
    """A step's outcome calls for another plan; what is at work goes on, and nothing new begins."""

    type: Literal["revision_started"]
    run: str
    step: str
    reason: str
    """The condition that holds."""


class PlanRevised(TypedDict):
    """What the reviser proposed was looked at."""

    type: Literal["plan_revised"]
    run: str
    step: str
    """The one that called for it."""
    chosen: Literal["revise", "refuse", "no_change", "no_progress"]
    rationale: str
    diff: str
    """A line for each difference; empty where the plan stays as it is."""


class StepStarted(TypedDict):
    """A step's dependencies are done and it has its place; its time counts from here."""

    type: Literal["step_started"]
    run: str
    step: str
    specialist: str
    """Who does it; the type of a step that no specialist does."""
    at: str
    """ISO 8601, UTC."""


class StepProgress(TypedDict):
    """What a specialist says about how far it is."""

    type: Literal["step_progress"]
    run: str
    step: str
    message: str
    fraction: float | None
    items: NotRequired[int]
    """How many items a map has."""


class RequestMade(TypedDict):
    """A step asks a human, or waits for an event; its interrupt follows when nothing else can run."""

    type: Literal["request"]
    run: str
    step: str
    request: dict[str, Any]
    """What the interrupt will carry."""


class StepFinished(TypedDict):
    """A step has its outcome."""

    type: Literal["step_finished"]
    run: str
    step: str
    status: Status
    specialist: str | None
    attempts: int
    seconds: float
    error: NotRequired[str]
    usage: NotRequired[Used]
    """Where models were called."""


class DecisionMade(TypedDict):
    """A hook of the caller's, or a specialist, has decided something; it comes with the outcome it belongs to."""

    type: Literal["decision_made"]
    run: str
    step: str
    """Id; empty where it is about the whole run."""
    kind: str
    """As for `goalgraph.Decision`."""
    chosen: str
    alternatives: list[str]
    rationale: str
    by: str | None


class RunFinished(TypedDict):
    """The answer is there."""

    type: Literal["run_finished"]
    run: str
    status: RunStatus
    usage: NotRequired[Used]
    """Of the whole run, where models were called."""


Event = (
    StepDrafted
    | PlanMade
    | RevisionStarted
    | PlanRevised
    | StepStarted
    | StepProgress
    | RequestMade
    | StepFinished
    | DecisionMade
    | RunFinished
)
"""Any of them, told apart by ``type``."""


def as_event(part: object) -> Event | None:
    """Recognise an event of the engine among whatever else specialists put on the custom stream."""
    if not isinstance(part, Mapping):
        return None
    try:
        _events().validate_python(part, strict=True)
    except ValidationError:
        return None
    return cast("Event", part)


@cache
def _events() -> TypeAdapter[Event]:
    return TypeAdapter(Annotated[Event, Discriminator("type")])


def decision_made(decision: Decision, run: str) -> DecisionMade:
    """Make the event of a decision.

    Args:
        decision: As it is on record.
        run: Id of the run.
    """
    return DecisionMade(
        type="decision_made",
        run=run,
        step=decision.subject,
        kind=decision.kind,
        chosen=decision.chosen,
        alternatives=list(decision.alternatives),
        rationale=decision.rationale,
        by=decision.by,
    )


def step_finished(outcome: Outcome, run: str) -> StepFinished:
    """Make the event of an outcome.

    Args:
        outcome: As it is on record.
        run: Id of the run.
    """
    event = StepFinished(
        type="step_finished",
        run=run,
        step=outcome.step,
        status=outcome.status,
        specialist=outcome.specialist,
        attempts=outcome.attempts,
        seconds=outcome.seconds,
    )
    if outcome.error is not None:
        event["error"] = outcome.error.message
    if outcome.usage.calls:
        event["usage"] = used(outcome.usage)
    return event


def used(usage: Usage) -> Used:
    """Make what an event tells of usage.

    Args:
        usage: As it is on record.
    """
    told = Used(tokens=usage.input_tokens + usage.output_tokens, calls=usage.calls)
    if usage.cost_usd > 0:
        told["cost_usd"] = usage.cost_usd
    if usage.unpriced_calls:
        told["unpriced_calls"] = usage.unpriced_calls
    return told
