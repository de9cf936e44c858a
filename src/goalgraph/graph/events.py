"""What a run tells whoever watches it: typed events on the ``custom`` stream."""

from typing import Any, Literal, NotRequired

from typing_extensions import TypedDict

from goalgraph.graph.board.transitions import RunStatus
from goalgraph.planner.outcome import Status

__all__ = ["Event", "PlanMade", "RequestMade", "RunFinished", "StepFinished", "StepProgress", "StepStarted"]


class PlanMade(TypedDict):
    """The plan is valid and about to run."""

    type: Literal["plan_made"]
    run: str
    steps: list[str]
    """Ids in plan order."""
    done: list[str]
    """Ids whose outcomes are already recorded."""


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


class RunFinished(TypedDict):
    """The answer is there."""

    type: Literal["run_finished"]
    run: str
    status: RunStatus


Event = PlanMade | StepStarted | StepProgress | RequestMade | StepFinished | RunFinished
"""Any of them, told apart by ``type``."""
