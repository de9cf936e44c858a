"""What somebody decided about a run: a stored record of who, when, about what, and why."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ["Decision"]


class Decision(BaseModel):
    """One decision; written once and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["plan", "approval", "gate", "input", "event", "specialist", "planning", "revision", "escalation"]
    """What it was about: the plan before it runs, an approval step, the approval of a step that a policy asks for,
    something to fill in, an event, a question that a specialist asked in its own way; how the plan was made, a change
    of the plan while it runs, or what is to become of a run whose revisions are used up."""
    subject: str
    """Id of the step; empty where it is about the plan."""
    chosen: Literal[
        "approve",
        "edit",
        "reject",
        "answer",
        "timeout",
        "repair",
        "simplify",
        "shorten",
        "choose",
        "revise",
        "refuse",
        "no_change",
        "no_progress",
        "guide",
        "accept",
        "abort",
    ]
    """``timeout``: nobody answered, and what the deadline means was done.

    Of planning: ``repair`` (a draft was sent back with its problems), ``simplify`` (a simpler plan is asked for, or
    made, in place of one), ``shorten`` (what the model was told, because it was too long for it; of revisions too),
    ``choose`` (one of several drafts). Of revisions: ``revise`` (the plan was changed),
    ``refuse`` (the change may not be made), ``no_change`` (the reviser knew none), ``no_progress`` (it would give a
    plan that there was before). Of escalations: ``guide`` (the reviser is told something and tries again), ``accept``
    (what there is has to do), ``abort``."""
    rationale: str = ""
    """What was said with it."""
    answer: JsonValue = None
    """What was filled in, what an edit changed it to, or of planning and revisions the evidence."""
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
