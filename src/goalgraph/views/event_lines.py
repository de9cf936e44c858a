"""Events of a run as lines of text."""

from goalgraph.graph.events import Event, PlanRevised
from goalgraph.graph.policies import LOW_CONFIDENCE, ON_FAILURE
from goalgraph.planner.wording import KINDS
from goalgraph.views.progress import UNREVISED
from goalgraph.views.text import one_line

__all__ = ["plain_line"]

_REASONS = {ON_FAILURE: "failed", LOW_CONFIDENCE: "is not sure enough of its result"}
"""What the usual conditions of a revision mean."""
_MOST_CHANGES = 8


def plain_line(event: Event) -> str | None:
    """Write an event as a line of text, a change of the plan with lines of its own; None where it is not worth one."""
    if event["type"] == "plan_made" or event["type"] == "run_finished":
        return None
    step = one_line(event["step"])
    if event["type"] == "step_drafted":
        needs = f" (needs {one_line(', '.join(event['needs']), 80)})" if event["needs"] else ""
        return f"drafted {step}{needs}: {one_line(event['title'])}{', begun' if event['early'] else ''}"
    if event["type"] == "revision_started":
        why = _REASONS.get(event["reason"]) or f"({one_line(event['reason'])})"
        return f"{step} {why}: the plan is being revised"
    if event["type"] == "plan_revised":
        return _changed(event, step)
    if event["type"] == "step_started":
        return f"started {step} ({one_line(KINDS.get(event['specialist'], event['specialist']))})"
    if event["type"] == "request":
        return f"asks {step or 'plan'}: {one_line(str(event['request'].get('prompt', '')))}"
    if event["type"] == "decision_made":
        by = f" (by {one_line(event['by'])})" if event["by"] else ""
        why = f": {one_line(event['rationale'])}" if event["rationale"].strip() else ""
        about = f"{one_line(event['kind'])} of {step}" if step else one_line(event["kind"])
        return f"decided {about}: {one_line(event['chosen'])}{by}{why}"
    if event["type"] == "step_finished":
        why = f": {one_line(event['error'])}" if "error" in event else ""
        return f"{event['status']} {step} after {event['seconds']:.1f} s{why}"
    return None


def _changed(event: PlanRevised, step: str) -> str:
    """Say what became of a revision, with what is different."""
    why = f": {one_line(event['rationale'])}" if event["rationale"].strip() else ""
    if event["chosen"] != "revise":
        return f"not revised for {step}, {UNREVISED[event['chosen']]}{why}"
    changes = event["diff"].splitlines()
    more = [f"and {len(changes) - _MOST_CHANGES} more changes"] if len(changes) > _MOST_CHANGES else []
    lines = [one_line(change, 160) for change in changes[:_MOST_CHANGES]]
    return "\n  ".join((f"revised for {step}{why}", *lines, *more))
