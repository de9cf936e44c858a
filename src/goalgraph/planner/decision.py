"""What somebody decided about a run: a stored record of who, when, about what, and why."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ["Decision"]


class Decision(BaseModel):
    """One decision; written once and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["plan", "approval", "gate", "input", "event", "specialist"]
    """What it was about: the plan before it runs, an approval step, the approval of a step that a policy asks for,
    something to fill in, an event, or a question that a specialist asked in its own way."""
    subject: str
    """Id of the step; empty where it is about the plan."""
    chosen: Literal["approve", "edit", "reject", "answer", "timeout"]
    """``timeout``: nobody answered, and what the deadline means was done."""
    rationale: str = ""
    """What was said with it."""
    answer: JsonValue = None
    """What was filled in, or what an edit changed it to."""
    by: str | None = None
    """Who decided, where the caller said so."""
    assignee: str | None = None
    """Who was asked."""
    digest: str = ""
    """Of what was decided about: it holds for nothing else."""
    request: str = ""
    """Id of the request that was answered; empty where the answer came past `answer`, in another graph."""
    said: str = ""
    """Digest of the answer as it came."""
    at: str
    """ISO 8601, UTC: when the run took it in."""
