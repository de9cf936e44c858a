"""Whether a run is halted by a step that says that it makes no sense to go on; pure."""

from collections.abc import Mapping

from pydantic import JsonValue

from goalgraph.graph.coordination.consequences import halting_reason
from goalgraph.graph.revision.rules import Rules
from goalgraph.graph.revision.triggers import halting
from goalgraph.planner.outcome import Outcome
from goalgraph.planner.plan import Step

__all__ = ["reason_to_halt"]


def reason_to_halt(
    steps: Mapping[str, Step],
    outcomes: Mapping[str, Outcome],
    rules: Rules | None,
    inputs: Mapping[str, JsonValue],
    *,
    by: str | None = None,
) -> str:
    """Say why a run is to be halted; empty where it is not.

    Args:
        steps: Of a flat plan, by id.
        outcomes: Known so far; those of maps' items may be among them.
        rules: Of revisions, where there are any: what the reviser is to have does not halt the run.
        inputs: Of the run.
        by: Id of the only step that is asked about; None: all.
    """
    policy, least = (rules.policy, rules.min_confidence) if rules is not None else (None, None)
    found = halting(steps, outcomes, policy, inputs=inputs, min_confidence=least)
    if by is not None:
        found = tuple(one for one in found if one == by)
    return halting_reason(outcomes, found) if found else ""
