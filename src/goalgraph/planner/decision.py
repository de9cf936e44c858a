"""What somebody decided about a run: a stored record of who, when, about what, and why."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue

__all__ = ["PEOPLES", "Decision"]

PEOPLES = frozenset(("plan", "approval", "gate", "input", "event", "specialist"))
"""Kinds of decisions that answer what was asked; whoever watches a run sees the requests."""


class Decision(BaseModel):
    """One decision; written once and never changed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal[
        "plan",
        "approval",
        "gate",
        "input",
        "event",
        "specialist",
        "planning",
        "revision",
        "escalation",
        "assignment",
        "delegation",
        "health",
        "conflict",
        "vote",
        "limit",
        "completion",
        "note",
    ]
    """What it was about: the plan before it runs, an approval step, the approval of a step that a policy asks for,
    something to fill in, an event, a question that a specialist asked in its own way; how the plan was made, a change
    of the plan while it runs, or what is to become of a run whose revisions are used up; who does a step, what a
    specialist has another one do, whether a specialist is fit to be given work, which of several results holds, what
    several of them come to, a limit that was met, what the whole comes to; ``note``: what a specialist has decided in
    its own work and put on record."""
    subject: str
    """Id of the step, of ``health`` name of the specialist; empty where it is about the plan or the run."""
    chosen: str
    """Of what people are asked: ``approve``, ``edit``, ``reject``, ``answer``, or ``timeout``: nobody answered, and
    what the deadline means was done.

    Of planning: ``repair`` (a draft was sent back with its problems), ``simplify`` (a simpler plan is asked for, or
    made, in place of one), ``shorten`` (what the model was told, because it was too long for it; of revisions too),
    ``choose`` (one of several drafts). Of revisions: ``revise`` (the plan was changed),
    ``refuse`` (the change may not be made), ``no_change`` (the reviser knew none), ``no_progress`` (it would give a
    plan that there was before). Of escalations: ``guide`` (the reviser is told something and tries again), ``accept``
    (what there is has to do), ``abort``. Of assignments and delegations: the specialist's name. Of health: ``open``,
    ``half_open``, ``closed``. Of all others: what was chosen, in a word or a line."""
    alternatives: tuple[str, ...] = ()
    """What else could have been chosen, where that is known."""
    rationale: str = ""
    """What was said with it."""
    answer: JsonValue = None
    """What was filled in, what an edit changed it to, or the evidence."""
    by: str | None = None
    """Who decided: as the caller said of people; else the hook, the router, the specialist."""
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
